"""What a prepared data set says about itself: `manifest.json` and `examples.csv` in its folder."""

import csv
import dataclasses
import io
import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from etils import epath

from a2keras.errors import UserError
from a2keras.training.data.source import Skipped

MANIFEST = "manifest.json"
EXAMPLES = "examples.csv"


class Entry(NamedTuple):
    """One example, in the order of the records."""

    stored: str  # split of TFDS that it is in
    split: str  # split that the source gave it, "" if none
    label: str
    frames: int  # 1: an image
    name: str
    content: str = ""  # of its file, see `FileListing.contents`; "" where only the name tells


@dataclass(frozen=True)
class Manifest:
    """How a data set was prepared.

    Attributes:
        source: as `--data` has it.
        task: "image" or "video".
        classes: names in the order of the labels.
        split_rule: where the splits come from; "" where the source left them open.
        stored_as: short side, quality and frames per second.
        fingerprint: hash of the source's list of files, as the source itself reports it.
        listed: number of examples of the source.
        examples: number of examples that are stored.
        bytes: of all records.
        skipped: what could not be read.
    """

    source: str
    task: str
    classes: tuple[str, ...]
    split_rule: str
    stored_as: dict[str, Any]
    fingerprint: str
    listed: int
    examples: int
    bytes: int
    skipped: tuple[Skipped, ...]

    def save(self, directory: epath.Path) -> None:
        text = json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False)
        (directory / MANIFEST).write_text(text + "\n")

    @classmethod
    def load(cls, directory: epath.Path) -> "Manifest":
        """Reads the manifest of a prepared data set; `UserError` where there is none."""
        path = directory / MANIFEST
        if not path.exists():
            raise UserError(f"{directory} is not a prepared data set: it has no {MANIFEST}")
        try:
            document = json.loads(path.read_text())
            document["classes"] = tuple(document["classes"])
            document["skipped"] = tuple(Skipped(**each) for each in document["skipped"])
            return cls(**document)
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not a manifest of this version: {error}") from error


def write_examples(directory: epath.Path, entries: list[Entry]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(Entry._fields)
    writer.writerows(entries)
    (directory / EXAMPLES).write_text(buffer.getvalue())


def read_examples(directory: epath.Path) -> list[Entry]:
    rows = csv.reader(io.StringIO((directory / EXAMPLES).read_text()))
    next(rows)
    return [Entry(row[0], row[1], row[2], int(row[3]), *row[4:6]) for row in rows]

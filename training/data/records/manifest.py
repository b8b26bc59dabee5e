"""What a prepared data set says about itself: `manifest.json` and `examples.csv` in its folder."""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from etils import epath

from a2keras.cells import csv_rows, csv_text
from a2keras.documents import RECORD, as_json, read_json
from a2keras.errors import UserError, counted, printable, reason_of
from a2keras.files import read_bytes
from a2keras.training.data.source import Skipped
from a2keras.training.data.split_names import SPLITS

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

    __pydantic_config__: ClassVar = RECORD

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

    def __post_init__(self) -> None:
        if self.task not in ("image", "video"):
            raise ValueError(f"`task` must be image or video. Received: task={self.task}")
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"`classes` must differ, at least one. Received: {self.classes}")

    def save(self, directory: epath.Path) -> None:
        (directory / MANIFEST).write_text(as_json(dataclasses.asdict(self)) + "\n")

    @classmethod
    def load(cls, directory: epath.Path) -> "Manifest":
        """Reads the manifest of a prepared data set; `UserError` where there is none."""
        path = directory / MANIFEST
        if not path.exists():
            raise UserError(f"{directory} is not a prepared data set: it has no {MANIFEST}")
        manifest: Manifest = read_json(path, cls, "a manifest of this version")
        return manifest


def write_examples(directory: epath.Path, entries: list[Entry]) -> None:
    text = csv_text([Entry._fields, *entries])
    # Bytes of names that are no text as the manifest has them, too.
    text = re.sub("[\ud800-\udfff]", lambda half: printable(half[0]), text)
    (directory / EXAMPLES).write_bytes(text.encode())


def read_examples(directory: epath.Path, classes: tuple[str, ...]) -> list[Entry]:
    """The entries of a prepared data set.

    Raises:
        UserError: the file cannot be read, or does not hold what it must; names the line.
    """
    path = directory / EXAMPLES
    known, entries = set(classes), []
    try:
        rows = csv_rows(read_bytes(path).decode())
        header = next(rows, None)
        if header not in (list(Entry._fields), list(Entry._fields[:-1])):  # before `content`
            raise ValueError(f"its first line must be {','.join(Entry._fields)}")
        for number, row in enumerate(rows, 2):
            if len(row) != len(header):
                raise ValueError(f"line {number} has {counted(len(row), 'cell')}")
            stored, split, label, frames, name, *content = row
            if not (stored in SPLITS and split in (*SPLITS, "") and label in known):
                raise ValueError(f"line {number} has an unknown split or class")
            if not re.fullmatch("[1-9][0-9]{0,9}", frames):
                raise ValueError(f"line {number} must tell the number of frames")
            entries.append(Entry(stored, split, label, int(frames), name, *content))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or reason_of(error)
        raise UserError(f"{path} is damaged: {reason}") from error
    return entries


def features_of(task: str, classes: tuple[str, ...]) -> Any:
    """The features of a prepared data set, which TensorFlow Datasets reads like any other's."""
    import tensorflow_datasets as tfds

    pixels: dict[str, Any] = {"image": tfds.features.Image()}
    if task == "video":
        shape = (None, None, None, 3)
        pixels = {
            "video": tfds.features.Video(shape=shape, encoding_format="jpeg"),
            "timestamps": tfds.features.Sequence(np.float64),
        }
    label = tfds.features.ClassLabel(names=list(classes))
    return tfds.features.FeaturesDict({**pixels, "label": label, "name": tfds.features.Text()})

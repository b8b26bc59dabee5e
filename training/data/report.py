"""What a run's data.json says of its data: whether it was trained on other examples too."""

from dataclasses import dataclass
from pathlib import Path

from a2keras.documents import read_json
from a2keras.training.data.source import Skipped, Source, fingerprints_of

FILE_NAME = "data.json"


@dataclass(frozen=True)
class Report:
    """What is read again of a run's data.json. What else is in it is for people."""

    fingerprint: str
    skipped: tuple[Skipped, ...] = ()
    trained_on: str = ""  # see `fingerprints_of`
    batch_size: int | None = None  # of its steps, at most the recipe's


def read_report(run: Path) -> Report:
    """Of the run in a directory; `UserError` where data.json is missing or damaged."""
    report: Report = read_json(run / FILE_NAME, Report, "a report on a run's data")
    return report


def trained_on(run: Path, source: Source, split: str) -> str | None:
    """A warning where a run was trained on some of the examples that it is to be scored on.

    Files are the same where what is in them is, see `Listing.contents`; records of TFDS where their
    names in the same set are.
    """
    known, examples = set(read_report(run).trained_on.split()), source.splits[split]
    names = zip(examples.names, fingerprints_of(examples, source.fingerprint), strict=True)
    again = [name for name, fingerprint in names if fingerprint in known]
    if not again:
        return None
    return (
        f"WARNING: {len(again)} of the {len(examples)} examples are files that {run} was "
        f"trained on, such as {again[0]}: the score says little about others"
    )

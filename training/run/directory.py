"""The directory of a run: who may write into it, and what lies in it."""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from a2keras import files
from a2keras.documents import parse_json, write_json
from a2keras.errors import UserError, reason_of
from a2keras.training.config import Recipe
from a2keras.training.data.report import FILE_NAME, Report, read_report
from a2keras.training.data.source import Skipped
from a2keras.training.output import alone, writing


@dataclass(frozen=True)
class Run:
    """A training run on disk."""

    path: Path
    recipe: Recipe

    def check(self) -> None:
        """Makes sure that the recipe may be run here, and writes nothing.

        Raises:
            UserError: the directory holds something else, or a run of another recipe that has
                begun.
        """
        if self.begun:
            was = Recipe.load(self.path / "recipe.json")
            if (key := self.recipe.first_difference(was)) is not None:
                raise UserError(
                    f"{self.path} is a run with {key}={getattr(was, key)}, not "
                    f"{key}={getattr(self.recipe, key)}: choose another `output`"
                )
        elif not (self.path / "recipe.json").is_file() and (
            self.path.exists() and not (self.path.is_dir() and not self._others())
        ):
            raise UserError(f"{self.path} exists and is not a run: choose another `output`")

    @property
    def begun(self) -> bool:
        """Whether there is something to go on with: it may have ended before its first step."""
        saved = self.path / "results.json", *(self.path / "checkpoints").glob("step_*")
        return any(path.exists() for path in saved)

    def _others(self) -> list[Path]:
        """What lies in the directory, but for what a killed process has left half-written."""
        return [path for path in self.path.iterdir() if not path.match(".*.partial*")]

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Makes the directory, and keeps other processes from training in it meanwhile.

        The lock goes with the process, however that ends.

        Raises:
            UserError: another process trains here, or it cannot be made.
        """
        # A link that the user names is followed.
        return alone(Path(os.path.realpath(self.path)), "a run", self.path, "trained")

    def start(self, data: dict) -> None:
        """Writes what the run is made of: the recipe, and the report on its data.

        Raises:
            UserError: a run that goes on would go on with other data, or nothing can be written.
        """
        self.check()
        if self.begun:
            self.check_source(data)
        with self.writing("a run"):
            self.path.mkdir(parents=True, exist_ok=True)
            left = [*self.path.glob(".*.partial*")]
            if not self.begun:  # of an earlier start, with another recipe perhaps
                left += self.path.glob("weights.json")
            for path in left:
                files.remove(path)
            # First what makes a directory a run: a process may be killed between the two.
            self.recipe.save(self.path / "recipe.json")
            write_json(self.path / FILE_NAME, data)

    def check_data(self, fingerprint: str) -> None:
        """Refuses data other than what the run began with: its splits would mix with these."""
        if (self.path / FILE_NAME).is_file() and self.report().fingerprint != fingerprint:
            raise UserError(f"the files of {self.recipe.data} have changed since {self.path} began")

    def check_source(self, data: dict) -> None:
        """Refuses a report on data that the run has not begun with.

        Files that could not be read then and can be now, or the other way round, would change what
        is drawn for the splits, and the run has learned from some of it.
        """
        self.check_data(data["fingerprint"])
        if not (self.path / FILE_NAME).is_file():
            return
        before = {each.path for each in self.skipped()}
        if changed := sorted(before ^ {each["path"] for each in data["skipped"]}):
            can = "could not be read" if changed[0] in before else "could be read"
            raise UserError(
                f"other files of {self.recipe.data} can be read than when {self.path} began, which "
                f"has split those: {changed[0]} {can}. Choose another `output`"
            )

    def report(self) -> Report:
        """What data.json says."""
        return read_report(self.path)

    def skipped(self) -> tuple[Skipped, ...]:
        """What could not be read when the run began; it has split the others."""
        return self.report().skipped

    def batch_size(self) -> int | None:
        """Of the run's steps; None where it has not begun."""
        return self.report().batch_size if self.begun else None

    @classmethod
    def load(cls, path: str | Path) -> "Run":
        """A run that has been trained; `UserError` where there is none or it is not finished."""
        path = Path(path)
        if not (path / "recipe.json").is_file():
            raise UserError(f"{path} is not a run: it has no recipe.json")
        run = cls(path, Recipe.load(path / "recipe.json"))
        if not run.finished:
            raise UserError(f"the run {path} is not finished: `a2keras train` goes on with it")
        return run

    @property
    def finished(self) -> bool:
        return (self.path / "results.json").is_file()

    @property
    def model_path(self) -> Path:
        return self.path / "model.keras"

    def history(self) -> list[dict]:
        """The lines of metrics.jsonl, one per epoch that has ended."""
        path = self.path / "metrics.jsonl"
        if not path.is_file():
            return []
        try:
            return [parse_json(line) for line in files.read_bytes(path).splitlines()]
        except (OSError, ValueError) as error:
            raise UserError(f"{path} has a damaged line: {reason_of(error)}") from error

    def write_history(self, history: list[dict]) -> None:
        text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in history)
        with self.writing("metrics.jsonl"):
            files.write_text(self.path / "metrics.jsonl", text)

    def writing(self, what: str) -> contextlib.AbstractContextManager:
        """As `writing`, into the run."""
        return writing(what, self.path)

"""Checkpoints: written aside, verified by checksum, the last few and the best of them kept."""

import contextlib
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from a2keras import files
from a2keras.arrays import read_npz
from a2keras.console import say
from a2keras.documents import as_json, parse_json
from a2keras.errors import UserError, reason_of, system_reason
from a2keras.whole_numbers import count, real

STATE, DOCUMENT, SUMS = "state.npz", "document.json", "SHA256SUMS"
_NAME = re.compile(r"step_(\d+)")


@dataclass(frozen=True)
class Saving:
    """When to write a checkpoint besides the end of each epoch, and how many stay.

    It decides nothing about what is computed, so it is no part of the recipe.

    Attributes:
        minutes: between two; 0: none by time.
        steps: between two; 0: none by number.
        keep: the last ones that stay, besides the best.

    Raises:
        UserError: none of these numbers, or none to keep.
    """

    minutes: float = 10.0
    steps: int = 0
    keep: int = 2

    def __post_init__(self) -> None:
        real("checkpoint_minutes", self.minutes, "a number of at least 0", 0, math.inf)
        count("checkpoint_steps", self.steps, 0)
        count("checkpoint_keep", self.keep)


class DamagedCheckpoint(Exception):
    """A checkpoint that is not what was written."""


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on.

    Attributes:
        step: steps that have been done.
        state: arrays by name.
        document: whatever else there is to know, as JSON.
    """

    step: int
    state: Mapping[str, np.ndarray]
    document: dict[str, Any]


class Checkpoints:
    """The checkpoints of a run: `step_00000120/` with state.npz, document.json and SHA256SUMS.

    A checkpoint is written into a directory beside its place, flushed to the disk and then renamed,
    so that a process that is killed at any moment leaves whole checkpoints and perhaps a directory
    `.partial`, which the next one removes. `sha256sum -c SHA256SUMS` verifies one by hand.

    Args:
        directory: made when the first one is saved.
        keep: how many of the last ones stay; the best one stays besides.
        record: what a document must hold, see `documents.parse_json`.
    """

    def __init__(self, directory: Path, keep: int = 2, record: Any = dict) -> None:
        self.directory = directory
        self.keep = keep
        self.record = record

    def steps(self) -> list[int]:
        """The steps of all checkpoints, damaged ones included, in ascending order."""
        if not self.directory.is_dir():
            return []
        names = (_NAME.fullmatch(path.name) for path in self.directory.iterdir())
        return sorted(int(name[1]) for name in names if name)

    def path(self, step: int) -> Path:
        return self.directory / f"step_{step:08}"

    def save(self, checkpoint: Checkpoint, best_step: int | None = None) -> None:
        """Writes a checkpoint, and then removes those that are no longer kept.

        Args:
            checkpoint: to write; one of the same step is replaced.
            best_step: step of the best checkpoint so far, which is kept.

        Raises:
            UserError: it cannot be written; those that were there are as they were.
        """
        final = self.path(checkpoint.step)
        partial = final.with_name(f".{final.name}.partial")
        try:
            files.make_directory(self.directory)
            self.remove_partial()
            partial.mkdir()
            _write(partial, checkpoint)
            files.remove(final)
            partial.rename(final)
            _flush(self.directory)
            steps = self.steps()
            # Later ones are there where the run went on before damaged ones: what is written now
            # is all that it could go on from.
            for step in set(steps) - {*steps[-self.keep :], best_step, checkpoint.step}:
                files.remove(self.path(step))
        except OSError as error:
            self.remove_partial()
            raise UserError(
                f"the checkpoint of step {checkpoint.step} cannot be written to {self.directory}: "
                f"{system_reason(error)}. {self.describe_last()}"
            ) from error

    def describe_last(self) -> str:
        """A sentence on what there is to go on from."""
        steps = self.steps()
        if not steps:
            return "There is no checkpoint yet"
        return f"The last checkpoint, of step {steps[-1]}, is intact"

    def latest(self) -> Checkpoint | None:
        """The newest sound checkpoint; a damaged one is told, and the one before it is taken.

        Returns:
            None where none has been written.

        Raises:
            UserError: there are checkpoints, but none is sound.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                return self.load(step)
            except DamagedCheckpoint as damage:
                say(f"the checkpoint of step {step} is damaged: {damage}")
        if steps:
            raise UserError(
                f"none of the checkpoints in {self.directory} is sound: restore them from a backup,"
                " or choose another `output` to start again"
            )
        return None

    def load(self, step: int) -> Checkpoint:
        """Reads and verifies the checkpoint of a step.

        Raises:
            DamagedCheckpoint: a file is missing, or is not what was written.
        """
        path = self.path(step)
        try:
            _verify(path)
            content = files.read_bytes(path / DOCUMENT)
            parse_json(content, self.record)
            return Checkpoint(step, read_npz(path / STATE), parse_json(content))
        except (OSError, ValueError) as error:
            raise DamagedCheckpoint(reason_of(error)) from error

    def remove_partial(self) -> None:
        """Removes what a killed or failed save has left."""
        if self.directory.is_symlink():
            return
        for path in self.directory.glob(".step_*.partial"):
            with contextlib.suppress(OSError):
                files.remove(path)


def _write(directory: Path, checkpoint: Checkpoint) -> None:
    """Writes the three files of a checkpoint and flushes them to the disk."""
    with (directory / STATE).open("wb") as file:
        # NumPy 2 has a keyword `allow_pickle` among the names of the arrays, NumPy 1 has none.
        np.savez(file, **checkpoint.state)  # type: ignore[arg-type]
    (directory / DOCUMENT).write_text(as_json(checkpoint.document, indent=None) + "\n")
    sums = [f"{files.sha256(directory / name)}  {name}\n" for name in (STATE, DOCUMENT)]
    (directory / SUMS).write_text("".join(sums))
    for path in (*directory.iterdir(), directory):
        _flush(path)


def _verify(directory: Path) -> None:
    """Raises `DamagedCheckpoint` unless both files have the checksums that were written."""
    lines = files.read_bytes(directory / SUMS).decode().splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    if set(sums) != {STATE, DOCUMENT}:
        raise DamagedCheckpoint(f"{SUMS} does not name {STATE} and {DOCUMENT}")
    for name, expected in sums.items():
        if files.sha256(directory / name) != expected:
            raise DamagedCheckpoint(f"{name} does not have the checksum that was written")


def _flush(path: Path) -> None:
    """Waits until a file, or the entries of a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

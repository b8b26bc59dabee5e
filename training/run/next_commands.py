"""What a user may type once a run is finished: the next commands, filled in."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from a2keras.documents import read_json
from a2keras.errors import printable
from a2keras.training.data.source import Source
from a2keras.training.run.directory import Run


@dataclass(frozen=True)
class _Data:
    """Of the data of a run, how many examples each split has."""

    examples: dict[str, int]


@dataclass(frozen=True)
class _Results:
    """What is read again of results.json."""

    data: _Data
    example_file: str | None = None


def example_file(source: Source) -> str | None:
    """A file of the data, of those held out where there are any; None where there are no files."""
    for split in ("test", "validation", "train"):
        examples = source.splits.get(split)
        for index in range(len(examples) if examples is not None else 0):
            assert examples is not None
            path = examples.path(index)
            if path is None:
                break
            if path == printable(path):  # what a terminal shows can be typed
                return path
    return None


def next_commands(run: Run, done: str = "") -> list[str]:
    """The commands on a finished run but for the one that is done, quoted for a shell."""
    results: _Results = read_json(run.path / "results.json", _Results, "the results of a run")
    directory = _argument(run.path)
    explained = f"{directory}/explained"
    file = results.example_file
    held_out = {"test", "validation"} & results.data.examples.keys()
    commands = []
    if held_out:
        commands = [["evaluate", directory], ["explain", directory, f"--output={explained}"]]
    elif file:  # without anything held out `evaluate` asks for other data
        commands = [["explain", directory, _argument(file), f"--output={explained}"]]
    commands.append(["export", directory, f"--output={directory}/export"])
    lines = [shlex.join(["a2keras", *command]) for command in commands if command[0] != done]
    predict = shlex.join(["a2keras", "predict", directory])
    if file:
        return [*lines, f"{predict} {shlex.quote(_argument(file))}"]
    # What `explain` leaves of examples that are no files.
    return [*lines, f"{predict} {shlex.quote(explained)}/*_input.*"] if held_out else lines


def _argument(path: str | Path) -> str:
    """A path that no command takes for a flag."""
    path = os.fspath(path)
    return f"./{path}" if path.startswith("-") else path

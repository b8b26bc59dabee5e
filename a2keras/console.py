"""What the commands share: a user's mistake, lines and progress on standard error, JSON."""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


class UserError(Exception):
    """A user's mistake, told in one clear sentence: the command prints it and exits with code 2."""


def is_command() -> bool:
    """Whether this process is the `a2keras` command (also as `python -m a2keras`)."""
    return Path(sys.argv[0]).stem == "a2keras" or sys.orig_argv[1:3] == ["-m", "a2keras"]


def say(text: str = "") -> None:
    """Prints a line for a person. Standard output is left to results (`--format=json`)."""
    print(text, file=sys.stderr, flush=True)


def print_json(document: Any) -> None:
    """Prints the one JSON document of a command on standard output."""
    print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False), flush=True)


def write_atomically(path: str | Path, text: str) -> None:
    """Writes a text file so that a reader sees the old text or the new, never a part of it."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(text)
    partial.replace(path)


def write_json(path: str | Path, document: Any) -> None:
    """Writes a JSON file atomically; NaN and infinity are refused: JSON has no words for them."""
    write_atomically(
        path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )


def progress(
    items: Iterable, description: str, unit: str = "file", total: int | None = None
) -> Any:
    """Iterates with a progress bar on standard error, where that is a terminal."""
    from tqdm import tqdm

    return tqdm(
        items,
        desc=description,
        unit=unit,
        total=total,
        leave=False,
        dynamic_ncols=True,
        disable=None,  # in a log file a bar would be a thousand lines
    )


@contextlib.contextmanager
def quiet_native_stderr() -> Iterator[None]:
    """Holds back what native libraries write to standard error, as TensorFlow does at its start.

    TensorFlow announces its CPU features before its own log level is in force, so the level alone
    cannot silence it. If the block fails, what was held back is shown after all.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except BaseException:
            held_back.seek(0)
            os.write(stderr, held_back.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)

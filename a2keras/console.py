"""The terminal: lines and progress on standard error, results on standard output."""

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from a2keras.documents import as_json
from a2keras.errors import printable_lines


def is_command() -> bool:
    """Whether this process is the `a2keras` command (also as `python -m a2keras`) or its worker."""
    if Path(sys.argv[0]).stem == "a2keras" or sys.orig_argv[1:3] == ["-m", "a2keras"]:
        return True
    return sys.orig_argv[1:4] == ["-P", "-m", "a2keras.export.worker"]


def say(text: str = "") -> None:
    """Prints lines for a person. Standard output is left to results (`--format=json`)."""
    print(printable_lines(text), file=sys.stderr, flush=True)


def show(text: str = "") -> None:
    """Prints lines of a command's result on standard output."""
    print(printable_lines(text), flush=True)


def print_json(document: Any) -> None:
    """Prints the one JSON document of a command on standard output."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    print(as_json(document, ascii_only=encoding != "utf8"), flush=True)


def print_whatever_is_encoded() -> None:
    """Lets the standard streams print every text, in whatever encoding the locale has chosen."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not so where a test has put its own
            stream.reconfigure(errors="backslashreplace")


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

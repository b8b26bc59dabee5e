"""The terminal: lines and progress on standard error, results on standard output."""

import contextlib
import importlib.util
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Container, Iterable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from a2keras.documents import as_json
from a2keras.errors import UserError, printable, printable_lines, system_reason


def is_command() -> bool:
    """Whether this process is the `a2keras` command (also as `python -m a2keras`) or its worker."""
    by_module = _module_of(sys.orig_argv[1:]) in ("a2keras", "a2keras.export.reading.worker")
    return by_module or Path(sys.argv[0]).stem == "a2keras"


def _module_of(arguments: Sequence[str]) -> str | None:
    """MODULE of `python … -m MODULE …`, by the interpreter's own options before it."""
    left = iter(arguments)
    for argument in left:
        if not argument.startswith("-") or argument == "-":  # a script
            return None
        if argument == "--check-hash-based-pycs":
            next(left, None)
        # Letters may share a dash, and what a letter takes may follow it at once: -um a2keras.
        elif found := re.match(r"-[^-cmXW]*([cmXW])(.*)", argument, re.DOTALL):
            value = found[2] or next(left, None)
            if found[1] in "cm":
                return value if found[1] == "m" else None
    return None


def say(text: str = "") -> None:
    """Prints lines for a person. Standard output is left to results (`--format=json`)."""
    _print(printable_lines(text), sys.stderr)


def show(text: str = "") -> None:
    """Prints lines of a command's result on standard output."""
    _print(printable_lines(text), sys.stdout)


def show_table(
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    numbers: Container[str] = (),
    least: Sequence[int] = (),
) -> None:
    """Prints a table on standard output.

    On a terminal it is fitted into the width, its cells wrapped; elsewhere every row is a line, so
    that nothing is cut off and lines can be searched.

    Args:
        head: of its columns.
        rows: their cells, printed as `show` prints foreign texts.
        numbers: heads of the columns that stand to the right.
        least: widths of the first columns, where several tables are to stand below each other.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    styled = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for i, name in enumerate(head):
        side: Any = "right" if name in numbers else "left"
        width = least[i] if i < len(least) else None
        table.add_column(name, justify=side, overflow="fold", min_width=width)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(
        file=io.StringIO(),
        width=shutil.get_terminal_size().columns if is_terminal else _UNLIMITED,
        force_terminal=styled,
        color_system="standard" if styled else None,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(table)
    _print("\n".join(line.rstrip() for line in capture.get().splitlines()), sys.stdout)


_UNLIMITED = 100_000  # columns


def print_json(document: Any) -> None:
    """Prints the one JSON document of a command on standard output."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    _print(as_json(document, ascii_only=encoding != "utf8"), sys.stdout)


def _print(text: str, stream: Any) -> None:
    """Prints to a standard stream, if it is open.

    A reader that has had enough, such as `head`, is no error: what is printed from then on goes
    nowhere, and the command goes on, so that its files and its exit code are what they would be.
    """
    if stream is None:
        return
    try:
        print(text, file=stream, flush=True)
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # also for what Python flushes at its end
        os.close(nowhere)
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            raise UserError(f"standard output cannot be written: {system_reason(error)}") from error


def prepare_streams() -> None:
    """Lets a command print every text, in whatever encoding the locale has chosen.

    Where a standard stream is closed it leads nowhere: the next file that is opened would get its
    number, and what a native library prints.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
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
            with contextlib.suppress(OSError):
                os.write(stderr, held_back.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def start_quietly() -> None:
    """Lets TensorFlow start in silence, whichever import is the first to need it."""
    if "tensorflow" not in sys.modules and not any(isinstance(f, _Quiet) for f in sys.meta_path):
        sys.meta_path.insert(0, _Quiet())


class _Quiet(MetaPathFinder):
    """Imports TensorFlow with its native standard error held back.

    Who only looks whether it is installed has found it, and has not imported it yet.
    """

    looking = False

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        if fullname != "tensorflow" or self.looking:
            return None
        self.looking = True
        try:
            spec = importlib.util.find_spec(fullname)  # by the others of sys.meta_path
        finally:
            self.looking = False
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def quietly(module: Any) -> None:
                with quiet_native_stderr():
                    execute(module)
                    # Looking for GPUs is part of the start: without a driver it says so at length.
                    module.config.list_physical_devices()

            spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec

"""A row of a list: which file, or which part of it, shows which class in which split."""

import posixpath
import re
from typing import NamedTuple

from a2keras.errors import UserError
from a2keras.models.preprocessing.places import is_remote
from a2keras.training.data.labels import SEPARATOR
from a2keras.training.data.listing import class_name
from a2keras.training.data.lists.finding import with_slashes
from a2keras.training.data.lists.tables import Line, Table
from a2keras.training.data.split_names import SPLIT_NAMES, split_of

MAX_SECONDS = 1e9  # 32 years: more than any video has, and no decoder's clock overflows
MAX_PATH = 4096  # characters
MAX_LABEL = 1000  # characters
SEPARATORS = re.compile("[|;]")  # of the labels of one row


class Row(NamedTuple):
    """One example of a list: a path relative to the root, and what the list says about it.

    `place` is "list, line 7". Of multi-label data `label` is the names of all labels in the order
    of the alphabet, with `|` between them; "" of none.
    """

    path: str
    label: str
    start: float | None = None
    end: float | None = None
    split: str = ""
    place: str = ""


def label_of(text: str, place: str) -> str:
    """A class of a list; `UserError` where it is too long to be one."""
    if len(text) > MAX_LABEL:
        raise UserError(f"{place}: a class of {len(text)} characters")
    return class_name(text)


def label_set(text: str, place: str) -> str:
    """The labels of a cell, with `|` or `;` between them, as a row keeps them: each once."""
    parts = filter(None, map(str.strip, SEPARATORS.split(text)))
    return SEPARATOR.join(sorted({label_of(part, place) for part in parts}))


def folder_of(path: str) -> str:
    """The first folder of a relative path, which tells the class; of an absolute one the last."""
    parts = path.rpartition("/")[0].split("/")
    return class_name(parts[-1] if path.startswith("/") else parts[0])


def inside(path: str, folder: str, place: str) -> str:
    """A path of a list, without `.` and `..`.

    Raises:
        UserError: it leaves the folder that the list's paths start from, or is a URL of another
            store than the list's.
    """
    if len(path) > MAX_PATH:
        raise UserError(f"{place}: a path of {len(path)} characters")
    if is_remote(path):
        store = "/".join(folder.split("/")[:3])
        if not is_remote(folder) or not path.startswith(f"{store}/"):
            raise UserError(
                f"{place}: {path} is a URL: files are read from where the list lies, or from root"
            )
        return path
    plain = posixpath.normpath(path)
    for each in (plain, with_slashes(path)):
        if each == ".." or each.startswith("../"):
            raise UserError(
                f"{place}: {path} leaves {folder}, where the list's paths start: tell another "
                "folder with `root=DIR`, or write an absolute path"
            )
    return plain


def times(table: Table, line: Line, *columns: str) -> tuple[float | None, float | None]:
    """Start and end of the part of a video that a line means, in seconds; None: the video's own.

    Raises:
        UserError: what is no number of seconds, or an end that does not lie after the start.
    """
    start, end = (_seconds(table, line, column) for column in columns)
    if end is not None and end <= (start or 0):
        raise UserError(
            f"{table.at(line)}: end must lie after start. Received: start={start or 0:g}, "
            f"end={end:g}"
        )
    return start, end


def _seconds(table: Table, line: Line, column: str) -> float | None:
    if not (text := table.cell(line, column)):
        return None
    what = "times" if column.startswith("time") else "start and end"
    try:
        if "_" in text:  # which `float` passes over: `1_30` is not 130
            raise ValueError(f"could not convert string to float: {text!r}")
        value = float(text.replace(",", "."))
    except ValueError as error:
        raise UserError(f"{table.at(line)}: {what} are seconds ({error})") from None
    if not 0 <= value <= MAX_SECONDS:  # nan is not, either
        raise UserError(
            f"{table.at(line)}: {what} are seconds, from 0 to {MAX_SECONDS:g}. "
            f"Received: {column}={text}"
        )
    return value


def split_name(place: str, text: str) -> str:
    """train, validation or test of a cell that says so; "" where it is empty."""
    if not text:
        return ""
    if not (found := split_of(text)):
        known = ", ".join(SPLIT_NAMES)
        raise UserError(f"{place}: split must be one of {known}. Received: {text}")
    return found[0]

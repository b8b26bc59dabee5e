"""The rows of a list: which file, or which part of it, shows which class in which split."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from a2keras.errors import UserError, printable
from a2keras.models.preprocessing.places import as_path, is_remote
from a2keras.training.data.listing import class_name
from a2keras.training.data.lists.finding import with_slashes
from a2keras.training.data.lists.places import hmdb51_class
from a2keras.training.data.lists.tables import Line, Table, read_lines, read_table
from a2keras.training.data.split_names import SPLIT_NAMES, split_of
from a2keras.whole_numbers import NUMBER

CLASS_INDEX = "classInd.txt"
MAX_SECONDS = 1e9  # 32 years: more than any video has, and no decoder's clock overflows
MAX_PATH, MAX_LABEL = 4096, 1000  # characters


class Row(NamedTuple):
    """One example of a list: a path relative to the root, and what the list says about it.

    `place` is "list, line 7".
    """

    path: str
    label: str
    start: float | None = None
    end: float | None = None
    split: str = ""
    place: str = ""


@dataclass(frozen=True)
class ListFile:
    """One list.

    Attributes:
        path: of the list.
        rows: its examples.
        order: of the classes, where a file beside it tells that.
        has_header: whether its first line names the columns.
        notes: what a user is to know about its columns.
    """

    path: str
    rows: tuple[Row, ...]
    order: tuple[str, ...] = ()
    has_header: bool = True
    notes: tuple[str, ...] = ()


def read_lists(paths: Sequence[str], root: str | None) -> list[ListFile]:
    """Reads lists of any of the forms.

    Args:
        paths: of the lists.
        root: where the files lie; None: beside each list.
    """
    found: list[tuple[Table, tuple[Row, ...]]] = []
    for path in paths:
        table = read_table(path)
        folder = path.rpartition("/")[0] if root is None else root
        if "youtube_id" in table.columns:
            from a2keras.training.data.lists.kinetics import kinetics_rows

            rows = kinetics_rows(table, folder)
        elif label := hmdb51_class(path):
            from a2keras.training.data.lists.hmdb51 import hmdb51_rows

            rows = hmdb51_rows(table, label)
            table = replace(table, is_spaced=False)
        else:
            rows = tuple(_row(table, line, folder) for line in table.lines)
        found.append((table, rows))
    indices = {table.path: _class_index(table.path) for table, _ in found if table.is_spaced}
    names = _names([table for table, _ in found if table.is_spaced], indices)
    return [
        ListFile(
            table.path,
            tuple(_named(row, names.get(table.path, {})) for row in rows),
            tuple(indices.get(table.path, {}).values()),
            bool(table.header),
            table.notes,
        )
        for table, rows in found
    ]


def _row(table: Table, line: Line, folder: str) -> Row:
    path = inside(table.required(line, "path"), folder, table.at(line))
    if "label" in table.columns and not table.is_spaced:
        label = table.required(line, "label")
    else:
        label = table.cell(line, "label")
    if len(label) > MAX_LABEL:
        raise UserError(f"{table.at(line)}: a class of {len(label)} characters")
    if not label and not folder_of(path):
        raise UserError(f"{table.at(line)}: no class in {line.text!r}")
    start, end = times(table, line, "start", "end")
    split = split_name(table.at(line), table.cell(line, "split"))
    return Row(path, class_name(label), start, end, split, table.at(line))


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
                "folder with --set root=DIR, or write an absolute path"
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


def _class_index(path: str) -> dict[str, str]:
    """The classes by their numbers, of the file beside the list; none where there is none."""
    beside = f"{path.rpartition('/')[0]}/{CLASS_INDEX}"
    if not (as_path(beside) if is_remote(beside) else Path(beside)).exists():
        return {}
    names: dict[str, str] = {}
    for number, line in enumerate(read_lines(beside), 1):
        if not line.strip():
            continue
        match = re.fullmatch(r"\s*([0-9]+)[\s,;:]+(\S.*?)\s*", line)
        if not match or names.setdefault(match[1], class_name(match[2])) != class_name(match[2]):
            raise UserError(
                f"{printable(beside)}, line {number}: a line is a number, which no other has, and "
                f"the name of its class. Received: {line[:80]!r}"
            )
    return names


def _names(
    tables: Sequence[Table], indices: dict[str, dict[str, str]]
) -> dict[str, dict[str, str]]:
    """For every list with spaces the names of the numbers that it gives classes.

    As the file beside the list says; without one those of the folders, where each number is one
    folder's and each folder is one number's; otherwise the numbers are the names.
    """
    folders: dict[str, set[str]] = defaultdict(set)
    labels: dict[str, set[str]] = defaultdict(set)
    for table in tables:
        for line in table.lines:
            folder = folder_of(posixpath.normpath(table.cell(line, "path")))
            if label := table.cell(line, "label"):
                folders[label].add(folder)
                labels[folder].add(label)
                _check_index(table, line, indices[table.path], folder)
    one_to_one = all(len(each) == 1 for each in (*folders.values(), *labels.values()))
    numbers = all(map(NUMBER.fullmatch, folders))
    by_folder = {label: min(each) for label, each in folders.items()}
    if not (one_to_one and numbers) or "" in labels:
        by_folder = {}
    return {path: index or by_folder for path, index in indices.items()}


def _check_index(table: Table, line: Line, index: dict[str, str], folder: str) -> None:
    label = table.cell(line, "label")
    if not index or not NUMBER.fullmatch(label):
        return
    if label not in index:
        raise UserError(f"{table.at(line)}: {CLASS_INDEX} beside it has no class {label}")
    if folder != index[label] and folder in index.values():
        raise UserError(
            f"{table.at(line)}: class {label} is {index[label]} by {CLASS_INDEX}, but the file "
            f"lies in {folder}"
        )


def _named(row: Row, names: dict[str, str]) -> Row:
    return row._replace(label=names.get(row.label, row.label) or folder_of(row.path))

"""Lists of any of their forms as rows, their classes named."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from a2keras.errors import UserError, printable
from a2keras.models.preprocessing.places import as_path, is_remote
from a2keras.training.data.listing import class_name
from a2keras.training.data.lists.hmdb51 import hmdb51_rows
from a2keras.training.data.lists.kinetics import kinetics_rows
from a2keras.training.data.lists.places import hmdb51_class
from a2keras.training.data.lists.rows import (
    Row,
    folder_of,
    inside,
    label_of,
    label_set,
    split_name,
    times,
)
from a2keras.training.data.lists.tables import Line, Table, read_lines, read_table
from a2keras.whole_numbers import NUMBER

CLASS_INDEX = "classInd.txt"


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


def read_lists(paths: Sequence[str], root: str | None, multi_label: bool = False) -> list[ListFile]:
    """Reads lists of any of the forms.

    Args:
        paths: of the lists.
        root: where the files lie; None: beside each list.
        multi_label: whether a row has any number of labels, in a column of them.
    """
    if multi_label:
        return [_with_label_sets(read_table(path), root) for path in paths]
    found: list[tuple[Table, tuple[Row, ...]]] = []
    for path in paths:
        table = read_table(path)
        folder = posixpath.dirname(path) if root is None else root
        if "youtube_id" in table.columns:
            rows = kinetics_rows(table, folder)
        elif label := hmdb51_class(path):
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
        hint = " (multi_label=true takes it for a file without any)"
        label = table.required(line, "label", hint)
    else:
        label = table.cell(line, "label")
    label = label_of(label, table.at(line))
    if not label and not folder_of(path):
        raise UserError(f"{table.at(line)}: no class in {line.text!r}")
    return _row_of(table, line, path, label)


def _row_of(table: Table, line: Line, path: str, label: str) -> Row:
    start, end = times(table, line, "start", "end")
    split = split_name(table.at(line), table.cell(line, "split"))
    return Row(path, label, start, end, split, table.at(line))


def _with_label_sets(table: Table, root: str | None) -> ListFile:
    """A list of multi-label data: a table with a column of labels, of which a cell may be empty."""
    if table.is_spaced or not table.columns.keys() >= {"path", "label"} or hmdb51_class(table.path):
        raise UserError(
            f"{printable(table.path)} has no columns of files and labels, which multi_label needs, "
            "such as path,labels"
        )
    folder = posixpath.dirname(table.path) if root is None else root
    rows = []
    for line in table.lines:
        path = inside(table.required(line, "path"), folder, table.at(line))
        label = label_set(table.cell(line, "label"), table.at(line))
        rows.append(_row_of(table, line, path, label))
    return ListFile(table.path, tuple(rows), (), bool(table.header), table.notes)


def _class_index(path: str) -> dict[str, str]:
    """The classes by their numbers, of the file beside the list; none where there is none."""
    beside = posixpath.join(posixpath.dirname(path), CLASS_INDEX)
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

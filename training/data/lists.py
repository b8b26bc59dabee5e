"""Lists of files with their classes: `csv:FILE`, as Kinetics and UCF-101 publish theirs.

Three forms are told apart by what stands in the file:

- a table with the columns `path,label` and, where there are any, `start,end` (seconds of a video)
  and `split`; without a header the columns are taken in the order path, label, start, end;
- Kinetics: a table with the columns `label,youtube_id,time_start,time_end,split`;
- UCF-101: lines `Class/file.avi 1` or `Class/file.avi`, with the names of the numbers in
  `classInd.txt` beside the list.
"""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from a2keras.errors import UserError
from a2keras.models.preprocessing.places import absolute, as_path, is_remote, read_bytes
from a2keras.training.config import Recipe
from a2keras.training.data.files import (
    SUFFIXES,
    FileListing,
    MediaFile,
    fingerprint_of,
    task_of,
)
from a2keras.training.data.listing import SPLIT_NAMES

PARTS = {1: ("",), 2: ("train", "test"), 3: ("train", "validation", "test")}
COLUMNS = ("path", "label", "start", "end")


class Row(NamedTuple):
    """One example of a list: a path relative to the root, and what the list says about it."""

    path: str
    label: str
    start: float | None = None
    end: float | None = None
    split: str = ""

    @property
    def name(self) -> str:
        if (self.start, self.end) == (None, None):
            return self.path
        end = "end" if self.end is None else f"{self.end:g}"
        return f"{self.path}@{self.start or 0:g}-{end}"


@dataclass(frozen=True)
class ListFile:
    """One list: its rows, and the order of the classes where a file beside it tells that."""

    path: str
    rows: tuple[Row, ...]
    order: tuple[str, ...] = ()


def list_source(place: str, recipe: Recipe) -> FileListing:
    """The listing of `csv:PLACE`: one list, or lists of train,test or train,validation,test.

    A folder stands for UCF-101's `trainlist0N.txt` and `testlist0N.txt` in it, where N is the
    recipe's `fold`.

    Raises:
        UserError: a list that cannot be read or is of none of the forms, a class that is not in the
            first list, or no file at its place.
    """
    paths = place.split(",")
    if len(paths) == 1 and not is_remote(place) and as_path(place).is_dir():
        paths = [f"{place}/{kind}list0{recipe.fold}.txt" for kind in ("train", "test")]
    if len(paths) not in PARTS:
        raise UserError(f"csv: takes one, two or three lists. Received: {len(paths)}")
    root = absolute(recipe.root) if recipe.root else None
    lists = [read_list(path, root or path.rpartition("/")[0]) for path in paths]
    rows = [
        (row, row.split or part)
        for each, part in zip(lists, PARTS[len(lists)], strict=True)
        for row in each.rows
    ]
    training = {row.label for row, split in rows if split in ("", "train")}
    for row, _ in rows:
        if row.label not in training:
            raise UserError(f"{paths[-1]} has a class {row.label}, which {paths[0]} does not have")
    _check_apart(rows, place)
    order = lists[0].order or sorted(training, key=lambda name: (_number(name), name))
    return _listing(paths, rows, [name for name in order if name in training], root, recipe)


def _check_apart(rows: list[tuple[Row, str]], place: str) -> None:
    """A file in two splits would be trained on and scored."""
    splits: dict[str, str] = {}
    for row, split in rows:
        if splits.setdefault(row.name, split) != split:
            raise UserError(f"{place} has {row.name} in {splits[row.name]} and in {split}")


def _listing(
    paths: list[str],
    rows: list[tuple[Row, str]],
    classes: list[str],
    root: str | None,
    recipe: Recipe,
) -> FileListing:
    task = task_of([row.path for row, _ in rows], paths[0], recipe.task)
    rows = [each for each in rows if PurePath(each[0].path).suffix.lower() in SUFFIXES[task]]
    if len(classes) < 2:
        raise UserError(f"{paths[0]} has only one class, {classes[0]}: training needs at least two")
    folder = root or paths[0].rpartition("/")[0]
    files = tuple(MediaFile(_joined(folder, row.path), row.start, row.end) for row, _ in rows)
    names = tuple(row.name for row, _ in rows)
    described = [f"{row.name}\t{row.label}" for row, _ in rows]
    fingerprint, there = fingerprint_of(described, [file.path for file in files])
    if not there:
        raise UserError(
            f"none of the {len(files)} files that {paths[0]} lists is there, such as "
            f"{files[0].path}: tell with --set root=DIR where they lie"
        )
    given = any(split for _, split in rows)
    number = {name: label for label, name in enumerate(classes)}
    return FileListing(
        place=",".join(paths),
        task=task,
        classes=tuple(classes),
        names=names,
        labels=np.array([number[row.label] for row, _ in rows], "int64"),
        splits=np.array([split for _, split in rows]),
        split_rule="by " + ", ".join(PurePath(path).name for path in paths) if given else "",
        fingerprint=fingerprint,
        files=files,
        places=tuple(f"the class {name} of {paths[0]}" for name in classes),
    )


def _joined(folder: str, path: str) -> str:
    return path if is_remote(path) or path.startswith("/") else f"{folder}/{path}"


def _number(text: str) -> int:
    return int(text) if text.isdigit() else -1


def read_list(path: str, root: str) -> ListFile:
    """Reads one list of any of the forms.

    Args:
        path: of the list.
        root: where the files lie; Kinetics lists videos, whose file names are looked up there.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a list of files: it is not UTF-8 text") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise UserError(f"{path} lists nothing")
    if all("," not in line and re.search(r"\.\w+( \S+)?$", line.strip()) for line in lines):
        return _by_folders(path, lines)
    table = list(csv.reader(io.StringIO("\n".join(lines)), skipinitialspace=True))
    header = [cell.strip().lower() for cell in table[0]]
    if "youtube_id" in header:
        from a2keras.training.data.kinetics import kinetics_rows

        return ListFile(path, kinetics_rows(path, header, table[1:], root))
    if "path" in header:
        return ListFile(path, tuple(_rows(path, header, table[1:], 2)))
    return ListFile(path, tuple(_rows(path, list(COLUMNS[: len(header)]), table, 1)))


def cells(
    path: str, header: list[str], table: list[list[str]], first_line: int, needed: tuple[str, ...]
) -> list[dict[str, str]]:
    """The lines of a table by their column; `UserError` where a column or a cell is missing."""
    for column in needed:
        if column not in header:
            raise UserError(f"{path} has no column {column}: its columns are {', '.join(header)}")
    found = []
    for number, line in enumerate(table, first_line):
        values = dict(zip(header, (cell.strip() for cell in line), strict=False))
        for column in needed:
            if not values.get(column):
                raise UserError(f"{path}, line {number}: no {column} in {','.join(line)!r}")
        found.append(values)
    return found


def _rows(path: str, header: list[str], table: list[list[str]], first_line: int) -> list[Row]:
    rows = []
    for number, values in enumerate(
        cells(path, header, table, first_line, ("path", "label")), first_line
    ):
        try:
            start, end = (float(values[key]) if values.get(key) else None for key in COLUMNS[2:])
        except ValueError as error:
            raise UserError(f"{path}, line {number}: start and end are seconds ({error})") from None
        if end is not None and end <= (start or 0):
            raise UserError(
                f"{path}, line {number}: end must lie after start. Received: start={start or 0:g}, "
                f"end={end:g}"
            )
        split = split_name(path, number, values.get("split", ""))
        rows.append(Row(values["path"], values["label"], start, end, split))
    return rows


def split_name(path: str, number: int, text: str) -> str:
    """train, validation or test of a cell that says so; "" where it is empty."""
    if text and text.lower() not in SPLIT_NAMES:
        known = ", ".join(SPLIT_NAMES)
        raise UserError(f"{path}, line {number}: split must be one of {known}. Received: {text}")
    return SPLIT_NAMES[text.lower()] if text else ""


def _by_folders(path: str, lines: list[str]) -> ListFile:
    """UCF-101's lists: the class is the first folder, and a number that classInd.txt explains."""
    folder, _, _ = path.rpartition("/")
    names: dict[str, str] = {}
    try:
        index = read_bytes(f"{folder}/classInd.txt").decode()
        names = dict(line.split(maxsplit=1) for line in index.splitlines() if line.strip())
    except (OSError, ValueError):
        pass  # the folders tell the classes, too
    rows = []
    for number, line in enumerate(lines, 1):
        file, _, label = line.strip().partition(" ")
        by_folder = PurePath(file).parts[0] if "/" in file else ""
        name = names.get(label, by_folder or label).strip()
        if not name:
            raise UserError(f"{path}, line {number}: no class in {line!r}")
        rows.append(Row(file, name))
    return ListFile(path, tuple(rows), tuple(name.strip() for name in names.values()))

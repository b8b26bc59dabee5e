"""Which column of a list is which."""

import functools
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from a2keras.errors import UserError, counted, printable
from a2keras.models.preprocessing.scanning import MEDIA, suffix_of
from a2keras.training.data.lists.column_names import (
    KINETICS,
    NAMES,
    SPLIT_FOR_CERTAIN,
    WITHOUT_HEADER,
    plain,
)
from a2keras.training.data.split_names import SPLITS, split_of

BOXES = re.compile(r"\S+( -?\d+(\.\d+)?){4,}( .*)?")  # ImageNet's: "n03995372 85 1 499 272"


def is_known(cells: Sequence[str]) -> bool:
    """Whether a line is a header: it has the name of a column of files or classes."""
    if any(suffix_of(cell) in MEDIA for cell in cells):
        return False
    columns = _Columns("", tuple(cells), ())
    return bool(columns.named("path") or (columns.named("label") and len(cells) > 1))


@dataclass(frozen=True)
class _Columns:
    """A list by its columns.

    Attributes:
        place: the list, as a message calls it.
        header: its cells; () where there is none.
        lines: the cells of the others.
    """

    place: str
    header: Sequence[str]
    lines: Sequence[Sequence[str]]

    @functools.cached_property
    def plain(self) -> list[str]:
        return [plain(cell) for cell in self.header]

    @functools.cached_property
    def _filled(self) -> dict[int, list[str]]:
        """Of every column that is not empty its cells; a line may have a million empty ones."""
        found = defaultdict(list)
        for line in self.lines:
            for i, cell in enumerate(line):
                if cell:
                    found[i].append(cell)
        return dict(sorted(found.items()))

    @property
    def used(self) -> list[int]:
        """The columns that are not empty."""
        return list(self._filled)

    @functools.cached_property
    def media(self) -> list[int]:
        """The columns in which most cells end as image and video files do."""
        half = len(self.lines) / 2
        return [i for i in self.used if sum(map(_is_media, self.cells(i))) > half]

    def cells(self, column: int) -> list[str]:
        return self._filled.get(column, [])

    def numbers_rows(self, column: int) -> bool:
        cells = self.cells(column)
        return 1 < len(cells) == len(set(cells)) and all(map(str.isdecimal, cells))

    def named(self, role: str) -> list[int]:
        """The columns whose names are known for a role, the best first."""
        names = [name.removesuffix("s") for name in NAMES[role]]
        found = [i for i, cell in enumerate(self.plain) if cell in names]
        return sorted(found, key=lambda i: names.index(self.plain[i]))

    def same(self, columns: Sequence[int]) -> bool:
        """Whether columns tell the same examples apart, so that any of them may be taken."""
        rows = {tuple(line[i] if i < len(line) else "" for i in columns) for line in self.lines}
        return all(len({row[i] for row in rows}) == len(rows) for i in range(len(columns)))

    def only(self, role: str, columns: Sequence[int]) -> UserError:
        """That several columns could be meant."""
        names = ", ".join(printable(self.header[i]) for i in columns)
        return UserError(
            f"{self.place} has several columns that may be the {role}, which do not agree: "
            f"{names}; call the one that is meant {role}"
        )


def _is_media(cell: str) -> bool:
    return suffix_of(cell) in MEDIA and "://" not in cell


def columns_of(
    path: str, header: Sequence[str], lines: Sequence[Sequence[str]]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Which column is which, and what a user is to know about the others.

    A single column that is left when the others are known is the one that is missing. Without a
    header they are path and label, or path, label, start, end; of two the path is the one in which
    most cells end as image and video files do.

    Args:
        path: of the list, for messages.
        header: its cells; () where there is none.
        lines: the cells of the others.

    Raises:
        UserError: no column of files, or none of classes; or several may be meant.
    """
    columns = _Columns(printable(path), header, lines)
    if not header:
        return _without_header(columns), ()
    if "youtube_id" in columns.plain:
        return _kinetics(columns), ()
    found = {role: columns.named(role) for role in ("start", "end")}
    roles = {role: places[0] for role, places in found.items() if places}
    roles["path"] = _path(columns)
    splits = [
        i
        for i in columns.named("split")
        if columns.plain[i] == "split" or any(map(split_of, columns.cells(i)))
    ]
    if splits:
        roles["split"] = splits[0]
    label = _label(columns, roles)
    if label is not None:
        roles["label"] = label
        if label in columns.media:
            raise UserError(
                f"{columns.place} has files as classes, in the column {printable(header[label])}"
            )
        if (cells := columns.cells(label)) and all(map(BOXES.fullmatch, cells)):
            raise UserError(
                f"{columns.place} has places in the picture behind the class, in the column "
                f"{printable(header[label])}: leave the class alone there"
            )
    return roles, () if splits else _no_split(columns, list(roles.values()))


def _without_header(columns: _Columns) -> dict[str, int]:
    used, media = columns.used, columns.media
    if len(used) in (1, 2) and len(media) < 2:
        path = (media or used)[0]
        others = [i for i in used if i != path]
        if not others:
            return {"path": path}
        if path < others[0] or not columns.numbers_rows(others[0]):
            return {"path": path, "label": others[0]}
    if len(used) == len(WITHOUT_HEADER) and media in ([], used[:1]):
        return dict(zip(WITHOUT_HEADER, used, strict=True))
    what = " of files" if len(media) == len(used) else ""
    raise UserError(
        f"{columns.place} has {counted(len(used), 'column')}{what} and no header: without one they "
        "are path, label, start, end, or path, label; say in a first line which is which, such as "
        "path,label,split"
    )


def _path(columns: _Columns) -> int:
    named, media = columns.named("path"), columns.media
    sure = [i for i in named if columns.plain[i] == "path"]
    both = [i for i in named if i in media]
    candidates = sure or both or named[:1] + media
    if not candidates:
        return _left(columns, "path", {})
    if len(candidates) > 1 and not _same_files(columns, candidates):
        raise columns.only("path", candidates)
    return candidates[0]


def _same_files(columns: _Columns, candidates: Sequence[int]) -> bool:
    """Whether cells of a line differ in folders and suffixes alone."""
    return all(
        len({PurePath(line[i]).stem.casefold() for i in candidates if i < len(line)}) < 2
        for line in columns.lines
    )


def _label(columns: _Columns, roles: dict[str, int]) -> int | None:
    """The column of classes; of names rather than of numbers. None: there is but one column."""
    named = [i for i in columns.named("label") if i not in roles.values()]
    if "x" in columns.plain:  # then y is a place in the picture
        named = [i for i in named if columns.plain[i] != "y"]
    sure = [i for i in named if columns.plain[i] == "label"]
    if len(named) > 1 and not columns.same(named):
        if len(sure) != 1:
            raise columns.only("label", named)
        named = sure
    words = [i for i in named if not all(map(str.isdecimal, columns.cells(i)))]
    if named:
        return (words or named)[0]
    return None if len(columns.header) == 1 else _left(columns, "label", roles)


def _left(columns: _Columns, role: str, roles: dict[str, int]) -> int:
    """The one column that no other role has; `UserError` where that is not certain."""
    known = {i for each in NAMES for i in columns.named(each)}
    left = [i for i, cell in enumerate(columns.plain) if cell and i not in roles.values()]
    unknown = [i for i in left if i not in known]
    names = [i for i in left if i in columns.named("path") and not columns.numbers_rows(i)]
    left = unknown or names
    if len(left) != 1:
        raise UserError(_unknown(columns, role))
    return left[0]


def _no_split(columns: _Columns, taken: Sequence[int]) -> tuple[str, ...]:
    """What is said of columns that may tell the split, but have no word for one."""
    flags = [i for i, cell in enumerate(columns.plain) if _is_flag(cell)]
    notes = []
    for i in (*columns.named("split"), *flags):
        if i in taken or i in columns.media or not (cells := columns.cells(i)):
            continue
        name, cell = printable(columns.header[i]), printable(cells[0])
        certain = i in flags or columns.plain[i] in SPLIT_FOR_CERTAIN
        if certain or all(map(str.isdecimal, cells)):
            raise UserError(
                f"{columns.place} has a column {name}, which may tell the split: a split must be "
                f"one of {', '.join(SPLITS)}. Received: {cell} (call the column otherwise where it "
                "tells something else)"
            )
        notes.append(f"no split, since no cell is one of {', '.join(SPLITS)}: the column {name}")
    return tuple(notes)


def _is_flag(name: str) -> bool:
    """`is_test`, `train`: a column for one of the splits."""
    found = split_of(name)
    return found is not None and found[1] in ("", "is", "in", "for")


def _kinetics(columns: _Columns) -> dict[str, int]:
    plain = columns.plain
    for column in KINETICS:
        if column not in plain:
            raise UserError(
                f"{columns.place} has no column {column}: its columns are "
                f"{printable(', '.join(columns.header))}"
            )
    found = {column: plain.index(column) for column in KINETICS}
    return found | ({"split": plain.index("split")} if "split" in plain else {})


def _unknown(columns: _Columns, role: str) -> str:
    wanted = ", ".join(NAMES[role])
    return (
        f"{columns.place} has no column {role}: its columns are "
        f"{printable(', '.join(columns.header))}; wanted is one of {wanted}"
        + ", with several labels of a file in one cell: cat|dog"
        * (role == "label")
    )

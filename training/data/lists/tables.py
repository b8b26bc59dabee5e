"""The text of a list as lines of cells: encodings, separators, quotes, comments and headers."""

import codecs
import csv
import io
import re
from dataclasses import dataclass, replace
from typing import NamedTuple

from a2keras.errors import UserError, printable, reason_of, system_reason
from a2keras.models.preprocessing.places import read_bytes
from a2keras.models.preprocessing.scanning import MEDIA, suffix_of
from a2keras.training.data.lists.columns import columns_of, is_known
from a2keras.whole_numbers import NUMBER

SEPARATORS = ",;\t|"
SAMPLE = 1000  # lines by which the separator is chosen
MARKS = {  # of encodings; UTF-32's begins with UTF-16's
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SUFFIX = "|".join(re.escape(suffix) for suffix in sorted(MEDIA))
# `path label` with spaces in either of them: the path ends with the last suffix of a media file.
SPACED = re.compile(rf"(?P<path>.*(?:{_SUFFIX})\"?)(?:\s+(?P<label>\S.*))?", re.IGNORECASE)


class Line(NamedTuple):
    """A line of a list: its number in the file, from 1, and its cells."""

    number: int
    cells: tuple[str, ...]

    @property
    def text(self) -> str:
        return printable(",".join(self.cells))[:200]


@dataclass(frozen=True)
class Table:
    """A list as it stands there.

    Attributes:
        path: of the list.
        lines: without the header.
        header: its cells; () where there is none.
        columns: of "path", "label", "start", "end", "split" and those of Kinetics the number.
        is_spaced: whether a space separates path and label, as in UCF-101's lists.
        notes: what a user is to know about its columns.
    """

    path: str
    lines: tuple[Line, ...]
    header: tuple[str, ...]
    columns: dict[str, int]
    is_spaced: bool = False
    notes: tuple[str, ...] = ()

    def cell(self, line: Line, column: str) -> str:
        """What a line has in a column; "" where it ends before, or there is none."""
        place = self.columns.get(column, len(line.cells))
        return line.cells[place] if place < len(line.cells) else ""

    def required(self, line: Line, column: str, hint: str = "") -> str:
        """As `cell`; `UserError` where there is nothing, with a hint at what else may be meant."""
        if not (text := self.cell(line, column)):
            raise UserError(f"{self.at(line)}: no {column} in {line.text!r}{hint}")
        return text

    def at(self, line: Line) -> str:
        return f"{printable(self.path)}, line {line.number}"


def read_table(path: str) -> Table:
    """Reads a list.

    The separator is the one that a first line `sep=;` tells, else the one by which most lines have
    a cell that ends as image and video files do, or by which the first line has the names of
    columns; a header is a line that has them.

    Raises:
        UserError: it cannot be read, is no text, lists nothing, or has no columns of files and
            classes.
    """
    texts = read_lines(path)
    told = _told_separator(path, texts[0])
    texts = _without_comments(["", *texts[1:]] if told else texts)
    numbered = [(number, text) for number, text in enumerate(texts, 1) if text.strip()]
    if not numbered:
        raise UserError(f"{printable(path)} lists nothing")
    separator = told or _separator([text for _, text in numbered])
    if separator is None:
        ids = _begin_with_ids([text for _, text in numbered])
        lines = [Line(number, _spaced(text, ids)) for number, text in numbered]
    else:
        lines = _lines(path, texts, separator)
    if not lines:
        raise UserError(f"{printable(path)} lists nothing but separators")
    header = lines[0].cells if _is_header(lines) else ()
    if header:  # again where lists were put one after the other; and a rule below it
        lines = [line for line in lines if line.cells != header and not _is_rule(line)]
    if not lines:
        raise UserError(f"{printable(path)} lists nothing below its header, {','.join(header)}")
    table = Table(path, tuple(lines), header, {}, separator is None)
    _check_widths(table)
    columns, notes = columns_of(path, header, [line.cells for line in lines])
    return replace(table, columns=columns, notes=notes)


def read_lines(path: str) -> list[str]:
    """The lines of a text in UTF-8, or in what its first bytes, a mark, say.

    Raises:
        UserError: it cannot be read, or is no text.
    """
    name = printable(path)
    try:
        data = read_bytes(path)
    except OSError as error:
        raise UserError(f"{name} cannot be read: {system_reason(error)}") from error
    encoding = next((MARKS[mark] for mark in MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{name} is not a list of files: it is not UTF-8 text (line {number}), nor UTF-16 with "
            "its mark"
        ) from error
    # A mark within the text is the beginning of a file that was put behind another.
    lines = [line.removeprefix("\ufeff") for line in re.split("\r\n|\r|\n", text)]
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise UserError(f"{name}, line {number}: a NUL character, which no text has")
    return lines


def _without_comments(lines: list[str]) -> list[str]:
    """The lines, those that begin with # empty, unless it begins a file's name or a header."""
    kept: list[str] = []
    has_begun = False
    for line in lines:
        after = line.strip().removeprefix("#").strip()
        if after != line.strip() and not SPACED.match(re.split(r"[,;\t| ]", after)[0]):
            headers = [cells for each in SEPARATORS if len(cells := after.split(each)) > 1]
            line = after if not has_begun and any(map(is_known, headers)) else ""
        has_begun = has_begun or bool(line.strip())
        kept.append(line)
    return kept


def _told_separator(path: str, first: str) -> str | None:
    """What spreadsheets write above the header, and read there: `sep=;`."""
    match = re.fullmatch(r"\s*\"?sep=(\S|\t| )\"?\s*", first, re.IGNORECASE)
    if match and match[1] not in SEPARATORS:
        raise UserError(
            f"{printable(path)}, line 1: sep must be one of , ; | and a tab. "
            f"Received: {printable(first.strip())}"
        )
    return match[1] if match else None


def _separator(texts: list[str]) -> str | None:
    """None: a space, if anything."""
    texts = texts[:SAMPLE]
    split = {each: [_cells(text, each) for text in texts] for each in SEPARATORS}
    for separator, lines in split.items():
        if len(lines[0]) > 1 and is_known(lines[0]):
            return separator
    scores: dict[str | None, float] = {None: 0.5 * sum(bool(SPACED.fullmatch(t)) for t in texts)}
    for separator, lines in split.items():
        if 2 * sum(len(cells) > 1 for cells in lines) > len(lines):
            scores[separator] = 0.1 + sum(
                2 if suffix_of(cells[0]) in MEDIA else any(suffix_of(c) in MEDIA for c in cells)
                for cells in lines
            )
    return max(scores, key=lambda each: scores[each])


def _cells(text: str, separator: str) -> list[str]:
    """The cells of one line, roughly: where a cell goes on in the next line it ends here."""
    try:
        return [cell.strip() for cell in next(csv.reader([text], delimiter=separator), [])]
    except csv.Error:  # `_lines` tells it
        return text.split(separator)


def _begin_with_ids(texts: list[str]) -> bool:
    """Whether lines are a name without suffix and a class of several words: `0034309 Boeing 707`.

    Their first words are all different, and what follows is more than numbers.
    """
    words = [text.split() for text in texts]
    several = [each for each in words if len(each) > 2]
    return (
        len({each[0] for each in words}) == len(words)
        and not any(map(SPACED.fullmatch, texts))
        and all(any(not NUMBER.fullmatch(word) for word in each[1:]) for each in several)
    )


def _spaced(text: str, ids: bool = False) -> tuple[str, ...]:
    match = SPACED.fullmatch(text.strip())
    if match:
        path, label = match.groups()
    elif ids:
        path, _, label = text.strip().partition(" ")
    else:
        path, _, label = text.strip().rpartition(" ")
        path, label = (path, label) if path else (label, "")
    path = path.strip()
    if len(path) > 1 and path[0] == path[-1] == '"':
        path = path[1:-1]
    return (path, label.strip()) if label else (path,)


def _lines(path: str, texts: list[str], separator: str) -> list[Line]:
    reader = csv.reader(
        io.StringIO("\n".join(texts), newline=""),
        delimiter=separator,
        skipinitialspace=True,
        strict=True,
    )
    lines, number = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append(Line(number, tuple(cell.strip() for cell in cells)))
            number = reader.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"{printable(path)}, line {number}: no cells with {separator!r} between them "
            f"({reason_of(error)})"
        ) from error
    return lines


def _is_header(lines: list[Line]) -> bool:
    first, others = lines[0].cells, [line.cells for line in lines[1:]]
    if any(suffix_of(cell) in MEDIA for cell in first):
        return False
    if is_known(first):
        return True
    named = sum(any(suffix_of(cell) in MEDIA for cell in cells) for cells in others)
    return named > len(others) / 2  # names of columns that are not known


def _is_rule(line: Line) -> bool:
    """`|---|:-:|`, as Markdown has it below a header."""
    return not "".join(line.cells).strip("-:= ")


def _check_widths(table: Table) -> None:
    """A cell too many would be another column's: a comma in a path, say."""
    if not table.header:
        return
    for line in table.lines:
        if any(line.cells[len(table.header) :]):
            raise UserError(
                f"{table.at(line)}: {len(line.cells)} cells, but the header has "
                f"{len(table.header)}: a path with the separator in it needs quotes, and several "
                "labels stand in one cell: cat|dog"
            )

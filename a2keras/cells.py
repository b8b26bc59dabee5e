"""CSV files whose cells are data, whatever a spreadsheet would make of them."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

# What spreadsheets take for a formula, and run; the last four are the wide signs of East Asia. The
# apostrophes before are ours, of a text that was marked already. A number is none.
_FORMULA = re.compile(r"'*(?!-?[\d.]+(?:e[+-]?\d+)?\Z)[=+\-@\t\r\n＝＋－＠]", re.IGNORECASE)


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV (RFC 4180, lines end in \\n). Texts that begin as a formula does get a `'`."""
    buffer = io.StringIO()
    # With this line terminator both of its characters are quoted within a cell.
    writer = csv.writer(buffer, lineterminator="\r\n")
    lines = []
    for row in rows:
        writer.writerow([_marked(cell) if isinstance(cell, str) else cell for cell in row])
        lines.append(buffer.getvalue().removesuffix("\r\n"))
        buffer.seek(0)
        buffer.truncate()
    return "".join(f"{line}\n" for line in lines)


def csv_rows(text: str) -> Iterator[list[str]]:
    """The rows of `csv_text`, texts as they were before.

    Raises:
        ValueError: it is no CSV.
    """
    try:
        for row in csv.reader(io.StringIO(text, newline=""), strict=True):
            yield [cell[1:] if _is_marked(cell) else cell for cell in row]
    except csv.Error as error:
        raise ValueError(str(error)) from None


def _marked(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _is_marked(text: str) -> bool:
    return text.startswith("'") and _FORMULA.match(text) is not None

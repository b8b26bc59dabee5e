"""`a2keras tables`: every row of Tables 1–6, built and counted, beside the paper's figures."""

import gc
from collections.abc import Iterable, Iterator
from typing import Any

from absl import flags

from a2keras.command_line import define_format, parse
from a2keras.console import print_json, progress, show, show_table
from a2keras.errors import UserError
from a2keras.models.paper_tables import TABLES, Row, parse_figure


def tables(arguments: list[str]) -> None:
    values, rest = parse(
        "a2keras tables [--table=1…6] [--format=text|json|markdown]",
        "Builds every row of Tables 1 to 6 of the paper and prints its parameters and "
        "multiply-adds (for one example, in the paper's order of products) beside the paper's.",
        _flags,
        arguments,
    )
    if rest:
        raise UserError(f"tables takes no arguments. Received: {' '.join(rest)}")
    chosen = [row for row in TABLES if values.table in (None, row.table)]
    if not chosen:
        raise UserError(f"--table must be 1 to 6. Received: --table={values.table}")
    documents = counted(progress(chosen, "building", unit="row"))
    if values.format == "json":
        print_json(documents)
    elif values.format == "markdown":
        show(as_markdown(chosen, documents))
    else:
        _show(chosen, documents)


def _flags(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("table", None, "only this one", flag_values=values)
    define_format(values, "markdown")


def counted(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Builds rows one after the other and counts them.

    Returns:
        For each row table, row, name, parameters, multiply_adds, paper_parameters,
        paper_multiply_adds (None where the paper prints none) and note.
    """
    known: dict[tuple, tuple[int, int]] = {}  # Tables 2 and 3 share rows
    documents = []
    for row in rows:
        call = (row.name, row.input_size, row.classes, tuple(row.arguments.items()))
        if call not in known:
            known[call] = _count(row)
        parameters, multiply_adds = known[call]
        documents.append(
            {
                "table": row.table,
                "row": row.row,
                "name": row.name,
                "parameters": parameters,
                "multiply_adds": multiply_adds,
                "paper_parameters": parse_figure(row.paper_parameters),
                "paper_multiply_adds": parse_figure(row.paper_multiply_adds),
                "note": row.note,
            }
        )
    return documents


def build(row: Row) -> Any:
    """The network of a row, at its size and for its classes."""
    from a2keras import models
    from a2keras.models.inputs import input_shape_of

    shape = input_shape_of(row.input_size)
    return models.build(row.name, input_shape=shape, classes=row.classes, **row.arguments)


def _count(row: Row) -> tuple[int, int]:
    from a2keras.counting import count

    total = count(build(row))
    # A model is full of cycles; without this the networks of a table would be there at once.
    gc.collect()
    return total.parameters, total.multiply_adds


def _show(rows: list[Row], documents: list[dict[str, Any]]) -> None:
    """The table, each note once below it."""
    notes = list(dict.fromkeys(row.note for row in rows if row.note))
    marks = [f"({notes.index(row.note) + 1})" if row.note else "" for row in rows]
    cells = zip(_cells(rows, documents), marks, strict=True)
    show_table([*_HEAD, ""], [[*each, mark] for each, mark in cells], numbers=_HEAD[3:])
    show("\n".join(["", *(f"({i}) {note}" for i, note in enumerate(notes, 1))]) if notes else "")


def as_markdown(rows: list[Row], documents: list[dict[str, Any]]) -> str:
    lines = [[*_HEAD, "note"], ["---"] * (len(_HEAD) + 1)]
    for cells, row in zip(_cells(rows, documents), rows, strict=True):
        lines.append([*cells, row.note])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


_HEAD = ["table", "row", "network", "parameters", "paper", "multiply-adds", "paper"]


def _cells(rows: list[Row], documents: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Our figures to four digits after the point, the paper's as it prints them."""
    for row, each in zip(rows, documents, strict=True):
        yield [
            str(row.table),
            row.row,
            row.name,
            f"{each['parameters'] / 1e6:.4f} M",
            row.paper_parameters or "–",
            f"{each['multiply_adds'] / 1e9:.4f} G",
            row.paper_multiply_adds or "–",
        ]

"""The rows of an ablation: what each is called, and the recipe fields that set it apart."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from a2keras.errors import UserError
from a2keras.models.paper_tables import TABLES
from a2keras.models.paper_tables import Row as PaperRow
from a2keras.training.config import Recipe

ABLATIONS = (2, 3)
# Rows of any network: their blocks at the recipe's positions, or at the network's own.
KINDS = {
    "none": ("no block", "none"),
    "se": ("SE", "se"),
    "nl": ("NL", "non_local"),
    "a2": ("A²", "a2"),
}
# What all rows share, or they would not be trained and tested on the same examples.
SHARED = (
    "name", "data", "task", "seed", "root", "fold", "folds", "group_pattern", "test_groups",
    "test_fraction", "validation_fraction", "multi_label",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """What is trained once per seed and fold.

    Attributes:
        key: what it is called on the command line.
        title: what it is called in tables.
        settings: `key=value` of the recipe fields that set it apart.
        runs: what the directories of its runs are called, but for fold and seed.
    """

    key: str
    title: str
    settings: tuple[str, ...]
    runs: str

    def applied(self, recipe: Recipe) -> Recipe:
        """The recipe of the row; `UserError` where a setting is none."""
        return recipe.override(list(self.settings))


def rows_of(table: int | None, names: Iterable[str], row: Iterable[str]) -> tuple[Row, ...]:
    """The rows that were asked for; the first is what the others are compared with.

    Args:
        table: of the paper, 2 or 3; None: of any network.
        names: keys of the table's rows, or of `KINDS`; none: all of them.
        row: further rows, each `NAME key=value …`. Without a table they may stand alone.

    Raises:
        UserError: an unknown table, row, or setting; or two rows of one name.
    """
    names, own = tuple(names), tuple(map(_own, row))
    kinds = names if names or own else tuple(KINDS)
    rows = [*(_of_kinds(kinds) if table is None else _of_table(table, names)), *own]
    keys = [row.key for row in rows]
    for name in keys:
        if keys.count(name) > 1:
            raise UserError(f"two rows are called {name}: every row needs a name of its own")
    return tuple(rows)


def _of_table(table: int, names: tuple[str, ...]) -> Iterable[Row]:
    if table not in ABLATIONS:
        raise UserError(f"`table` must be 2 or 3. Received: `table={table}`")
    rows = {key(row): row for row in TABLES if row.table == table}
    for name in names:
        if name not in rows:
            raise UserError(f"Table {table} has no row {name}: its rows are {', '.join(rows)}")
    return [of_paper(rows[name]) for name in names or rows]


def _of_kinds(names: Iterable[str]) -> Iterable[Row]:
    for name in names:
        if name not in KINDS:
            known = ", ".join(KINDS)
            raise UserError(f"there is no row {name}: there are {known}, and your own by `row`")
        title, attention = KINDS[name]
        yield Row(name, title, (f"attention={attention}",), name)


def _own(text: str) -> Row:
    """A row from `NAME key=value …`; a value may have spaces and commas in it."""
    name, *settings = re.split(r"\s+(?=\w+=)", text.strip())
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,60}", name) or not settings:
        raise UserError(
            "`row` takes NAME key=value …, the name of letters, digits and . _ + - only. "
            f"Received: `row={text!r}`"
        )
    for setting in settings:
        if (field := setting.partition("=")[0]) in SHARED:
            raise UserError(f"{field} is the same for all rows (`set`). Received: `row={text!r}`")
    return Row(name, name, tuple(settings), name)


def of_paper(row: PaperRow) -> Row:
    """A row of the paper's table."""
    kind, *positions = _attention_of(row) or ["none"]
    settings = f"model={row.name}", f"attention={kind}", f"positions={','.join(positions)}"
    return Row(key(row), row.row, settings, network_of(row))


def key(row: PaperRow) -> str:
    """What a row is called on the command line: `nl_conv2`, `a2_4_conv3_4`, `resnet_26`."""
    name = row.row.removeprefix("ResNet-26 + ").replace("²", "2").lower()
    return re.sub(r"[^a-z0-9]+", "_", name)


def network_of(row: PaperRow) -> str:
    """The same for the same network: what one table has trained, the other need not train again."""
    return "_".join([row.name, *_attention_of(row)])


def _attention_of(row: PaperRow) -> list[str]:
    """The kind of a row's blocks and the units that they follow; nothing where it has none."""
    arguments = row.arguments
    return [arguments["attention"], *arguments["positions"]] if arguments else []

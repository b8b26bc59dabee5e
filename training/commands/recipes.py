"""`a2keras recipes`."""

import dataclasses
import itertools
from importlib import import_module

from absl import flags

from a2keras.command_line import define_format, parse
from a2keras.console import print_json, show, show_table
from a2keras.errors import UserError
from a2keras.training.config import Recipe
from a2keras.training.descriptions import Described, described
from a2keras.training.recipe_files import as_toml, is_file
from a2keras.training.recipes import NAMES, recipe


def recipes(arguments: list[str]) -> None:
    values, given = parse(
        "a2keras recipes [NAME|FILE] [--format=text|json|toml]",
        "Lists the recipes. Of one, prints the note that it opens with and all its fields: what "
        "they mean, their defaults and where the recipe differs. A recipe of your own is a file: "
        "`a2keras recipes photos --format=toml > mine.toml`, then `a2keras train "
        '--recipe=mine.toml`. A file may be shorter: `recipe = "photos"` and the fields that '
        "differ from that. A run's recipe.json is one, too.",
        _flags,
        arguments,
    )
    if len(given) > 1:
        raise UserError(f"recipes takes one NAME. Received: {' '.join(given)}")
    if not given:
        _list(values.format)
        return
    chosen = recipe(given[0])
    if values.format == "json":
        print_json(dataclasses.asdict(chosen))
    elif values.format == "toml":
        show("\n".join([*_title(given[0]), *as_toml(chosen)]))
    else:
        _show(given[0], chosen)


def _flags(values: flags.FlagValues) -> None:
    define_format(values, "toml", text="json and toml: as a file for --recipe")


def _list(form: str) -> None:
    if form == "json":
        listed = [{"name": name, "note": note_of(name)} for name in NAMES]
        fields = [each._asdict() for each in described()]
        print_json({"recipes": listed, "fields": fields})
    elif form == "toml":
        raise UserError("--format=toml is for one recipe: give a NAME")
    else:
        show_table(["recipe", "what"], [(name, note_of(name).splitlines()[0]) for name in NAMES])
        show("\n`a2keras recipes NAME` shows the fields of one.")


def note_of(name: str) -> str:
    """The note that a recipe opens with; "" of a file."""
    if is_file(name):
        return ""
    return (import_module(f"a2keras.training.recipes.{name}").__doc__ or "").strip()


def _title(name: str) -> list[str]:
    return [f"# {line}" for line in note_of(name).splitlines()[:1]]


def _show(name: str, chosen: Recipe) -> None:
    """The note, and a table of each group of fields."""
    if note := note_of(name):
        show(f"{note}\n")
    fields = list(described())
    rows = {
        each.name: (each.name, _default(each), _own(chosen, each), each.text) for each in fields
    }
    head = ["field", "default", chosen.name, "meaning"]
    least = [max(len(row[i]) for row in rows.values()) for i in range(3)]
    for group, members in itertools.groupby(fields, lambda each: each.group):
        show(f"\n{group}")
        show_table(head, [rows[each.name] for each in members], least=least)


def _own(chosen: Recipe, field: Described) -> str:
    """The recipe's value where it is not the default."""
    value = getattr(chosen, field.name)
    return "" if value == field.default else _shown(value)


def _default(field: Described) -> str:
    return f"{_shown(field.default)} {field.unit}".strip()


def _shown(value: object) -> str:
    """A value as `--set` takes it; an empty text is no value at all."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)

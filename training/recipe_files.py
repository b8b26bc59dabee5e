"""Recipes of users: a file of fields, TOML or JSON, as a run's `recipe.json` is one."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from a2keras.console import say
from a2keras.documents import as_json, read_json, read_toml
from a2keras.errors import UserError, printable
from a2keras.training.config import Recipe
from a2keras.training.descriptions import described

SUFFIXES = (".toml", ".json")
FORM = "FILE.toml or FILE.json"
START = "recipe"  # the key that names the recipe which a file starts from


def is_file(name: str) -> bool:
    """Whether a recipe's name is that of a file."""
    return name.lower().endswith(SUFFIXES)


@dataclasses.dataclass(frozen=True)
class RecipeFile:
    """What stands in a file.

    Attributes:
        path: of the file.
        start: the recipe that it starts from, by name; "" for the defaults of all fields.
        changes: the fields that it sets.
    """

    path: str
    start: str
    changes: dict[str, Any]

    def applied(self, recipe: Recipe) -> Recipe:
        """Sets the file's fields; `UserError` with the file and the field where that is refused."""
        try:
            return recipe.with_fields(self.changes)
        except UserError as error:
            raise UserError(f"{printable(self.path)}: {error}") from error


def read(path: str) -> RecipeFile:
    """Reads a file of fields, and `recipe = "NAME"` where it starts from one that has a name.

    What it does not call otherwise is called like the file.

    Raises:
        UserError: it cannot be read, or is neither.
    """
    is_json = path.lower().endswith(".json")
    document = (read_json if is_json else read_toml)(Path(path).expanduser(), what="a recipe")
    start = document.pop(START, "")
    if not isinstance(start, str):
        raise UserError(f"{printable(path)}: {START} must be the name of a recipe, in quotes")
    if not start and "weights" not in document:
        say(
            f'{printable(path)} names no recipe to start from, such as {START} = "photos": what it '
            "leaves out has the default that `a2keras recipes folder` shows, weights none"
        )
    return RecipeFile(path, start, {"name": Path(path).stem, **document})


def as_toml(recipe: Recipe) -> Iterator[str]:
    """The lines of a recipe as a file, every field with what it means."""
    group = ""
    for field in described():
        if field.group != group:
            group = field.group
            yield from ["", f"# {group}"]
        unit = f"{field.unit}: " if field.unit else ""
        yield f"{field.name} = {_toml(getattr(recipe, field.name))}  # {unit}{field.text}"


def _toml(value: Any) -> str:
    """A value as TOML writes it: texts as JSON does, but for DEL."""
    if isinstance(value, float):
        return repr(value)
    return as_json(value) if isinstance(value, str) else json.dumps(value)

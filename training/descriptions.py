"""The fields of a recipe, for people: what their types say, taken apart."""

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

from a2keras.training.fields import TYPES, Fields, said_of
from a2keras.training.rules import Heading, Rule, Unit


class Described(NamedTuple):
    """A field, for people.

    Attributes:
        name, type, default: as in a recipe.
        group: what stands over the fields of its kind.
        unit: what its number counts, or is a part of; "" where nothing is to be said.
        meaning: in a line.
        rules: what its value must be.
    """

    name: str
    type: str
    default: Any
    group: str
    unit: str
    meaning: str
    rules: tuple[str, ...]

    @property
    def text(self) -> str:
        """The meaning, and which values there are where these are few."""
        choices = [each.removeprefix("must be ") for each in self.rules if "one of" in each]
        return "; ".join([self.meaning, *choices])


def described() -> Iterator[Described]:
    """All fields, in the order of their groups."""
    group = ""
    for field in dataclasses.fields(Fields):
        said = said_of(field)
        group = next((each.text for each in said if isinstance(each, Heading)), group)
        yield Described(
            field.name,
            TYPES[field.name].__name__,
            None if field.default is dataclasses.MISSING else field.default,
            group,
            next((each.name for each in said if isinstance(each, Unit)), ""),
            next(each for each in said if isinstance(each, str)),
            tuple(each.words for each in said if isinstance(each, Rule)),
        )

"""A recipe: everything that decides how a network is trained, in one frozen record."""

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from a2keras.documents import read_json, write_json
from a2keras.errors import UserError, did_you_mean, nearest
from a2keras.models.names import comma_separated, is_file, is_host
from a2keras.training.fields import FIELDS, TYPES, Fields, said_of
from a2keras.training.rules import BETWEEN_FIELDS, Rule, factors_of
from a2keras.whole_numbers import as_real, as_whole


@dataclass(frozen=True)
class Recipe(Fields):
    """One training run. Together with the data's files it determines the final weights.

    A field's type has the rules for its value alone; those between fields are `BETWEEN_FIELDS`.
    """

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            object.__setattr__(self, each.name, checked(each.name, getattr(self, each.name)))
            for said in said_of(each):
                if isinstance(said, Rule) and not said.holds(getattr(self, each.name)):
                    self._refuse(each.name, said.words)
        for field, words, holds in BETWEEN_FIELDS:
            if not holds(self):
                self._refuse(field, words.format(**vars(self)))
        if self.weights == "none" and not is_file(self.model):
            object.__setattr__(self, "weights", "")

    def __repr__(self) -> str:
        """What it says otherwise than the defaults."""
        own = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        default = {each.name: each.default for each in dataclasses.fields(self)}
        said = [f"{name}={value!r}" for name, value in own.items() if value != default[name]]
        return f"Recipe({', '.join(said)})"

    def _refuse(self, field: str, rule: str) -> NoReturn:
        received = f"{field}={getattr(self, field)}"
        raise UserError(f"recipe field {field} {rule}. Received: {received}")

    def override(self, settings: list[str]) -> "Recipe":
        """Returns the recipe with `key=value` settings applied, each by the type of its field.

        Raises:
            UserError: a setting without `=`, an unknown key, or a value of the wrong type or range.
        """
        return self._with(values_of(settings))

    def with_fields(self, fields: Mapping[str, Any]) -> "Recipe":
        """Returns the recipe with other values of some fields, which have their types.

        A path counts as its text, a whole number as a float.

        Raises:
            UserError: an unknown field, or a value of the wrong type or range.
        """
        return self._with({key: checked(key, value) for key, value in fields.items()})

    def _with(self, changes: dict[str, Any]) -> "Recipe":
        """What goes along with a change, unless it is changed, too.

        What of the trunk is never to learn is a name in the recipe's own network: a host that takes
        its place has others. Of a run of fewer epochs those of the head alone are as large a part
        as they were of the recipe's own.
        """
        if is_host(changes.get("model", "")) and changes["model"] != self.model:
            changes = {"freeze_until": "", **changes}
        epochs = changes.get("epochs", self.epochs)
        if 0 < epochs < self.epochs and self.freeze_epochs:
            changes = {"freeze_epochs": self.freeze_epochs * epochs // self.epochs, **changes}
            if changes["freeze_epochs"] == 0:
                changes = {"freeze_rate": 0.0, **changes}
        return dataclasses.replace(self, **changes)

    def save(self, path: Path) -> None:
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> "Recipe":
        """Reads a saved recipe; `UserError` where the file is not one."""
        recipe: Recipe = read_json(path, cls, "a recipe of this version of a2keras")
        return recipe

    def first_difference(self, other: "Recipe") -> str | None:
        """The first field, in the order of `Fields`, that differs; None where all are equal."""
        names = (field.name for field in dataclasses.fields(self))
        return next((n for n in names if getattr(self, n) != getattr(other, n)), None)

    @property
    def mixes(self) -> bool:
        """Whether two examples are mixed into one."""
        return self.mixup > 0 or self.cutmix > 0

    def steps_down(self) -> list[int]:
        """The epochs of `step_epochs` as numbers."""
        return [int(part) for part in comma_separated(self.step_epochs)]

    @property
    def starts_random(self) -> bool:
        """Whether a run begins with no weights but random ones; a FILE.keras brings its own."""
        return self.weights == "none" or not (self.weights or is_file(self.model))

    @property
    def holds(self) -> list[str]:
        """The fields by which some of the network is held as it is."""
        fields = ("freeze_epochs", "freeze_bn", "freeze_until")
        return [name for name in fields if getattr(self, name)]

    def unit_names(self) -> tuple[str, ...]:
        """The units of `positions`."""
        return tuple(comma_separated(self.positions))

    def rate_factors(self) -> list[tuple[re.Pattern, float]]:
        """`learning_rate_factors` as (pattern to search in a weight's path, factor)."""
        return factors_of(self.learning_rate_factors)

    def peak_rate(self, rate: float | None = None) -> float:
        """The learning rate after the warm-up, in proportion to the batch if the recipe says so.

        Args:
            rate: as the recipe gives it; default, its learning_rate.
        """
        rate = self.learning_rate if rate is None else rate
        return rate * self.batch_size / self.base_batch if self.base_batch else rate


_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def values_of(settings: Iterable[str]) -> dict[str, Any]:
    """The values of `key=value` settings by field, each of the type of its field.

    Raises:
        UserError: a setting without `=`, an unknown key, or a value of the wrong type.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"a setting is key=value. Received: {setting}")
        kind = _type_of(key)
        try:
            values[key] = _BOOLEANS[text.lower()] if kind is bool else kind(text)
        except (ValueError, KeyError) as error:
            raise _wrong_type(key, text) from error
    return values


def checked(key: str, value: Any) -> Any:
    """A value of a program or a file, which has a type of its own: that of its field.

    A path counts as its text, a whole number as a float, and NumPy's types as Python's.

    Raises:
        UserError: an unknown key, or a value of another type.
    """
    kind = _type_of(key)
    found = _of_type(kind, os.fspath(value) if isinstance(value, os.PathLike) else value)
    if found is None:
        is_long = type(value) is int and abs(value) >= 2**63
        is_plain = isinstance(value, str | float) or (type(value) is int and not is_long)
        raise _wrong_type(key, repr(value)[:80] if is_plain else f"({type(value).__name__})")
    return found


def _of_type(kind: type, value: Any) -> Any:
    """A value as one of a field's type; None where it is none."""
    if kind is bool:
        return bool(value) if isinstance(value, bool | np.bool_) else None
    if kind is str:
        return str(value) if isinstance(value, str) else None
    whole = as_whole(value)
    if whole is not None and abs(whole) >= 2**63:
        return None
    return whole if kind is int else as_real(value)


def _type_of(key: str) -> type:
    if key not in FIELDS:
        hint = did_you_mean(nearest(key, FIELDS), "`a2keras recipes folder` shows all there are")
        raise UserError(f"recipes have no field {key!r}: {hint}")
    return TYPES[key]


def _wrong_type(key: str, text: str) -> UserError:
    received = f"{key}={text}"
    return UserError(f"recipe field {key} is of type {TYPES[key].__name__}. Received: {received}")

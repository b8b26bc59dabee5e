"""What a recipe's values must be, each rule in words and as a test; texts that hold several."""

import math
import re
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from a2keras.models.names import comma_separated, is_file
from a2keras.whole_numbers import is_number


class Rule(NamedTuple):
    """What a value must be.

    Attributes:
        words: that follow the field's name in an error.
        holds: whether a value is so.
        choices: the values, where they are a list.
    """

    words: str
    holds: Callable[[Any], bool]
    choices: tuple[str, ...] = ()


class Unit(NamedTuple):
    """What the number of a field counts, or is a part of."""

    name: str


class Heading(NamedTuple):
    """Of the group that a field opens."""

    text: str


def at_least(least: float) -> Rule:
    return Rule(f"must be at least {least}", lambda value: value >= least)


def between(least: float, most: float) -> Rule:
    return Rule(
        f"must be at least {least} and at most {most}", lambda value: least <= value <= most
    )


def one_of(*choices: str) -> Rule:
    shown = ", ".join(choice or "(empty)" for choice in choices)
    return Rule(f"must be one of {shown}", lambda value: value in choices, choices)


ABOVE_0 = Rule("must be greater than 0", lambda value: value > 0)
AT_MOST_1 = Rule("must be at most 1", lambda value: value <= 1)
FINITE = Rule("must be finite", lambda value: not math.isinf(value))

PositiveInt = Annotated[int, at_least(1)]
NonNegativeInt = Annotated[int, at_least(0)]
PositiveFloat = Annotated[float, ABOVE_0, FINITE]
NonNegativeFloat = Annotated[float, at_least(0), FINITE]
# In [0, 1), and in (0, 1].
Fraction = Annotated[float, Rule("must be at least 0 and less than 1", lambda x: 0 <= x < 1)]
Part = Annotated[float, Rule("must be greater than 0 and at most 1", lambda x: 0 < x <= 1)]


def factors_of(text: str) -> list[tuple[re.Pattern, float]]:
    """`pattern=factor, …` as (pattern, factor); ValueError or re.error where it is not that."""
    parts = (part.rpartition("=") for part in comma_separated(text))
    return [(re.compile(pattern), float(factor)) for pattern, _, factor in parts]


def _are_factors(text: str) -> bool:
    try:
        factors = factors_of(text)
    except (ValueError, re.error):
        return False
    return all(pattern.pattern and 0 <= factor < math.inf for pattern, factor in factors)


WHOLE_NUMBERS = Rule(
    "must be whole numbers with commas between",
    lambda text: all(map(is_number, comma_separated(text))),
)
FACTORS = Rule("must be pattern=factor with commas between, factors of at least 0", _are_factors)

_LETTERBOX = "needs fit=crop: letterbox keeps the whole frame"
# A field, what others ask of it, and whether it is so in a recipe.
BETWEEN_FIELDS: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    (
        "test_short_side",
        "must be 0 or at least size={size}",
        lambda r: r.test_short_side == 0 or r.test_short_side >= r.size,
    ),
    ("crop", _LETTERBOX, lambda r: r.fit == "crop" or r.crop == "square"),
    ("test_short_side", _LETTERBOX, lambda r: r.fit == "crop" or r.test_short_side == 0),
    (
        "batch_size",
        "must be even where examples are mixed by pairs (mixup, cutmix)",
        lambda r: r.batch_size % 2 == 0 or not r.mixes,
    ),
    ("freeze_epochs", "must be less than epochs={epochs}", lambda r: r.freeze_epochs < r.epochs),
    ("freeze_rate", "needs freeze_epochs", lambda r: r.freeze_epochs > 0 or r.freeze_rate == 0),
    (
        "warmup_epochs",
        "must be at most epochs={epochs}",
        lambda r: r.warmup_epochs <= r.epochs or r.freeze_epochs > 0,
    ),
    (
        "warmup_epochs",
        "must be at most epochs={epochs} less freeze_epochs={freeze_epochs}",
        lambda r: r.warmup_epochs <= r.epochs - r.freeze_epochs,
    ),
    (
        "step_epochs",
        "must be after freeze_epochs={freeze_epochs}",
        lambda r: r.freeze_epochs == 0 or all(e > r.freeze_epochs for e in r.steps_down()),
    ),
    (
        "accumulate",
        "must divide batch_size={batch_size}",
        lambda r: r.batch_size % r.accumulate == 0,
    ),
    (
        "pixels",
        "is for a FILE.keras, not for model={model}",
        lambda r: r.pixels == "auto" or is_file(r.model),
    ),
    (
        "class_weights",
        "must be none where sampling=balanced",
        lambda r: r.class_weights == "none" or r.sampling == "uniform",
    ),
    (
        "sampling",
        "must be uniform where multi_label=True: no example has one class whose turn it is",
        lambda r: r.sampling == "uniform" or not r.multi_label,
    ),
    (
        "crops",
        "must be 1, or 3 where fit=crop",
        lambda r: r.crops == 1 or (r.crops == 3 and r.fit == "crop"),
    ),
    (
        "folds",
        "must be 0, or at least 2 and at least fold={fold}",
        lambda r: r.folds == 0 or r.fold <= r.folds >= 2,
    ),
    (
        "test_groups",
        "must be empty where folds={folds}",
        lambda r: r.test_groups == "" or r.folds == 0,
    ),
)

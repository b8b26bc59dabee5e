"""Numbers: whole ones in foreign text, and arguments that are one, of Python's types or NumPy's."""

import numbers
import operator
import re
from typing import Any, TypeVar

from a2keras.errors import UserError

# `isdigit` takes ², too, which is none, and `int` refuses what has thousands of digits.
NUMBER = re.compile("[0-9]{1,18}")


def is_number(text: str) -> bool:
    """Whether a text is a whole number, of at most 18 digits."""
    return NUMBER.fullmatch(text) is not None


def number_of(name: str, text: str) -> int:
    """The whole number of a text; raises a `ValueError` that names what it is of."""
    if not is_number(text):
        raise ValueError(f"{name} must be a whole number. Received: {name}={text}")
    return int(text)


def as_whole(value: Any) -> int | None:
    """The whole number that an argument is; None where it is none, as 2.0 and True are none."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def as_real(value: Any) -> float | None:
    """The number that an argument is; None where it is none, as True is none."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return None


Count = TypeVar("Count", int, int | None)


def count(name: str, value: Count, least: int = 1) -> Count:
    """An argument that counts something, as a Python number; None is left to a default.

    Raises:
        UserError: it is none, or less than `least`.
    """
    if value is None:
        return value
    number = as_whole(value)
    if number is None or number < least:
        raise UserError(
            f"`{name}` must be a whole number of at least {least}. "
            f"Received: `{name}={_shown(value)}`"
        )
    return number


def real(name: str, value: float, rule: str, least: float, most: float) -> float:
    """An argument that is a number in a range, as a Python float.

    Raises:
        UserError: it is none; says the rule.
    """
    number = as_real(value)
    if number is None or not least <= number <= most:
        raise UserError(f"`{name}` must be {rule}. Received: `{name}={_shown(value)}`")
    return number


def _shown(value: Any) -> str:
    return repr(value)[:80]

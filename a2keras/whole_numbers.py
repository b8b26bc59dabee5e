"""Whole numbers: in foreign text, and as arguments that count something."""

import re

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


def check_counts(**counts: int | None) -> None:
    """`UserError` where an argument that counts something is none; None is left to a default."""
    for name, value in counts.items():
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UserError(
                f"`{name}` must be a whole number of at least 1. Received: `{name}={value}`"
            )

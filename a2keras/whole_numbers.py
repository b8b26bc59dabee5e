"""Whole numbers in foreign text."""

import re

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

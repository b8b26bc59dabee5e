"""What the library calls an argument is a flag of a command."""

import re


def with_flags(message: object, *names: str) -> str:
    """A message of the library as the user of a command reads it: of `every`, --every.

    Args:
        message: the text, or an error.
        names: the arguments that are flags.
    """
    return re.sub(f"`({'|'.join(names)})`", r"--\1", str(message))

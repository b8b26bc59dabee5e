"""What the library says of its arguments, as the user of a command has to read it: of flags."""

import contextlib
import re
from collections.abc import Iterator

from absl import flags

from a2keras.errors import UserError

_ARGUMENT = re.compile(r"`(\w+)(=[^`]*)?`")


@contextlib.contextmanager
def naming_flags(values: flags.FlagValues) -> Iterator[None]:
    """Writes the arguments that a `UserError` names in backticks as the flags that give them.

    Of `output` it makes --output, of `seeds=0` --seeds=0; a recipe's `root=DIR` is --set root=DIR
    where the command has no flag of that name.

    Args:
        values: the flags of the command, which are called as the library's arguments are.
    """

    def flag(match: re.Match) -> str:
        name, value = match[1], match[2] or ""
        if name in values:
            return f"--{name}{value}"
        return f"--set {name}{value}" if value and "set" in values else match[0]

    try:
        yield
    except UserError as error:
        error.args = (_ARGUMENT.sub(flag, str(error)),)
        raise

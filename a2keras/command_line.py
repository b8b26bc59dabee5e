"""Flags of one subcommand, by absl: typed, checked, with help; a wrong flag is a `UserError`."""

import re
import sys
import textwrap
from collections.abc import Callable

from absl import flags

from a2keras.console import show
from a2keras.errors import UserError, reason_of

HELP = {"--help", "-h", "--helpfull", "--helpshort"}


def parse(
    usage: str, description: str, define: Callable[[flags.FlagValues], None], arguments: list[str]
) -> tuple[flags.FlagValues, list[str]]:
    """Parses a subcommand's arguments.

    Args:
        usage: the call in one line, such as `a2keras train --recipe=NAME --output=RUN`.
        description: what the command does, in a sentence or two.
        define: defines the flags on the `absl.flags.FlagValues` that it is given.
        arguments: what followed the subcommand's name.

    Returns:
        The flag values and the positional arguments. `--help` prints the help and exits with 0.

    Raises:
        UserError: absl's sentence about an unknown flag or a bad or missing value.
    """
    values = flags.FlagValues()
    define(values)
    if HELP & set(arguments):
        show(help_text(usage, description, values))
        sys.exit(0)
    for argument in arguments:
        if argument.startswith("-") and len(name := argument.partition("=")[0]) > 100:
            # absl looks for flags of similar names, and so deep that it ends in a RecursionError.
            raise UserError(f"Unknown command line flag '{name[:40]}…' (see --help)")
    try:
        positional = values(["a2keras", *arguments])[1:]
    except flags.Error as error:
        if missing := re.match(r"flag --(\w+)=None: Flag --\1 must have a value", str(error)):
            raise UserError(f"--{missing[1]} is missing (see --help)") from error
        raise UserError(f"{reason_of(error, 1000)} (see --help)") from error
    return values, positional


def define_format(values: flags.FlagValues, *more: str, text: str = "output format") -> None:
    """Defines `--format`: text for people, json for programs, or one of more."""
    flags.DEFINE_enum("format", "text", ["text", "json", *more], text, flag_values=values)


def help_text(usage: str, description: str, values: flags.FlagValues) -> str:
    """The help page: usage, description, and each flag in the order of its definition."""
    lines = [f"usage: {usage}", "", textwrap.fill(description, 96), ""]
    for name in values:
        flag = values[name]
        value = (
            "" if flag.boolean else "=" + "|".join(getattr(flag.parser, "enum_values", ["VALUE"]))
        )
        default = "" if flag.default in (None, [], False) else f" (default: {flag.default_as_str})"
        lines.append(f"  --{name}{value}")
        # absl adds the choices and a sentence on repetition, which stand elsewhere here.
        text = re.sub(r"^<.*?>: |;\s+repeat this option to specify .*", "", flag.help)
        lines.append(textwrap.indent(textwrap.fill(f"{text}{default}", 88), " " * 6))
    return "\n".join(lines)

"""Flags of one subcommand, by absl: typed, checked, with help; a wrong flag is a `UserError`."""

import contextlib
import itertools
import os
import re
import sys
import textwrap
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any

from absl import flags

from a2keras.console import show
from a2keras.errors import UserError, did_you_mean, nearest, reason_of

HELP = {"--help", "-h", "--helpfull", "--helpshort"}
_ARGUMENT = re.compile(r"`(\w+)(=[^`]*)?`")


def parse(
    usage: str,
    description: str,
    define: Callable[[flags.FlagValues], None],
    arguments: list[str],
    settings: Iterable[str] = (),
) -> tuple[flags.FlagValues, list[str]]:
    """Parses a subcommand's arguments.

    Args:
        usage: the call in one line, such as `a2keras train --recipe=NAME --output=RUN`.
        description: what the command does, in a sentence or two.
        define: defines the flags on the `absl.flags.FlagValues` that it is given.
        arguments: what followed the subcommand's name.
        settings: what its --set takes, which is easily taken for flags.

    Returns:
        The flag values, a leading `~` of texts expanded, and the positional arguments. `--help`
        prints the help and exits with 0.

    Raises:
        UserError: absl's sentence about an unknown flag or a bad or missing value.
    """
    values = flags.FlagValues()
    define(values)
    if arguments == _ASKED:
        raise _Defined(values)
    if HELP & set(arguments):
        show(help_text(usage, description, values))
        sys.exit(0)
    for argument in itertools.takewhile("--".__ne__, arguments):
        name = argument.partition("=")[0]
        if argument.startswith("-") and len(name) > 100:
            # absl looks for flags of similar names, and so deep that it ends in a RecursionError.
            raise UserError(f"there is no flag {name[:40]}…: see --help")
        if argument.startswith("-") and name.lstrip("-") in _FOR_PROGRAMMERS:
            raise UserError(f"there is no flag {name}: see --help")
    try:
        positional = values(["a2keras", *arguments])[1:]
    except flags.UnrecognizedFlagError as error:
        near = [f"--{each}" for each in nearest(error.flagname, values)]
        near = near or [f"--set {each}=VALUE" for each in nearest(error.flagname, settings)]
        hint = did_you_mean(near, "see --help")
        raise UserError(f"there is no flag --{error.flagname}: {hint}") from error
    except ValueError as error:  # --noflag=VALUE
        raise UserError(f"{reason_of(error)} (see --help)") from error
    except flags.Error as error:
        if missing := re.match(r"flag --(\w+)=None: Flag --\1 must have a value", str(error)):
            raise UserError(f"--{missing[1]} is missing (see --help)") from error
        if mistaken := re.match(r"flag --(\w+)=(.*): \('Non-boolean argument", str(error)):
            name, value = mistaken.groups()
            raise UserError(
                f"--{name} takes true or false, or no value. Received: --{name}={value}"
            ) from error
        hint = ""
        if wrong := re.match(r"flag --(\w+)=(.*): value should be one of <(.*)>", str(error)):
            near = nearest(wrong[2], wrong[3].split("|"))
            several = f"{wrong[1]}s"  # --formats beside --format; its help lists what it takes
            if (
                not near
                and several in values
                and wrong[2] in re.findall(r"\w+", values[several].help)
            ):
                near = [f"--{several}={wrong[2]}"]
            hint = did_you_mean(near, "see --help")
        raise UserError(f"{reason_of(error, 1000)} ({hint or 'see --help'})") from error
    if "" in positional:
        raise UserError("an argument must not be empty (see --help)")
    for name in values:
        values[name].value = _given(name, values[name])
    return values, positional


_FOR_PROGRAMMERS = ("flagfile", "undefok")  # absl's own, by which flags are passed over in silence


def _given(name: str, flag: flags.Flag) -> Any:
    """The value of a flag, a leading `~` expanded: of --output=~/run no shell does that.

    Raises:
        UserError: an empty text, where that would be the path of the current directory.
    """
    value = flag.value
    texts: list[Any] = value if isinstance(value, list) else [value]
    if flag.present and flag.default != "" and ("" in texts or not texts):
        raise UserError(f"--{name} must not be empty (see --help)")
    if not all(isinstance(text, str) for text in texts):
        return value
    texts = [os.path.expanduser(text) for text in texts]  # noqa: PTH111 (which raises for some)
    return texts if isinstance(value, list) else texts[0]


_ASKED = ["\0flags"]  # what no command line can have


class _Defined(Exception):
    """The flags of a command, in place of what it does."""


def flags_of(command: Callable[[list[str]], None]) -> flags.FlagValues:
    """The flags that a command defines; every command begins with `parse`."""
    try:
        command(_ASKED)
    except _Defined as defined:
        values: flags.FlagValues = defined.args[0]
        return values
    raise AssertionError(f"{command} does not parse its arguments")


def define_format(values: flags.FlagValues, *more: str, text: str = "output format") -> None:
    """Defines `--format`: text for people, json for programs, or one of more."""
    flags.DEFINE_enum("format", "text", ["text", "json", *more], text, flag_values=values)


def with_flags(message: object, values: flags.FlagValues, settings: Container[str] = ()) -> str:
    """What the library says of its arguments, in backticks, as the user of a command reads it.

    Of `output` it makes --output, of `seeds=0` --seeds=0, of `deletion=True` --deletion, of a
    setting `root=DIR` --set root=DIR.

    Args:
        message: the text, or an error.
        values: the flags of the command, which are called as the library's arguments are.
        settings: what its --set takes.
    """

    def flag(match: re.Match) -> str:
        name, value = match[1], match[2] or ""
        if name in values:
            return f"--{name}" if values[name].boolean and value == "=True" else f"--{name}{value}"
        return f"--set {name}{value}" if value and name in settings else match[0]

    return _ARGUMENT.sub(flag, str(message))


@contextlib.contextmanager
def naming_flags(values: flags.FlagValues, settings: Container[str] = ()) -> Iterator[None]:
    """Says `with_flags` what a `UserError` says."""
    try:
        yield
    except UserError as error:
        error.args = (with_flags(error, values, settings),)
        raise


def help_text(usage: str, description: str, values: flags.FlagValues) -> str:
    """The help page: usage, description, and each flag in the order of its definition."""
    lines = [f"usage: {usage}", "", textwrap.fill(description, 96), ""]
    for name in values:
        flag = values[name]
        value = (
            "" if flag.boolean else "=" + "|".join(getattr(flag.parser, "enum_values", ["VALUE"]))
        )
        shown = flag.default not in (None, "", []) and not flag.boolean
        default = f" (default: {flag.default_as_str})" if shown else ""
        lines.append(f"  --{name}{value}")
        # absl adds the choices and a sentence on repetition, which stand elsewhere here.
        text = re.sub(r"^<.*?>: |;\s+repeat this option to specify .*", "", flag.help)
        lines.append(textwrap.indent(textwrap.fill(f"{text}{default}", 88), " " * 6))
    return "\n".join(lines)

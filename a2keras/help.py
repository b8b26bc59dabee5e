"""`a2keras help` and `a2keras version`."""

from importlib import import_module

import a2keras
from a2keras.command_line import parse
from a2keras.console import show
from a2keras.errors import UserError, did_you_mean, nearest

# What a topic says is `describe()` of the module that has the table.
TOPICS = {
    "data": "a2keras.training.data",
    "networks": "a2keras.models.commands.summary",
}


def help(arguments: list[str]) -> None:
    _, given = parse(
        "a2keras help [COMMAND|TOPIC]",
        "Prints the commands, the help of one, or what there is to know of a topic: "
        f"{', '.join(TOPICS)}.",
        lambda values: None,
        arguments,
    )
    from a2keras.__main__ import COMMANDS, run, usage

    if len(given) > 1:
        raise UserError(f"help takes one COMMAND or TOPIC. Received: {' '.join(given)}")
    if not given:
        show(usage())
    elif given[0] in COMMANDS:
        run([given[0], "--help"])
    elif given[0] in TOPICS:
        import_module(TOPICS[given[0]]).describe()
    else:
        known = [*COMMANDS, *TOPICS]
        hint = did_you_mean(nearest(given[0], known), f"there are {', '.join(known)}")
        raise UserError(f"there is no command or topic {given[0]!r}: {hint}")


def version(arguments: list[str]) -> None:
    _, given = parse(
        "a2keras version",
        "Prints the version. `a2keras check` tells those of all that it works with.",
        lambda values: None,
        arguments,
    )
    if given:
        raise UserError(f"version takes no arguments. Received: {' '.join(given)}")
    show(a2keras.__version__)

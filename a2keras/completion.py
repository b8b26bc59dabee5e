"""`a2keras completion`: what a shell completes, by the tables that the commands themselves use."""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, NamedTuple

from absl import flags

from a2keras import completion_scripts
from a2keras.command_line import flags_of, parse
from a2keras.console import show
from a2keras.errors import UserError

SHELLS = {
    "bash": completion_scripts.bash,
    "zsh": completion_scripts.zsh,
    "fish": completion_scripts.fish,
}


def completion(arguments: list[str]) -> None:
    _, given = parse(
        "a2keras completion bash|zsh|fish",
        "Prints a script by which a shell completes commands, flags and their values, networks, "
        "recipes and published weights. bash: `source <(a2keras completion bash)` in ~/.bashrc. "
        "zsh: `source <(a2keras completion zsh)` in ~/.zshrc, after compinit. fish: `a2keras "
        "completion fish > ~/.config/fish/completions/a2keras.fish`.",
        lambda values: None,
        arguments,
    )
    if len(given) != 1 or given[0] not in SHELLS:
        received = " ".join(given) or "none"
        raise UserError(f"completion takes one of {', '.join(SHELLS)}. Received: {received}")
    show(SHELLS[given[0]](table()))


class Entry(NamedTuple):
    """What may stand in a place of the command line.

    Attributes:
        words: that are known. One that ends in `=` or `:` goes on.
        files: whether it may be a path, too.
    """

    words: tuple[str, ...]
    files: bool = False


def _of(module: str, name: str) -> Callable[[], Iterable[str]]:
    """The names in a table of another room, which is loaded when they are asked for."""
    return lambda: getattr(import_module(module), name)


def _starting(module: str, name: str, end: str) -> Callable[[], Iterable[str]]:
    return lambda: (f"{each}{end}" for each in _of(module, name)())


_NETWORKS = _of("a2keras.models.names", "NETWORKS")
_RECIPES = _of("a2keras.training.recipes", "NAMES")
_WEIGHTS = _of("a2keras.models.weights.published", "TITLES")
_SETTINGS = _of("a2keras.training.fields", "SETTINGS")
_OPTIONS = _starting("a2keras.models.names", "ALL_OPTIONS", "=")


def _models() -> Iterable[str]:
    names = import_module("a2keras.models.names")
    return (*names.NETWORKS, *(f"{names.PREFIX}{each}" for each in names.applications()))


# What follows a command, and the values of flags that mean the same wherever they are.
POSITIONAL: dict[str, Callable[[], Iterable[str]]] = {
    "summary": _NETWORKS,
    "recipes": _RECIPES,
    "weights": lambda: ("fetch", *_WEIGHTS()),
    "predict": _WEIGHTS,
    "explain": _WEIGHTS,
    "export": _WEIGHTS,
    "benchmark": _WEIGHTS,
    "help": lambda: (*_commands(), *_of("a2keras.help", "TOPICS")()),
    "completion": lambda: SHELLS,
}
WITHOUT_FILES = (
    "demo",
    "train",
    "ablate",
    "tables",
    "preprocessing",
    "check",
    "weights",
    "help",
    "completion",
    "version",
)
VALUES: dict[str, Callable[[], Iterable[str]]] = {
    "recipe": _RECIPES,
    "model": _models,
    "data": _starting("a2keras.training.data", "PREFIXES", ""),
    "set": _SETTINGS,
    "formats": _of("a2keras.export.formats", "FORMATS"),
    "rows": _of("a2keras.training.ablation.rows", "KINDS"),
}
# The settings of a network's builder, not of a recipe.
OF_BUILDERS = ("summary", "convert")


def _commands() -> dict[str, Any]:
    from a2keras.__main__ import COMMANDS

    return COMMANDS


def table() -> dict[str, Entry]:
    """What may follow: `` the command's name, `train` a dash, `train --recipe` that flag and
    `train -` anything else."""
    found = {"": Entry((*_commands(), "--help", "--version"))}
    for name, command in _commands().items():
        values = flags_of(getattr(import_module(command.module), name))
        words = [f"--{each}" if values[each].boolean else f"--{each}=" for each in values]
        found[name] = Entry((*words, "--help"))
        known = POSITIONAL.get(name, lambda: ())
        found[f"{name} -"] = Entry(tuple(known()), name not in WITHOUT_FILES)
        for each in values:
            if not values[each].boolean:
                found[f"{name} --{each}"] = _values(name, values[each])
    return found


def _values(command: str, flag: flags.Flag) -> Entry:
    """The values of a flag: its choices, a table's names, or, of a text, a path."""
    if choices := getattr(flag.parser, "enum_values", None):
        return Entry(tuple(choices))
    known = VALUES.get(flag.name, lambda: ())
    if flag.name == "set" and command in OF_BUILDERS:
        known = _OPTIONS
    is_text = flag.flag_type() in ("string", "multi string")
    return Entry(tuple(known()), is_text and flag.name != "set")

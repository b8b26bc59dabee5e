"""The `a2keras` command: a table of subcommands, each loaded only when it is called."""

import contextlib
import errno
import os
import sys
from importlib import import_module
from typing import NamedTuple

import a2keras
from a2keras.command_line import HELP
from a2keras.console import is_command, prepare_streams, say, show, start_quietly
from a2keras.errors import (
    OutOfResources,
    UserError,
    did_you_mean,
    lacking,
    nearest,
    printable,
)
from a2keras.termination import Terminated, ending_by_exceptions


class Command(NamedTuple):
    module: str  # has a function of the subcommand's name: (arguments) -> None
    summary: str


COMMANDS = {
    "demo": Command("a2keras.demo", "train, evaluate, explain and export on scanned digits"),
    "prepare": Command("a2keras.training.commands.prepare", "store data for training at speed"),
    "train": Command("a2keras.training.commands.train", "train a network by a recipe"),
    "evaluate": Command(
        "a2keras.training.commands.evaluate", "score a run on data that it has not seen"
    ),
    "ablate": Command(
        "a2keras.training.commands.ablate", "what attention blocks add, on any network and data"
    ),
    "explain": Command("a2keras.training.commands.explain", "draw what a network attends to"),
    "recipes": Command(
        "a2keras.training.commands.recipes", "how networks are trained, and the fields of that"
    ),
    "predict": Command("a2keras.export.commands.predict", "classify files, or a video over time"),
    "export": Command("a2keras.export.commands.export", "write artefacts that equal their model"),
    "benchmark": Command("a2keras.export.commands.benchmark", "time and memory of artefacts"),
    "summary": Command(
        "a2keras.models.commands.summary", "the stages of a network and what they cost"
    ),
    "convert": Command("a2keras.models.commands.convert", "weights of other libraries as ours"),
    "preprocessing": Command(
        "a2keras.models.commands.preprocessing", "how files become a model's input, as a file"
    ),
    "weights": Command("a2keras.models.commands.weights", "published weights, by name"),
    "tables": Command(
        "a2keras.models.commands.tables", "the rows of the paper's tables and what they cost"
    ),
    "check": Command("a2keras.models.commands.check", "whether what is installed works"),
    "completion": Command("a2keras.completion", "completion for bash, zsh and fish"),
    "help": Command("a2keras.help", "a command's help, or a topic: data, networks"),
    "version": Command("a2keras.help", "the version of a2keras"),
}


def usage() -> str:
    lines = [f"a2keras {a2keras.__version__}: double attention (A²-Nets) for Keras", ""]
    lines += ["usage: a2keras COMMAND [--flag=value]… ", ""]
    lines += [f"  {name:<13} {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join([*lines, "", "`a2keras COMMAND --help` lists a command's flags."])


def run(arguments: list[str]) -> None:
    """Runs one subcommand; a user's mistake is raised as `UserError`.

    Its module and the checks of its flags load nothing that takes seconds, so that a mistake is
    told at once: Keras and TensorFlow are imported where the work begins.
    """
    name, *rest = arguments
    if name not in COMMANDS:
        hint = did_you_mean(nearest(name, COMMANDS), f"the commands are {', '.join(COMMANDS)}")
        raise UserError(f"there is no command {name!r}: {hint}")
    start_quietly()
    getattr(import_module(COMMANDS[name].module), name)(rest)


# What the machine refuses, whatever the program does. Other errors of files are the program's.
_REFUSED = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG,
    errno.EIO, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG,
    errno.ELOOP, errno.ENODEV, errno.ENXIO, errno.ESTALE,
}  # fmt: skip


def main() -> int:
    """The command: its exit code."""
    prepare_streams()
    with ending_by_exceptions() if is_command() else contextlib.nullcontext():
        try:
            code = _call()
        except SystemExit as end:  # of a command that has an exit code of its own
            if not isinstance(end.code, int):
                raise
            code = end.code
    if is_command() and "tensorflow_io" in sys.modules:
        # Whoever has read from s3:// would end by SIGABRT, in a destructor (tensorflow/io#2039).
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _call() -> int:
    # Set before TensorFlow is loaded: its information lines go, its warnings and errors stay.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    arguments = sys.argv[1:]
    called = " ".join(["a2keras", *arguments[:1]])
    try:
        return _answer(arguments)
    except UserError as mistake:
        say(printable(f"{called}: {mistake}"))
        return 2
    except KeyboardInterrupt:
        say("a2keras: interrupted")
        return 130
    except Terminated as end:
        say(f"a2keras: {end}")
        return 128 + end.number
    except Exception as error:
        if (sentence := _machines_fault(error)) is None:
            raise
        say(printable(f"{called}: {sentence}"))
        return 2


def _machines_fault(error: Exception) -> str | None:
    """What the machine lacks or refuses, in a sentence; None where that is not what failed."""
    if lack := lacking(error):
        return str(OutOfResources(lack, "it was at work", error))
    if isinstance(error, OSError) and error.errno in _REFUSED:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return None


def _answer(arguments: list[str]) -> int:
    if not arguments or arguments[0] in HELP:
        show(usage())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        show(a2keras.__version__)
        return 0
    run(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`a2keras train`."""

import functools
import os
import sys
from typing import TYPE_CHECKING, Any

from absl import flags

from a2keras.command_line import naming_flags, parse
from a2keras.console import say, show
from a2keras.errors import UserError

if TYPE_CHECKING:
    from a2keras.training.evaluation.scores import Folds


def train(arguments: list[str]) -> None:
    from a2keras.training.fields import FIELDS

    values, rest = parse(
        "a2keras train --recipe=NAME --output=RUN [--data=SOURCE] [--set key=value]…",
        "Trains a network by a recipe. The same command again goes on from the last checkpoint; so "
        "does --output=RUN alone, by the recipe that the run has kept. Exit codes: 75 stopped by "
        "SIGTERM and saved, 130 by Ctrl-C and saved, 76 another worker is gone, 2 a mistake.",
        _flags,
        arguments,
        FIELDS,
    )
    if rest:
        raise UserError(f"train takes no arguments. Received: {' '.join(rest)}")
    from a2keras.training.config import values_of
    from a2keras.training.interface.cross_validate import cross_validate
    from a2keras.training.interface.train import train as train_recipe
    from a2keras.training.run.interruption import WORKER_LOST, Stopped

    try:
        with naming_flags(values, FIELDS):
            named = {key: values[key].value for key in ("data", "model") if values[key].value}
            given: dict[str, Any] = {name: values[name].value for name in _ARGUMENTS}
            given |= {**named, **values_of(values.set)}
            if values.folds is not None:
                given["folds"] = values.folds
                _show_folds(cross_validate(values.recipe, **given))
                return
            trained = train_recipe(values.recipe, **given)
    except Stopped as stopped:
        say(f"a2keras train: {stopped}")
        if stopped.exit_code == WORKER_LOST:
            os._exit(WORKER_LOST)  # the orderly end would wait for the worker that is gone
        sys.exit(stopped.exit_code)
    say(f"the run is in {trained.path}")
    if trained.finished:  # other workers need not see it
        from a2keras.training.run.directory import Run
        from a2keras.training.run.next_commands import next_commands

        say("\n  ".join(["next:", *next_commands(Run(trained.path, trained.recipe))]))


# Flags that are arguments of `a2keras.train`.
_ARGUMENTS = (
    "output",
    "strategy",
    "replicas",
    "checkpoint_minutes",
    "checkpoint_steps",
    "checkpoint_keep",
    "track",
)


def _show_folds(scores: "Folds") -> None:
    from a2keras.training.evaluation.folds import folds_table

    show(folds_table(scores))


def _flags(values: flags.FlagValues) -> None:
    from a2keras.training.compute.cluster import STRATEGIES
    from a2keras.training.recipe_files import FORM
    from a2keras.training.recipes import NAMES
    from a2keras.training.run.trackers import TRACKERS

    text = functools.partial(flags.DEFINE_string, flag_values=values)
    text("recipe", None, f"{', '.join(NAMES)}, or {FORM}; default: that of the run in --output.")
    text("output", None, "Directory of the run; a run that is there goes on.", required=True)
    from a2keras.training.data import SOURCES

    text("data", None, f"{SOURCES}; see `a2keras help data`.")
    text(
        "model",
        None,
        "A network, keras:NAME of keras.applications, or FILE.keras; default: the recipe's.",
    )
    from a2keras.training.descriptions import described

    own = ("name", "data", "task", "model")  # flags have them, and the task the data tell
    fields = ", ".join(each.name for each in described() if each.name not in own)
    help_set = (
        "key=value of a recipe field; may be repeated. `a2keras recipes NAME` tells what they mean "
        f"and what they are in that recipe: {fields}."
    )
    flags.DEFINE_multi_string("set", [], help_set, flag_values=values)
    help_folds = (
        "Cross-validation: the data in so many parts, each held out by a run of its own in "
        "--output, and their scores together."
    )
    flags.DEFINE_integer("folds", None, help_folds, flag_values=values)
    help_strategy = (
        "Where to compute: auto is mirrored where there are several GPUs; multi_worker reads "
        "TF_CONFIG or Slurm's variables, tpu TPU_NAME."
    )
    flags.DEFINE_enum("strategy", "auto", STRATEGIES, help_strategy, flag_values=values)
    help_replicas = "Number of GPUs, or of logical CPU devices, that share every batch."
    flags.DEFINE_integer("replicas", None, help_replicas, flag_values=values)
    help_minutes = "Minutes between two checkpoints within an epoch; 0: none by time."
    flags.DEFINE_float("checkpoint_minutes", 10.0, help_minutes, lower_bound=0, flag_values=values)
    help_steps = "Steps between two checkpoints; 0: none by number."
    flags.DEFINE_integer("checkpoint_steps", 0, help_steps, lower_bound=0, flag_values=values)
    help_keep = "How many of the last checkpoints stay, besides the best."
    flags.DEFINE_integer("checkpoint_keep", 2, help_keep, lower_bound=1, flag_values=values)
    help_track = "Who is told the recipe and all figures, besides the run; default: nobody."
    flags.DEFINE_enum("track", None, TRACKERS, help_track, flag_values=values)

"""`a2keras train`."""

import functools
import os
import sys
from typing import TYPE_CHECKING

from absl import flags

from a2keras.command_line import naming_flags, parse
from a2keras.console import say
from a2keras.errors import UserError

if TYPE_CHECKING:
    from a2keras.training.data import Listed


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
    from a2keras.training.run.checkpoints import Saving
    from a2keras.training.run.interruption import WORKER_LOST, Interruption, Stopped

    saving = Saving(values.checkpoint_minutes, values.checkpoint_steps, values.checkpoint_keep)
    try:
        with naming_flags(values, FIELDS):
            with Interruption().watch():
                listed = _begin(values)
            from a2keras.training.run.train import train as train_recipe

            run = train_recipe(
                listed.recipe,
                values.output,
                values.strategy,
                values.replicas,
                saving=saving,
                listing=listed.listing,
            )
    except Stopped as stopped:
        say(f"a2keras train: {stopped}")
        if stopped.exit_code == WORKER_LOST:
            os._exit(WORKER_LOST)  # the orderly end would wait for the worker that is gone
        sys.exit(stopped.exit_code)
    say(f"the run is in {run.path}")
    if run.finished:  # other workers need not see it
        from a2keras.training.run.next_commands import next_commands

        say("\n  ".join(["next:", *next_commands(run)]))


def _begin(values: flags.FlagValues) -> "Listed":
    """The recipe of `train` and its data, listed; what is wrong is told before Keras is loaded."""
    from a2keras.training.compute.checks import begin, check_strategy, check_weights
    from a2keras.training.config import Recipe
    from a2keras.training.output import local
    from a2keras.training.recipes import listed as listed_by
    from a2keras.training.run.directory import Run

    check_strategy(values.strategy, values.replicas)
    directory = local(values.output)
    settings = [f"{key}={values[key].value}" for key in ("data", "model") if values[key].value]
    kept = directory / "recipe.json"
    if values.recipe is None and not kept.is_file():
        raise UserError(f"--recipe is missing: {values.output} is not a run that could go on")
    settings += values.set
    if values.recipe is None:
        recipe, listing = Recipe.load(kept).override(settings), None
    else:
        recipe, listing = listed_by(values.recipe, settings)
    check_strategy(values.strategy, values.replicas, recipe)
    listed = begin(recipe, listing)
    if values.strategy != "multi_worker":  # the workers but the chief need not see the run
        Run(directory, listed.recipe).check()
        if not kept.is_file():
            check_weights(listed.recipe)
    return listed


def _flags(values: flags.FlagValues) -> None:
    from a2keras.training.compute.cluster import STRATEGIES
    from a2keras.training.recipe_files import FORM
    from a2keras.training.recipes import NAMES

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

    fields = ", ".join(f"{each.name}={each.default}" for each in list(described())[4:])
    help_set = (
        "key=value of a recipe field; may be repeated. `a2keras recipes folder` tells what they "
        f"mean: {fields}."
    )
    flags.DEFINE_multi_string("set", [], help_set, flag_values=values)
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

"""The subcommands of the training room: `train`, `evaluate` and `explain`."""

import dataclasses
import functools
import os
import sys
from typing import TYPE_CHECKING

from a2keras.command_line import parse
from a2keras.console import print_json, say, show
from a2keras.errors import UserError, counted, printable

if TYPE_CHECKING:
    from absl import flags

    from a2keras.training.data import Listed


def train(arguments: list[str]) -> None:
    def define(values: "flags.FlagValues") -> None:
        from absl import flags

        from a2keras.training.recipes import NAMES

        text = functools.partial(flags.DEFINE_string, flag_values=values)
        text("recipe", None, f"{', '.join(NAMES)}; default: that of the run in --output.")
        text("output", None, "Directory of the run; a run that is there goes on.", required=True)
        text("data", None, "digits, folder:DIR, csv:FILE[,TEST], tfds:NAME or prepared:DIR.")
        text(
            "model",
            None,
            "A network, keras:NAME of keras.applications, or FILE.keras; default: the recipe's.",
        )
        from a2keras.training.config import Recipe

        fields = ", ".join(f"{f.name}={f.default}" for f in dataclasses.fields(Recipe)[4:])
        help_set = f"key=value of a recipe field; may be repeated. The fields: {fields}."
        flags.DEFINE_multi_string("set", [], help_set, flag_values=values)
        strategies = ["auto", "none", "mirrored", "multi_worker", "tpu"]
        help_strategy = (
            "Where to compute: auto is mirrored where there are several GPUs; multi_worker reads "
            "TF_CONFIG or Slurm's variables, tpu TPU_NAME."
        )
        flags.DEFINE_enum("strategy", "auto", strategies, help_strategy, flag_values=values)
        help_replicas = "Number of GPUs, or of logical CPU devices, that share every batch."
        flags.DEFINE_integer("replicas", None, help_replicas, flag_values=values)
        help_minutes = "Minutes between two checkpoints within an epoch; 0: none by time."
        flags.DEFINE_float("checkpoint_minutes", 10.0, help_minutes, flag_values=values)
        help_steps = "Steps between two checkpoints; 0: none by number."
        flags.DEFINE_integer("checkpoint_steps", 0, help_steps, flag_values=values)
        help_keep = "How many of the last checkpoints stay, besides the best."
        flags.DEFINE_integer("checkpoint_keep", 2, help_keep, flag_values=values)

    values, rest = parse(
        "a2keras train --recipe=NAME --output=RUN [--data=SOURCE] [--set key=value]…",
        "Trains a network by a recipe. The same command again goes on from the last checkpoint; so "
        "does --output=RUN alone, by the recipe that the run has kept. Exit codes: 75 stopped by "
        "SIGTERM and saved, 130 by Ctrl-C and saved, 76 another worker is gone, 2 a mistake.",
        define,
        arguments,
    )
    _no_more(rest)
    from a2keras.training.run.checkpoints import Saving
    from a2keras.training.run.interruption import WORKER_LOST, Interruption, Stopped

    saving = Saving(values.checkpoint_minutes, values.checkpoint_steps, values.checkpoint_keep)
    try:
        with Interruption().watch():
            listed = _begin(values)
        from a2keras.training.run.train import train as train_recipe

        strategy, replicas, listing = values.strategy, values.replicas, listed.listing
        run = train_recipe(
            listed.recipe, values.output, strategy, replicas, saving, listing=listing
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


def _begin(values: "flags.FlagValues") -> "Listed":
    """The recipe of `train` and its data, listed; what is wrong is told before Keras is loaded."""
    from a2keras.training.compute.checks import begin, check_strategy, check_weights
    from a2keras.training.config import Recipe
    from a2keras.training.recipes import listed as listed_by
    from a2keras.training.run.directory import Run, local

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


def evaluate(arguments: list[str]) -> None:
    def define(values: "flags.FlagValues") -> None:
        from absl import flags

        whole = functools.partial(flags.DEFINE_integer, flag_values=values)
        help_data = "Other data with the same classes; default: what the run held out."
        flags.DEFINE_string("data", None, help_data, flag_values=values)
        whole("views", None, "Clips of each video that are averaged; default: the recipe's.")
        whole("crops", None, "Of each clip, 1 or 3; default: the recipe's.")
        help_statistics = "Training batches that give batch normalisation's statistics anew."
        whole("precise_bn", 0, help_statistics, lower_bound=0)
        help_format = "json: print the scores as one JSON document."
        flags.DEFINE_enum("format", "text", ["text", "json"], help_format, flag_values=values)

    values, rest = parse(
        "a2keras evaluate RUN… [--data=SOURCE] [--format=json]",
        "Scores a run on what it held out, and writes into it evaluation.json, predictions.csv "
        "(the five likeliest classes of every file), mistakes.html (the worst, with pictures), "
        "confusion.png and calibration.png; with --data, on that, into evaluation_data.json and "
        "so on. Several runs are folds of one data set, such as UCF-101's three splits: their mean "
        "goes to folds.json.",
        define,
        arguments,
    )
    if not rest:
        raise UserError("evaluate takes a RUN. Received: none")
    if len(rest) > 1 and values.data:
        raise UserError(f"--data is for one RUN. Received: {' '.join(rest)}")
    from a2keras.training.evaluation.held_out import HeldOut, Protocol

    protocol = Protocol(values.views, values.crops, values.precise_bn)
    opened = [HeldOut.open(each, values.data) for each in rest]
    for each in opened:
        protocol.applied(each.run.recipe)  # which refuses numbers that are none
    from a2keras.training.evaluation import evaluate as one
    from a2keras.training.evaluation import folds, scores

    if len(opened) > 1:
        document, text = folds.evaluate_opened(opened, protocol), folds.folds_table
    else:
        document, text = one.evaluate_opened(opened[0], protocol), scores.table
    print_json(document) if values.format == "json" else show(text(document))


def explain(arguments: list[str]) -> None:
    def define(values: "flags.FlagValues") -> None:
        from absl import flags

        help_output = "Directory for the pictures and explain.json."
        flags.DEFINE_string("output", None, help_output, required=True, flag_values=values)
        help_samples = "Without FILE: how many examples that the run held out."
        flags.DEFINE_integer("samples", 4, help_samples, lower_bound=1, flag_values=values)
        help_deletion = (
            "Blank what the maps mark, step by step, and see whether the probability falls sooner "
            "than at random: some 50 views of each example for a map."
        )
        flags.DEFINE_bool("deletion", False, help_deletion, flag_values=values)
        help_format = "json: print what was explained as one JSON document."
        flags.DEFINE_enum("format", "text", ["text", "json"], help_format, flag_values=values)

    values, rest = parse(
        "a2keras explain RUN|WEIGHTS [FILE|FOLDER…] --output=DIR",
        "Draws over images or the frames of videos where a network sees its classes (Grad-CAM), "
        "where its double attention blocks gather from, and which descriptor each position takes. "
        "Of a run, without FILE on examples that it held out; of a .keras file with its "
        "preprocessing.json beside it, or of published weights like i3d:kinetics400.",
        define,
        arguments,
    )
    if not rest:
        raise UserError("explain takes a RUN, and files. Received: none")
    from a2keras.training.explanation.explain import explain as explain_run

    document = explain_run(rest[0], rest[1:], values.output, values.samples, values.deletion)
    if values.format == "json":
        print_json(document)
        return
    for example in document["explained"]:
        picture, prediction = example["picture"], example["prediction"]
        show(f"{values.output}/{picture}: {printable(prediction)} ({example['probability']:.1%})")
    for line in document.get("deletion", {}).get("maps", []):
        show(
            f"deletion by {printable(line['method'])}: area {line['area']:.3f}, at random "
            f"{line['random_area']:.3f}; below every random order for {line['beats_random']} of "
            f"{counted(line['examples'], 'example')}"
        )
    say(f"the page with all of them is {values.output}/index.html")
    for skipped in document["skipped"]:
        say(f"left out: {skipped['reason']}")


def _no_more(rest: list[str]) -> None:
    if rest:
        raise UserError(f"unexpected argument {rest[0]!r} (see --help)")

"""`a2keras evaluate`."""

import functools
from typing import Any

from absl import flags

from a2keras.command_line import define_format, naming_flags, parse
from a2keras.console import print_json, say, show
from a2keras.errors import UserError


def evaluate(arguments: list[str]) -> None:
    values, rest = parse(
        "a2keras evaluate RUN… [--data=SOURCE] [--format=json]",
        "Scores a run on what it held out, and writes into it evaluation.json, predictions.csv "
        "(the five likeliest classes of every file), mistakes.html (the worst, with pictures), "
        "confusion.png (of multi-label data per_class.csv) and calibration.png; with --data, on "
        "that, into evaluation_data.json and so on. Several runs are folds of one data set, such "
        "as UCF-101's three splits: their mean goes to folds.json.",
        _flags,
        arguments,
    )
    if not rest:
        raise UserError("evaluate takes a RUN. Received: none")
    from a2keras.training.interface.evaluate import evaluate as evaluate_run

    run: Any = rest[0] if len(rest) == 1 else rest
    with naming_flags(values):
        document: Any = evaluate_run(
            run,
            data=values.data,
            views=values.views,
            crops=values.crops,
            precise_bn=values.precise_bn,
        )
    if values.format == "json":
        print_json(document)
        return
    from a2keras.training.evaluation.evaluate import OTHER_DATA, files_of
    from a2keras.training.evaluation.folds import folds_table
    from a2keras.training.evaluation.scores import table
    from a2keras.training.run.directory import Run
    from a2keras.training.run.next_commands import next_commands

    run = Run.load(rest[0])
    files = ", ".join(files_of(OTHER_DATA if values.data else "", run.recipe.multi_label))
    if len(rest) > 1:
        show(folds_table(document))
        say(f"written: folds.json into {rest[0]}; into every run {files}")
        return
    show(table(document))
    say(f"written into {rest[0]}: {files}")
    say("\n  ".join(["next:", *next_commands(run, "evaluate")]))


def _flags(values: flags.FlagValues) -> None:
    whole = functools.partial(flags.DEFINE_integer, flag_values=values)
    help_data = "Other data with the same classes, for one run; default: what the run held out."
    flags.DEFINE_string("data", None, help_data, flag_values=values)
    whole("views", None, "Clips of each video that are averaged; default: the recipe's.")
    whole("crops", None, "Of each clip, 1 or 3; default: the recipe's.")
    help_statistics = (
        "Training batches that give batch normalisation's statistics anew; 0: as saved."
    )
    whole("precise_bn", 0, help_statistics, lower_bound=0)
    define_format(values, text="json: print the scores as one JSON document.")

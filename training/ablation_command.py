"""The subcommand `ablate`."""

import functools
import sys

from absl import flags

from a2keras.command_line import parse
from a2keras.console import print_json, say, show
from a2keras.errors import UserError


def ablate(arguments: list[str]) -> None:
    values, rest = parse(
        "a2keras ablate --table=2|3 --data=SOURCE --output=DIR [--seeds=3] [--set key=value]…",
        "Trains the rows of the paper's Table 2 or 3 on any videos, several times each: no block, "
        "non-local and double attention blocks at each position. Writes ablation.md, ablation.json "
        "and ablation.png, anew after every run. The same command again goes on.",
        _flags,
        arguments,
    )
    if rest:
        raise UserError(f"unexpected argument {rest[0]!r} (see --help)")
    from a2keras.training.ablation import Ablation
    from a2keras.training.ablation import ablate as run_ablation
    from a2keras.training.ablation_report import markdown
    from a2keras.training.interruption import Stopped
    from a2keras.training.recipes import recipe
    from a2keras.training.run import local

    ablation = Ablation(
        table=int(values.table),
        recipe=recipe(values.recipe).override([f"data={values.data}", *values.set]),
        output=local(values.output),
        seeds=values.seeds,
        rows=tuple(values.rows),
        strategy=values.strategy,
        replicas=values.replicas,
    )
    try:
        document = run_ablation(ablation)
    except Stopped as stopped:
        say(f"a2keras ablate: {stopped}")
        sys.exit(stopped.exit_code)
    print_json(document) if values.format == "json" else show(markdown(document))


def _flags(values: flags.FlagValues) -> None:
    text = functools.partial(flags.DEFINE_string, flag_values=values)
    choice = functools.partial(flags.DEFINE_enum, flag_values=values)
    whole = functools.partial(flags.DEFINE_integer, flag_values=values)
    choice("table", None, ["2", "3"], "Of the paper.", required=True)
    text("data", None, "Videos with their classes, as for `train`.", required=True)
    text("output", None, "Directory of the ablation; what is there goes on.", required=True)
    whole("seeds", 3, "Runs of every row.")
    help_rows = "Only these, with commas between: resnet_26,nl_conv4,… Default: the whole table."
    flags.DEFINE_list("rows", [], help_rows, flag_values=values)
    text("recipe", "folder", "How every row is trained.")
    help_set = "key=value of a recipe field, for all rows; may be repeated."
    flags.DEFINE_multi_string("set", [], help_set, flag_values=values)
    choice("strategy", "auto", ["auto", "none", "mirrored"], "As for `train`.")
    whole("replicas", None, "As for `train`.")
    choice("format", "markdown", ["markdown", "json"], "How to print the table.")

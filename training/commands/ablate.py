"""`a2keras ablate`."""

import functools
import sys
from typing import TYPE_CHECKING, Optional

from absl import flags

from a2keras.command_line import naming_flags, parse
from a2keras.console import print_json, say, show
from a2keras.errors import UserError

if TYPE_CHECKING:
    from a2keras.training.ablation.plan import Ablation
    from a2keras.training.data.listing import Listing


def ablate(arguments: list[str]) -> None:
    from a2keras.training.fields import FIELDS

    values, rest = parse(
        "a2keras ablate --data=SOURCE --output=DIR [--table=2|3] [--model=NAME] [--seeds=3] "
        "[--folds=N] [--rows=none,se,nl,a2] [--row='NAME key=value …']… [--set key=value]…",
        "Trains a network without and with attention blocks on any data, several times each: the "
        "rows of the paper's Table 2 or 3 (videos), or of any network none, se "
        "(squeeze-and-excitation), nl (non-local) and a2 (double attention). Writes ablation.md, "
        "ablation.json and ablation.png, anew after every run. The same command again goes on. "
        "Exit codes as of `train`.",
        _flags,
        arguments,
        FIELDS,
    )
    if rest:
        raise UserError(f"ablate takes no arguments. Received: {' '.join(rest)}")
    from a2keras.training.run.interruption import Stopped

    try:
        with naming_flags(values, FIELDS):
            ablation, listing = _ablation(values)
            prepared = ablation.prepared(listing)
            from a2keras.training.ablation.report import markdown
            from a2keras.training.ablation.running import ablate as run_ablation

            document = run_ablation(ablation, prepared)
    except Stopped as stopped:
        say(f"a2keras ablate: {stopped}")
        sys.exit(stopped.exit_code)
    print_json(document) if values.format == "json" else show(markdown(document))


def _ablation(values: flags.FlagValues) -> tuple["Ablation", Optional["Listing"]]:
    """And the data, where they had to be listed for it."""
    from a2keras.models.preprocessing.places import local
    from a2keras.training.ablation.plan import Ablation
    from a2keras.training.ablation.rows import rows_of
    from a2keras.training.compute.checks import check_strategy
    from a2keras.training.config import values_of
    from a2keras.training.evaluation.held_out import SCORED
    from a2keras.training.recipes import listed, recipe

    check_strategy(values.strategy, values.replicas)
    table = int(values.table) if values.table else None
    settings = [f"data={values.data}", *([f"model={values.model}"] if values.model else [])]
    settings += [f"folds={values.folds}"] if values.folds else []
    fields = values_of([*settings, *values.set])
    if table:  # of networks that nobody has published weights of
        base, listing = recipe(values.recipe).with_fields(fields), None
    else:
        base, listing = listed(values.recipe, fields)
    ablation = Ablation(
        rows=rows_of(table, values.rows, values.row),
        recipe=base,
        output=local(values.output),
        seeds=values.seeds,
        table=table,
        scored=("validation",) if values.split == "validation" else SCORED,
        strategy=values.strategy,
        replicas=values.replicas,
    )
    return ablation, listing


def _flags(values: flags.FlagValues) -> None:
    from a2keras.training.compute.cluster import LOCAL_STRATEGIES

    text = functools.partial(flags.DEFINE_string, flag_values=values)
    choice = functools.partial(flags.DEFINE_enum, flag_values=values)
    whole = functools.partial(flags.DEFINE_integer, flag_values=values)
    choice("table", None, ["2", "3"], "Of the paper; default: rows of any network.")
    text("data", None, "Images or videos with their classes, as for `train`.", required=True)
    text("output", None, "Directory of the ablation; what is there goes on.", required=True)
    text("model", None, "Name of a network; default: what the recipe says.")
    whole("seeds", 3, "Runs of every row (and fold).")
    help_folds = (
        "Parts for cross-validation: each is the test set once, of whole groups (group_pattern). "
        "0: the recipe's own split."
    )
    whole("folds", 0, help_folds)
    help_rows = (
        "With commas between: none,se,nl,a2, the blocks at --set positions or at the network's "
        "own; of a table resnet_26,nl_conv4,… Default: all. The first is what is compared with."
    )
    flags.DEFINE_list("rows", [], help_rows, flag_values=values)
    help_row = (
        "A row of your own: its name and the recipe fields that set it apart, such as 'deep "
        "attention=a2 positions=conv4_1,conv4_2 learning_rate_factors=attention=0.1'; may be "
        "repeated."
    )
    flags.DEFINE_multi_string("row", [], help_row, flag_values=values)
    help_split = (
        "What runs are scored on. validation: to choose settings while the test examples stay "
        "unseen; the files are then ablation_validation.json and so on."
    )
    choice("split", "test", ["test", "validation"], help_split)
    help_recipe = (
        "How every row is trained: as for `train`, so folder starts from published weights unless "
        "--set weights=none; the rows of a --table from scratch."
    )
    text("recipe", "folder", help_recipe)
    help_set = "key=value of a recipe field, for all rows; may be repeated."
    flags.DEFINE_multi_string("set", [], help_set, flag_values=values)
    choice("strategy", "auto", LOCAL_STRATEGIES, "As for `train`.")
    whole("replicas", None, "As for `train`.")
    choice("format", "markdown", ["markdown", "json"], "How to print the table.")

"""The subcommands of the training room: `train`, `evaluate` and `explain`."""

from typing import TYPE_CHECKING

from a2keras.command_line import parse
from a2keras.console import UserError, say

if TYPE_CHECKING:
    from absl import flags


def train(arguments: list[str]) -> None:
    def define(values: "flags.FlagValues") -> None:
        from absl import flags

        text, options = flags.DEFINE_string, {"flag_values": values}
        text("recipe", None, "digits_image, digits_video or folder.", required=True, **options)
        text(
            "output",
            None,
            "Directory of the run; a run that is there goes on.",
            required=True,
            **options,
        )
        text("data", None, "digits or folder:DIR; default: what the recipe says.", **options)
        text("model", None, "Name of a network; default: what the recipe says.", **options)
        flags.DEFINE_multi_string(
            "set", [], "key=value of a recipe field; may be repeated.", **options
        )
        flags.DEFINE_enum(
            "strategy", "auto", ["auto", "none", "mirrored"], "Where to compute.", **options
        )
        flags.DEFINE_integer(
            "replicas", None, "GPUs, or logical CPU devices, that share a batch.", **options
        )

    values, rest = parse(
        "a2keras train --recipe=NAME --output=RUN [--data=SOURCE] [--set key=value]…",
        "Trains a network by a recipe. The same command again goes on from the last checkpoint.",
        define,
        arguments,
    )
    _no_more(rest)
    from a2keras.training.recipes import recipe as recipe_named
    from a2keras.training.train import train as train_recipe

    settings = [f"{key}={values[key].value}" for key in ("data", "model") if values[key].value]
    recipe = recipe_named(values.recipe).override([*settings, *values.set])
    run = train_recipe(recipe, values.output, values.strategy, values.replicas)
    say(f"the run is in {run.path}")


def _no_more(rest: list[str]) -> None:
    if rest:
        raise UserError(f"unexpected argument {rest[0]!r} (see --help)")

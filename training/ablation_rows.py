"""The rows of Tables 2 and 3 as recipes: which network, what to call it, how it is trained."""

import dataclasses
import re

from a2keras.models.variants import Row
from a2keras.training.config import Recipe


def key(row: Row) -> str:
    """What a row is called on the command line: `nl_conv2`, `a2_4_conv3_4`, `resnet_26`."""
    name = row.row.removeprefix("ResNet-26 + ").replace("²", "2").lower()
    return re.sub(r"[^a-z0-9]+", "_", name)


def network_of(row: Row) -> str:
    """The same for the same network: what one table has trained, the other need not train again."""
    return "_".join([row.name, *attention_of(row)])


def attention_of(row: Row) -> list[str]:
    """The kind of a row's blocks and the units that they follow; nothing where it has none."""
    arguments = row.arguments
    return [arguments["attention"], *arguments["positions"]] if arguments else []


def recipe_of(row: Row, recipe: Recipe) -> Recipe:
    """The recipe of a row: the given one with the row's network."""
    kind, *positions = attention_of(row) or ["none"]
    return dataclasses.replace(
        recipe, model=row.name, attention=kind, positions=",".join(positions)
    )

"""Stages of a network, and their last outputs as features for another network."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

_STAGE = re.compile(r"((?:conv|stage)\d+)_")


def stage_of(layer: str) -> str | None:
    """The stage that a layer's name begins with, such as "conv3"; None outside of the stages."""
    match = _STAGE.match(layer)
    return match[1] if match else None


def features(model: "keras.Model") -> "keras.Model":
    """A model of the same layers that gives the last output of every stage.

    Args:
        model: a network of this package, with or without its top.

    Returns:
        The inputs of `model` → {"conv1": …, "conv2": …}, each (B, *spatial, C), in order. The
        layers are those of `model`, not copies: training one trains the other.

    Raises:
        ValueError: a model without such stages.
    """
    last = {stage: each for each in model.layers if (stage := stage_of(each.name))}
    if not last:
        raise ValueError(
            "features needs a network of `a2keras.models`, whose layers are named by their stages, "
            f"such as 'conv3_1_out'. Received: model {model.name!r}"
        )
    import keras

    outputs = {stage: layer.output for stage, layer in last.items()}
    inputs = model.inputs[0] if len(model.inputs) == 1 else model.inputs
    return keras.Model(inputs, outputs, name=f"{model.name}_features")

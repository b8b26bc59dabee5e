"""Stages of a network and the units in them; their last outputs as features for another network."""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import keras

Triple = tuple[int, int, int]
ONE: Triple = (1, 1, 1)

# Where the paper puts the five blocks of its ResNet-50 (Tables 4 to 6), and four of Table 3.
FIVE_BLOCKS = ("conv3_1", "conv3_3", "conv4_1", "conv4_3", "conv4_5")
FOUR_BLOCKS = ("conv3_1", "conv3_2", "conv4_1", "conv4_2")


@dataclasses.dataclass(frozen=True)
class Stage:
    """Units of one resolution; families extend it by what theirs differ in.

    Attributes:
        channels: of the output.
        units: how many.
        strides: (time, height, width) of the first unit; of the others 1.
    """

    channels: int
    units: int
    strides: Triple = ONE


AnyStage = TypeVar("AnyStage", bound=Stage)


@dataclasses.dataclass(frozen=True)
class Unit(Generic[AnyStage]):
    """A unit in its place.

    Attributes:
        name: with which the names of its layers begin, such as "conv3_1".
        stage: that it belongs to.
        index: in its stage, from 1.
    """

    name: str
    stage: AnyStage
    index: int

    @property
    def is_first(self) -> bool:
        return self.index == 1

    @property
    def strides(self) -> Triple:
        return self.stage.strides if self.is_first else ONE


def units_of(stages: Iterable[AnyStage], prefix: str = "conv") -> Iterator[Unit[AnyStage]]:
    """All units in order: conv2_1, conv2_2, … as conv1 is the stem."""
    for number, stage in enumerate(stages, 2):
        for index in range(1, stage.units + 1):
            yield Unit(f"{prefix}{number}_{index}", stage, index)


def doubling(channels: int, units: Sequence[int], strides: Triple) -> tuple[Stage, ...]:
    """Stages that each have twice the channels of the one before, and begin with `strides`.

    Args:
        channels: of the first one, whose strides are 1.
        units: of each.
    """
    return tuple(
        Stage(channels * 2**n, count, strides if n else ONE) for n, count in enumerate(units)
    )


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

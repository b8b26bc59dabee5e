"""ShuffleNetV2 (Ma et al., ECCV 2018), with double attention on its shuffled channels.

Layers are named so that checkpoints of other libraries map onto them by rule:

- `conv1_conv`, `conv1_bn`: the 3×3 stem; `conv5_conv`, `conv5_bn`: the last 1×1 convolution.
- `stage{stage}_{unit}_branch{branch}_{part}_conv` and `…_bn`, stages from 2, units from 1: branch
  2 has the 1×1, the 3×3 depthwise and the second 1×1 convolution as parts 1, 2 and 3; branch 1,
  which first units have, the 3×3 depthwise and the 1×1 convolution as parts 1 and 2.
- `predictions`: the classifier.

torchvision's `stage2.0` is stage2_1; its `branch2` holds the parts' convolutions at 0, 3 and 5, its
`branch1` at 0 and 2, each followed by its BN, and `fc` is `predictions`. It needs
`padding="symmetric"`.
"""

import dataclasses
import functools
from typing import Any

from keras import layers, ops

from a2keras.channel_groups import ChannelShuffle
from a2keras.models.blocks import Blocks
from a2keras.models.builders import Network, builder_of
from a2keras.models.convolutions import (
    channel_axis,
    convolution_bn_relu,
    depthwise_convolution_bn,
    max_pooling,
)
from a2keras.models.stages import ONE, Stage, Unit, units_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShuffleNetV2(Network):
    """A network of split, transformed and shuffled channels.

    Attributes:
        stem: channels of conv1, of stride 2; a 3×3 max pooling of stride 2 follows.
        stages: stage2 and what follows.
        head: channels of conv5, the 1×1 convolution behind them.
    """

    stem: int
    stages: tuple[Stage, ...]
    head: int


def shuffled(x: Any, unit: Unit[Stage], padding: str) -> Any:
    """One half transformed beside the other, which first units transform too; then shuffled."""
    name, half = unit.name, unit.stage.channels // 2
    depthwise = functools.partial(
        depthwise_convolution_bn, kernel=(1, 3, 3), strides=unit.strides, padding=padding
    )
    branch1, branch2 = (x, x) if unit.is_first else ops.split(x, 2, axis=channel_axis())
    if unit.is_first:
        branch1 = depthwise(branch1, name=f"{name}_branch1_1")
        branch1 = convolution_bn_relu(branch1, half, ONE, name=f"{name}_branch1_2")
    branch2 = convolution_bn_relu(branch2, half, ONE, name=f"{name}_branch2_1")
    branch2 = depthwise(branch2, name=f"{name}_branch2_2")
    branch2 = convolution_bn_relu(branch2, half, ONE, name=f"{name}_branch2_3")
    x = layers.Concatenate(channel_axis(), name=f"{name}_concat")([branch1, branch2])
    return ChannelShuffle(2, name=f"{name}_out")(x)


def shufflenet_v2(x: Any, network: ShuffleNetV2, blocks: Blocks, padding: str) -> Any:
    """Builds a record up to its last feature maps."""
    three, two = (1, 3, 3), (1, 2, 2)
    x = convolution_bn_relu(x, network.stem, three, two, name="conv1", padding=padding)
    x = max_pooling(x, three, two, name="conv1_pool", padding=padding)
    for unit in units_of(network.stages, "stage"):
        x = blocks(shuffled(x, unit, padding), unit.name)
    return convolution_bn_relu(x, network.head, ONE, name="conv5")


_SHUFFLENET_V2 = ShuffleNetV2(
    name="shufflenet_v2",
    builder="ShuffleNetV2",
    input_size=(224, 224),
    stem=24,
    stages=(Stage(116, 4, (1, 2, 2)), Stage(232, 8, (1, 2, 2)), Stage(464, 4, (1, 2, 2))),
    head=1024,
    # The five places of the paper's networks would nearly double the multiply-adds.
    positions=("stage3_4", "stage3_8"),
    reduction=4,
    source="ShuffleNetV2 1.0× (Ma et al., ECCV 2018), as in torchvision",
)

BUILDERS = {
    each.name: builder_of(each, shufflenet_v2)
    for each in (
        _SHUFFLENET_V2,
        dataclasses.replace(
            _SHUFFLENET_V2,
            name="a2_shufflenet_v2",
            builder="A2ShuffleNetV2",
            attention="a2",
            source="ShuffleNetV2 1.0× with two blocks on all channels of stage 3, the future work "
            "that the paper names",
        ),
    )
}

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
from typing import Any

from keras import layers, ops

from a2keras.channel_groups import ChannelShuffle
from a2keras.models.blocks import Blocks
from a2keras.models.builders import Network, builder_of
from a2keras.models.convolutions import (
    Triple,
    batch_normalization,
    channel_axis,
    convolution,
    depthwise_convolution,
    max_pooling,
)

_ONE: Triple = (1, 1, 1)
_THREE: Triple = (1, 3, 3)
_TWO: Triple = (1, 2, 2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShuffleNetV2(Network):
    """A network of split, transformed and shuffled channels.

    Attributes:
        stem: channels of conv1, of stride 2; a 3×3 max pooling of stride 2 follows.
        stages: (channels, units) of stage2 and what follows; first units have stride 2.
        head: channels of conv5, the 1×1 convolution behind them.
    """

    stem: int
    stages: tuple[tuple[int, int], ...]
    head: int


def unit(x: Any, channels: int, first: bool, name: str, padding: str) -> Any:
    """One half transformed beside the other, which first units transform too; then shuffled."""
    strides = _TWO if first else _ONE
    one, other = (x, x) if first else ops.split(x, 2, axis=channel_axis())
    if first:
        one = _depthwise_bn(one, strides, f"{name}_branch1_1", padding)
        one = _convolution_bn_relu(one, channels // 2, f"{name}_branch1_2")
    other = _convolution_bn_relu(other, channels // 2, f"{name}_branch2_1")
    other = _depthwise_bn(other, strides, f"{name}_branch2_2", padding)
    other = _convolution_bn_relu(other, channels // 2, f"{name}_branch2_3")
    x = layers.Concatenate(channel_axis(), name=f"{name}_concat")([one, other])
    return ChannelShuffle(2, name=f"{name}_out")(x)


def _convolution_bn_relu(x: Any, channels: int, name: str) -> Any:
    x = convolution(x, channels, _ONE, name=f"{name}_conv")
    x = batch_normalization(x, f"{name}_bn")
    return layers.ReLU(name=f"{name}_relu")(x)


def _depthwise_bn(x: Any, strides: Triple, name: str, padding: str) -> Any:
    x = depthwise_convolution(x, _THREE, strides, name=f"{name}_conv", padding=padding)
    return batch_normalization(x, f"{name}_bn")


def shufflenet_v2(x: Any, network: ShuffleNetV2, blocks: Blocks, padding: str) -> Any:
    """Builds a record up to its last feature maps."""
    x = convolution(x, network.stem, _THREE, _TWO, name="conv1_conv", padding=padding)
    x = batch_normalization(x, "conv1_bn")
    x = layers.ReLU(name="conv1_relu")(x)
    x = max_pooling(x, _THREE, _TWO, name="conv1_pool", padding=padding)
    for number, (channels, units) in enumerate(network.stages, 2):
        for each in range(1, units + 1):
            name = f"stage{number}_{each}"
            x = unit(x, channels, each == 1, name, padding)
            x = blocks(x, name)
    return _convolution_bn_relu(x, network.head, "conv5")


_SHUFFLENET_V2 = ShuffleNetV2(
    name="shufflenet_v2",
    builder="ShuffleNetV2",
    input_size=(224, 224),
    stem=24,
    stages=((116, 4), (232, 8), (464, 4)),
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

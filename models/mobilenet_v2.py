"""MobileNetV2 (Sandler et al., CVPR 2018), with double attention on its linear bottlenecks.

Layers are named so that checkpoints of other libraries map onto them by rule:

- `conv1_conv`, `conv1_bn`: the 3×3 stem; `conv9_conv`, `conv9_bn`: the 1×1 convolution to 1280.
- `conv{stage}_{unit}_{part}_conv` and `…_bn`, stages 2 to 8 are the seven rows of the paper's
  Table 2, units from 1: part 1 is the 1×1 expansion (not in conv2), 2 the 3×3 depthwise
  convolution, 3 the linear 1×1 projection.
- `predictions`: the classifier.

The layers, and so the weights, are in the order of `keras.applications.MobileNetV2`. Its `block_i`
are counted through: blocks 3, 5, 7, 9 and 12 are conv4_1, conv4_3, conv5_2, conv5_4 and conv6_3.
"""

import dataclasses
from typing import Any, NamedTuple

from keras import layers

from a2keras.models.blocks import Blocks
from a2keras.models.builders import Network, builder_of
from a2keras.models.convolutions import (
    Triple,
    batch_normalization,
    channel_axis,
    convolution,
    depthwise_convolution,
)

_ONE: Triple = (1, 1, 1)
_THREE: Triple = (1, 3, 3)
_TWO: Triple = (1, 2, 2)


class Stage(NamedTuple):
    """A row of the paper's Table 2: t, c, n, s; and the depthwise kernel."""

    expansion: int
    channels: int
    units: int
    strides: Triple
    kernel: Triple = _THREE


@dataclasses.dataclass(frozen=True, kw_only=True)
class MobileNetV2(Network):
    """A network of inverted residuals.

    Attributes:
        stem: channels of conv1, of stride 2.
        stages: conv2 and what follows.
        head: channels of the 1×1 convolution behind them.
        momentum: of batch normalisation. Its epsilon is 1e-3. Both are those of keras.applications
            and of the authors' TF-Slim code.
    """

    stem: int
    stages: tuple[Stage, ...]
    head: int
    momentum: float = 0.999


def unit(
    x: Any, stage: Stage, strides: Triple, name: str, padding: str, momentum: float = 0.999
) -> Any:
    """Expansion, depthwise convolution, linear projection, plus the input where its shape stays."""
    inputs, channels = x, x.shape[channel_axis()]
    if stage.expansion > 1:
        x = convolution(x, stage.expansion * channels, _ONE, name=f"{name}_1_conv")
        x = _bn_relu6(x, f"{name}_1", momentum)
    x = depthwise_convolution(x, stage.kernel, strides, name=f"{name}_2_conv", padding=padding)
    x = _bn_relu6(x, f"{name}_2", momentum)
    x = convolution(x, stage.channels, _ONE, name=f"{name}_3_conv")
    x = _normalization(x, f"{name}_3", momentum)
    if strides == _ONE and channels == stage.channels:
        x = layers.Add(name=f"{name}_out")([inputs, x])
    return x


def _bn_relu6(x: Any, name: str, momentum: float) -> Any:
    return layers.ReLU(6.0, name=f"{name}_relu")(_normalization(x, name, momentum))


def _normalization(x: Any, name: str, momentum: float) -> Any:
    return batch_normalization(x, f"{name}_bn", momentum, epsilon=1e-3)


def mobilenet_v2(x: Any, network: MobileNetV2, blocks: Blocks, padding: str) -> Any:
    """Builds a record up to its last feature maps."""
    momentum = network.momentum
    x = convolution(x, network.stem, _THREE, _TWO, name="conv1_conv", padding=padding)
    x = _bn_relu6(x, "conv1", momentum)
    for number, stage in enumerate(network.stages, 2):
        for each in range(1, stage.units + 1):
            name = f"conv{number}_{each}"
            x = unit(x, stage, stage.strides if each == 1 else _ONE, name, padding, momentum)
            x = blocks(x, name)
    name = f"conv{2 + len(network.stages)}"
    x = convolution(x, network.head, _ONE, name=f"{name}_conv")
    return _bn_relu6(x, name, momentum)


_MOBILENET_V2 = MobileNetV2(
    name="mobilenet_v2",
    builder="MobileNetV2",
    input_size=(224, 224),
    stem=32,
    stages=(
        Stage(1, 16, 1, _ONE),
        Stage(6, 24, 2, _TWO),
        Stage(6, 32, 3, _TWO),
        Stage(6, 64, 4, _TWO),
        Stage(6, 96, 3, _ONE),
        Stage(6, 160, 3, _TWO),
        Stage(6, 320, 1, _ONE),
    ),
    head=1280,
    positions=("conv4_1", "conv4_3", "conv5_2", "conv5_4", "conv6_3"),
    reduction=2,
    source="MobileNetV2 1.0 (Sandler et al., CVPR 2018), as in keras.applications",
)

BUILDERS = {
    each.name: builder_of(each, mobilenet_v2)
    for each in (
        _MOBILENET_V2,
        dataclasses.replace(
            _MOBILENET_V2,
            name="a2_mobilenet_v2",
            builder="A2MobileNetV2",
            attention="a2",
            source="MobileNetV2 1.0 with five blocks on bottlenecks of 28×28 and 14×14, the future "
            "work that the paper names",
        ),
    )
}

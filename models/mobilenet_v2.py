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
import functools
from typing import Any

from keras import layers

from a2keras.models.blocks import Blocks
from a2keras.models.builders import Network, builder_of
from a2keras.models.convolutions import (
    channel_axis,
    convolution_bn,
    convolution_bn_relu,
    depthwise_convolution_bn,
)
from a2keras.models.stages import ONE, Stage, Triple, Unit, units_of


@dataclasses.dataclass(frozen=True)
class BottleneckStage(Stage):
    """A row of the paper's Table 2: c, n and s as in every stage, and t; and the depthwise kernel.

    Attributes:
        expansion: channels of the depthwise convolution are the input's times this.
        kernel: of the depthwise convolution.
    """

    expansion: int = 6
    kernel: Triple = (1, 3, 3)


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
    stages: tuple[BottleneckStage, ...]
    head: int
    momentum: float = 0.999


def inverted_residual(
    x: Any, unit: Unit[BottleneckStage], padding: str, normalization: dict[str, float]
) -> Any:
    """Expansion, depthwise convolution, linear projection, plus the input where its shape stays."""
    name, stage, inputs, channels = unit.name, unit.stage, x, x.shape[channel_axis()]
    if stage.expansion > 1:
        x = convolution_bn_relu(
            x, stage.expansion * channels, ONE, name=f"{name}_1", max_value=6.0,
            normalization=normalization,
        )  # fmt: skip
    x = depthwise_convolution_bn(
        x, stage.kernel, unit.strides, name=f"{name}_2", padding=padding,
        normalization=normalization,
    )  # fmt: skip
    x = layers.ReLU(6.0, name=f"{name}_2_relu")(x)
    x = convolution_bn(x, stage.channels, ONE, name=f"{name}_3", normalization=normalization)
    if unit.strides == ONE and channels == stage.channels:
        x = layers.Add(name=f"{name}_out")([inputs, x])
    return x


def mobilenet_v2(x: Any, network: MobileNetV2, blocks: Blocks, padding: str) -> Any:
    """Builds a record up to its last feature maps."""
    normalization = {"momentum": network.momentum, "epsilon": 1e-3}
    conv_bn_relu6 = functools.partial(
        convolution_bn_relu, max_value=6.0, normalization=normalization
    )
    x = conv_bn_relu6(x, network.stem, (1, 3, 3), (1, 2, 2), name="conv1", padding=padding)
    for unit in units_of(network.stages):
        x = blocks(inverted_residual(x, unit, padding, normalization), unit.name)
    return conv_bn_relu6(x, network.head, ONE, name=f"conv{2 + len(network.stages)}")


_MOBILENET_V2 = MobileNetV2(
    name="mobilenet_v2",
    builder="MobileNetV2",
    input_size=(224, 224),
    stem=32,
    stages=(
        BottleneckStage(16, 1, ONE, expansion=1),
        BottleneckStage(24, 2, (1, 2, 2)),
        BottleneckStage(32, 3, (1, 2, 2)),
        BottleneckStage(64, 4, (1, 2, 2)),
        BottleneckStage(96, 3, ONE),
        BottleneckStage(160, 3, (1, 2, 2)),
        BottleneckStage(320, 1, ONE),
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

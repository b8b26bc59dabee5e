"""Post-activation residual networks for images: the originals that Table 4 compares with.

Layers are named so that checkpoints of other libraries map onto them by rule:

- `conv1_conv`, `conv1_bn`: the stem.
- `conv{stage}_{unit}_{part}_conv` and `…_bn`, stages from 2 and units from 1: part 0 is the
  projection (first units only), 1 the first 1×1, 2 the 3×3, 3 the last 1×1 convolution.
- `conv{stage}_{unit}_se`, with dense layers `squeeze` and `excite`: the gate of SE-ResNet.
- `predictions`: the classifier.

torchvision's `layer1.0` is conv2_1, its `downsample.0` and `.1` part 0's `_conv` and `_bn`. Its
networks, and timm's, need `stride_on="3x3", padding="symmetric"`.
"""

import dataclasses
from typing import Any

from keras import layers

from a2keras.models.blocks import Blocks
from a2keras.models.builders import STEM, Network, Option, builder_of
from a2keras.models.convolutions import (
    convolution_bn,
    convolution_bn_relu,
    he_normal,
    is_small,
    max_pooling,
)
from a2keras.models.stages import FIVE_BLOCKS, ONE, Stage, Unit, doubling, units_of
from a2keras.squeeze_excitation import SqueezeExcitation


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassicResNet(Network):
    """A post-activation residual network of bottleneck units.

    Attributes:
        units: residual units of conv2 to conv5, which have 256, 512, 1024 and 2048 channels.
        gates: whether squeeze-and-excitation scales each branch before the sum.
    """

    units: tuple[int, ...]
    gates: bool = False


def residual(x: Any, unit: Unit[Stage], padding: str, stride_on: str, gates: bool) -> Any:
    """1×1, 3×3 and 1×1 convolutions with BN, ReLU between, plus the shortcut, then ReLU."""
    name, channels, strides = unit.name, unit.stage.channels, unit.strides
    first, second = (strides, ONE) if stride_on == "1x1" else (ONE, strides)

    def arguments(part: str) -> dict[str, Any]:
        return {
            "name": f"{name}_{part}", "padding": padding, "kernel_initializer": he_normal()
        }  # fmt: skip

    shortcut = convolution_bn(x, channels, ONE, strides, **arguments("0")) if unit.is_first else x
    x = convolution_bn_relu(x, channels // 4, ONE, first, **arguments("1"))
    x = convolution_bn_relu(x, channels // 4, (1, 3, 3), second, **arguments("2"))
    x = convolution_bn(x, channels, ONE, **arguments("3"))
    if gates:
        x = SqueezeExcitation(ratio=16, name=f"{name}_se")(x)
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_out")(x)


def classic_resnet(
    x: Any,
    network: ClassicResNet,
    blocks: Blocks,
    padding: str,
    stride_on: str,
    stem: str | None,
) -> Any:
    """Builds a record up to its last feature maps."""
    if stride_on not in ("1x1", "3x3"):
        raise ValueError(f"`stride_on` must be '1x1' or '3x3'. Received: stride_on={stride_on!r}")
    small = is_small(stem)
    kernel, strides = ((1, 3, 3), ONE) if small else ((1, 7, 7), (1, 2, 2))
    x = convolution_bn_relu(
        x, 64, kernel, strides, name="conv1", padding=padding, kernel_initializer=he_normal()
    )
    if not small:
        x = max_pooling(x, (1, 3, 3), (1, 2, 2), name="conv1_pool", padding=padding)
    for unit in units_of(doubling(256, network.units, (1, 2, 2))):
        x = residual(x, unit, padding, stride_on, network.gates)
        x = blocks(x, unit.name)
    return x


_RESNET50 = ClassicResNet(
    name="resnet50",
    builder="ResNet50",
    input_size=(224, 224),
    units=(3, 4, 6, 3),
    positions=FIVE_BLOCKS,
    reduction=2,
    source="Table 4: the original ResNet-50 (He et al., 2016)",
)

CLASSIC_RESNETS = (
    _RESNET50,
    dataclasses.replace(
        _RESNET50,
        name="resnet152",
        builder="ResNet152",
        units=(3, 8, 36, 3),
        source="Table 4: the original ResNet-152 (He et al., 2016)",
    ),
    dataclasses.replace(
        _RESNET50,
        name="se_resnet50",
        builder="SEResNet50",
        gates=True,
        source="Table 4: SE-ResNet-50 (Hu et al., 2018)",
    ),
)

_STRIDE_ON = Option(
    "1x1",
    '"1x1", stride on the first convolution of a stage, as published; "3x3", on its\n'
    '        second one, as torchvision and timm have it ("v1.5").',
)
BUILDERS = {
    each.name: builder_of(each, classic_resnet, stride_on=_STRIDE_ON, stem=STEM)
    for each in CLASSIC_RESNETS
}

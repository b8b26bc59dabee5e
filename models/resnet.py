"""Pre-activation residual networks for images and videos, with attention blocks where asked.

The backbone of all the paper's networks (Table 1): BN → ReLU → convolution throughout, stride on
the middle convolution, blocks between units on the raw sum.
"""

import dataclasses
import functools
from typing import Any

from keras import layers

from a2keras.models.blocks import Blocks
from a2keras.models.builders import STEM, Network, Option, builder_of
from a2keras.models.convolutions import (
    bn_relu_convolution,
    channel_axis,
    convolution_bn_relu,
    is_small,
    max_pooling,
)
from a2keras.models.stages import FIVE_BLOCKS, ONE, Stage, Unit, units_of
from a2keras.pre_activation import BATCH_NORMALIZATION, pre_activation


@dataclasses.dataclass(frozen=True)
class ResNetStage(Stage):
    """Residual units, whose first two convolutions have a quarter of the output's channels.

    Attributes:
        temporal: temporal kernel of each unit's middle convolution (videos), repeated as needed.
    """

    temporal: tuple[int, ...] = (3,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResNet(Network):
    """A pre-activation residual network; for images every temporal kernel and stride is left away.

    Attributes:
        stem: channels of conv1, a 3×5×5 convolution of stride (1, 2, 2).
        stem_pool: whether a 1×3×3 max pooling of stride (1, 2, 2) follows it.
        stages: conv2 and what follows.
    """

    stem: int
    stem_pool: bool
    stages: tuple[ResNetStage, ...]


def residual(x: Any, unit: Unit[ResNetStage], padding: str, stride_first: bool) -> Any:
    """1×1×1, t×3×3 and 1×1×1 convolutions, each after BN–ReLU, plus the shortcut; no ReLU after."""
    name, channels, temporal = unit.name, unit.stage.channels, unit.stage.temporal
    time = temporal[(unit.index - 1) % len(temporal)]
    strides = (1, *unit.strides[1:]) if stride_first else unit.strides
    first, second = (strides, ONE) if stride_first else (ONE, strides)
    brc = functools.partial(bn_relu_convolution, padding=padding, normalization=BATCH_NORMALIZATION)

    shortcut = brc(x, channels, ONE, strides, name=f"{name}_0") if unit.is_first else x
    x = brc(x, channels // 4, ONE, first, name=f"{name}_1")
    x = brc(x, channels // 4, (time, 3, 3), second, name=f"{name}_2")
    x = brc(x, channels, ONE, name=f"{name}_3")
    return layers.Add(name=f"{name}_out")([shortcut, x])


def resnet(
    x: Any, network: ResNet, blocks: Blocks, padding: str, variant: str, stem: str | None
) -> Any:
    """Builds a record up to its last feature maps."""
    if variant not in ("a", "b"):
        raise ValueError(f"`variant` must be 'a' or 'b'. Received: variant={variant!r}")
    small = is_small(stem)
    kernel, strides = ((3, 3, 3), ONE) if small else ((3, 5, 5), (1, 2, 2))
    x = convolution_bn_relu(
        x, network.stem, kernel, strides, name="conv1", padding=padding,
        normalization=BATCH_NORMALIZATION,
    )  # fmt: skip
    if network.stem_pool and not small:
        x = max_pooling(x, (1, 3, 3), (1, 2, 2), name="conv1_pool", padding=padding)
    for unit in units_of(network.stages):
        x = residual(x, unit, padding, stride_first=variant == "b")
        halved = (unit.strides[0], 1, 1)
        if variant == "b" and network.is_video and halved != ONE:
            x = max_pooling(x, halved, halved, name=f"{unit.name}_pool")
        x = blocks(x, unit.name)
    return pre_activation(x, "final", channel_axis())


def _ablation_stages(conv4_units: int) -> tuple[ResNetStage, ...]:
    return (
        ResNetStage(128, 2, (2, 1, 1)),
        ResNetStage(256, 2, (1, 2, 2)),
        ResNetStage(512, conv4_units, (1, 2, 2)),
        ResNetStage(1024, 2, (1, 2, 2)),
    )


# Table 1's k is the temporal kernel of the middle convolutions: only there do the parameters come
# out as printed. It prints [3, 1, 3] for conv3, which has four units: the pattern goes on.
_RESNET50_STAGES = (
    ResNetStage(256, 3, ONE, (3,)),
    ResNetStage(512, 4, (2, 2, 2), (3, 1)),
    ResNetStage(1024, 6, (1, 2, 2), (3, 1)),
    ResNetStage(2048, 3, (1, 2, 2), (1, 3)),
)
_SMALL_STAGES = (
    ResNetStage(64, 1),
    ResNetStage(128, 1, (1, 2, 2)),
    ResNetStage(256, 1, (1, 2, 2)),
)

_RESNET26_VIDEO = ResNet(
    name="resnet26_video",
    builder="ResNet26Video",
    input_size=(16, 112, 112),
    stem=16,
    stem_pool=False,
    stages=_ablation_stages(conv4_units=2),
    positions=("conv4_2",),
    source="Table 1",
)
_RESNET50_VIDEO = ResNet(
    name="resnet50_video",
    builder="ResNet50Video",
    input_size=(8, 224, 224),
    stem=32,
    stem_pool=True,
    stages=_RESNET50_STAGES,
    positions=FIVE_BLOCKS,
    reduction=2,
    source="Table 1",
)
_A2_RESNET50_VIDEO = dataclasses.replace(
    _RESNET50_VIDEO,
    name="a2_resnet50_video",
    builder="A2ResNet50Video",
    attention="a2",
    source="Tables 5 and 6: Table 1's ResNet-50 with five blocks at conv3 and conv4",
)
_A2_RESNET50 = dataclasses.replace(
    _A2_RESNET50_VIDEO,
    name="a2_resnet50",
    builder="A2ResNet50",
    input_size=(224, 224),
    source="Table 4: Table 1's ResNet-50 without its temporal dimension, with five blocks",
)
_A2_RESNET11_VIDEO = ResNet(
    name="a2_resnet11_video",
    builder="A2ResNet11Video",
    input_size=(8, 112, 112),
    stem=16,
    stem_pool=False,
    stages=_SMALL_STAGES,
    attention="a2",
    positions=("conv3_1", "conv4_1"),
    source="a small network of Table 1's kind, for demonstrations and small data",
)
_RESNET20 = ResNet(
    name="resnet20",
    builder="ResNet20",
    input_size=(112, 112),
    stem=16,
    stem_pool=False,
    stages=(
        ResNetStage(64, 2, (1, 2, 2)),
        ResNetStage(128, 2, (1, 2, 2)),
        ResNetStage(256, 2, (1, 2, 2)),
    ),
    positions=("conv3_2", "conv4_2"),
    source="a small network of Table 1's kind that two cores can train; not He et al.'s ResNet-20",
)

RESNETS = (
    _RESNET26_VIDEO,
    dataclasses.replace(
        _RESNET26_VIDEO,
        name="resnet29_video",
        builder="ResNet29Video",
        stages=_ablation_stages(conv4_units=3),
    ),
    _RESNET50_VIDEO,
    _A2_RESNET50_VIDEO,
    dataclasses.replace(
        _A2_RESNET50,
        name="resnet50_lite",
        builder="ResNet50Lite",
        attention=None,
        source="Table 4's network without its blocks: the image ResNet-50 of the authors' code",
    ),
    _A2_RESNET50,
    _A2_RESNET11_VIDEO,
    dataclasses.replace(
        _A2_RESNET11_VIDEO,
        name="a2_resnet11",
        builder="A2ResNet11",
        input_size=(112, 112),
    ),
    _RESNET20,
)

_VARIANT = Option(
    "a",
    '"a", stride on the middle convolutions; "b", spatial stride on the first ones and\n'
    "        time halved by pooling behind the first unit, as for Table 1's 31.3 G of ResNet-50.",
)
BUILDERS = {each.name: builder_of(each, resnet, variant=_VARIANT, stem=STEM) for each in RESNETS}

"""Pre-activation residual networks for images and videos, with attention blocks where asked.

The backbone of all the paper's networks (Table 1): BN → ReLU → convolution throughout, stride on
the middle convolution, blocks between units on the raw sum.
"""

import dataclasses
from typing import Any

from keras import layers

from a2keras.models.blocks import Blocks
from a2keras.models.builders import STEM, Network, Option, builder_of
from a2keras.models.convolutions import (
    Triple,
    batch_normalization,
    channel_axis,
    convolution,
    is_small,
    max_pooling,
)
from a2keras.pre_activation import BATCH_NORMALIZATION, pre_activation


@dataclasses.dataclass(frozen=True)
class Stage:
    """Residual units of one resolution.

    Attributes:
        middle: channels of the unit's first two convolutions.
        channels: output channels.
        units: number of residual units.
        strides: (time, height, width) of the first unit.
        temporal: temporal kernel of each unit's middle convolution (videos), repeated as needed.
    """

    middle: int
    channels: int
    units: int
    strides: tuple[int, int, int]
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
    stages: tuple[Stage, ...]


def unit(x: Any, stage: Stage, number: int, name: str, padding: str, stride_first: bool) -> Any:
    """1×1×1, t×3×3 and 1×1×1 convolutions, each after BN–ReLU, plus the shortcut; no ReLU after."""
    one = (1, 1, 1)
    strides = stage.strides if number == 1 else one
    first = one
    if stride_first:
        first = strides = (1, *strides[1:])
    time = stage.temporal[(number - 1) % len(stage.temporal)]

    def brc(x: Any, channels: int, kernel: Triple, strides: Triple, part: str) -> Any:
        x = pre_activation(x, f"{name}_{part}", channel_axis())
        return convolution(
            x, channels, kernel, strides, name=f"{name}_{part}_conv", padding=padding
        )

    shortcut = brc(x, stage.channels, one, strides, "0") if number == 1 else x
    x = brc(x, stage.middle, one, first, "1")
    x = brc(x, stage.middle, (time, 3, 3), one if stride_first else strides, "2")
    x = brc(x, stage.channels, one, one, "3")
    return layers.Add(name=f"{name}_out")([shortcut, x])


def resnet(
    x: Any, network: ResNet, blocks: Blocks, padding: str, variant: str, stem: str | None
) -> Any:
    """Builds a record up to its last feature maps."""
    if variant not in ("a", "b"):
        raise ValueError(f"`variant` must be 'a' or 'b'. Received: variant={variant!r}")
    small = is_small(stem)
    kernel, strides = ((3, 3, 3), (1, 1, 1)) if small else ((3, 5, 5), (1, 2, 2))
    x = convolution(x, network.stem, kernel, strides, name="conv1_conv", padding=padding)
    x = batch_normalization(x, "conv1_bn", **BATCH_NORMALIZATION)
    x = layers.ReLU(name="conv1_relu")(x)
    if network.stem_pool and not small:
        x = max_pooling(x, (1, 3, 3), (1, 2, 2), name="conv1_pool", padding=padding)
    for number, stage in enumerate(network.stages, 2):
        for each in range(1, stage.units + 1):
            name = f"conv{number}_{each}"
            x = unit(x, stage, each, name, padding, stride_first=variant == "b")
            halved = (stage.strides[0], 1, 1)
            if variant == "b" and each == 1 and network.is_video and halved != (1, 1, 1):
                x = max_pooling(x, halved, halved, name=f"{name}_pool")
            x = blocks(x, name)
    return pre_activation(x, "final", channel_axis())


def _ablation_stages(conv4_units: int) -> tuple[Stage, ...]:
    return (
        Stage(32, 128, 2, (2, 1, 1)),
        Stage(64, 256, 2, (1, 2, 2)),
        Stage(128, 512, conv4_units, (1, 2, 2)),
        Stage(256, 1024, 2, (1, 2, 2)),
    )


# Table 1's k is the temporal kernel of the middle convolutions: only there do the parameters come
# out as printed. It prints [3, 1, 3] for conv3, which has four units: the pattern goes on.
_RESNET50_STAGES = (
    Stage(64, 256, 3, (1, 1, 1), (3,)),
    Stage(128, 512, 4, (2, 2, 2), (3, 1)),
    Stage(256, 1024, 6, (1, 2, 2), (3, 1)),
    Stage(512, 2048, 3, (1, 2, 2), (1, 3)),
)
_FIVE_BLOCKS = ("conv3_1", "conv3_3", "conv4_1", "conv4_3", "conv4_5")
_SMALL_STAGES = (
    Stage(16, 64, 1, (1, 1, 1)),
    Stage(32, 128, 1, (1, 2, 2)),
    Stage(64, 256, 1, (1, 2, 2)),
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
    positions=_FIVE_BLOCKS,
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
        Stage(16, 64, 2, (1, 2, 2)),
        Stage(32, 128, 2, (1, 2, 2)),
        Stage(64, 256, 2, (1, 2, 2)),
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
    '"a", stride on the middle convolutions; "b", spatial stride on the first ones and time\n'
    "        halved by pooling behind the first unit, which gives Table 1's 31.3 G for ResNet-50.",
)
BUILDERS = {each.name: builder_of(each, resnet, variant=_VARIANT, stem=STEM) for each in RESNETS}

"""Inception-v1 with batch normalisation, for images and, inflated, for videos (I3D).

Layers are named so that checkpoints of other libraries map onto them by rule:

- `conv1_1`, `conv2_1`, `conv2_2` are the single units (1a, 2b, 2c of the published table),
  `conv3_1` to `conv5_2` the mixed ones (3b to 5c); each ends in `…_relu` or `…_out`.
- Inside a mixed unit `…_b0`, `…_b1_reduce`, `…_b1`, `…_b2_reduce`, `…_b2` and `…_b3` are the units
  of its four branches, `…_b3_pool` is the last one's pooling.
- Each of them has a `…_conv`, without bias, and a `…_bn`. `conv2_pool` to `conv5_pool` begin their
  stages.
- `predictions`: the classifier.

I3D's `Mixed_4b/Branch_1/Conv3d_0a_1x1` is conv4_1_b1_reduce. Its released weights have "same"
padding, in their ports to PyTorch too, and normalisations without gamma, which is 1.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

from keras import layers, ops

from a2keras.models.blocks import Blocks
from a2keras.models.builders import Network, Option, builder_of
from a2keras.models.convolutions import (
    NORMALIZATION,
    channel_axis,
    convolution_bn_relu,
    max_pooling,
)
from a2keras.models.inputs import classifier
from a2keras.models.stages import ONE, Triple


class Mixed(NamedTuple):
    """Channels of the units in the four branches of a mixed unit."""

    b0: int
    b1_reduce: int
    b1: int
    b2_reduce: int
    b2: int
    b3: int


# Szegedy et al. (2015), Table 1.
MIXED = {
    3: (Mixed(64, 96, 128, 16, 32, 32), Mixed(128, 128, 192, 32, 96, 64)),
    4: (
        Mixed(192, 96, 208, 16, 48, 64),
        Mixed(160, 112, 224, 24, 64, 64),
        Mixed(128, 128, 256, 24, 64, 64),
        Mixed(112, 144, 288, 32, 64, 64),
        Mixed(256, 160, 320, 32, 128, 128),
    ),
    5: (Mixed(256, 160, 320, 32, 128, 128), Mixed(384, 192, 384, 48, 128, 128)),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inception(Network):
    """An Inception-v1; for images every temporal kernel and stride is left away.

    Attributes:
        temporal: whether a video's kernels, windows and strides extend over time as over space; if
            not, every frame goes through the image network.
    """

    temporal: bool = True


# The epsilon of I3D's weights. Their momentum, 0.999, would take thousands of steps to settle.
unit = functools.partial(convolution_bn_relu, normalization={**NORMALIZATION, "epsilon": 1e-3})


def mixed_unit(x: Any, channels: Mixed, three: Triple, branch_2: Triple, name: str) -> Any:
    """1×1×1, 3×3×3, 3×3×3 and pooled branches side by side; `three` is the kernel of 3 a side."""
    b0 = unit(x, channels.b0, ONE, name=f"{name}_b0")
    b1 = unit(x, channels.b1_reduce, ONE, name=f"{name}_b1_reduce")
    b1 = unit(b1, channels.b1, three, name=f"{name}_b1")
    b2 = unit(x, channels.b2_reduce, ONE, name=f"{name}_b2_reduce")
    b2 = unit(b2, channels.b2, branch_2, name=f"{name}_b2")
    b3 = max_pooling(x, three, ONE, name=f"{name}_b3_pool")
    b3 = unit(b3, channels.b3, ONE, name=f"{name}_b3")
    return layers.Concatenate(channel_axis(), name=f"{name}_out")([b0, b1, b2, b3])


def inception(
    x: Any, network: Inception, blocks: Blocks, padding: str, branch_2: str = "3x3x3"
) -> Any:
    """Builds a record up to its last feature maps."""
    if branch_2 not in ("3x3x3", "1x1x1"):
        raise ValueError(f"`branch_2` must be '3x3x3' or '1x1x1'. Received: branch_2={branch_2!r}")

    def cube(side: int) -> Triple:
        return (side if network.temporal else 1, side, side)

    def pool(x: Any, window: Triple, strides: Triple, stage: int) -> Any:
        return max_pooling(x, window, strides, name=f"conv{stage}_pool", padding=padding)

    x = blocks(unit(x, 64, cube(7), cube(2), name="conv1_1", padding=padding), "conv1_1")
    x = pool(x, (1, 3, 3), (1, 2, 2), 2)
    x = blocks(unit(x, 64, ONE, name="conv2_1"), "conv2_1")
    x = blocks(unit(x, 192, cube(3), name="conv2_2"), "conv2_2")
    pools = {3: ((1, 3, 3), (1, 2, 2)), 4: (cube(3), cube(2)), 5: (cube(2), cube(2))}
    for stage, units in MIXED.items():
        x = pool(x, *pools[stage], stage)
        for number, channels in enumerate(units, 1):
            name = f"conv{stage}_{number}"
            second = cube(3) if branch_2 == "3x3x3" else ONE
            x = blocks(mixed_unit(x, channels, cube(3), second, name), name)
    return x


def frame_vectors(x: Any) -> Any:
    """Means over space: maps of frames, channels last or first → (B, T, C)."""
    if channel_axis() == -1:
        return ops.mean(x, axis=(2, 3))
    return layers.Permute((2, 1))(ops.mean(x, axis=(3, 4)))


def clip_top(x: Any, classes: int) -> Any:
    """Means over space and over every two neighbouring steps, a classifier for each, their mean.

    At I3D's own size the published 2×7×7 average pooling is the same; this works at every size.
    """
    x = frame_vectors(x)
    x = layers.AveragePooling1D(2, 1, "same", "channels_last", name="pairs")(x)
    # The last step has no neighbour: it counts only where it is the only one.
    x = ops.concatenate([x[:, :1], x[:, 1:-1]], axis=1)
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.Dense(classes, name="predictions")(x)
    return layers.GlobalAveragePooling1D("channels_last", name="mean_logits")(x)


INCEPTION_V1 = Inception(
    name="inception_v1",
    builder="InceptionV1",
    input_size=(224, 224),
    # Two at 28×28 and three at 14×14, as in the paper's ResNet-50; conv3 has but two units.
    positions=("conv3_1", "conv3_2", "conv4_1", "conv4_3", "conv4_5"),
    reduction=2,
    source="Inception-v1 (Szegedy et al., 2015) with batch normalisation: I3D before inflation",
)
_I3D = dataclasses.replace(
    INCEPTION_V1,
    name="i3d",
    builder="I3D",
    input_size=(64, 224, 224),
    source="Tables 5 and 6: I3D (Carreira and Zisserman, 2017), Inception-v1 inflated",
)

_BRANCH_2 = Option(
    "3x3x3",
    '"3x3x3", as released; "1x1x1", kernels of the third branches that give\n'
    "        the 107.9 G of Tables 5 and 6, for the count only.",
)
BUILDERS = {
    INCEPTION_V1.name: builder_of(
        INCEPTION_V1, inception, functools.partial(classifier, dropout=0.4)
    ),
    _I3D.name: builder_of(_I3D, inception, clip_top, branch_2=_BRANCH_2),
}

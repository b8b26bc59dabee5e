"""MF-Net (Chen et al., "Multi-Fiber Networks for Video Recognition", ECCV 2018), 3D and 2D.

Its units are fibers, grouped convolutions, between which a multiplexer of two 1×1×1 convolutions
passes on what the others have found. Layers carry the names of the authors' public code
(cypw/PyTorch-MFNet), so that its checkpoints map onto them by rule:

- `conv1_conv`, `conv1_bn`: the 3×5×5 stem, `conv1.conv` and `conv1.bn` there.
- `conv{stage}_{unit}_{part}_bn` and `…_conv`: `conv{stage}.B{unit:02d}.conv_{part}.bn` and `.conv`,
  stages and units counted alike. Parts i1 and i2 are the multiplexer, m1 and m2 the main branch,
  w1, which first units have, the projection of the shortcut.
- `final_bn`: `tail.bn`; `predictions`: `classifier`.

Its weights need `padding="symmetric"`.
"""

import dataclasses
import functools
from typing import Any

from keras import layers

from a2keras.models.blocks import Blocks
from a2keras.models.builders import Network, builder_of
from a2keras.models.convolutions import (
    NORMALIZATION,
    bn_relu_convolution,
    channel_axis,
    convolution_bn_relu,
    max_pooling,
)
from a2keras.models.stages import FIVE_BLOCKS, ONE, Stage, Unit, units_of
from a2keras.pre_activation import pre_activation


@dataclasses.dataclass(frozen=True, kw_only=True)
class MFNet(Network):
    """A multi-fiber network; for images every temporal kernel and stride is left away.

    Attributes:
        stem: channels of conv1, of stride (1, 2, 2); a 1×3×3 max pooling of that stride follows.
        stages: conv2 and what follows.
        fibers: groups of the grouped convolutions.
    """

    stem: int
    stages: tuple[Stage, ...]
    fibers: int


def residual(x: Any, unit: Unit[Stage], fibers: int, padding: str) -> Any:
    """The multiplexed input through two convolutions, each after BN–ReLU, plus the shortcut."""
    name, channels, strides = unit.name, unit.stage.channels, unit.strides
    brc = functools.partial(bn_relu_convolution, padding=padding)

    # The shortcut takes the input as it was, not the multiplexed one.
    shortcut = brc(x, channels, ONE, strides, name=f"{name}_w1") if unit.is_first else x
    mixed = brc(x, channels // 4, ONE, name=f"{name}_i1")
    mixed = brc(mixed, x.shape[channel_axis()], ONE, name=f"{name}_i2")
    x = layers.Add(name=f"{name}_multiplexed")([x, mixed])
    x = brc(x, channels, (3, 3, 3), strides, name=f"{name}_m1", groups=fibers)
    kernel, groups = (ONE, 1) if unit.is_first else ((1, 3, 3), fibers)
    x = brc(x, channels, kernel, name=f"{name}_m2", groups=groups)
    return layers.Add(name=f"{name}_out")([shortcut, x])


def mfnet(x: Any, network: MFNet, blocks: Blocks, padding: str) -> Any:
    """Builds a record up to its last feature maps."""
    x = convolution_bn_relu(x, network.stem, (3, 5, 5), (1, 2, 2), name="conv1", padding=padding)
    x = max_pooling(x, (1, 3, 3), (1, 2, 2), name="conv1_pool", padding=padding)
    for unit in units_of(network.stages):
        x = blocks(residual(x, unit, network.fibers, padding), unit.name)
    return pre_activation(x, "final", channel_axis(), **NORMALIZATION)


_MFNET_3D = MFNet(
    name="mfnet_3d",
    builder="MFNet3D",
    input_size=(16, 224, 224),
    stem=16,
    stages=(
        Stage(96, 3, (2, 1, 1)),
        Stage(192, 4, (1, 2, 2)),
        Stage(384, 6, (1, 2, 2)),
        Stage(768, 3, (1, 2, 2)),
    ),
    fibers=16,
    positions=FIVE_BLOCKS,
    reduction=2,
    source="MF-Net 3D (Chen et al., ECCV 2018)",
)
_MFNET_2D = dataclasses.replace(
    _MFNET_3D,
    name="mfnet_2d",
    builder="MFNet2D",
    input_size=(224, 224),
    source="MF-Net 2D (Chen et al., ECCV 2018): MF-Net 3D without its temporal dimension",
)

BUILDERS = {
    each.name: builder_of(each, mfnet)
    for each in (
        _MFNET_3D,
        dataclasses.replace(
            _MFNET_3D,
            name="a2_mfnet_3d",
            builder="A2MFNet3D",
            attention="a2",
            source="MF-Net 3D with five blocks at conv3 and conv4, the future work that the paper "
            "names",
        ),
        _MFNET_2D,
        dataclasses.replace(
            _MFNET_2D,
            name="a2_mfnet_2d",
            builder="A2MFNet2D",
            attention="a2",
            source="MF-Net 2D with five blocks at conv3 and conv4, the future work that the paper "
            "names",
        ),
    )
}

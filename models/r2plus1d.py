"""Post-activation residual networks for videos, of whole or of factored 3×3×3 convolutions.

A factored convolution is a 1×3×3 one to M channels, BN, ReLU and a 3×1×1 one (Tran et al., 2018).
Layers are named so that checkpoints of other libraries map onto them by rule:

- `conv{stage}_{unit}_{part}_conv`, stages from 2 and units from 1: a whole convolution; part 0 is
  the projection, 1 the first and 2 the second convolution.
- `…_{part}_spatial_conv`, `…_{part}_spatial_bn`, `…_{part}_temporal_conv`: a factored one.
- `…_{part}_bn`: the normalisation behind either.
- The same without the unit for the stem: `conv1_conv`, or `conv1_spatial_conv`,
  `conv1_spatial_bn`, `conv1_temporal_conv`; then `conv1_bn`.
- `predictions`: the classifier.

torchvision's `layer1.0.conv2.0.3` is conv2_1_2_temporal_conv, its `layer2.0.downsample.1`
conv3_1_0_bn; VMZ's `comp_0_spatbn_1_middle` is conv2_1_1_spatial_bn; C3D's `res2a_branch2b`
is conv2_1_2_conv. All of them need `padding="symmetric"`.
"""

import dataclasses
import functools
from typing import Any

from keras import layers

from a2keras.models.blocks import Blocks
from a2keras.models.builders import Network, builder_of
from a2keras.models.convolutions import (
    NORMALIZATION,
    batch_normalization,
    channel_axis,
    convolution,
    convolution_bn,
    convolution_bn_relu,
    he_normal,
)
from a2keras.models.stages import (
    FIVE_BLOCKS,
    FOUR_BLOCKS,
    ONE,
    Stage,
    Triple,
    Unit,
    doubling,
    units_of,
)

# Of the factored stem: published, and not what the formula below would give.
_STEM_MIDDLE = 45


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoResNet(Network):
    """A post-activation residual network of basic units, two 3×3×3 convolutions each.

    Attributes:
        units: residual units of conv2 to conv5, which have 64, 128, 256 and 512 channels.
        factored: whether every convolution but the projections is factored.
        shared_middle: whether both convolutions of a unit have the M of its first one.
        projects_conv2: whether conv2_1 has a projection too, where the shapes need none.
        epsilon: of batch normalisation.
    """

    units: tuple[int, ...]
    factored: bool
    shared_middle: bool = False
    projects_conv2: bool = False
    epsilon: float = 1e-5


def middle_channels(inputs: int, outputs: int) -> int:
    """M: a factored convolution has about as many weights as the whole one (Tran et al., 2018)."""
    return 27 * inputs * outputs // (9 * inputs + 3 * outputs)


def factored_bn(
    x: Any, channels: int, kernel: Triple, strides: Triple = ONE, middle: int | None = None,
    *, name: str, epsilon: float, padding: str,
) -> Any:  # fmt: skip
    """A convolution, factored with `middle` channels unless that is None, and its BN."""
    normalization = {**NORMALIZATION, "epsilon": epsilon}
    if middle is None:
        return convolution_bn(
            x, channels, kernel, strides, name=name, normalization=normalization, padding=padding,
            kernel_initializer=he_normal(),
        )  # fmt: skip
    x = convolution_bn_relu(
        x, middle, (1, *kernel[1:]), (1, *strides[1:]), name=f"{name}_spatial",
        normalization=normalization, padding=padding, kernel_initializer=he_normal(),
    )  # fmt: skip
    x = convolution(
        x, channels, (kernel[0], 1, 1), (strides[0], 1, 1), name=f"{name}_temporal_conv",
        padding=padding, kernel_initializer=he_normal(),
    )  # fmt: skip
    return batch_normalization(x, f"{name}_bn", normalization)


def residual(x: Any, unit: Unit[Stage], network: VideoResNet, padding: str) -> Any:
    """Two convolutions with BN, ReLU between, plus the shortcut, then ReLU."""
    name, channels, strides, three = unit.name, unit.stage.channels, unit.strides, (3, 3, 3)
    first = second = None
    if network.factored:
        first = middle_channels(x.shape[channel_axis()], channels)
        second = first if network.shared_middle else middle_channels(channels, channels)

    conv_bn = functools.partial(factored_bn, epsilon=network.epsilon, padding=padding)
    projects = unit.is_first and (strides != ONE or network.projects_conv2)
    shortcut = conv_bn(x, channels, ONE, strides, name=f"{name}_0") if projects else x
    x = conv_bn(x, channels, three, strides, first, name=f"{name}_1")
    x = layers.ReLU(name=f"{name}_1_relu")(x)
    x = conv_bn(x, channels, three, ONE, second, name=f"{name}_2")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_out")(x)


def video_resnet(x: Any, network: VideoResNet, blocks: Blocks, padding: str) -> Any:
    """Builds a record up to its last feature maps."""
    middle = _STEM_MIDDLE if network.factored else None
    x = factored_bn(
        x, 64, (3, 7, 7), (1, 2, 2), middle, name="conv1", epsilon=network.epsilon, padding=padding
    )
    x = layers.ReLU(name="conv1_relu")(x)
    for unit in units_of(doubling(64, network.units, (2, 2, 2))):
        x = blocks(residual(x, unit, network, padding), unit.name)
    return x


_R2PLUS1D_34 = VideoResNet(
    name="r2plus1d_34",
    builder="R2Plus1D34",
    input_size=(32, 112, 112),
    units=(3, 4, 6, 3),
    factored=True,
    epsilon=1e-3,
    # Its stages have as many units as the paper's own network.
    positions=FIVE_BLOCKS,
    reduction=2,
    source="Tables 5 and 6: R(2+1)D-34 (Tran et al., 2018), as in facebookresearch/VMZ",
)
_RES3D_18 = VideoResNet(
    name="res3d_18",
    builder="Res3D18",
    input_size=(8, 112, 112),
    units=(2, 2, 2, 2),
    factored=False,
    projects_conv2=True,
    positions=FOUR_BLOCKS,
    source="Table 6: Res3D-18 (Tran et al., 2017), as in facebookarchive/C3D",
)

VIDEO_RESNETS = (
    _R2PLUS1D_34,
    dataclasses.replace(
        _RES3D_18,
        name="r2plus1d_18",
        builder="R2Plus1D18",
        input_size=(16, 112, 112),
        factored=True,
        shared_middle=True,
        projects_conv2=False,
        source="R(2+1)D-18 as torchvision has it, with one M per unit, for its checkpoints",
    ),
    _RES3D_18,
)
BUILDERS = {each.name: builder_of(each, video_resnet) for each in VIDEO_RESNETS}

"""Tables 1–6 of the paper as data: every row, how it is built, and what the paper prints of it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from a2keras.models.stages import FOUR_BLOCKS

_UNITS = {"M": 10**6, "G": 10**9}


def parse_figure(printed: str | None) -> int | None:
    """The number that the paper prints: "7.043 M" is 7043000; None stays None."""
    if printed is None:
        return None
    figure, unit = printed.split()
    return round(float(figure) * _UNITS[unit])


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of one of the paper's tables.

    Attributes:
        table: 1 to 6.
        row: its first columns, as printed.
        name: the network, for `models.build`.
        input_size: (frames, height, width) or (height, width).
        classes: of the data set: 400 of Kinetics, 1000 of ImageNet, 101 of UCF-101.
        arguments: further arguments of the builder.
        paper_parameters: as printed, None where nothing is.
        paper_multiply_adds: as printed (the paper's "FLOPs"), None where nothing is.
        note: why our figure is not the printed one, where it is not.
    """

    table: int
    row: str
    name: str
    input_size: tuple[int, ...]
    classes: int
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    paper_parameters: str | None = None
    paper_multiply_adds: str | None = None
    note: str = ""


_ABLATION_NOTE = (
    "ours has the final normalisation and the classifier's biases, 4,496 numbers that the paper "
    "does not count"
)
_SMALL, _CLIP, _IMAGE = (16, 112, 112), (8, 224, 224), (224, 224)
_TWO_BLOCKS = ("conv4_1", "conv4_2")


def _ablation(
    table: int,
    row: str,
    attention: str | None,
    positions: tuple[str, ...],
    printed: str,
    network: str = "resnet26_video",
    note: str = "",
) -> Row:
    """A row of Table 2 or 3; `printed` is "#Params / FLOPs"."""
    parameters, multiply_adds = printed.split(" / ")
    return Row(
        table,
        row,
        network,
        _SMALL,
        400,
        {"attention": attention, "positions": positions} if attention else {},
        parameters,
        multiply_adds,
        _ABLATION_NOTE + note,
    )


_STRIDE_NOTE = (
    "the stride is on the middle convolutions, from which Table 5's 40.8 G follow; "
    "variant='b' gives {}"
)
_I3D_NOTE = (
    "the official network; 107.9 G is what 1×1×1 kernels in the third branches give "
    "(branch_2='1x1x1')"
)
_I3D = ("i3d", (64, 224, 224))
_R2PLUS1D = ("r2plus1d_34", (32, 112, 112))

TABLES = (
    Row(1, "ResNet-26", "resnet26_video", _SMALL, 400, {}, "7.0 M", "8.3 G"),
    Row(1, "ResNet-29", "resnet29_video", _SMALL, 400, {}, "7.6 M", "9.2 G"),
    Row(
        1, "ResNet-50", "resnet50_video", _CLIP, 400, {}, "33.4 M", "31.3 G",
        _STRIDE_NOTE.format("31.3 G"),
    ),
    _ablation(2, "ResNet-26", None, (), "7.043 M / 8.3 G"),
    _ablation(2, "ResNet-29", None, (), "7.620 M / 9.2 G", "resnet29_video"),
    _ablation(2, "ResNet-26 + NL @ Conv2", "non_local", ("conv2_2",), "7.061 M / 49.0 G"),
    _ablation(2, "ResNet-26 + NL @ Conv3", "non_local", ("conv3_2",), "7.112 M / 13.7 G"),
    _ablation(2, "ResNet-26 + NL @ Conv4", "non_local", ("conv4_2",), "7.312 M / 9.3 G"),
    _ablation(2, "ResNet-26 + A² @ Conv2", "a2", ("conv2_2",), "7.061 M / 8.7 G"),
    _ablation(2, "ResNet-26 + A² @ Conv3", "a2", ("conv3_2",), "7.112 M / 8.7 G"),
    _ablation(2, "ResNet-26 + A² @ Conv4", "a2", ("conv4_2",), "7.312 M / 8.7 G"),
    _ablation(3, "ResNet-26", None, (), "7.043 M / 8.3 G"),
    _ablation(3, "ResNet-29", None, (), "7.620 M / 9.2 G", "resnet29_video"),
    _ablation(3, "ResNet-26 + NL, 1 @ Conv4", "non_local", ("conv4_2",), "7.312 M / 9.3 G"),
    _ablation(3, "ResNet-26 + NL, 2 @ Conv4", "non_local", _TWO_BLOCKS, "7.581 M / 10.4 G"),
    _ablation(
        3, "ResNet-26 + NL, 4 @ Conv3&4", "non_local", FOUR_BLOCKS, "7.719 M / 21.3 G",
        note="; 21.3 G fits if the residual additions are counted too",
    ),
    _ablation(3, "ResNet-26 + A², 1 @ Conv4", "a2", ("conv4_2",), "7.312 M / 8.7 G"),
    _ablation(3, "ResNet-26 + A², 2 @ Conv4", "a2", _TWO_BLOCKS, "7.581 M / 9.2 G"),
    _ablation(3, "ResNet-26 + A², 4 @ Conv3&4", "a2", FOUR_BLOCKS, "7.719 M / 10.1 G"),
    Row(4, "ResNet, ResNet-50", "resnet50", _IMAGE, 1000),
    Row(4, "ResNet, ResNet-152", "resnet152", _IMAGE, 1000),
    Row(4, "SENet, ResNet-50", "se_resnet50", _IMAGE, 1000),
    # The figures stand in the text below the table.
    Row(4, "A²-Net, ResNet-50", "a2_resnet50", _IMAGE, 1000, {}, "33.0 M", "6.5 G"),
    Row(5, "ConvNet+LSTM", "convnet_lstm", (25, 224, 224), 400),
    Row(5, "I3D", *_I3D, 400, {}, None, "107.9 G", _I3D_NOTE),
    Row(5, "R(2+1)D", *_R2PLUS1D, 400, {}, None, "152.4 G"),
    Row(5, "A²-Net", "a2_resnet50_video", _CLIP, 400, {}, None, "40.8 G"),
    Row(6, "C3D, VGG", "c3d", _SMALL, 101, {}, None, "38.5 G"),
    Row(
        6, "Res3D, ResNet-18", "res3d_18", (8, 112, 112), 101, {}, None, "19.3 G",
        "ours is the released network; no reading of it gives 19.3 G",
    ),
    Row(6, "I3D-RGB, Inception", *_I3D, 101, {}, None, "107.9 G", _I3D_NOTE),
    Row(6, "R(2+1)D-RGB, ResNet-34", *_R2PLUS1D, 101, {}, None, "152.4 G"),
    Row(
        6, "A²-Net, ResNet-50", "a2_resnet50_video", _CLIP, 101, {}, None, "41.6 G",
        _STRIDE_NOTE.format("41.6 G"),
    ),
)  # fmt: skip

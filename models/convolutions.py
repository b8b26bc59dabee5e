"""Convolutions and pooling of rank 2 or 3 with the padding of Keras or of PyTorch.

Kernels, strides and windows are (time, height, width); for images the time is left away. Where a
function makes several layers their names are its `name` with `_conv`, `_bn` and `_relu`.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from a2keras.channel_groups import GroupedConv2D, GroupedConv3D
from a2keras.models.stages import ONE, Triple
from a2keras.pre_activation import pre_activation

PADDINGS = ("same", "symmetric")
NORMALIZATION = {"momentum": 0.9, "epsilon": 1e-5}  # PyTorch's and Caffe's
_PLAIN: dict[int, Any] = {2: layers.Conv2D, 3: layers.Conv3D}
_GROUPED: dict[int, Any] = {2: GroupedConv2D, 3: GroupedConv3D}


def channel_axis() -> int:
    return -1 if keras.config.image_data_format() == "channels_last" else 1


def rank_of(x: Any) -> int:
    """2 for images (B, H, W, C), 3 for videos (B, T, H, W, C)."""
    return len(x.shape) - 2


def check_padding(padding: str) -> str:
    if padding not in PADDINGS:
        raise ValueError(f"`padding` must be 'same' or 'symmetric'. Received: padding={padding!r}")
    return padding


def is_small(stem: str | None) -> bool:
    """Whether a network is to begin with the stem for small pictures, see `builders.STEM`."""
    if stem not in (None, "small"):
        raise ValueError(f"`stem` must be None or 'small'. Received: stem={stem!r}")
    return stem == "small"


def pad(x: Any, window: Triple, strides: Triple, padding: str, name: str) -> tuple[Any, str]:
    """Zeros around `x` where a strided window asks for them, and the `padding` of its layer.

    With a stride of 2 an even size needs an odd number of zeros in all. Keras's "same" puts the
    odd one behind; "symmetric" pads both sides alike, as PyTorch and Caffe do with padding k // 2.
    The sizes that come out are the same, the numbers are not: converted weights need "symmetric".
    """
    rank = rank_of(x)
    sizes, steps = window[-rank:], strides[-rank:]
    if padding == "same" or all(w == 1 or s == 1 for w, s in zip(sizes, steps, strict=True)):
        return x, "same"
    zeros = [(size - 1) // 2 for size in sizes]
    if any(zeros):
        x = getattr(layers, f"ZeroPadding{rank}D")(
            tuple((each, each) for each in zeros), name=f"{name}_pad"
        )(x)
    return x, "valid"


def convolution(
    x: Any,
    channels: int,
    kernel: Triple,
    strides: Triple = ONE,
    *,
    name: str,
    padding: str = "same",
    **arguments: Any,
) -> Any:
    """A convolution of the rank of `x`; without bias unless `arguments`, Keras's, say otherwise."""
    rank = rank_of(x)
    x, padding = pad(x, kernel, strides, padding, name)
    arguments = {"use_bias": False, **arguments}
    kinds = _GROUPED if arguments.get("groups", 1) > 1 else _PLAIN
    return kinds[rank](
        channels, kernel[-rank:], strides[-rank:], padding=padding, name=name, **arguments
    )(x)


def convolution_bn(
    x: Any,
    channels: int,
    kernel: Triple,
    strides: Triple = ONE,
    *,
    name: str,
    normalization: Mapping[str, float] = NORMALIZATION,
    **arguments: Any,
) -> Any:
    """Convolution → BN; `arguments` are those of `convolution`."""
    x = convolution(x, channels, kernel, strides, name=f"{name}_conv", **arguments)
    return batch_normalization(x, f"{name}_bn", normalization)


def convolution_bn_relu(
    x: Any,
    channels: int,
    kernel: Triple,
    strides: Triple = ONE,
    *,
    name: str,
    max_value: float | None = None,
    **arguments: Any,
) -> Any:
    """Convolution → BN → ReLU; `arguments` are those of `convolution_bn`."""
    x = convolution_bn(x, channels, kernel, strides, name=name, **arguments)
    return layers.ReLU(max_value, name=f"{name}_relu")(x)


def bn_relu_convolution(
    x: Any,
    channels: int,
    kernel: Triple,
    strides: Triple = ONE,
    *,
    name: str,
    normalization: Mapping[str, float] = NORMALIZATION,
    **arguments: Any,
) -> Any:
    """BN → ReLU → convolution; `arguments` are those of `convolution`."""
    x = pre_activation(x, name, channel_axis(), **normalization)
    return convolution(x, channels, kernel, strides, name=f"{name}_conv", **arguments)


def depthwise_convolution_bn(
    x: Any,
    kernel: Triple,
    strides: Triple,
    *,
    name: str,
    padding: str = "same",
    normalization: Mapping[str, float] = NORMALIZATION,
) -> Any:
    """A convolution of every channel of an image by itself, without bias → BN."""
    x, padding = pad(x, kernel, strides, padding, f"{name}_conv")
    x = layers.DepthwiseConv2D(
        kernel[1:], strides[1:], padding=padding, use_bias=False, name=f"{name}_conv"
    )(x)
    return batch_normalization(x, f"{name}_bn", normalization)


def max_pooling(
    x: Any, window: Triple, strides: Triple, *, name: str, padding: str = "same"
) -> Any:
    """Max pooling of the input's rank, of values that are not negative: it may pad with zeros."""
    rank = rank_of(x)
    x, padding = pad(x, window, strides, padding, name)
    return getattr(layers, f"MaxPooling{rank}D")(
        window[-rank:], strides[-rank:], padding=padding, name=name
    )(x)


def batch_normalization(
    x: Any, name: str, normalization: Mapping[str, float] = NORMALIZATION
) -> Any:
    """Batch normalisation of the channels."""
    return layers.BatchNormalization(channel_axis(), name=name, **normalization)(x)


def he_normal() -> keras.initializers.Initializer:
    """He et al. (2015) by outgoing connections, as Caffe2 and torchvision start their ResNets.

    Keras's own goes by incoming ones. A new one for every layer: the same gives the same numbers.
    """
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")

"""Convolutions and pooling of rank 2 or 3 with the padding of Keras or of PyTorch.

Kernels, strides and windows are (time, height, width); for images the time is left away.
"""

from typing import Any

import keras
from keras import layers

from a2keras.channel_groups import GroupedConv2D, GroupedConv3D

PADDINGS = ("same", "symmetric")
_PLAIN: dict[int, Any] = {2: layers.Conv2D, 3: layers.Conv3D}
_GROUPED: dict[int, Any] = {2: GroupedConv2D, 3: GroupedConv3D}

Triple = tuple[int, int, int]


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
    strides: Triple = (1, 1, 1),
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


def depthwise_convolution(
    x: Any, kernel: Triple, strides: Triple, *, name: str, padding: str = "same"
) -> Any:
    """A convolution of every channel of an image by itself, without bias."""
    x, padding = pad(x, kernel, strides, padding, name)
    return layers.DepthwiseConv2D(
        kernel[1:], strides[1:], padding=padding, use_bias=False, name=name
    )(x)


def max_pooling(
    x: Any, window: Triple, strides: Triple, *, name: str, padding: str = "same"
) -> Any:
    """Max pooling of the input's rank, of values that are not negative: it may pad with zeros."""
    rank = rank_of(x)
    x, padding = pad(x, window, strides, padding, name)
    return getattr(layers, f"MaxPooling{rank}D")(
        window[-rank:], strides[-rank:], padding=padding, name=name
    )(x)


def batch_normalization(x: Any, name: str, momentum: float = 0.9, epsilon: float = 1e-5) -> Any:
    """Batch normalisation of the channels; the defaults are PyTorch's and Caffe's."""
    return layers.BatchNormalization(channel_axis(), momentum, epsilon, name=name)(x)


def he_normal() -> keras.initializers.Initializer:
    """He et al. (2015) by outgoing connections, as Caffe2 and torchvision start their ResNets.

    Keras's own goes by incoming ones. A new one for every layer: the same gives the same numbers.
    """
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")

"""Positions and channels: checks of a block's arguments and inputs, and its flat view of them."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops


def flatten_positions(x: Any) -> Any:
    """(B, *spatial, C) → (B, L, C)."""
    return ops.reshape(x, _merged(x, first=1, last=len(x.shape) - 1))


def unflatten_positions(flat: Any, like: Any) -> Any:
    """(B, L, k) → (B, *spatial, k), with the positions of `like`, (B, *spatial, C)."""
    columns = flat.shape[-1] if flat.shape[-1] is not None else ops.shape(flat)[-1]
    return ops.reshape(flat, (*_reshapable(like, keep=len(like.shape) - 1), columns))


def flatten_mask(mask: Any, x: Any) -> Any:
    """(B, *spatial) → (B, L), boolean; raises a `ValueError` unless it fits x, (B, *spatial, C)."""
    mask = mask_array(mask)
    check_mask_shape(mask.shape, x.shape[:-1])
    return ops.cast(ops.reshape(mask, _merged(mask, first=1, last=len(mask.shape))), "bool")


def mask_array(mask: Any) -> Any:
    """A mask as something with a shape: tensors and arrays as they are, nested lists as arrays.

    Raises:
        ValueError: none, not a dense one, or one of texts, objects or complex numbers.
    """
    check_dense("`mask`", mask)
    try:
        array = mask if hasattr(mask, "shape") else np.asarray(mask)
        kind = str(array.dtype).removeprefix("<dtype: '").removeprefix("torch.")
        if not kind.startswith(("bool", "int", "uint", "float", "bfloat")):
            raise TypeError(kind)
        return array if array is mask else array.astype("bool")
    except (ValueError, TypeError) as error:  # rows of several lengths, symbolic tensors
        raise ValueError(
            "`mask` must be a tensor, an array or a list of the shape (B, *spatial), of booleans "
            f"or numbers. Received: mask={mask!r}"
        ) from error


def _merged(x: Any, first: int, last: int) -> tuple:
    """The shape of x with its axes first…last-1 made one."""
    shape = tuple(x.shape)
    middle = shape[first:last]
    merged = -1 if None in middle else math.prod(middle)
    if shape[0] is None and merged != -1:
        return (-1, merged, *shape[last:])
    return (ops.shape(x)[0], merged, *shape[last:])


def _reshapable(x: Any, keep: int) -> tuple:
    """The first axes of x as a target for `reshape`: static where possible, for small graphs."""
    shape = tuple(x.shape[:keep])
    if shape.count(None) <= 1:
        return tuple(-1 if size is None else size for size in shape)
    return tuple(ops.shape(x)[:keep])


def at_least_float32(x: Any) -> Any:
    """Softmaxes and averages over many positions overflow or vanish in half precision."""
    # Not `result_type`, which is float32 for float64 on PyTorch.
    half = keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16")
    return ops.cast(x, "float32") if half else x


def without_garbage(features: Any, mask: Any) -> Any:
    """(B, L, C) with zeros for what is no number at masked positions.

    A weight of zero does not keep it out: 0 · NaN is NaN, in the gradients too.
    """
    if mask is None:
        return features
    sound = ops.logical_or(ops.expand_dims(mask, -1), ops.abs(features) < float("inf"))
    return ops.where(sound, features, 0)


def only_kept(features: Any, mask: Any) -> Any:
    """(B, L, C) with zeros at masked positions, whose values may overflow in a product."""
    return features if mask is None else ops.where(ops.expand_dims(mask, -1), features, 0)


def check_dense(layer: str, inputs: Any) -> None:
    """Raises a `ValueError` for ragged and sparse tensors, which are no arrays of numbers."""
    names = " ".join(kind.__name__ for kind in type(inputs).__mro__).lower()
    for kind in ("ragged", "sparse", "nested"):
        # By name, or as Keras's symbolic tensors and PyTorch's own say it.
        flags = (getattr(inputs, kind, False), getattr(inputs, f"is_{kind}", False))
        if kind in names or True in flags:
            raise ValueError(
                f"{layer} needs a dense tensor; pad what is ragged, and tell by `mask` which "
                f"positions count. Received: a {kind} tensor of shape {tuple(inputs.shape)}"
            )


def check_positive(name: str, value: Any, optional: bool = False) -> Any:
    """Returns a whole number ≥ 1 as an int, or None where that is allowed.

    Raises:
        ValueError: anything else, by the argument's name.
    """
    if optional and value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        allowed = "None or a whole number" if optional else "a whole number"
        raise ValueError(f"`{name}` must be {allowed} of at least 1. Received: {name}={value!r}")
    return int(value)


def check_flag(name: str, value: Any) -> bool:
    """Returns a boolean, also NumPy's; raises a `ValueError` that names the argument."""
    if not isinstance(value, bool | np.bool_):  # the text "False" would count as True
        raise ValueError(f"`{name}` must be True or False. Received: {name}={value!r}")
    return bool(value)


def check_fraction(name: str, value: Any) -> float:
    """Returns a number from 0 to 1; raises a `ValueError` that names the argument."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | np.number)
        or not 0 <= value <= 1
    ):
        raise ValueError(f"`{name}` must be a number from 0 to 1. Received: {name}={value!r}")
    return float(value)


def check_data_format(data_format: str | None) -> str:
    """Returns the data format, Keras's own where it is None; raises a `ValueError` if unknown."""
    data_format = keras.config.image_data_format() if data_format is None else data_format
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            "`data_format` must be None, 'channels_last' or 'channels_first'. "
            f"Received: data_format={data_format!r}"
        )
    return data_format


def channel_axis(data_format: str) -> int:
    return -1 if data_format == "channels_last" else 1


def check_mask_shape(shape: tuple, expected: tuple) -> None:
    """Raises a `ValueError` where a mask's static shape contradicts (B, *spatial)."""
    shape, expected = tuple(shape), tuple(expected)
    agrees = all(a == b or None in (a, b) for a, b in zip(shape, expected, strict=False))
    if len(shape) != len(expected) or not agrees:
        raise ValueError(
            f"`mask` must have the shape (B, *spatial) of the inputs, {expected}. "
            f"Received: mask.shape={shape}"
        )


def channels_and_positions(
    input_shape: tuple, data_format: str, layer: str
) -> tuple[int, int | None]:
    """Channels c and positions L (None if unknown) of (B, *spatial, C) or (B, C, *spatial).

    Raises:
        ValueError: rank < 3 or unknown channels.
    """
    shape = tuple(input_shape)
    if len(shape) < 3:
        raise ValueError(
            f"{layer} needs inputs of rank 3 or more, (B, *spatial, C) or (B, C, *spatial). "
            f"Received: input_shape={shape}"
        )
    last = data_format == "channels_last"
    channels = shape[-1] if last else shape[1]
    spatial = shape[1:-1] if last else shape[2:]
    if channels is None:
        raise ValueError(
            f"{layer} needs a known number of channels (data_format={data_format!r}). "
            f"Received: input_shape={shape}"
        )
    return channels, None if None in spatial else math.prod(spatial)

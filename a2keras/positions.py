"""Positions and channels: checks of a block's arguments and inputs, and its flat view of them."""

import math
from typing import Any

import keras
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
    check_mask_shape(mask.shape, x.shape[:-1])
    return ops.cast(ops.reshape(mask, _merged(mask, first=1, last=len(mask.shape))), "bool")


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
    """Softmaxes over many positions overflow or vanish in half precision."""
    return ops.cast(x, keras.backend.result_type(x.dtype, "float32"))


def check_positive(name: str, value: Any) -> Any:
    """Returns None or a whole number ≥ 1; raises a `ValueError` that names the argument."""
    if value is not None and (isinstance(value, bool) or int(value) != value or value < 1):
        raise ValueError(
            f"`{name}` must be None or a whole number of at least 1. Received: {name}={value!r}"
        )
    return value


def check_data_format(data_format: str | None) -> str:
    """Returns the data format, Keras's own where it is None; raises a `ValueError` if unknown."""
    data_format = keras.config.image_data_format() if data_format is None else data_format
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            "`data_format` must be None, 'channels_last' or 'channels_first'. "
            f"Received: data_format={data_format!r}"
        )
    return data_format


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

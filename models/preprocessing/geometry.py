"""From frames of any size to the square that the network takes. Eager, or within tf.data."""

from typing import Any

import numpy as np

from a2keras.models.preprocessing.tensors import is_tensorflow, namespace

FITS = ("crop", "letterbox")
INTERPOLATIONS = ("bilinear", "bicubic")
# Close to the colour that normalisation maps to zero, so padding looks like "nothing" to a network.
PADDING_GREY = 115


def fit(
    frames: Any,
    size: int,
    mode: str = "crop",
    offsets: Any = (0.5, 0.5),
    short_side: int | None = None,
    interpolation: str = "bilinear",
) -> Any:
    """Brings an image, or all frames of a clip alike, to size × size.

    A crop is cut in the source's pixels: one antialiased resize from a square to a square never
    changes the aspect ratio. Bars are put on after the resize, in whole pixels: the square about a
    strip of 80,000 pixels would not fit into the memory.

    Args:
        frames: uint8 (H, W, 3) or (T, H, W, 3); NumPy array or TensorFlow tensor. In a tf.data
            graph its rank must be known (`set_shape`), its sizes need not be.
        size: side of the result in pixels.
        mode: "crop" cuts a square out; "letterbox" keeps the whole frame and pads it with grey.
        offsets: for "crop", where the square lies vertically and horizontally: 0 is the top or
            left, 1 the bottom or right. (0.5, 0.5) is the centre; random numbers augment.
        short_side: for "crop", the length to which the shorter side would be resized before
            cropping; default `size`. 256 with size 224 is the papers' usual test crop.
        interpolation: "bilinear" or "bicubic".

    Returns:
        uint8 (size, size, 3) or (T, size, size, 3), of the kind that was given.

    Raises:
        ValueError: an unknown mode, a rank other than 3 or 4, or a short side below the size.
    """
    short_side = size if short_side is None else short_side
    if mode not in FITS:
        raise ValueError(f"`mode` must be one of {FITS}. Received: mode={mode!r}")
    if len(frames.shape) not in (3, 4):
        raise ValueError(
            f"`frames` must have shape (H, W, 3) or (T, H, W, 3). Received: {tuple(frames.shape)}"
        )
    if not 1 <= size <= short_side:
        raise ValueError(
            "`size` must be at least 1 and at most `short_side`. "
            f"Received: size={size}, short_side={short_side}"
        )
    if mode == "crop":
        return resize(_crop_square(frames, size / short_side, offsets), size, interpolation)
    return _letterboxed(frames, size, interpolation)


def _sides(frames: Any) -> tuple[Any, Any]:
    """Height and width: ints where known, else scalar tensors."""
    height, width = frames.shape[-3:-1]
    if height is None or width is None:
        import tensorflow as tf

        sides = tf.shape(frames, out_type="int64")
        return sides[-3], sides[-2]
    return height, width


def _crop_square(frames: Any, fraction: float, offsets: Any) -> Any:
    height, width = _sides(frames)
    xp = namespace(height, *offsets)

    def part(length: Any, share: Any) -> Any:
        return xp.asarray(xp.floor(xp.multiply(length, share) + 0.5), dtype=np.int64)

    side = xp.maximum(part(xp.minimum(height, width), fraction), 1)
    top = part(height - side, offsets[0])
    left = part(width - side, offsets[1])
    return frames[..., top : top + side, left : left + side, :]


def _letterboxed(frames: Any, size: int, interpolation: str) -> Any:
    height, width = _sides(frames)
    xp = namespace(height)
    longer = xp.maximum(height, width)

    def share(side: Any) -> Any:  # of whole pixels, in whole numbers: the same everywhere
        return xp.maximum((2 * size * side + longer) // (2 * longer), 1)

    inner = share(height), share(width)
    above, left = ((size - each) // 2 for each in inner)
    padding = [[0, 0]] * (len(frames.shape) - 3)
    padding += [[above, size - inner[0] - above], [left, size - inner[1] - left], [0, 0]]
    resized = _resized(frames, inner, interpolation)
    boxed = namespace(resized).pad(resized, padding, "constant", constant_values=PADDING_GREY)
    if is_tensorflow(boxed):
        boxed.set_shape((*frames.shape[:-3], size, size, frames.shape[-1]))
    return boxed


def reduced_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Width and height of a picture whose shorter side is to be `short_side`, if it is longer."""
    if min(width, height) <= short_side:
        return width, height
    scale = short_side / min(width, height)
    return max(round(width * scale), short_side), max(round(height * scale), short_side)


def resize(frames: Any, size: int, interpolation: str = "bilinear") -> Any:
    """Stretches frames ([T,] H, W, 3) to size × size, with antialiasing: uint8."""
    return _resized(frames, (size, size), interpolation)


def _resized(frames: Any, sides: Any, interpolation: str) -> Any:
    """As `resize`, to a height and a width, which in a graph may be tensors."""
    if not is_tensorflow(*sides) and tuple(frames.shape[-3:-1]) == tuple(sides):
        return frames
    # In floating point, and clipped: bicubic overshoots at edges.
    if is_tensorflow(frames):
        import tensorflow as tf

        resized = tf.image.resize(tf.cast(frames, "float32"), sides, interpolation, antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), "uint8")
    from keras import ops

    resized = ops.image.resize(
        np.asarray(frames, "float32"),
        tuple(map(int, sides)),
        interpolation,
        antialias=True,
        data_format="channels_last",
    )
    return np.round(ops.convert_to_numpy(resized)).clip(0, 255).astype(np.uint8)

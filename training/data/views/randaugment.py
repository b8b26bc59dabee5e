"""RandAugment (Cubuk et al. 2020, arXiv:1909.13719): a few random operations of one strength.

Every operation takes uint8 frames (T, S, S, 3) and a level from -1 to 1, whose amount is the
recipe's `randaugment_magnitude` / 10 and whose sign is drawn where one makes sense. What it does it
does to all frames alike: a histogram or a mean is that of the whole clip. The ranges are
AutoAugment's, counted from nothing, so that level 0 leaves pixels as they are; equalize and
autocontrast have no level. Shears are about the middle, not about a corner.

Keras's `RandAugment` computes every operation to keep one, takes its numbers from a state, which
would not be the same after a resume, and takes no clips.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from a2keras.models.preprocessing.geometry import PADDING_GREY
from a2keras.training.config import Recipe

ROTATION = 30.0  # degrees, at level 1; all that follow as well
SHEAR = 0.3
TRANSLATION = 0.45  # of the side
ENHANCEMENT = 0.9  # added to, or taken from, the factor 1 of colour, contrast, …
BITS = 4  # that posterize takes away


def randaugment(view: Any, recipe: Recipe, seed: Any) -> Any:
    """Applies `recipe.randaugment` operations, each drawn from all of them.

    Args:
        view: uint8 ([T,] S, S, 3), S the recipe's `size`.
        recipe: how many, and `randaugment_magnitude`.
        seed: int64 (2,).

    Returns:
        uint8 of the same shape.
    """
    frames = tf.reshape(view, (-1, recipe.size, recipe.size, 3))
    draws = tf.random.stateless_uniform((recipe.randaugment, 2), seed)
    chosen = tf.cast(draws[:, 0] * len(OPERATIONS), "int32")
    levels = tf.where(draws[:, 1] < 0.5, -1.0, 1.0) * recipe.randaugment_magnitude / 10
    _, frames = tf.while_loop(  # so that the operations are traced once
        lambda i, _: i < recipe.randaugment,
        lambda i, frames: (i + 1, _one_of(chosen[i], frames, levels[i])),
        (0, frames),
    )
    return tf.reshape(frames, tf.shape(view))


def _one_of(number: Any, frames: Any, level: Any) -> Any:
    branches = [lambda each=each: each(frames, level) for each in OPERATIONS.values()]
    return tf.ensure_shape(tf.switch_case(number, branches), frames.shape)


def identity(frames: Any, level: Any) -> Any:
    return frames


def autocontrast(frames: Any, level: Any) -> Any:
    """Stretches each channel so that it goes from 0 to 255."""
    low, high = (
        tf.cast(reduce(frames, axis=(0, 1, 2)), "int32")[:, None]
        for reduce in (tf.reduce_min, tf.reduce_max)
    )
    values = tf.range(256)
    stretched = (values - low) * 255 // tf.maximum(high - low, 1)
    return _looked_up(frames, tf.where(high > low, stretched, values))


def equalize(frames: Any, level: Any) -> Any:
    """Gives each channel a flat histogram, by Pillow's whole numbers."""
    histogram = tf.math.bincount(_places(frames), minlength=768, maxlength=768)
    brightest = tf.gather(histogram, tf.reduce_max(_places(frames), axis=(0, 1, 2)))[:, None]
    histogram = tf.reshape(histogram, (3, 256))
    below = tf.cumsum(histogram, axis=-1, exclusive=True)
    step = (tf.reduce_sum(histogram, axis=-1, keepdims=True) - brightest) // 255
    equal = (below + step // 2) // tf.maximum(step, 1)
    return _looked_up(frames, tf.where(step > 0, equal, tf.range(256)))


def _looked_up(frames: Any, table: Any) -> Any:
    """Replaces each value by that of its channel's table, (3, 256)."""
    flat = tf.reshape(tf.cast(tf.clip_by_value(table, 0, 255), "uint8"), (-1,))
    return tf.gather(flat, _places(frames))


def _places(frames: Any) -> Any:
    """Where a value stands in three tables of 256, one for each channel, in a row."""
    return tf.cast(frames, "int32") + tf.constant([0, 256, 512])


def posterize(frames: Any, level: Any) -> Any:
    """Sets the lowest bits to 0."""
    lost = tf.cast(tf.round(BITS * tf.abs(level)), "int32")
    mask = tf.cast(256 - tf.bitwise.left_shift(1, lost), "uint8")
    return tf.bitwise.bitwise_and(frames, mask)


def solarize(frames: Any, level: Any) -> Any:
    """Inverts what is not darker than a threshold."""
    threshold = tf.cast(tf.round(256 * (1 - tf.abs(level))), "int32")
    return tf.where(tf.cast(frames, "int32") < threshold, frames, 255 - frames)


def colour(frames: Any, level: Any) -> Any:
    """Away from grey, or towards it."""
    return _enhanced(frames, _grey(frames), level)


def contrast(frames: Any, level: Any) -> Any:
    """Away from the mean grey, or towards it."""
    return _enhanced(frames, tf.round(tf.reduce_mean(_grey(frames))), level)


def brightness(frames: Any, level: Any) -> Any:
    """Away from black, or towards it."""
    return _enhanced(frames, 0.0, level)


def sharpness(frames: Any, level: Any) -> Any:
    """Away from smooth, or towards it; the outermost pixels stay."""
    inner = tf.cast(frames[:, 1:-1, 1:-1], "float32")
    mean = tf.nn.avg_pool2d(tf.cast(frames, "float32"), 3, 1, "VALID")
    smooth = tf.round((9 * mean + 4 * inner) / 13)
    border = [[0, 0], [1, 1], [1, 1], [0, 0]]
    return _enhanced(frames, tf.cast(frames, "float32") + tf.pad(smooth - inner, border), level)


def _grey(frames: Any) -> Any:
    """Luma, 0.299 red + 0.587 green + 0.114 blue, rounded: float (T, S, S, 1)."""
    weights = tf.constant([19595, 38470, 7471])  # of 65536
    luma = tf.reduce_sum(tf.cast(frames, "int32") * weights, -1, keepdims=True)
    return tf.cast(tf.bitwise.right_shift(luma + 32768, 16), "float32")


def _enhanced(frames: Any, without: Any, level: Any) -> Any:
    """Goes from `without`, the frames without what is enhanced, by a factor around 1."""
    factor = 1 + ENHANCEMENT * level
    return _whole(without + factor * (tf.cast(frames, "float32") - without))


def rotate(frames: Any, level: Any) -> Any:
    angle = ROTATION * level * (tf.constant(3.141592653589793) / 180)
    return _warped(frames, [[tf.cos(angle), -tf.sin(angle)], [tf.sin(angle), tf.cos(angle)]])


def shear_x(frames: Any, level: Any) -> Any:
    return _warped(frames, [[1.0, SHEAR * level], [0.0, 1.0]])


def shear_y(frames: Any, level: Any) -> Any:
    return _warped(frames, [[1.0, 0.0], [SHEAR * level, 1.0]])


def translate_x(frames: Any, level: Any) -> Any:
    return _warped(frames, [[1.0, 0.0], [0.0, 1.0]], (TRANSLATION * level, 0.0))


def translate_y(frames: Any, level: Any) -> Any:
    return _warped(frames, [[1.0, 0.0], [0.0, 1.0]], (0.0, TRANSLATION * level))


def _warped(frames: Any, matrix: Any, shift: tuple[Any, Any] = (0.0, 0.0)) -> Any:
    """Takes each pixel from `matrix` · (x, y) about the middle, plus `shift` of the side.

    Bilinear; what lies outside is grey.
    """
    side = frames.shape[2]
    middle = (side - 1) / 2
    (a, b), (c, d) = matrix
    x = middle + side * shift[0] - (a + b) * middle
    y = middle + side * shift[1] - (c + d) * middle
    # The operation of Keras's own geometric layers, which has no public name of its own.
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(frames, "float32"),
        transforms=tf.stack([[a, b, x, c, d, y, 0.0, 0.0]]),
        output_shape=frames.shape[1:3],
        fill_value=float(PADDING_GREY),
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return _whole(warped)


def _whole(pixels: Any) -> Any:
    return tf.cast(tf.clip_by_value(tf.round(pixels), 0.0, 255.0), "uint8")


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    each.__name__: each
    for each in (
        *(identity, autocontrast, equalize, rotate, solarize, colour, posterize),
        *(contrast, brightness, sharpness, shear_x, shear_y, translate_x, translate_y),
    )
}

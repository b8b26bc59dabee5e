"""Random views of many small images at once: the same numbers as `random_view` of each of them.

A graph of some hundred operations for each image of 32×32 pixels takes ten times as long as what
these compute. So the images are gathered, cut and resized together: a resize from a window is a sum
of a few rows, and then of a few columns, by weights, and TensorFlow's own (`ScaleAndTranslate`)
gives each row and column the same weights, added in the same order, so that every bit agrees.
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from a2keras.training.config import Recipe
from a2keras.training.data.views.augmentation import changed, coloured, noisy, random_window

# Images that are made at once: as many as have this many numbers, so that what lies between two
# operations stays in a core's cache; of larger ones one by one is as fast.
NUMBERS = 2**18
MOST, LEAST = 32, 8


def at_once(images: Any, size: int, wanted: int) -> int:
    """How many views are made together: an even number; 0: they are made one by one.

    Args:
        images: of one size, (N, H, W, 3), or None.
        size: of the views.
        wanted: views of an epoch.
    """
    if images is None:
        return 0
    _, height, width, channels = images.shape
    count = NUMBERS // (max(height, size) * max(width, size) * channels) // 2 * 2
    return min(count, MOST, wanted + wanted % 2) if count >= LEAST else 0


def random_views(images: Any, rows: Any, recipe: Recipe, seeds: Any) -> Any:
    """Random views of images of one size.

    Args:
        images: uint8 (N, H, W, 3).
        rows: int64 (b,), which of them.
        recipe: how views are drawn; its `fit` is "crop".
        seeds: int64 (b, 2), of each.

    Returns:
        float32 (b, size, size, 3), pixel values 0..255.
    """
    draws = tf.stack([tf.random.stateless_uniform((5,), seed) for seed in tf.unstack(seeds)])
    sides = tf.constant([*images.shape[1:3]], "float32")
    windows = random_window(sides, recipe, draws[:, 1:4], seeds)
    views = _cut(images, rows, windows, recipe, draws[:, 4] < 0.5 if recipe.flip else None)
    if recipe.randaugment:
        views = _each(lambda view, seed: _changed(view, recipe, seed), views, seeds)
    views = coloured(views, recipe, seeds)
    if recipe.pixel_noise or recipe.erasing:
        views = _each(lambda view, seed: noisy(view, recipe, seed), views, seeds)
    return views


def _changed(view: Any, recipe: Recipe, seed: Any) -> Any:
    return tf.cast(changed(tf.cast(view, "uint8"), recipe, seed), "float32")


def _each(function: Any, views: Any, seeds: Any) -> Any:
    """What there is for one view only, of each."""
    signature = tf.TensorSpec(views.shape[1:], "float32")
    return tf.map_fn(lambda pair: function(*pair), (views, seeds), fn_output_signature=signature)


def _cut(images: Any, rows: Any, windows: Any, recipe: Recipe, mirrored: Any) -> Any:
    """Cuts windows (b, 2, 2) out of images, and resizes them: float32 (b, size, size, 3), whole."""
    (_, height, width, channels), size = images.shape, recipe.size
    first, weights = [], []
    for axis, side in enumerate((height, width)):
        start, end = windows[:, 0, axis], windows[:, 1, axis]
        table, weight = taps(side, size, recipe.interpolation)
        first.append(start[:, None] + tf.gather(tf.constant(table), end - start))
        weights.append(tf.gather(tf.constant(weight), end - start))
    if mirrored is not None:
        first[1] = tf.where(mirrored[:, None], first[1][:, ::-1], first[1])
        weights[1] = tf.where(mirrored[:, None, None], weights[1][:, ::-1], weights[1])
    # Rows, which lie together in memory; then columns, as rows of the transposed picture.
    lines = tf.reshape(images, (-1, width * channels))
    above = tf.cast(rows, "int32")[:, None] * height
    tall = _summed(lines, above + first[0], weights[0], tf.size(lines) // (width * channels))
    tall = tf.transpose(tf.reshape(tall, (-1, size, width, channels)), (0, 2, 1, 3))
    lines = tf.reshape(tall, (-1, size * channels))
    before = tf.range(tf.shape(rows)[0])[:, None] * width
    views = _summed(lines, before + first[1], weights[1], tf.shape(rows)[0] * width)
    views = tf.clip_by_value(tf.round(views), 0.0, 255.0)
    return tf.transpose(tf.reshape(views, (-1, size, size, channels)), (0, 2, 1, 3))


def _summed(lines: Any, first: Any, weights: Any, count: Any) -> Any:
    """Σ weights[..., k] · lines[first + k]: float32 (b, size, line), added from k = 0 on."""
    total = None
    for k, weight in enumerate(tf.unstack(weights, axis=-1)):
        # What lies beyond has weight 0.
        line = tf.cast(tf.gather(lines, tf.minimum(first + k, count - 1)), "float32")
        part = weight[..., None] * line
        total = part if total is None else total + part
    return total


def taps(side: int, size: int, interpolation: str) -> tuple[np.ndarray, np.ndarray]:
    """Of what each pixel is the sum where a window of any length is resized, along one axis.

    It is what `ScaleAndTranslate` computes, operation by operation, in float32: a triangle, or
    Keys's cubic, about the pixel's place in the window, as wide as the window is reduced. Within a
    graph TensorFlow would round its divisions otherwise.

    Args:
        side: of the images; the longest window.
        size: of what it becomes.
        interpolation: "bilinear" or "bicubic".

    Returns:
        for every length from 0 to `side` int32 (side + 1, size), the first pixel of the window that
        counts, and float32 (side + 1, size, K), the weights of this and the following ones.
    """
    radius, kernel = KERNELS[interpolation]
    most = 2 * math.ceil(radius * max(side / size, 1.0)) + 1
    one, half = np.float32(1), np.float32(0.5)
    length = np.maximum(np.arange(side + 1), 1)[:, None]
    inverse = one / (np.float32(size) / length.astype("float32"))
    wide = np.maximum(inverse, one)
    place = (np.arange(size, dtype="float32") + half) * inverse
    first = np.ceil(place - radius * wide - half).astype("int32").clip(0, length - 1)
    last = np.floor(place + radius * wide - half).astype("int32").clip(0, length - 1)
    pixels = first[..., None] + np.arange(most)
    distance = np.abs(
        (pixels.astype("float32") + half - place[..., None]) * (one / wide)[..., None]
    )
    weights = np.where(pixels <= last[..., None], kernel(distance), np.float32(0))
    total = np.zeros_like(place)
    for k in range(most):  # in this order
        total = total + weights[..., k]
    return first.astype("int32"), weights * (one / total)[..., None]


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.where(x < 1, 1 - x, 0).astype("float32")


def _cubic(x: np.ndarray) -> np.ndarray:
    a, b, c, d = (np.float32(each) for each in (1.5, 2.5, 0.5, 4.0))
    near = ((a * x - b) * x) * x + 1
    far = ((-c * x + b) * x - d) * x + 2
    return np.where(x >= 2, 0, np.where(x >= 1, far, near)).astype("float32")


KERNELS = {"bilinear": (np.float32(1), _triangle), "bicubic": (np.float32(2), _cubic)}

"""Boxes in a view: random erasing, and which pixels lie in one."""

import math
from typing import Any

import tensorflow as tf

AREA = (0.02, 1 / 3)  # of what is erased, as a share of the view
ASPECT = (0.3, 1 / 0.3)  # height / width


def erase(view: Any, probability: float, seed: Any) -> Any:
    """Fills a random box with noise, in some of the views (Zhong et al. 2020, arXiv:1708.04896).

    The noise is uniform, every pixel and channel for itself, as in the paper; box and noise are the
    same in all frames. A box longer than the view is cut off there.

    Args:
        view: float32 ([T,] S, S, 3), 0..255.
        probability: of a box.
        seed: int64 (2,).

    Returns:
        float32 of the same shape.
    """
    size = view.shape[-2]
    box_seed, noise_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    chance, area, aspect, top, left = tf.unstack(tf.random.stateless_uniform((5,), box_seed))

    def erased() -> Any:
        share = AREA[0] + (AREA[1] - AREA[0]) * area
        ratio = tf.exp(math.log(ASPECT[0]) + math.log(ASPECT[1] / ASPECT[0]) * aspect)
        sides = size * tf.sqrt(share * tf.stack([ratio, 1 / ratio]))
        sides = tf.clip_by_value(tf.round(sides), 1.0, float(size))
        corner = tf.floor((size - sides + 1) * tf.stack([top, left]))
        noise = tf.random.stateless_uniform((size, size, 3), noise_seed, 0.0, 255.0)
        return tf.where(inside(size, corner, corner + sides), noise, view)

    return tf.cond(chance < probability, erased, lambda: view)


def inside(size: int, start: Any, end: Any) -> Any:
    """Which pixels of a square lie from `start` to before `end`, (row, column): (S, S, 1)."""
    place = tf.range(float(size))
    rows, columns = ((place >= start[i]) & (place < end[i]) for i in (0, 1))
    return (rows[:, None] & columns)[..., None]

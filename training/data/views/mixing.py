"""MixUp and CutMix: examples that are mixed by pairs, with their labels.

The examples at the positions 2i and 2i + 1 of an epoch are each other's partners; its order is
random, so the pairs are. A part of a batch that begins and ends with whole pairs is mixed as it is
in the whole batch, whoever computes it.

- MixUp (Zhang et al. 2018, arXiv:1710.09412): w · own + (1 - w) · partner's, w from Beta(α, α).
- CutMix (Yun et al. 2019, arXiv:1905.04899): a box of the partner's pixels in the own ones. Its
  sides are √(1 - w) of the view's, its middle is anywhere, and what lies outside is cut off.

Labels are mixed by the share of the pixels. w and the box are drawn for every pair, and are the
same for all frames of a clip: what one of the two examples loses the other one gets, so that an
epoch shows as much of each. Which of the two it is, where a recipe has both, is drawn for every
batch.
"""

from typing import Any

import tensorflow as tf

from a2keras.training.config import Recipe
from a2keras.training.data.views.boxes import inside


def mix(views: Any, labels: Any, recipe: Recipe, seed: Any, batch_seed: Any) -> tuple[Any, Any]:
    """Mixes two examples with each other.

    Args:
        views: float32 (2, [T,] S, S, 3).
        labels: float32 (2, classes).
        recipe: its `mixup` and `cutmix`, at least one of them above 0.
        seed: int64 (2,), of the pair.
        batch_seed: int64 (2,), the same in all of a batch.

    Returns:
        views and labels as they were, mixed.
    """
    both = recipe.mixup > 0 and recipe.cutmix > 0
    cut = tf.random.stateless_uniform((), batch_seed) < 0.5 if both else recipe.cutmix > 0
    weights, share = kept_of(recipe, views.shape[-2], seed, cut)
    return tuple(
        w * own + (1 - w) * tf.reverse(own, [0]) for w, own in ((weights, views), (share, labels))
    )


def kept_of(recipe: Recipe, size: int, seed: Any, cut: Any) -> tuple[Any, Any]:
    """How much of every pixel is an example's own: float (S, S, 1), and the mean of that."""

    def blend() -> tuple[Any, Any]:
        weight = symmetric_beta(recipe.mixup, seed)
        return tf.fill((size, size, 1), weight), weight

    def box() -> tuple[Any, Any]:
        draws = tf.random.stateless_uniform((2,), tf.random.experimental.stateless_fold_in(seed, 1))
        half = size * tf.sqrt(1 - symmetric_beta(recipe.cutmix, seed)) / 2
        start, end = (tf.round(size * draws + each) for each in (-half, half))
        outside = 1 - tf.cast(inside(size, start, end), "float32")
        return outside, tf.reduce_sum(outside) / size**2

    if isinstance(cut, bool):
        return box() if cut else blend()
    return tf.cond(cut, box, blend)


def symmetric_beta(alpha: float, seed: Any) -> Any:
    """One number of Beta(α, α), float32.

    It is X / (X + Y), X and Y of Gamma(α). For small α they are too small for any float, but not
    their logarithms: Gamma(α) is Gamma(α + 1) · U^(1/α), U uniform.
    """
    gamma_seed, seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    x, y = tf.unstack(tf.random.stateless_gamma((2,), gamma_seed, alpha + 1.0, dtype=tf.float64))
    u, v = tf.unstack(1 - tf.random.stateless_uniform((2,), seed, dtype=tf.float64))
    logit = tf.math.log(x) - tf.math.log(y) + (tf.math.log(u) - tf.math.log(v)) / alpha
    return tf.cast(tf.sigmoid(logit), "float32")

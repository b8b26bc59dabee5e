"""From examples to batches, in an order that only the seed, the epoch and the step decide."""

import functools
import os
from typing import Any

import numpy as np
import tensorflow as tf

from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data.augmentation import random_view
from a2keras.training.data.balance import balanced_order
from a2keras.training.data.mixing import mix
from a2keras.training.data.source import Examples

# Examples made at a time, by as many threads: two for every core, since some wait for the disk or
# for Python. TensorFlow's own tuning begins with one and needs half a minute to find that out.
PARALLEL = 2 * (os.cpu_count() or 1)
READ_AT_ONCE = 8  # examples; a read needs Python's lock, and two of them are under way


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch goes through `count` examples: int64 (count,)."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def order_of(examples: Examples, recipe: Recipe, epoch: int) -> np.ndarray:
    """The examples that an epoch shows, in its order, as the recipe samples: int64 (count,)."""
    if recipe.sampling == "balanced":
        return balanced_order(np.asarray(examples.labels), recipe.seed, epoch)
    return epoch_order(len(examples), recipe.seed, epoch)


def steps_per_epoch(recipe: Recipe, count: int) -> int:
    """Batches of an epoch: what the recipe asks for, at most what `count` examples fill."""
    full = count // recipe.batch_size
    return min(recipe.steps_per_epoch or full, full)


def training_batches(
    examples: Examples,
    recipe: Recipe,
    preprocessing: Preprocessing,
    first_step: int = 0,
    shard: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """The batches of the steps `first_step`, `first_step` + 1, … to the end of the run.

    Each epoch has `steps_per_epoch` batches, each of `accumulate` micro-batches. What it leaves
    over is left to chance, since every epoch has its own order. Order and augmentation are
    functions of (seed, epoch, position in the epoch) alone: a batch is the same wherever the run
    began, and however it is dealt out.

    Args:
        examples: to train on.
        recipe: its order, its batches and its augmentation.
        preprocessing: of the network.
        first_step: step of the run, counted from 0 through all epochs.
        shard: (i, n): of every micro-batch only the i-th of n equal parts, for the i-th of n
            workers. The n parts one after the other are the micro-batch.

    Yields:
        (pixels, labels), micro-batch by micro-batch: float32 (micro-batch / n, *input_shape),
        values 0..255, and float32 (micro-batch / n, classes), rows with the sum 1: one-hot where
        no examples are mixed.

    Raises:
        ValueError: a shard that does not exist, or a micro-batch that the shards do not divide.
    """
    part, parts = shard
    micro = recipe.batch_size // recipe.accumulate
    pairs = recipe.mixes and parts > 1  # one worker sees all of them, wherever they lie
    if not 0 <= part < parts or micro % (2 * parts if pairs else parts):
        raise ValueError(
            "`shard` must be (i, n) with 0 <= i < n, and n must divide the batch"
            f"{', into whole pairs' * pairs}. Received: shard={shard}, batch_size={micro}"
        )
    steps = steps_per_epoch(recipe, len(examples))
    size = micro // parts

    def places(epoch: Any) -> tuple[np.ndarray, np.ndarray]:
        """Positions in the epoch and the examples there, from the first step on."""
        first = max(first_step - int(epoch) * steps, 0)
        every = np.arange(steps * recipe.batch_size)
        grid = every.reshape(steps, recipe.accumulate, parts, size)
        positions = grid[first:, :, part].ravel()
        return positions, order_of(examples, recipe, int(epoch))[positions]

    def positions(epoch: Any) -> tf.data.Dataset:
        position, index = tf.numpy_function(places, [epoch], ("int64", "int64"))
        position.set_shape((None,))
        index.set_shape((None,))
        pairs = tf.data.Dataset.from_tensor_slices((position, index))
        return pairs.map(lambda position, index: (epoch, position, index))

    labels = tf.constant(examples.labels)

    def example(epoch: Any, position: Any, index: Any, key: Any) -> tuple[Any, ...]:
        view = random_view(examples, key, recipe, preprocessing, seed_of(recipe, epoch, position))
        place = (epoch, position) if recipe.mixes else ()
        return view, tf.one_hot(labels[index], len(preprocessing.labels)), *place

    first_epoch = first_step // steps if steps else recipe.epochs
    order = tf.data.Dataset.range(first_epoch, recipe.epochs).flat_map(positions)
    keyed = order.batch(READ_AT_ONCE).map(lambda *those: (*those, examples.keys(those[-1])), 2)
    made = keyed.unbatch().map(example, PARALLEL)
    if recipe.mixes:  # before there are batches, whose size may be odd
        mixed = functools.partial(mixed_pair, recipe)
        made = made.batch(2, drop_remainder=True).map(mixed, PARALLEL).unbatch()
    batches = made.batch(size, drop_remainder=True)
    options = tf.data.Options()
    options.threading.private_threadpool_size = PARALLEL
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)


def seed_of(recipe: Recipe, epoch: Any, position: Any) -> Any:
    """The seed of a view by its place in the run, so that it is the same after a resume."""
    return tf.random.experimental.stateless_fold_in([recipe.seed, epoch], position)


def mixed_pair(
    recipe: Recipe, views: Any, labels: Any, epochs: Any, positions: Any
) -> tuple[Any, Any]:
    """Two neighbours in an epoch, views (2, *input_shape) and labels (2, classes), mixed."""
    fold_in = tf.random.experimental.stateless_fold_in
    epoch, position = epochs[0], positions[0]
    seed = fold_in(seed_of(recipe, epoch, position), 6)
    batch_seed = fold_in(seed_of(recipe, epoch, position // recipe.batch_size), 7)
    return mix(views, labels, recipe, seed, batch_seed)


def first_views(
    examples: Examples, recipe: Recipe, preprocessing: Preprocessing, count: int
) -> np.ndarray:
    """The first views of a run's first epoch: float32 (count, *input_shape), values 0..255.

    One by one: for a few, a pipeline would take longer to build than to run.
    """
    order = order_of(examples, recipe, 0)[:count]
    places = tf.constant([[0, i] for i in range(count)], "int64")
    views = [
        random_view(examples, key, recipe, preprocessing, seed_of(recipe, *place))
        for key, place in zip(examples.keys(order), places, strict=True)
    ]
    if recipe.mixes:
        labels = tf.one_hot(examples.labels[order], len(preprocessing.labels))
        for i in range(0, count - 1, 2):
            pair = slice(i, i + 2)
            epochs, positions = tf.unstack(places[pair], axis=1)
            views[pair], _ = mixed_pair(
                recipe, tf.stack(views[pair]), labels[pair], epochs, positions
            )
    return np.stack([view.numpy() for view in views])


def plain_batches(
    examples: Examples,
    batch_size: int,
    preprocessing: Preprocessing,
    indices: np.ndarray | None = None,
) -> tf.data.Dataset:
    """The middle views of the examples `indices`, of all in order by default, without chance.

    Yields:
        (pixels, labels) as `training_batches`; the last batch may be smaller.
    """
    labels = tf.constant(examples.labels)

    def example(index, key):
        frames = examples.load_clip(key, preprocessing.indices)
        view = tf.ensure_shape(preprocessing.crop(frames), preprocessing.input_shape)
        return tf.cast(view, "float32"), tf.one_hot(labels[index], len(preprocessing.labels))

    indices = np.arange(len(examples)) if indices is None else indices
    order = tf.data.Dataset.from_tensor_slices(indices).batch(READ_AT_ONCE)
    keyed = order.map(lambda indices: (indices, examples.keys(indices)), 2).unbatch()
    return keyed.map(example, PARALLEL).batch(batch_size).prefetch(tf.data.AUTOTUNE)

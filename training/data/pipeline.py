"""From examples to batches, in an order that only the seed, the epoch and the step decide."""

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data.balance import balanced_order
from a2keras.training.data.labels import targets
from a2keras.training.data.source import Examples
from a2keras.training.data.views.augmentation import random_view
from a2keras.training.data.views.batched import at_once, random_views
from a2keras.training.data.views.mixing import mix

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
    """Batches of an epoch: what the recipe asks for, at most what it takes to show `count`."""
    all_of_them = -(-count // recipe.batch_size)
    return min(recipe.steps_per_epoch or all_of_them, all_of_them)


def with_equal_batches(recipe: Recipe, count: int, unit: int = 1) -> Recipe:
    """The recipe with the batch size by which an epoch shows all of `count` examples.

    As few batches as `batch_size` allows, all of one size: a last one of a single example would
    give no statistics to batch normalisation, and one of another size is compiled anew. Where an
    epoch has fewer `steps_per_epoch` than that, nothing changes.

    Args:
        unit: what the size must be divisible by; it divides `recipe.batch_size`.
    """
    steps = steps_per_epoch(recipe, count)
    if steps * recipe.batch_size < count:
        return recipe
    size = -(-count // (steps * unit)) * unit
    return dataclasses.replace(recipe, batch_size=size)


def training_batches(
    examples: Examples,
    recipe: Recipe,
    preprocessing: Preprocessing,
    first_step: int = 0,
    shard: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """The batches of the steps `first_step`, `first_step` + 1, … to the end of the run.

    Each epoch has `steps_per_epoch` batches, each of `accumulate` micro-batches. The places that
    are left in the last of them go to the epoch's first examples once more, in other views. Order
    and augmentation are functions of (seed, epoch, position in the epoch) alone: a batch is the
    same wherever the run began, and however it is dealt out.

    Args:
        examples: to train on.
        recipe: its order, its batches and its augmentation.
        preprocessing: of the network.
        first_step: step of the run, counted from 0 through all epochs.
        shard: (i, n): of every micro-batch only the i-th of n equal parts, for the i-th of n
            workers. The n parts one after the other are the micro-batch.

    Yields:
        (pixels, labels), micro-batch by micro-batch: float32 (micro-batch / n, *input_shape),
        values 0..255, and float32 (micro-batch / n, classes), see `labels.targets`, but where
        examples are mixed.

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
        order = order_of(examples, recipe, int(epoch))
        return positions, order[positions % len(order)]

    def positions(epoch: Any) -> tf.data.Dataset:
        position, index = tf.numpy_function(places, [epoch], ("int64", "int64"))
        position.set_shape((None,))
        index.set_shape((None,))
        return tf.data.Dataset.from_tensor_slices(
            (tf.fill(tf.shape(index), epoch), position, index)
        )

    first_epoch = first_step // steps if steps else recipe.epochs
    epochs = tf.data.Dataset.range(first_epoch, recipe.epochs)
    images, rows = examples.stacked() or (None, np.empty(0, "int64"))
    if recipe.fit == "crop" and (
        count := at_once(images, recipe.size, steps * recipe.batch_size // parts)
    ):
        together = epochs.flat_map(lambda epoch: positions(epoch).batch(count))
        views = many_views(images, rows, examples.labels, recipe, preprocessing, count)
        batches = together.map(views, PARALLEL).rebatch(size, drop_remainder=True)
    else:
        order = epochs.flat_map(positions)
        batches = _one_by_one(order, examples, recipe, preprocessing, size)
    options = tf.data.Options()
    options.threading.private_threadpool_size = PARALLEL
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)


def many_views(
    images: Any,
    rows: np.ndarray,
    labels: np.ndarray,
    recipe: Recipe,
    preprocessing: Preprocessing,
    count: int,
) -> Callable[..., tuple[Any, Any]]:
    """Makes the views of places in an epoch together, of images of one size in memory.

    Args:
        images: uint8 (M, H, W, 3).
        rows: int64 (N,), which of them is each example.
        labels: see `labels`.
        count: of views, at most; even.

    Returns:
        a function of epochs, positions and examples (b,), of one epoch, to the views and labels.
    """
    rows, target = tf.constant(rows), targets(labels, len(preprocessing.labels))

    def made(epochs: Any, positions: Any, indices: Any) -> tuple[Any, Any]:
        here = tf.shape(indices)[0]
        padding = [[0, count - here]]  # the last ones of an epoch may be fewer
        filled = (tf.pad(each, padding) for each in (positions, indices))
        places, chosen = (tf.ensure_shape(each, (count,)) for each in filled)
        # The first number of `seed_of` is the epoch's, the second is the position.
        of_epoch = seed_of(recipe, epochs[0], places[0])[0]
        seeds = tf.stack([tf.fill((count,), of_epoch), places], axis=1)
        views = random_views(images, tf.gather(rows, chosen), recipe, seeds)
        shares = target(chosen)
        if recipe.mixes:
            views, shares = _mixed_pairs(recipe, views, shares, epochs[0], places)
        return first(views, here), first(shares, here)

    def first(x: Any, here: Any) -> Any:
        # Copied, not cut off: of a part of another tensor TensorFlow prints that it "is not
        # reliable" when batches are made of it.
        return tf.cond(here < count, lambda: tf.gather(x, tf.range(here)), lambda: x)

    return made


def _mixed_pairs(recipe: Recipe, views: Any, labels: Any, epoch: Any, positions: Any) -> Any:
    """As `mixed_pair`, of all neighbours in (b, size, size, 3), (b, classes) and (b,)."""
    pairs = [tf.reshape(x, (-1, 2, *x.shape[1:])) for x in (views, labels, positions)]
    mixed = tf.map_fn(
        lambda pair: mixed_pair(recipe, pair[0], pair[1], tf.fill((2,), epoch), pair[2]),
        tuple(pairs),
        fn_output_signature=tuple(tf.TensorSpec(x.shape[1:], "float32") for x in pairs[:2]),
    )
    return tuple(tf.reshape(x, like.shape) for x, like in zip(mixed, (views, labels), strict=True))


def _one_by_one(
    order: tf.data.Dataset,
    examples: Examples,
    recipe: Recipe,
    preprocessing: Preprocessing,
    size: int,
) -> tf.data.Dataset:
    """Batches of the places (epoch, position, example) of a run, each view by itself."""
    target = targets(examples.labels, len(preprocessing.labels))

    def example(epoch: Any, position: Any, index: Any, key: Any) -> tuple[Any, ...]:
        view = random_view(examples, key, recipe, preprocessing, seed_of(recipe, epoch, position))
        place = (epoch, position) if recipe.mixes else ()
        return view, target(index), *place

    keyed = order.batch(READ_AT_ONCE).map(lambda *those: (*those, examples.keys(those[-1])), 2)
    made = keyed.unbatch().map(example, PARALLEL)
    if recipe.mixes:  # before there are batches, whose size may be odd
        mixed = functools.partial(mixed_pair, recipe)
        made = made.batch(2, drop_remainder=True).map(mixed, PARALLEL).unbatch()
    return made.batch(size, drop_remainder=True)


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
        labels = targets(examples.labels, len(preprocessing.labels))(order)
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
    target = targets(examples.labels, len(preprocessing.labels))
    indices = np.arange(len(examples)) if indices is None else indices
    order = tf.data.Dataset.from_tensor_slices(indices)
    images, rows = examples.stacked() or (None, np.empty(0, "int64"))
    if count := at_once(images, preprocessing.size, len(indices)):
        rows = tf.constant(rows)

        def together(indices: Any) -> tuple[Any, Any]:  # as the frames of a clip are cut
            views = preprocessing.crop(tf.gather(images, tf.gather(rows, indices)))
            views = tf.cast(tf.ensure_shape(views, (None, *preprocessing.input_shape)), "float32")
            return views, target(indices)

        made = order.batch(count).map(together, PARALLEL)
        return made.rebatch(batch_size).prefetch(tf.data.AUTOTUNE)

    def example(index, key):
        frames = examples.load_clip(key, preprocessing.indices)
        view = tf.ensure_shape(preprocessing.crop(frames), preprocessing.input_shape)
        return tf.cast(view, "float32"), target(index)

    keyed = (
        order.batch(READ_AT_ONCE)
        .map(lambda indices: (indices, examples.keys(indices)), 2)
        .unbatch()
    )
    return keyed.map(example, PARALLEL).batch(batch_size).prefetch(tf.data.AUTOTUNE)

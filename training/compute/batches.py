"""What each worker and each replica takes of the batches: equal parts, in a fixed order."""

import os
from typing import Any

import numpy as np
import tensorflow as tf

from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data.pipeline import plain_batches, training_batches
from a2keras.training.data.source import Examples


def training_part(
    examples: Examples,
    recipe: Recipe,
    preprocessing: Preprocessing,
    first_step: int,
    shard: tuple[int, int],
    local: int,
) -> tf.data.Dataset:
    """A worker's part of the micro-batches from step `first_step` on, dealt out to its replicas.

    Args:
        shard: number of the worker, and how many there are.
        local: replicas of the worker, which take turns.

    Yields:
        what `training_batches` yields, for one replica and one micro-batch. The micro-batches of a
        step together are its batch.
    """
    batches = training_batches(examples, recipe, preprocessing, first_step, shard)
    if local == 1:
        return batches
    size = recipe.batch_size // recipe.accumulate // shard[1] // local
    return batches.rebatch(size, drop_remainder=True)


def validation_part(
    examples: Examples,
    preprocessing: Preprocessing,
    size: int,
    shard: tuple[int, int],
    local: int,
) -> tf.data.Dataset:
    """A worker's part of all examples, in batches of `size` for each of its replicas.

    Every replica gets the same number of full batches. Those that there are no examples for are
    filled up with zeros; a row of -1 for a label is no example.
    """
    worker, workers = shard
    rounds = validation_rounds(len(examples), size, workers, local)
    own = np.arange(worker, len(examples), workers)
    batches = plain_batches(examples, size, preprocessing, own)
    pixels, labels = batches.element_spec
    empty = tf.data.Dataset.from_tensors(
        (tf.zeros((size, *pixels.shape[1:])), tf.fill((size, *labels.shape[1:]), -1.0))
    )

    def fill(pixels: Any, labels: Any) -> tuple[Any, Any]:
        missing = size - tf.shape(labels)[0]
        filled = [
            tf.pad(x, [[0, missing]] + [[0, 0]] * (len(x.shape) - 1), constant_values=value)
            for x, value in ((pixels, 0), (labels, -1))
        ]
        return tuple(tf.ensure_shape(x, (size, *x.shape[1:])) for x in filled)

    full = batches.map(fill, tf.data.AUTOTUNE).concatenate(empty.repeat())
    return full.take(rounds * local).prefetch(tf.data.AUTOTUNE)


def validation_rounds(count: int, size: int, workers: int, local: int) -> int:
    """Batches that each replica gets of `count` examples."""
    most = -(-count // workers)  # of any worker
    return -(-most // (size * local))


def input_options() -> tf.data.Options:
    """Reads on all cores from the start, without the thread that would look for a better number.

    An iterator waits for this thread when it goes, and the thread may sleep: a TensorFlow race,
    seen with 2.21, by which a run took up to a minute longer.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.autotune.initial_parallelism = os.cpu_count() or 1
    return options

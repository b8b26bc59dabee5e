"""Batch normalisation's statistics for evaluation: measured, not a running average."""

import dataclasses
from collections.abc import Iterator

import keras
import numpy as np

from a2keras.errors import UserError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.computation import Computation
from a2keras.training.data.source import readable
from a2keras.training.run import Run


def precise_statistics(computation: Computation, batches: Iterator, count: int) -> None:
    """Sets mean and variance of every batch normalisation to those over `count` batches.

    The weights stay as they are meanwhile, whereas a running average mixes the statistics of many
    weights. Over all batches the variance is that within the batches plus that of their means:
    Σ (variance + mean²) / count − (Σ mean / count)².

    Args:
        computation: whose moving statistics are set, on every replica.
        batches: of its `training_iterator`.
        count: how many to look at.
    """
    layers = computation.normalizations()
    means = [layer.moving_mean for layer in layers]
    variances = [layer.moving_variance for layer in layers]
    sums = [np.zeros(v.shape) for v in means]
    squares = [np.zeros(v.shape) for v in means]
    for _ in range(count):
        computation.statistics_step(batches)
        for i, (mean, variance) in enumerate(
            zip(computation.read(means), computation.read(variances), strict=True)
        ):
            sums[i] += mean
            squares[i] += variance + np.square(mean, dtype="float64")
    computation.write([total / count for total in sums], means)
    computation.write(
        [s / count - (t / count) ** 2 for s, t in zip(squares, sums, strict=True)], variances
    )


def with_precise_statistics(
    run: Run, preprocessing: Preprocessing, model: keras.Model, count: int
) -> keras.Model:
    """A finished run's model with the statistics of its last `count` training batches.

    Args:
        run: whose training examples are read again.
        preprocessing: of the run.
        model: with the run's weights; it stays as it is.
        count: of batches.

    Raises:
        UserError: the data are not there any more, or are not those of the run, or the model is
            another network than the recipe's.
    """
    from a2keras.training.data import open_source
    from a2keras.training.data.pipeline import steps_per_epoch
    from a2keras.training.distribution import computation_for

    recipe = dataclasses.replace(run.recipe, precision="float32", jit_compile=False)
    source = open_source(recipe)
    run.check_data(source.fingerprint)
    examples = source.splits["train"]
    steps = steps_per_epoch(recipe, len(examples))
    computation = computation_for("none")
    computation.build(recipe, preprocessing, steps)
    try:
        computation.model.set_weights(model.get_weights())
    except ValueError as error:
        raise UserError(
            f"{run.model_path} is not the network {recipe.model} that its recipe.json names"
        ) from error
    end = (len(run.history()) or recipe.epochs) * steps  # patience may have ended it before
    count = min(count, end)
    computation.enter(end - 1)
    with readable(recipe.data):
        batches = computation.training_iterator(examples, end - count)
        precise_statistics(computation, batches, count * recipe.accumulate)
    return computation.model

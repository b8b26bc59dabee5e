"""Batch normalisation's statistics for evaluation: measured, not a running average."""

from collections.abc import Iterator

import numpy as np

from a2keras.training.compute.computation import Computation


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

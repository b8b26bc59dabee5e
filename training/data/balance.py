"""Classes that are not equally large: their weights in the loss, or their share of an epoch."""

import numpy as np


def class_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """Weights with which every class counts as much, n / (k · n_c) for k classes of n_c examples.

    Their mean over the examples is 1. A class without examples does not count among the k.

    Args:
        labels: (n,), from 0.
        classes: their number.

    Returns:
        float32 (classes,); 0 for a class without examples.
    """
    counts = np.bincount(labels, minlength=classes)
    present = max(np.count_nonzero(counts), 1)
    weights = len(labels) / (present * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0).astype("float32")


def balanced_order(labels: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """An epoch in which every class is shown equally often: int64 (n,), indices of examples.

    The classes come in rounds, each of them once in a round, in an order that chance decides. A
    class goes through all of its examples, in a new order each time, before one comes again.
    """
    random = np.random.default_rng([seed, epoch])
    present = np.unique(labels)
    rounds = -(-len(labels) // len(present))
    turns = random.permuted(np.tile(present, (rounds, 1)), axis=1).ravel()[: len(labels)]
    order = np.empty(len(labels), "int64")
    for each in present:
        places, members = np.flatnonzero(turns == each), np.flatnonzero(labels == each)
        times = -(-len(places) // len(members))
        passes = [random.permutation(members) for _ in range(times)]
        order[places] = np.concatenate([*passes, members[:0]])[: len(places)]
    return order

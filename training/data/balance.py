"""Classes that are not equally large: an equal share of an epoch for each."""

import numpy as np


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

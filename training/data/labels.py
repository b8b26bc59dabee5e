"""Labels of examples: of each the number of its one class, or which of all classes it has.

The first are int64 (N,), the second, of multi-label data, bool (N, classes). Whoever asks for one
of the functions here need not know which.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

SEPARATOR = "|"  # between the names of an example's labels, wherever they are one text


def are_sets(labels: np.ndarray) -> bool:
    """Whether examples have any number of labels, not one class each."""
    return labels.ndim == 2


def counts(labels: np.ndarray, classes: int) -> np.ndarray:
    """How many examples every class has: int64 (classes,)."""
    if are_sets(labels):
        return labels.sum(axis=0, dtype="int64")
    return np.bincount(labels, minlength=classes)


def kinds(labels: np.ndarray) -> np.ndarray:
    """Numbers that are equal where all labels are: int64 (N,)."""
    if not are_sets(labels):
        return labels
    return np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1).astype("int64")


def renumbered(labels: np.ndarray, numbers: np.ndarray, classes: int) -> np.ndarray:
    """The labels by other numbers of their classes.

    Args:
        labels: of the old numbers.
        numbers: int (old classes,), the new number of each; -1 of one that no example has.
        classes: how many there are of the new ones.
    """
    if not are_sets(labels):
        return numbers[labels]
    found = np.zeros((len(labels), classes), bool)
    known = numbers >= 0
    found[:, numbers[known]] = labels[:, known]
    return found


def names_of(labels: np.ndarray, classes: Sequence[str]) -> list[tuple[str, ...]]:
    """What the labels of every example are called, in the order of the classes."""
    if not are_sets(labels):
        return [(classes[label],) for label in labels.tolist()]
    return [tuple(classes[i] for i in np.flatnonzero(row).tolist()) for row in labels]


def targets(labels: np.ndarray, classes: int) -> Callable[[Any], Any]:
    """From indices of examples, within a tf.data graph, to what a network is to say of them:
    float32 (..., classes), one-hot or as many ones as there are labels."""
    import tensorflow as tf

    known, several = tf.constant(labels), are_sets(labels)

    def of(indices: Any) -> Any:
        found = tf.gather(known, indices)
        return tf.cast(found, "float32") if several else tf.one_hot(found, classes)

    return of

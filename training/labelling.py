"""What a network learns to say: one class of every example, or of each label whether it is there.

All that a training does otherwise for the two is here: loss, figures, and the weights of classes.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from a2keras.models.preprocessing.spec import THRESHOLD
from a2keras.training.config import Recipe


class Labelling(ABC):
    """How examples are labelled.

    Attributes:
        figure: what an epoch tells of its training examples besides the loss.
        figures: of an epoch, in the order in which they are told and drawn; `validation_` before
            one is the validation's.
        keeps_outputs: whether a validation looks at all outputs together, not only at sums.
    """

    figure: str
    figures: tuple[str, ...]
    keeps_outputs: bool

    # The first two are traced, on a replica: keras.ops alone.

    @abstractmethod
    def losses(self, labels: Any, outputs: Any, smoothing: float, weights: Any = None) -> Any:
        """The loss of every example, (b,).

        Args:
            labels: float32 (b, classes), mixed where examples are.
            outputs: float32 (b, classes), probabilities.
            smoothing: the recipe's `label_smoothing`.
            weights: of the classes, see `class_weights`.
        """

    @abstractmethod
    def right(self, labels: Any, outputs: Any) -> tuple[Any, Any]:
        """What of every example is right, and of how much: (b,), (b,). The share of the sums is
        `figure`."""

    @abstractmethod
    def class_weights(self, labels: np.ndarray, classes: int) -> np.ndarray:
        """Weights with which every class counts as much: float32 (classes,)."""

    def of_outputs(self, labels: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        """What all outputs together tell, by name: of float (N, classes) and (N, classes)."""
        return {}


class OneClass(Labelling):
    """Every example is of one class: softmax, cross-entropy, accuracy."""

    figure, figures = "accuracy", ("accuracy",)
    keeps_outputs = False

    def losses(self, labels: Any, outputs: Any, smoothing: float, weights: Any = None) -> Any:
        import keras

        losses = keras.losses.categorical_crossentropy(labels, outputs, label_smoothing=smoothing)
        return losses if weights is None else losses * keras.ops.sum(labels * weights, -1)

    def right(self, labels: Any, outputs: Any) -> tuple[Any, Any]:
        from keras import ops

        correct = ops.cast(ops.equal(ops.argmax(labels, -1), ops.argmax(outputs, -1)), "float32")
        return correct, ops.ones_like(correct)

    def class_weights(self, labels: np.ndarray, classes: int) -> np.ndarray:
        """n / (k · n_c) for k classes of n_c examples, whose mean over the n examples is 1.

        A class without examples does not count among the k, and has 0.
        """
        counts = np.bincount(labels, minlength=classes)
        present = max(np.count_nonzero(counts), 1)
        weights = len(labels) / (present * np.maximum(counts, 1))
        return np.where(counts > 0, weights, 0).astype("float32")


class AnyLabels(Labelling):
    """Every example has any number of labels: sigmoid, binary cross-entropy, mAP and F1.

    A label is said where its probability is at least `THRESHOLD`.
    """

    figure = "micro_f1"
    figures = ("micro_f1", "macro_f1", "mAP")
    keeps_outputs = True

    def losses(self, labels: Any, outputs: Any, smoothing: float, weights: Any = None) -> Any:
        """The mean over the classes of -w·y·log p - (1 - y)·log(1 - p), y smoothed to 1/2."""
        from keras import ops

        smoothed = labels * (1 - smoothing) + smoothing / 2
        losses = ops.binary_crossentropy(smoothed, outputs)
        if weights is not None:
            losses = losses * (1 + labels * (weights - 1))
        return ops.mean(losses, -1)

    def right(self, labels: Any, outputs: Any) -> tuple[Any, Any]:
        """Labels that are said rightly, and the mean of those that are said and those that are
        there: the share is F1 = 2·TP / (2·TP + FP + FN)."""
        from keras import ops

        there, said = (ops.cast(x >= THRESHOLD, "float32") for x in (labels, outputs))
        return ops.sum(there * said, -1), (ops.sum(there, -1) + ops.sum(said, -1)) / 2

    def class_weights(self, labels: np.ndarray, classes: int) -> np.ndarray:
        """(n - n_c) / n_c, of the examples that have a label: then they count as much as those
        without it. Of a label that no example has, or that all have, 1."""
        having = labels.sum(axis=0)
        lacking = len(labels) - having
        weights = lacking / np.maximum(having, 1)
        return np.where((having > 0) & (lacking > 0), weights, 1).astype("float32")

    def of_outputs(self, labels: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        if not np.isfinite(outputs).all():  # the loss is not, either
            return {}
        return {
            "mAP": mean_average_precision(labels, outputs),
            **{f"{kind}_f1": f1(labels, outputs, kind) for kind in ("micro", "macro")},
        }


def labelling_of(recipe: Recipe) -> Labelling:
    """How the examples of a recipe are labelled."""
    return AnyLabels() if recipe.multi_label else OneClass()


def words_of(figure: str) -> str:
    """A figure as people call it: `micro_f1` is micro F1."""
    return figure.replace("_f1", " F1").replace("_", " ")


def average_precisions(labels: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The average precision of every class, scikit-learn's; nan of one that no example has.

    Args:
        labels: (N, classes), whether each label is there.
        outputs: (N, classes), probabilities.
    """
    from sklearn.metrics import average_precision_score

    there = np.asarray(labels) >= THRESHOLD
    return np.array(
        [
            average_precision_score(of_class, scores) if of_class.any() else np.nan
            for of_class, scores in zip(there.T, np.asarray(outputs).T, strict=True)
        ]
    )


def mean_average_precision(labels: np.ndarray, outputs: np.ndarray) -> float:
    """mAP: the mean of `average_precisions` over the classes that occur; 0 where none does."""
    found = average_precisions(labels, outputs)
    found = found[~np.isnan(found)]
    return float(found.mean()) if found.size else 0.0


def f1(labels: np.ndarray, outputs: np.ndarray, average: str) -> float:
    """scikit-learn's F1, "micro" or "macro", over the classes that occur or are said."""
    from sklearn.metrics import f1_score

    there, said = (np.asarray(x) >= THRESHOLD for x in (labels, outputs))
    present = np.flatnonzero((there | said).any(axis=0))
    if not present.size:
        return 0.0
    # A class that is never there and never said: of one column alone scikit-learn takes "no" for
    # a class as well.
    there, said = (np.pad(x, ((0, 0), (0, 1))) for x in (there, said))
    return float(f1_score(there, said, labels=present, average=average, zero_division=0))

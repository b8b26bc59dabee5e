"""Classes of 2, 3 and 11 examples, and one of none."""

import dataclasses

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.compute.tensorflow import TensorFlowComputation
from a2keras.training.config import Recipe
from a2keras.training.data.balance import balanced_order
from a2keras.training.data.pipeline import training_batches
from a2keras.training.data.source import ArrayExamples
from a2keras.training.labelling import OneClass

LABELS = np.array([0] * 2 + [1] * 3 + [3] * 11)


def test_weights_let_every_class_count_as_much():
    weights = OneClass().class_weights(LABELS, 5)
    expected = [16 / (3 * 2), 16 / (3 * 3), 0, 16 / (3 * 11), 0]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights.dtype == "float32"
    assert weights[LABELS].mean() == pytest.approx(1)
    assert OneClass().class_weights(np.array([0, 1, 0, 1]), 2).tolist() == [1, 1]


def test_the_loss_is_weighted_and_the_scores_are_not():
    computation = TensorFlowComputation.__new__(TensorFlowComputation)
    computation.recipe = Recipe("mine", batch_size=7)
    computation.optimizer = type("Plain", (), {"scale_loss": lambda self, loss: loss})()
    computation.labelling = OneClass()
    computation.class_weights = OneClass().class_weights(LABELS, 4)
    classes = np.array([0, 1, 3, 3, 1])
    labels = np.eye(4, dtype="float32")[classes]
    p = np.random.default_rng(0).dirichlet(np.ones(4), 5).astype("float32")
    loss, numbers = computation.loss(labels, p, 0.0)
    losses = -np.log(p[np.arange(5), classes]) * computation.class_weights[classes]
    assert float(loss) == pytest.approx(losses.sum() / 7, rel=1e-5)
    assert float(numbers[0]) == pytest.approx(losses.sum(), rel=1e-5)
    assert float(numbers[1]) == (p.argmax(1) == classes).sum()
    plain = computation.validation_numbers(labels, p, 0.0)
    assert float(plain[0]) == pytest.approx(-np.log(p[np.arange(5), classes]).sum(), rel=1e-5)


def test_a_balanced_epoch_shows_every_class_equally_often():
    order = balanced_order(LABELS, 5, 0)
    shown = LABELS[order]
    assert sorted(np.unique(shown, return_counts=True)[1]) == [5, 5, 6]
    for turn in range(5):  # in rounds: batches are balanced too
        assert set(shown[3 * turn : 3 * turn + 3]) == {0, 1, 3}
    large = order[shown == 3]
    assert len(set(large)) == len(large)  # none twice where there are enough
    small = order[shown == 0]
    assert np.bincount(small).min() >= len(small) // 2
    assert balanced_order(LABELS, 5, 0).tolist() == order.tolist()
    assert balanced_order(LABELS, 5, 1).tolist() != order.tolist()
    assert balanced_order(LABELS, 6, 0).tolist() != order.tolist()


def test_over_epochs_every_example_of_a_class_is_shown():
    shown = np.concatenate([balanced_order(LABELS, 5, epoch) for epoch in range(7)])
    assert set(shown) == set(range(16))


def test_a_balanced_run_that_goes_on_sees_what_it_would_have_seen():
    pixels = np.random.default_rng(1).integers(0, 255, (16, 7, 11, 3), dtype="uint8")
    examples = ArrayExamples(pixels, LABELS, tuple(map(str, range(16))))
    recipe = Recipe("mine", size=5, epochs=3, batch_size=4, sampling="balanced", seed=2)
    spec = Preprocessing(("a", "b", "c", "d"), 5)
    whole = list(training_batches(examples, recipe, spec))
    later = list(training_batches(examples, recipe, spec, first_step=6))
    assert len(whole) == 12
    for a, b in zip(whole[6:], later, strict=True):
        assert np.array_equal(a[0], b[0])
        assert np.array_equal(a[1], b[1])
    shown = np.concatenate([labels.numpy().argmax(1) for _, labels in whole[:4]])
    assert shown.tolist() == LABELS[balanced_order(LABELS, 2, 0)].tolist()


def test_both_would_correct_twice():
    recipe = Recipe("mine", class_weights="balanced")
    with pytest.raises(UserError) as error:
        dataclasses.replace(recipe, sampling="balanced")
    assert str(error.value) == (
        "recipe field class_weights must be none where sampling=balanced. "
        "Received: class_weights=balanced"
    )

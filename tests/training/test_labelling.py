"""Losses and figures by hand, and beside scikit-learn's."""

import keras
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from a2keras.training.config import Recipe
from a2keras.training.labelling import (
    AnyLabels,
    OneClass,
    average_precisions,
    f1,
    labelling_of,
    mean_average_precision,
    words_of,
)

# Three classes; nobody has the third.
THERE = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]])
SAID = np.array([[0.9, 0.6, 0.1], [0.8, 0.7, 0.2], [0.4, 0.3, 0.3], [0.1, 0.5, 0.5]])


def test_average_precision_by_hand():
    """First class: ranks 1 (there), 2 (not), 3 (there): (1 + 2/3) / 2. Second: 0.7 there, 0.6 and
    0.5 not, 0.3 there: (1 + 2/4) / 2."""
    found = average_precisions(THERE, SAID)
    assert found[:2] == pytest.approx([(1 + 2 / 3) / 2, (1 + 2 / 4) / 2])
    assert np.isnan(found[2])
    assert mean_average_precision(THERE, SAID) == pytest.approx((5 / 6 + 3 / 4) / 2)
    assert mean_average_precision(np.zeros((4, 3)), SAID) == 0.0
    assert mean_average_precision(THERE, THERE) == 1.0


def test_f1_by_hand():
    """First class: 1 said rightly, 1 wrongly, 1 missing; second: 1 rightly, 2 wrongly, 1 missing;
    third: 1 wrongly."""
    assert f1(THERE, SAID, "micro") == pytest.approx(2 * 2 / (2 * 2 + 4 + 2))
    assert f1(THERE, SAID, "macro") == pytest.approx((2 / 4 + 2 / 5 + 0) / 3)
    nothing = np.zeros((4, 3))
    assert f1(nothing, nothing, "micro") == f1(nothing, nothing, "macro") == 0.0
    two = THERE[:, :2], SAID[:, :2] * 0.4  # a class that neither occurs nor is said does not count
    assert f1(THERE[:, [0, 1, 2]], np.c_[SAID[:, :2], [0, 0, 0, 0]], "macro") == pytest.approx(
        (2 / 4 + 2 / 5) / 2
    )
    assert f1(*two, "macro") == 0.0


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize("classes", [1, 3])
def test_where_one_class_occurs_f1_is_that_of_this_class(average, classes):
    """10 there, 5 of them said and nothing else: 2·5 / (2·5 + 0 + 5)."""
    there, said = np.zeros((2, 100, classes))
    there[:10, 0], said[:5, 0] = 1, 0.9
    assert f1(there, said, average) == pytest.approx(2 / 3)


def test_they_are_scikit_learns():
    random = np.random.default_rng(0)
    there = random.random((67, 5)) < 0.3
    said = np.round(random.random((67, 5)), 1)  # with ties
    assert there.any(axis=0).all()
    expected = average_precision_score(there, said, average="macro")
    assert mean_average_precision(there, said) == pytest.approx(expected)
    for kind in ("micro", "macro"):
        assert f1(there, said, kind) == pytest.approx(f1_score(there, said >= 0.5, average=kind))


def test_the_loss_by_hand():
    labels, outputs = THERE.astype("float32"), SAID.astype("float32")
    losses = AnyLabels().losses(labels, outputs, 0.0)
    entropies = -(THERE * np.log(SAID) + (1 - THERE) * np.log(1 - SAID))
    np.testing.assert_allclose(losses, entropies.mean(axis=1), rtol=1e-5)
    smoothed = 0.8 * THERE + 0.1
    entropies = -(smoothed * np.log(SAID) + (1 - smoothed) * np.log(1 - SAID))
    found = AnyLabels().losses(labels, outputs, 0.2)
    np.testing.assert_allclose(found, entropies.mean(axis=1), rtol=1e-5)
    keras_own = keras.losses.binary_crossentropy(labels, outputs, label_smoothing=0.2)
    np.testing.assert_allclose(found, keras_own, rtol=1e-5)


def test_weights_of_labels_by_hand():
    """Of 4 examples 2 have each of the first two, none the third: 2/2, 2/2 and 1."""
    assert AnyLabels().class_weights(THERE.astype(bool), 3).tolist() == [1, 1, 1]
    rare = np.array([[1, 1], [0, 1], [0, 1], [0, 1]], bool)
    weights = AnyLabels().class_weights(rare, 2)
    assert weights.tolist() == [3, 1]
    assert weights.dtype == "float32"
    p = np.array([[0.2, 0.5]], "float32")
    plain, weighted = (
        float(AnyLabels().losses(np.array([[1.0, 0.0]], "float32"), p, 0.0, each)[0])
        for each in (None, weights)
    )
    assert plain == pytest.approx((-np.log(0.2) - np.log(0.5)) / 2, rel=1e-5)
    assert weighted == pytest.approx((-3 * np.log(0.2) - np.log(0.5)) / 2, rel=1e-5)


def test_what_is_right_of_a_batch_is_its_f1():
    right, of = (np.array(each) for each in AnyLabels().right(THERE, SAID))
    assert right.tolist() == [1, 1, 0, 0]
    assert of.tolist() == [(1 + 2) / 2, (1 + 2) / 2, (2 + 0) / 2, (0 + 2) / 2]
    assert right.sum() / of.sum() == pytest.approx(f1(THERE, SAID, "micro"))
    right, of = (np.array(each) for each in OneClass().right(np.eye(3)[[0, 2, 1]], SAID[:3]))
    assert (right.tolist(), of.tolist()) == ([1, 0, 0], [1, 1, 1])


def test_which_of_the_two():
    assert isinstance(labelling_of(Recipe("mine")), OneClass)
    several = labelling_of(Recipe("mine", multi_label=True))
    assert isinstance(several, AnyLabels)
    assert several.of_outputs(THERE, np.full((4, 3), np.nan)) == {}  # the loss tells that
    assert several.of_outputs(THERE, SAID)["mAP"] == mean_average_precision(THERE, SAID)
    assert words_of("validation_micro_f1") == "validation micro F1"

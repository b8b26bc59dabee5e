"""Examples with any number of labels, dealt out to parts."""

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.training.data.splits import fold_numbers, stratified
from a2keras.training.data.stratification import held_out

RANDOM = np.random.default_rng(7)
LABELS = RANDOM.random((211, 5)) < [0.5, 0.3, 0.1, 0.05, 0.02]


def test_folds_have_equal_shares_of_every_label():
    numbers = fold_numbers(LABELS, np.arange(211), 5)
    assert sorted(set(numbers.tolist())) == [1, 2, 3, 4, 5]
    sizes = np.bincount(numbers)[1:]
    assert sizes.max() - sizes.min() <= 1
    for label in range(5):
        of_label = np.bincount(numbers, LABELS[:, label], 6)[1:]
        assert of_label.max() - of_label.min() <= 1, of_label
    plain = np.arange(211) % 5  # what chance gives is worse
    uneven = [np.ptp(np.bincount(plain, LABELS[:, label], 5)) for label in range(5)]
    assert max(uneven) > 3
    assert np.array_equal(numbers, fold_numbers(LABELS, np.arange(211), 5))


def test_groups_stay_whole():
    groups = np.sort(RANDOM.integers(0, 40, 211))
    numbers = fold_numbers(LABELS, groups, 4)
    for group in np.unique(groups):
        assert len(set(numbers[groups == group])) == 1
    for label in range(2):
        of_label = np.bincount(numbers, LABELS[:, label], 5)[1:]
        assert np.ptp(of_label) <= np.bincount(groups).max()
    chosen = stratified(LABELS, 0.3, 1, groups)
    assert not set(groups[chosen]) & set(groups[~chosen])


def test_too_many_folds_are_refused():
    with pytest.raises(UserError) as refused:
        fold_numbers(LABELS[:9], np.arange(9) // 3, 4)
    assert str(refused.value).startswith(
        "folds must be at most 3, since the data have 3 groups and"
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_fraction_of_every_label_is_held_out(seed):
    chosen = stratified(LABELS, 0.2, seed)
    assert abs(chosen.sum() - 0.2 * 211) <= 2
    for label in range(5):
        share = LABELS[chosen, label].sum()
        assert abs(share - 0.2 * LABELS[:, label].sum()) <= 1.5
        assert share >= 1
    assert np.array_equal(chosen, stratified(LABELS, 0.2, seed))
    assert not np.array_equal(chosen, stratified(LABELS, 0.2, seed + 1))


def test_of_two_one_is_held_out_and_of_one_none():
    labels = np.array([[1, 0], [0, 1], [0, 1], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]], bool)
    for seed in range(8):
        chosen = held_out(labels, 0.125, seed, np.arange(8))
        assert labels[chosen].sum(axis=0).tolist() == [0, 1]
    assert not held_out(labels, 0.0, 0, np.arange(8)).any()


def test_what_is_barred_stays():
    barred = np.arange(211) % 3 == 0
    chosen = stratified(LABELS, 0.4, 0, np.arange(211), barred)
    assert chosen.any()
    assert not (chosen & barred).any()
    assert not stratified(LABELS, 0.4, 0, np.zeros(211, int), barred).any()

"""Words for a user's mistake: which names are near to a wrong one."""

import pickle

import pytest

from a2keras.errors import UserError, counted, did_you_mean, nearest
from a2keras.training.config import FIELDS


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("epoch", ["epochs"]),
        ("Learning-Rat", ["learning_rate"]),
        ("batch", ["batch_size", "base_batch"]),  # as one of the words
        ("bacth", ["batch_size", "base_batch"]),  # as nearly one of them
        ("rate", ["freeze_rate", "learning_rate", "learning_rate_factors"]),
        ("colour", []),
        ("lr", []),
        ("image_size", []),
        ("x" * 3000, []),
        ("", []),
    ],
)
def test_only_near_names_are_suggested(name, near):
    assert nearest(name, FIELDS) == near


def test_letters_in_another_order():
    assert nearest("cvs", ["text", "json", "csv"]) == ["csv"]


def test_where_nothing_is_near_another_hint_is_given():
    assert did_you_mean(["a", "b"], "see there") == "did you mean 'a', 'b'?"
    assert did_you_mean([], "see there") == "see there"


def test_a_mistake_is_one_line_whatever_it_names():
    error = UserError("there is no a\nb\x1b[2J\u202e\udcff.jpg")
    assert str(error) == r"there is no a\nb\x1b[2J\u202e\xff.jpg"
    assert str(UserError(error)) == str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_counts_have_their_plural():
    counts = [counted(1, "batch", "es"), counted(2, "batch", "es"), counted(0, "epoch")]
    assert counts == ["1 batch", "2 batches", "0 epochs"]

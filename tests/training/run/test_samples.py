"""The views that a run keeps for its exports."""

import numpy as np
import pytest

from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.data.source import ArrayExamples, Source
from a2keras.training.run import samples


def examples(count: int, first: int) -> ArrayExamples:
    """Pictures of 7×7 pixels of one grey each: first, first + 1, …"""
    greys = np.arange(first, first + count, dtype=np.uint8)
    pictures = np.broadcast_to(greys[:, None, None, None], (count, 7, 7, 3)).copy()
    return ArrayExamples(pictures, np.zeros(count), tuple(map(str, greys)))


def source(**splits: ArrayExamples) -> Source:
    return Source(("a", "b"), splits, "as given", "0")


PREPROCESSING = Preprocessing(("a", "b"), size=5)


def greys(views: np.ndarray) -> list[int]:
    assert views.dtype == np.uint8
    assert views.shape[1:] == (5, 5, 3)
    assert (views == views[:, :1, :1, :1]).all()
    return views[:, 0, 0, 0].tolist()


def test_they_are_drawn_by_the_seed_from_their_splits(monkeypatch):
    monkeypatch.setattr(samples, "COUNT", 11)
    data = source(train=examples(29, 10), validation=examples(3, 100), test=examples(13, 200))
    drawn = samples.draw_samples(data, PREPROCESSING, seed=1)
    again = samples.draw_samples(data, PREPROCESSING, seed=1)
    other = samples.draw_samples(data, PREPROCESSING, seed=2)
    first = greys(drawn.calibration)
    assert len(set(first)) == 11
    assert set(first) <= set(range(10, 39))
    assert set(greys(drawn.held_out)) <= set(range(200, 213))
    assert first == greys(again.calibration)
    assert first != greys(other.calibration)


def test_without_a_test_split_the_held_out_are_of_validation():
    drawn = samples.draw_samples(
        source(train=examples(3, 1), validation=examples(2, 50)), PREPROCESSING, 0
    )
    assert sorted(greys(drawn.calibration)) == [1, 2, 3]
    assert sorted(greys(drawn.held_out)) == [50, 51]


def test_without_any_there_are_none():
    drawn = samples.draw_samples(source(train=examples(3, 1)), PREPROCESSING, 0)
    assert drawn.held_out.shape == (0, 5, 5, 3)


@pytest.mark.parametrize(("limit", "count"), [(5 * 5 * 3 * 4, 4), (1, 1)])
def test_they_take_a_bounded_memory(monkeypatch, limit, count):
    monkeypatch.setattr(samples, "BYTES", limit)
    drawn = samples.draw_samples(source(train=examples(9, 1)), PREPROCESSING, 0)
    assert len(drawn.calibration) == count

"""The digits: honest blocks, and motions that no single frame tells apart."""

from collections import Counter

import numpy as np
import pytest

from a2keras.training.data import digits, open_held_out, open_source
from a2keras.training.recipes import recipe

TIMES = range(8)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("motion", digits.MOTIONS)
def test_every_motion_visits_every_position_equally_often_in_every_frame(motion, time):
    down, right = digits.displacement(motion, time)
    size = digits.TORUS
    visits = Counter(
        ((row + down) % size, (column + right) % size)
        for row in range(size)
        for column in range(size)
    )
    assert len(visits) == size * size
    assert set(visits.values()) == {1}


def test_over_all_starts_the_frames_of_all_motions_are_the_same_pictures():
    # The claim in pixels, on a small torus' worth of starts: no classifier of frames can win.
    scan = np.random.default_rng(0).integers(1, 255, (5, 3, 3), dtype="uint8")
    starts = [np.array([row, column]) for row in range(digits.TORUS) for column in range(1)]
    pictures = {}
    for motion in ("up", "down"):
        clips = [digits.moving(scan, motion, start, 3) for start in starts]
        for time in range(3):
            pictures[motion, time] = Counter(clip[time].tobytes() for clip in clips)
    assert len({frozenset(counter.items()) for counter in pictures.values()}) == 1


def test_the_motions_are_what_their_names_say():
    path = {m: [digits.displacement(m, t) for t in TIMES] for m in digits.MOTIONS}
    assert path["left"][:3] == [(0, 0), (0, -3), (0, -6)]
    assert path["right"][2] == (0, 6)
    assert path["up"][2] == (-6, 0)
    assert path["down"][2] == (6, 0)
    # A quarter of a turn after the right-most point: clockwise is down, for rows count downwards.
    assert path["clockwise"][0] == path["anticlockwise"][0] == (0, 5)
    assert path["clockwise"][2] == (5, 0)
    assert path["anticlockwise"][2] == (-5, 0)
    assert len({tuple(steps) for steps in path.values()}) == 6


def test_images_are_blocks_of_the_file():
    source = open_source(recipe("digits_image"))
    counts = {name: len(examples) for name, examples in source.splits.items()}
    assert counts == {"train": 1197, "validation": 150, "test": 450}
    train, test = source.splits["train"], source.splits["test"]
    assert train.frames(0).shape == (32, 32, 3)
    assert train.frames(0).dtype == "uint8"
    assert train.labels[:10].tolist() == list(range(10))
    assert test.names[0].startswith("scan 1347")
    seen = {train.frames(i).tobytes() for i in range(len(train))}
    assert not any(test.frames(i).tobytes() in seen for i in range(len(test)))
    assert np.array_equal(train.load(3).numpy(), train.frames(3))


def test_clips_are_deterministic_and_balanced():
    video = recipe("digits_video")
    first, again = (open_source(video).splits["test"] for _ in range(2))
    assert len(first) == 450 * 6
    assert np.bincount(first.labels).tolist() == [450] * 6
    assert first.frames(17).shape == (8, 32, 32, 3)
    assert np.array_equal(first.frames(17), again.frames(17))
    assert np.array_equal(first.load(17).numpy(), first.frames(17))
    # What leaves on one side comes in on the other: all frames have the same ink.
    assert len(set(first.frames(17).sum(axis=(1, 2, 3)))) == 1
    assert first.names[17].endswith("moving anticlockwise (scan 1349)")
    splits = open_source(video).splits.values()
    names = [name for split in splits for name in split.names]
    assert len(set(names)) == len(names)  # or the evaluation would take them for the same
    # Drawn uniformly: 5,400 numbers below 32, their mean within four standard deviations.
    assert first.starts.mean() == pytest.approx(15.5, abs=4 * 9.23 / np.sqrt(5400))


def test_classes_in_another_order_keep_their_clips():
    """As of a run on folders of the motions, which are in the order of the alphabet."""
    own = open_source(recipe("digits_video")).splits["test"]
    classes = tuple(sorted(digits.MOTIONS))
    split, source = open_held_out(recipe("digits_video"), classes, "digits")
    examples = source.splits[split]
    assert [classes[label] for label in examples.labels[:6]] == list(digits.MOTIONS)
    assert all(np.array_equal(examples.frames(i), own.frames(i)) for i in range(6))

import numpy as np
import pytest
import tensorflow as tf

from a2keras.models.preprocessing import clip_indices, even_starts, steady_indices
from a2keras.models.preprocessing.sampling import clock_of, nearest_indices


@pytest.mark.parametrize(
    ("total", "frames", "stride", "start", "expected"),
    [
        (17, 5, 2, 0.0, [0, 2, 4, 6, 8]),
        (17, 5, 2, 1.0, [8, 10, 12, 14, 16]),
        (17, 5, 2, 0.5, [4, 6, 8, 10, 12]),
        (9, 5, 2, 0.7, [0, 2, 4, 6, 8]),  # fits exactly
        (4, 5, 2, 0.7, [0, 2, 3, 3, 3]),  # too short: held at the last frame
        (1, 3, 7, 0.3, [0, 0, 0]),
        (10, 1, 5, 0.5, [5]),
    ],
)
def test_clip_indices(total, frames, stride, start, expected):
    indices = clip_indices(total, frames, stride, start)
    assert indices.dtype == np.int64
    assert indices.tolist() == expected
    in_graph = tf.function(lambda t, s: clip_indices(t, frames, stride, s))
    for dtype in (tf.float32, tf.float64):
        tensor = in_graph(tf.constant(total, tf.int64), tf.constant(start, dtype))
        assert tensor.numpy().tolist() == expected


def test_every_start_is_equally_likely():
    starts = [clip_indices(11, 3, 4, u)[0] for u in np.linspace(0, 1, 3000, endpoint=False)]
    assert np.bincount(starts).tolist() == [1000, 1000, 1000]


def test_even_starts():
    assert even_starts(1).tolist() == [0.5]
    assert even_starts(5).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    firsts = [clip_indices(110, 10, 1, start)[0] for start in even_starts(5)]
    assert firsts == [0, 25, 50, 75, 100]


def test_messages():
    message = "`frames` and `stride` must be at least 1. Received: frames={}, stride={}"
    for frames, stride in ((0, 1), (3, 0)):
        with pytest.raises(ValueError) as caught:
            clip_indices(7, frames, stride)
        assert str(caught.value) == message.format(frames, stride)
    with pytest.raises(ValueError) as caught:
        even_starts(0)
    assert str(caught.value) == "`count` must be at least 1. Received: count=0"


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0.0], [0]),
        ([5.0, 5.1, 5.2, 5.3], [0, 1, 2, 3]),
        ([0.0, 0.14, 0.2, 0.26, 0.4], [0, 1, 2, 3, 4]),  # jitter: within half a step of 0.1
        ([0.0, 0.1, 0.2, 0.5, 0.6], [0, 1, 2, 2, 3, 3, 4]),  # two frames were left out
        ([7.0, 7.1, 7.11, 7.2, 7.3], [0, 1, 3, 4]),  # one too many: median step 0.095
        ([0.0, 0.1, 0.1, 0.5], [0, 1, 2, 3]),  # not ascending: no times at all
        ([0.0, 0.2, 0.1, 0.3, 0.9], [0, 1, 2, 3, 4]),
        ([0.0, float("nan"), 0.2, 0.9], [0, 1, 2, 3]),
    ],
)
def test_steady_indices(times, expected):
    indices = steady_indices(np.array(times))
    assert indices.dtype == np.int64
    assert indices.tolist() == expected


def test_steady_indices_take_the_nearest_frame():
    """Against a loop over moments and frames, for steps of any length."""
    random = np.random.default_rng(4)
    for _ in range(20):
        times = 3 + np.cumsum(random.choice([0.03, 0.1, 0.27], 24) + random.uniform(0, 0.01, 24))
        step = np.sort(np.diff(times))[11]
        expected, moment = [], times[0]
        while moment <= times[-1] + step / 2:
            expected.append(int(np.argmin(np.abs(times - moment))))
            moment += step
        assert steady_indices(times).tolist() == expected


@pytest.mark.parametrize("gap", [10.5, 3600.0, 864_000.0, 1e9])
def test_a_clock_that_jumps_is_bridged(gap):
    """40 frames of 25 a second, the last ten later; and where the first or the last one jumps."""
    times = np.arange(40) / 25
    for at in (30, 1, 39):
        assert steady_indices(times + gap * (np.arange(40) >= at)).tolist() == list(range(40))
    irregular = np.array([0, 1, 2, 5, 6]) / 25  # of which two frames were left out
    twice = np.concatenate([irregular, irregular + gap])
    assert steady_indices(twice).tolist() == [0, 1, 2, 2, 3, 3, 4, 5, 6, 7, 7, 8, 8, 9]


def test_a_pause_is_not_bridged():
    times = np.array([0, 1, 2, 102, 103]) / 25  # of 4 s
    assert len(steady_indices(times)) == 104
    slides = np.array([0, 30, 60, 90, 180, 210.0])  # one for half a minute each, one for 90 s
    assert steady_indices(slides).tolist() == [0, 1, 2, 3, 3, 4, 4, 5]


@pytest.mark.parametrize(
    ("times", "rate", "clock"),
    [
        ([0, 0.1, 0.3], 25, "time stamps"),
        ([0, 0.1, 0.1], 25, "frame rate"),  # a duplicate
        ([0, 0.2, 0.1], 25, "frame rate"),  # backwards
        ([0, 0, 0], 25, "frame rate"),
        ([0, np.nan, 0.2], 25, "frame rate"),
        ([0, 0.1, np.inf], 25, "frame rate"),
        ([-0.3, -0.1, 0.0], 25, "time stamps"),
        ([0, 0.2, 0.1], np.nan, "none"),
        ([0, 0.2, 0.1], 0, "none"),
        ([0.5], 25, "time stamps"),
    ],
)
def test_which_clock(times, rate, clock):
    times = np.array(times, float)
    found, name = clock_of(times, rate)
    assert name == clock
    counted = np.arange(len(times)) / 25
    np.testing.assert_array_equal(found, counted if clock == "frame rate" else times)
    # Whatever the times are, every frame is there, or the rate varies.
    if clock != "time stamps":
        assert steady_indices(times).tolist() == list(range(len(times)))


def test_moments_are_counted_before_there_is_an_array_of_them():
    """A microsecond from frame to frame, but for pauses of seconds: 10 million moments a pause."""
    times = np.cumsum([1e-6] * 20 + [9.0] * 10)
    with pytest.raises(ValueError) as caught:
        steady_indices(times, 20_000)
    assert str(caught.value) == (
        "30 frames within 90 s are more than 20000 at a constant rate, one every 1e-06 s"
    )
    with pytest.raises(ValueError, match="more than 2000000 at a constant rate, one every 1e-300"):
        nearest_indices(np.array([0.0, 1.0]), 1e-300)

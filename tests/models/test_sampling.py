import numpy as np
import pytest
import tensorflow as tf

from a2keras.models.preprocessing import clip_indices, even_starts


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

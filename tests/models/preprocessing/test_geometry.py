import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from a2keras.models.preprocessing import fit
from a2keras.models.preprocessing.geometry import reduced_size


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)


def test_crop_is_an_exact_slice_where_nothing_is_resized():
    frames = noise(3, 11, 17, 3)
    for offset, left in ((0.0, 0), (0.5, 3), (1.0, 6)):
        np.testing.assert_array_equal(
            fit(frames, 11, offsets=(0.5, offset)), frames[:, :, left : left + 11]
        )
    tall = noise(17, 11, 3)
    np.testing.assert_array_equal(fit(tall, 11, offsets=(1.0, 0.0)), tall[6:])


def test_short_side_leaves_a_border():
    frames = noise(30, 40, 3)
    cropped = fit(frames, 20, short_side=30)
    np.testing.assert_array_equal(cropped, frames[5:25, 10:30])
    corner = fit(frames, 20, offsets=(1.0, 1.0), short_side=30)
    np.testing.assert_array_equal(corner, frames[10:, 20:])


def test_letterbox_loses_nothing_and_pads_with_grey():
    frames = noise(2, 7, 13, 3)
    boxed = fit(frames, 13, "letterbox")
    np.testing.assert_array_equal(boxed[:, 3:10], frames)
    assert (boxed[:, :3] == 115).all()
    assert (boxed[:, 10:] == 115).all()
    # Of what is resized the bars are whole pixels: 31:5 becomes 13 rows of 2 columns.
    strip = np.full((31, 5, 3), 7, np.uint8)
    boxed = fit(strip, 13, "letterbox")
    assert (boxed[:, 5:7] == 7).all()
    assert (np.delete(boxed, [5, 6], axis=1) == 115).all()
    assert boxed.shape == (13, 13, 3)


def test_a_letterboxed_strip_takes_no_more_memory_than_it_has():
    """The square about it has 19 GB."""
    strip = np.full((80_000, 1, 3), 7, np.uint8)
    tracemalloc.start()
    boxed = fit(strip, 13, "letterbox")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * strip.nbytes
    assert (boxed[:, 6] == 7).all()
    assert (np.delete(boxed, 6, axis=1) == 115).all()


def test_resize_averages_when_it_reduces():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255  # plain bilinear would alias this to black or white
    np.testing.assert_allclose(fit(stripes, 16)[2:-2, 2:-2].astype(int), 128, atol=3)


def test_resize_agrees_with_pillow():
    picture = noise(53, 53, 3)
    ours = fit(picture, 19).astype(int)
    pillow = np.asarray(Image.fromarray(picture).resize((19, 19), Image.Resampling.BILINEAR))
    assert np.abs(ours - pillow).max() <= 1


@pytest.mark.parametrize("mode", ["crop", "letterbox"])
@pytest.mark.parametrize(
    "shape", [(23, 37, 3), (37, 23, 3), (3, 23, 37, 3), (11, 11, 3), (401, 2, 3)]
)
def test_a_tf_data_graph_gives_the_same_pixels(mode, shape):
    frames = noise(*shape)
    signature = tf.TensorSpec((None,) * (len(shape) - 1) + (3,), tf.uint8)
    dataset = tf.data.Dataset.from_generator(lambda: iter([frames]), output_signature=signature)
    dataset = dataset.map(lambda x: fit(x, 13, mode, offsets=(tf.constant(0.3), 0.8)))
    (in_graph,) = dataset
    eager = fit(frames, 13, mode, offsets=(0.3, 0.8))
    assert dataset.element_spec.shape[-3:] == (13, 13, 3)
    assert in_graph.dtype == eager.dtype == np.uint8
    np.testing.assert_array_equal(in_graph.numpy(), eager)


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        ((46, 34), 17, (23, 17)),
        ((34, 46), 17, (17, 23)),
        ((101, 11), 7, (64, 7)),  # 64.3
        ((46, 34), 34, (46, 34)),
        ((46, 34), 53, (46, 34)),
    ],
)
def test_a_reduced_size_keeps_its_ratio_and_never_grows(size, short_side, expected):
    assert reduced_size(*size, short_side) == expected


def test_messages():
    frames = noise(5, 7, 3)
    for arguments, message in (
        (
            (frames, 3, "stretch"),
            "`mode` must be one of ('crop', 'letterbox'). Received: mode='stretch'",
        ),
        (
            (frames[0], 3),
            "`frames` must have shape (H, W, 3) or (T, H, W, 3). Received: (7, 3)",
        ),
        (
            (frames, 0),
            "`size` must be at least 1 and at most `short_side`. Received: size=0, short_side=0",
        ),
        (
            (frames, 8, "crop", (0.5, 0.5), 6),
            "`size` must be at least 1 and at most `short_side`. Received: size=8, short_side=6",
        ),
    ):
        with pytest.raises(ValueError) as caught:
            fit(*arguments)
        assert str(caught.value) == message

import numpy as np
import pytest
import tensorflow as tf

from a2keras.export.parity import compare, full_float32, natural_pixels, probabilities_of


def test_the_numbers():
    expected = np.array([[0.7, 0.2, 0.1], [0.3, 0.4, 0.3]])
    actual = np.array([[0.7, 0.1, 0.2], [0.45, 0.4, 0.15]])
    parity = compare(expected, actual, tolerance=0.2)
    assert parity.samples == 2
    assert parity.max_error == pytest.approx(0.15)
    assert parity.mean_error == pytest.approx(0.5 / 6)
    assert parity.top1_agreement == 0.5
    assert parity.passed
    assert not compare(expected, actual).passed


def test_nan_never_passes():
    nan = np.array([[np.nan, 0.5]])
    assert not compare(np.array([[0.5, 0.5]]), nan).passed
    assert not compare(nan, nan).passed


@pytest.mark.parametrize("shapes", [((2, 3), (2, 5)), ((3,), (3,)), ((0, 3), (0, 3))])
def test_shapes_that_cannot_be_compared(shapes):
    with pytest.raises(ValueError) as caught:
        compare(*map(np.zeros, shapes))
    assert str(caught.value) == (
        "`expected` and `actual` must both have shape (samples, classes). "
        f"Received: {shapes[0]} and {shapes[1]}"
    )


@pytest.mark.parametrize("shape", [(29, 23, 3), (7, 19, 17, 3)])
def test_natural_pixels(shape):
    pixels = natural_pixels(shape, 5, seed=1)
    assert pixels.shape == (5, *shape)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, natural_pixels(shape, 5, seed=1))
    assert (pixels != natural_pixels(shape, 5, seed=2)).any()
    values = pixels.astype(float)
    assert values.std() > 30
    # Neighbours resemble each other, as in pictures; in white noise the two would be equal.
    neighbours = np.abs(np.diff(values, axis=-2)).mean()
    strangers = np.abs(values - values[..., ::-1, :]).mean()
    assert neighbours < 0.75 * strangers
    assert values.reshape(5, -1).mean(1).std() > 10


def test_samples_run_one_by_one_in_float32_without_tensorfloat():
    seen = []

    def compute(batch):
        seen.append((batch.shape, batch.dtype))
        seen.append(tf.config.experimental.tensor_float_32_execution_enabled())
        return batch.reshape(1, -1)

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    result = probabilities_of(compute, np.arange(14, dtype=np.uint8).reshape(2, 7))
    np.testing.assert_array_equal(result, np.arange(14.0).reshape(2, 7))
    assert seen == [((1, 7), np.float32), False] * 2
    assert tf.config.experimental.tensor_float_32_execution_enabled() == before
    with pytest.raises(RuntimeError), full_float32():
        raise RuntimeError
    assert tf.config.experimental.tensor_float_32_execution_enabled() == before

import numpy as np
import pytest
import tensorflow as tf

from a2keras.export.parity import Tolerance, compare, full_float32, natural_pixels, outputs_of


def test_the_numbers():
    expected = np.array([[0.7, 0.2, 0.1], [0.3, 0.4, 0.3], [0.1, 0.3, 0.6]])
    actual = np.array([[0.7, 0.1, 0.2], [0.45, 0.4, 0.15], [0.1, 0.3, 0.6]])
    parity = compare(expected, actual, real=2)
    assert (parity.samples, parity.real_samples) == (3, 2)
    assert parity.max_error == pytest.approx(0.15)
    assert parity.mean_error == pytest.approx(0.5 / 9)
    assert parity.top1_agreement == pytest.approx(2 / 3)
    assert parity.real_top1_agreement == 0.5
    assert parity.failure(Tolerance(0.16, 0.06, 0.5)) is None
    for tolerance, failure in (
        (
            Tolerance(0.14, 0.06, 0.5),
            "the largest error is 0.15 over 3 samples, the tolerance 0.14",
        ),
        (Tolerance(0.16, 0.05, 0.5), "the mean error is 0.0556 over 3 samples, the tolerance 0.05"),
        (
            Tolerance(0.16, 0.06, 0.51),
            "50.0% of 2 real samples have the same most probable class, fewer than 51.0%",
        ),
    ):
        assert parity.failure(tolerance) == failure


def test_outputs_that_are_no_probabilities_are_compared_by_their_scale():
    expected, actual = np.array([[30.0, -50.0]]), np.array([[35.0, -50.0]])
    parity = compare(expected, actual, real=1, classes=False)
    assert parity.max_error == pytest.approx(0.1)
    assert parity.mean_error == pytest.approx(0.05)
    assert (parity.top1_agreement, parity.real_top1_agreement) == (None, None)
    assert parity.failure(Tolerance(0.11, 0.06)) is None


def test_random_samples_alone_have_no_agreement_to_keep():
    parity = compare(np.array([[0.51, 0.49]]), np.array([[0.49, 0.51]]))
    assert (parity.top1_agreement, parity.real_top1_agreement) == (0.0, None)
    assert parity.failure(Tolerance(0.05, 0.05)) is None


def test_nan_never_passes():
    nan = np.array([[np.nan, 0.5]])
    assert compare(np.array([[0.5, 0.5]]), nan).failure(Tolerance())
    assert compare(nan, nan).failure(Tolerance())


@pytest.mark.parametrize("shapes", [((2, 3), (2, 5)), ((3,), (3,)), ((0, 3), (0, 3))])
def test_shapes_that_cannot_be_compared(shapes):
    with pytest.raises(ValueError) as caught:
        compare(*map(np.zeros, shapes))
    assert str(caught.value) == (
        "`expected` and `actual` must both have shape (samples, values). "
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


def test_samples_run_one_by_one_without_tensorfloat():
    seen = []

    def compute(batch):
        seen.append((batch.shape, batch.dtype))
        seen.append(tf.config.experimental.tensor_float_32_execution_enabled())
        return batch.reshape(1, -1)

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    result = outputs_of(compute, np.arange(14, dtype=np.uint8).reshape(2, 7))
    np.testing.assert_array_equal(result, np.arange(14.0).reshape(2, 7))
    assert seen == [((1, 7), np.uint8), False] * 2
    assert tf.config.experimental.tensor_float_32_execution_enabled() == before
    with pytest.raises(RuntimeError), full_float32():
        raise RuntimeError
    assert tf.config.experimental.tensor_float_32_execution_enabled() == before


def test_labels_of_multi_label_models_agree_one_by_one():
    """Two real samples of three labels: one of six is said of one alone, by 0.02; the likeliest
    label is another, which does not matter."""
    expected = np.array([[0.9, 0.89, 0.1], [0.51, 0.2, 0.3]])
    actual = np.array([[0.89, 0.9, 0.1], [0.49, 0.2, 0.3]])
    found = compare(expected, actual, 2, multi_label=True)
    assert found.top1_agreement == found.real_top1_agreement == pytest.approx(5 / 6)
    assert found.failure(Tolerance(0.1, 0.1, 0.8), True) is None
    assert found.failure(Tolerance(0.1, 0.1, 0.9), True) == (
        "83.3% of 2 real samples have the same labels, fewer than 90.0%"
    )
    assert compare(expected, actual, 2).top1_agreement == 0.5

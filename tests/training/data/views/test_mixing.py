"""MixUp, CutMix and random erasing: what is drawn, and that it is exactly that which is done."""

import math

import numpy as np
import pytest
import tensorflow as tf

from a2keras.training.config import Recipe
from a2keras.training.data.views.boxes import AREA, ASPECT, erase, inside
from a2keras.training.data.views.mixing import kept_of, mix, symmetric_beta

SIZE = 37
IMAGES, CLIPS = (2, SIZE, SIZE, 3), (2, 5, SIZE, SIZE, 3)
LABELS = np.array([[0, 1, 0], [0, 0, 1]], "float32")
SEED = tf.constant([3, 7], "int64")


def recipe(**settings: float) -> Recipe:
    return Recipe("mine", size=SIZE, **settings)


def views(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 255, shape).astype("float32")


def seeds(count: int) -> tf.Tensor:
    return tf.stack([tf.fill(count, tf.constant(5, "int64")), tf.range(count, dtype="int64")], 1)


@pytest.mark.parametrize("shape", [IMAGES, CLIPS])
def test_mixup_is_the_weighted_sum(shape):
    """w · own + (1 - w) · partner's, of pixels and labels, with one weight for the two."""
    a, b = views(shape)
    w = symmetric_beta(0.4, SEED).numpy()
    assert 0.01 < w < 0.99
    assert abs(w - 0.5) > 0.01
    pixels, labels = mix(views(shape), LABELS, recipe(mixup=0.4), SEED, SEED)
    assert np.array_equal(pixels, [w * a + (1 - w) * b, w * b + (1 - w) * a])
    assert np.array_equal(labels, [[0, w, 1 - w], [0, 1 - w, w]])


@pytest.mark.parametrize("shape", [IMAGES, CLIPS])
def test_cutmix_shares_labels_by_the_area(shape):
    """Every pixel is one of the two; the share of them is that of the labels, to the last bit."""
    a, b = views(shape)
    shares = []
    for i in range(120):
        pixels, labels = (
            x.numpy() for x in mix(views(shape), LABELS, recipe(cutmix=1.0), [1, i], SEED)
        )
        for view, label, own, other, mine in (
            (pixels[0], labels[0], a, b, 1),
            (pixels[1], labels[1], b, a, 2),
        ):
            pasted = (view == other).all(axis=-1)
            assert np.array_equal(view, np.where(pasted[..., None], other, own))
            frame = pasted.reshape(-1, SIZE, SIZE)[0]
            assert (pasted == frame).all()  # the same box in all frames
            rows, columns = frame.any(axis=1), frame.any(axis=0)
            assert np.array_equal(frame, rows[:, None] & columns)  # a rectangle …
            assert (np.diff(np.flatnonzero(rows)) == 1).all()  # … in one piece
            assert label[mine] == np.float32((~frame).sum() / SIZE**2)
            assert label.sum() == 1
            shares.append(label[mine])
    # Of a square of the share 1 - w, w uniform, with its middle anywhere, there lies within the
    # picture: s = √(1 - w), per axis s - s²/4 on the mean; E(s - s²/4)² = 1/2 - 1/5 + 1/48.
    assert abs(np.mean(shares) - (1 - (1 / 2 - 1 / 5 + 1 / 48))) < 0.08


def test_the_sides_of_the_box_go_with_the_weight():
    """A box that is not cut off has sides of √(1 - w), its middle where the numbers say."""
    uncut = 0
    for seed in seeds(80):
        weight = symmetric_beta(1.0, seed).numpy()
        kept, share = kept_of(recipe(cutmix=1.0), SIZE, seed, True)
        box = 1 - kept.numpy()[..., 0]
        assert share.numpy() == np.float32((1 - box).sum() / SIZE**2)
        rows, columns = (np.flatnonzero(box.any(axis=axis)) for axis in (1, 0))
        for places in (rows, columns):
            if len(places) and places[0] > 0 and places[-1] < SIZE - 1:
                uncut += 1
                assert abs(len(places) - SIZE * math.sqrt(1 - weight)) <= 1
    assert uncut > 30


@pytest.mark.parametrize("alpha", [1e-300, 0.1, 0.4, 3.0, 1e300])
def test_weights_are_of_the_beta_distribution(alpha):
    """Mean 1/2, variance 1 / (4 (2α + 1)), fourth moment as in the books; never out of 0 to 1."""
    count = 1500
    draw = tf.function(lambda seed: symmetric_beta(alpha, seed))
    drawn = tf.map_fn(draw, seeds(count), fn_output_signature="float32").numpy().astype("float64")
    assert ((drawn >= 0) & (drawn <= 1)).all()
    centred = drawn - 0.5
    variance = 1 / (4 * (2 * alpha + 1))
    # Excess kurtosis of Beta(α, α): -6 / (2α + 3).
    fourth = (3 - 6 / (2 * alpha + 3)) * variance**2
    assert abs(centred.mean()) < 5 * math.sqrt(variance / count)
    error = 5 * math.sqrt((fourth - variance**2) / count) + 1e-14
    assert abs((centred**2).mean() - variance) < error
    assert (centred**4).mean() == pytest.approx(fourth, rel=0.2, abs=1e-28)


def test_with_alpha_1_weights_are_uniform():
    drawn = np.sort([symmetric_beta(1.0, seed).numpy() for seed in seeds(1000)])
    # Kolmogorov's distance; more than this once in 100,000.
    assert np.abs(drawn - np.arange(1000) / 1000).max() < 2.5 / math.sqrt(1000)


def test_where_both_are_asked_for_a_batch_has_one_of_them():
    both, a = recipe(mixup=1.0, cutmix=1.0), views(IMAGES)
    mixed = tf.function(lambda pair, batch: mix(a, LABELS, both, pair, batch))
    found = []
    for batch in seeds(120):
        kinds = set()
        for i in range(3):
            pixels, _ = mixed(tf.constant([i, 1], "int64"), batch)
            kinds.add(bool(np.isin(pixels.numpy(), a).all()))
        assert len(kinds) == 1
        found.append(kinds.pop())
    assert 35 < sum(found) < 85  # of 120, with a standard deviation of 5.5
    # And the mix is the one that there is without the other.
    for batch, cut in zip(seeds(120)[:8], found, strict=False):
        alone = recipe(cutmix=1.0) if cut else recipe(mixup=1.0)
        for x, y in zip(mixed(SEED, batch), mix(a, LABELS, alone, SEED, batch), strict=True):
            np.testing.assert_allclose(x, y, atol=1e-4)


def erased(shape: tuple[int, ...], probability: float, count: int) -> tuple[np.ndarray, list]:
    """A view, and what erasing makes of it."""
    view = np.random.default_rng(2).integers(0, 256, shape).astype("float32")
    compiled = tf.function(lambda seed: erase(tf.constant(view), probability, seed))
    return view, [compiled(seed).numpy() for seed in seeds(count)]


def test_a_box_is_filled_with_noise():
    view, some = erased((SIZE, SIZE, 3), 1.0, 400)
    areas, aspects, noise, corners = [], [], [], []
    for ours in some:
        # Noise is uniform over all floats, pixels are whole numbers.
        box = (ours != view).all(axis=-1)
        rows, columns = (np.flatnonzero(box.any(axis=axis)) for axis in (1, 0))
        assert box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert np.array_equal(ours[~box], view[~box])
        height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        areas.append(height * width / SIZE**2)
        if max(height, width) < SIZE:  # not cut off
            aspects.append(height / width)
        corners.append((rows[0] / max(SIZE - height, 1), columns[0] / max(SIZE - width, 1)))
        noise.append(ours[box])
    rounding = 0.15  # half a pixel of some 5 on the shorter side
    assert min(areas) > AREA[0] * (1 - rounding)
    assert max(areas) < AREA[1] * (1 + rounding)
    assert abs(np.mean(areas) - np.mean(AREA)) < 0.02
    assert ASPECT[0] * (1 - rounding) < min(aspects) < 0.4
    assert 2.5 < max(aspects) < ASPECT[1] * (1 + rounding)
    assert abs(np.mean(np.log(aspects))) < 0.15
    np.testing.assert_allclose(np.mean(corners, axis=0), 0.5, atol=0.08)
    assert np.min(corners) == 0
    assert np.max(corners) == 1
    values = np.concatenate(noise)
    assert 0 <= values.min() < values.max() < 255
    np.testing.assert_allclose(values.mean(axis=0), 127.5, atol=1)
    np.testing.assert_allclose(values.std(axis=0), 255 / math.sqrt(12), atol=1)


def test_so_many_views_are_erased_as_the_probability_says():
    for probability, most, least in ((0.0, 0, 0), (0.25, 135, 65), (1.0, 400, 400)):
        view, some = erased((11, 11, 3), probability, 400)
        assert least <= sum(not np.array_equal(ours, view) for ours in some) <= most


def test_box_and_noise_are_the_same_in_all_frames():
    view, some = erased((4, SIZE, SIZE, 3), 1.0, 10)
    for ours in some:
        boxes = (ours != view).all(axis=-1)
        assert boxes.any()
        assert (boxes == boxes[0]).all()
        assert (ours[boxes].reshape(4, -1) == ours[0][boxes[0]].ravel()).all()


def test_a_box_by_hand():
    found = inside(5, tf.constant([1.0, -2.0]), tf.constant([3.0, 2.0]))[..., 0].numpy()
    expected = np.zeros((5, 5), bool)
    expected[1:3, 0:2] = True
    assert np.array_equal(found, expected)

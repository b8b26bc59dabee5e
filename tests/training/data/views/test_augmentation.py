"""Random views: the same for all frames of a clip, in the papers' ranges, right in colour."""

import colorsys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from a2keras.models.preprocessing import fit
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data.pipeline import training_batches
from a2keras.training.data.source import ArrayExamples, Examples
from a2keras.training.data.views.augmentation import (
    area_window,
    random_view,
    random_window,
    shift_hls,
    side_window,
)

KINETICS = Recipe(
    "kinetics",
    task="video",
    size=224,
    frames=3,
    crop="side",
    crop_scale=224 / 340,
    crop_aspect=1.25,
    hue=15,
    lightness=35,
    saturation=25,
    pixel_noise=20,
)
IMAGENET = Recipe(
    "imagenet",
    task="image",
    size=224,
    crop="area",
    crop_aspect=4 / 3,
    hue=20,
    saturation=40,
    lightness=50,
    interpolation="bicubic",
)


class Clips(Examples):
    """One video."""

    is_video = True
    labels = np.array([0])
    names = ("video",)

    def __init__(self, frames: np.ndarray) -> None:
        self.video = frames

    def frames(self, index: int) -> np.ndarray:
        return self.video


def test_windows_are_squares_or_keep_the_shape():
    sides = tf.constant([20.0, 30.0])

    def window(fit: str, zoom: float, top: float, left: float) -> list:
        recipe = Recipe("mine", fit=fit, crop_scale=0.5)
        return random_window(sides, recipe, tf.constant([zoom, top, left]), [0, 0]).numpy().tolist()

    assert window("crop", 0.0, 1.0, 0.0) == [[10, 0], [20, 10]]
    assert window("letterbox", 0.0, 0.0, 1.0) == [[0, 15], [10, 30]]
    assert window("letterbox", 1.0, 0.3, 0.7) == [[0, 0], [20, 30]]


def test_all_frames_of_a_clip_are_cut_and_mirrored_alike():
    recipe = Recipe("mine", size=5, frames=3, stride=2, crop_scale=0.5, batch_size=1, task="video")
    preprocessing = Preprocessing(("a", "b"), 5, frames=3, stride=2)
    picture = np.random.default_rng(0).integers(0, 255, (1, 13, 17, 3), dtype="uint8")
    examples = Clips(np.repeat(picture, 9, axis=0))
    views = [random_view(examples, 0, recipe, preprocessing, [3, i]).numpy() for i in range(20)]
    for view in views:
        assert view.shape == (3, 5, 5, 3)
        assert np.array_equal(view[0], view[1])
        assert np.array_equal(view[0], view[2])
    assert len({view.tobytes() for view in views}) == 20


def test_flip_is_off_where_it_is_switched_off():
    ramp = np.broadcast_to(np.arange(0, 240, 10, dtype="uint8")[None, :, None], (24, 24, 3))
    examples = ArrayExamples(ramp[None], np.array([0]), ("ramp",))
    preprocessing = Preprocessing(("a", "b"), 5)
    for flip in (True, False):
        recipe = Recipe("mine", size=5, flip=flip)
        rising = {
            bool(view[0, 0, 0] < view[0, -1, 0])
            for i in range(20)
            for view in [random_view(examples, 0, recipe, preprocessing, [5, i]).numpy()]
        }
        assert rising == ({True, False} if flip else {True})


def test_what_recipes_gave_before_they_still_give():
    """Sums of pixels, computed before there were other crops and colours; since then the bars of a
    letterbox are put on after the resize."""
    images = np.random.default_rng(1).integers(0, 255, (17, 7, 11, 3), dtype="uint8")
    examples = ArrayExamples(images, np.arange(17) % 3, tuple(map(str, range(17))))
    for mode, sums in {"crop": [36948, 40558, 38100], "letterbox": [36471, 37957, 36096]}.items():
        recipe = Recipe("mine", size=5, batch_size=4, crop_scale=0.6, seed=11, fit=mode)
        preprocessing = Preprocessing(("a", "b", "c"), 5, fit=mode)
        batches = training_batches(examples, recipe, preprocessing)
        assert [int(pixels.numpy().sum()) for pixels, _ in batches.take(3)] == sums


def shifted_by_colorsys(pixel, hue, lightness, saturation):
    h, l, s = colorsys.rgb_to_hls(*(pixel / 255))  # noqa: E741
    l, s = np.clip([l + lightness / 255, s + saturation / 255], 0, 1)  # noqa: E741
    return 255 * np.array(colorsys.hls_to_rgb((h + hue / 180) % 1, l, s))


@pytest.mark.parametrize(
    "shifts", [(0, 0, 0), (15, 35, 25), (-15, -35, -25), (20, -50, 40), (-90, 0, 0), (7, 255, -255)]
)
def test_colours_are_shifted_as_colorsys_does(shifts):
    random = np.random.default_rng(2)
    colours = random.integers(0, 256, (60, 3)).astype("float32")
    corners = [[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)]
    greys = [[g, g, g] for g in (1, 77, 254)]
    ties = [[9, 9, 200], [200, 9, 200], [200, 200, 9]]
    pixels = np.concatenate([colours, corners, greys, ties]).astype("float32")
    expected = np.array([shifted_by_colorsys(pixel, *shifts) for pixel in pixels.astype(float)])
    ours = shift_hls(tf.constant(pixels.reshape(2, -1, 3)), *map(float, shifts))
    np.testing.assert_allclose(ours.numpy().reshape(-1, 3), expected, atol=2e-3)


def test_the_hue_of_pillow_turns_alike():
    """Pillow's HSV has the same hue, of 255: red turned by 60 of 180 is green."""
    red = tf.constant([[[255.0, 0.0, 0.0]]])
    for turn in range(0, 180, 15):
        ours = shift_hls(red, float(turn), 0.0, 0.0).numpy().round().astype("uint8")
        hue = np.asarray(Image.fromarray(ours).convert("HSV"))[0, 0, 0]
        assert abs(int(hue) - turn / 180 * 255) <= 1


def test_side_windows_by_hand():
    """A frame of 240×320 for a crop of 224, no stretch and stretched by 1.25."""
    sides = tf.constant([240.0, 320.0])
    # Short side 224: the square of the whole height.
    np.testing.assert_allclose(
        side_window(sides, KINETICS, 0.0, [4 / 9, 4 / 9, 0.0]), [240, 240], rtol=1e-5
    )
    # Short side 340: 224/340 of it.
    window = side_window(sides, KINETICS, 1.0, [4 / 9, 4 / 9, 0.0])
    np.testing.assert_allclose(window, [240 * 224 / 340] * 2, rtol=1e-5)
    # 192×400 after stretching; the window is 192×192 of that.
    window = side_window(sides, KINETICS, 0.0, [1.0, 1.0, 0.0])
    np.testing.assert_allclose(window, [192 * 1.25, 192 / 1.25], rtol=1e-5)
    # 300×256 after the inverse; the window is 256×256 of that.
    window = side_window(sides, KINETICS, 0.0, [1.0, 1.0, 0.5])
    np.testing.assert_allclose(window, [256 / 1.25, 256 * 1.25], rtol=1e-5)


def test_side_windows_stay_within_the_ranges():
    random = np.random.default_rng(3)
    short_sides, stretches = [], []
    for _ in range(300):
        sides = random.integers(100, 400, 2).astype("float32")
        draws = tf.unstack(tf.constant(random.random(4), "float32"))
        window = side_window(tf.constant(sides), KINETICS, draws[0], draws[1:]).numpy()
        assert (window <= sides * (1 + 1e-5)).all()
        resized = sides * 224 / window
        short_sides.append(resized.min())
        stretches.append(np.sqrt((resized[1] / resized[0]) / (sides[1] / sides[0])))
    assert 224 - 1e-2 <= min(short_sides) < 230
    assert 334 < max(short_sides) <= 340 + 1e-2
    assert 0.8 - 1e-5 <= min(stretches) < 0.85
    assert 1.2 < max(stretches) <= 1.25 + 1e-5
    assert abs(np.mean(short_sides) - 282) < 6


def test_area_windows_stay_within_the_ranges():
    windows = np.array(
        [area_window(tf.constant([150.0, 200.0]), IMAGENET, [7, i]).numpy() for i in range(300)]
    )
    shares, aspects = windows.prod(axis=1) / (150 * 200), windows[:, 1] / windows[:, 0]
    assert 0.075 < shares.min() < 0.1
    assert 0.85 < shares.max() <= 1
    assert 0.74 < aspects.min() < 0.77
    assert 1.3 < aspects.max() < 1.35
    long = np.array(
        [area_window(tf.constant([10.0, 400.0]), IMAGENET, [7, i]).numpy() for i in range(20)]
    )
    assert (long[:, 0] <= 10).all()
    assert (long[:, 1] <= 14.4).all()  # 10 · 4/3 and a pixel of rounding


@pytest.mark.parametrize("recipe", [KINETICS, IMAGENET], ids=lambda recipe: recipe.name)
def test_all_frames_are_treated_alike(recipe):
    """Of a still clip every frame of a view is the same, but for the noise of the pixels."""
    quiet = Recipe(**{**vars(recipe), "size": 16, "frames": 3, "pixel_noise": 0.0})
    preprocessing = Preprocessing(("a", "b"), 16, frames=3)
    picture = np.random.default_rng(0).integers(0, 255, (1, 31, 41, 3), dtype="uint8")
    examples = Clips(np.repeat(picture, 5, axis=0))
    view_of = tf.function(lambda seed: random_view(examples, 0, quiet, preprocessing, seed))
    views = [view_of(tf.constant([3, i], tf.int64)).numpy() for i in range(10)]
    again = [view_of(tf.constant([3, i], tf.int64)).numpy() for i in range(10)]
    for view, same in zip(views, again, strict=True):
        assert view.shape == (3, 16, 16, 3)
        assert view.min() >= 0
        assert view.max() <= 255
        assert np.array_equal(view[0], view[1])
        assert np.array_equal(view[0], view[2])
        assert np.array_equal(view, same)
    assert len({view.tobytes() for view in views}) == 10


def test_noise_is_of_every_pixel_and_within_its_range():
    noisy = Recipe("noisy", size=16, crop_scale=1.0, flip=False, pixel_noise=20, frames=4)
    preprocessing = Preprocessing(("a", "b"), 16, frames=4)
    examples = Clips(np.full((4, 16, 16, 3), 100, "uint8"))
    spans = []
    for i in range(40):
        noise = random_view(examples, 0, noisy, preprocessing, [1, i]).numpy() - 100
        assert not np.array_equal(noise[0], noise[1])
        assert len(np.unique(noise)) > 2000
        spans.append((noise.min(), noise.max()))
    lows, highs = np.array(spans).T
    assert -20 <= lows.min() < -17
    assert 17 < highs.max() <= 20
    assert (lows < 0.1).all()
    assert (highs > -0.1).all()
    assert lows.max() > -4  # the range itself is drawn, too
    white = Clips(np.full((4, 16, 16, 3), 255, "uint8"))
    assert random_view(white, 0, noisy, preprocessing, [1, 0]).numpy().max() == 255


def test_bicubic_is_pillows_and_does_not_wrap_around():
    picture = np.random.default_rng(5).integers(0, 256, (37, 37, 3), dtype="uint8")
    expected = np.asarray(Image.fromarray(picture).resize((16, 16), Image.Resampling.BICUBIC))
    for frames in (picture, tf.constant(picture)):
        ours = np.asarray(fit(frames, 16, interpolation="bicubic"))
        assert np.abs(ours.astype(int) - expected).max() <= 1
    edge = np.zeros((8, 8, 3), "uint8")
    edge[:, 4:] = 255
    for frames in (edge, tf.constant(edge)):
        larger = np.asarray(fit(frames, 24, interpolation="bicubic"))
        assert (np.diff(larger[0, :, 0].astype(int)) >= 0).all()

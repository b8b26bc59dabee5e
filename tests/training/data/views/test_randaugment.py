"""RandAugment's operations against Pillow's, and what is drawn of them."""

import collections
import math

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from a2keras.training.config import Recipe
from a2keras.training.data.views import randaugment as module
from a2keras.training.data.views.randaugment import OPERATIONS, randaugment

SIZE = 61
LEVELS = (-1.0, -0.7, -0.3, 0.0, 0.2, 0.5, 0.9, 1.0)
WITHOUT_LEVEL = ("autocontrast", "equalize")
GREY = 115


def noise(low: int = 0, high: int = 256, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(high).integers(low, high, (size, size, 3), dtype="uint8")


def smooth(size: int = SIZE) -> np.ndarray:
    """A picture whose edges a warp shows, and whose channels have histograms of their own."""
    small = np.random.default_rng(3).integers(0, 256, (7, 5, 3), dtype="uint8")
    picture = np.asarray(Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC))
    return (picture * np.array([0.5, 0.8, 1.0]) + np.array([17, 3, 0])).astype("uint8")


PICTURES = {
    "noise": noise(),
    "dull": noise(90, 130),
    "smooth": smooth(),
    "flat": np.full((SIZE, SIZE, 3), 77, "uint8"),
    "black": np.zeros((SIZE, SIZE, 3), "uint8"),
    "two": np.where(noise() > 128, 200, 50).astype("uint8"),
}


def of_pillow(name: str, picture: np.ndarray, level: float) -> np.ndarray:
    """The operation by Pillow alone; warps by its affine transform about the middle."""
    image = Image.fromarray(picture)
    enhancers = {
        "colour": ImageEnhance.Color,
        "contrast": ImageEnhance.Contrast,
        "brightness": ImageEnhance.Brightness,
        "sharpness": ImageEnhance.Sharpness,
    }
    others = {
        "identity": lambda: image,
        "autocontrast": lambda: ImageOps.autocontrast(image),
        "equalize": lambda: ImageOps.equalize(image),
        "solarize": lambda: ImageOps.solarize(image, round(256 * (1 - abs(level)))),
        "posterize": lambda: ImageOps.posterize(image, 8 - round(4 * abs(level))),
    }
    if name in enhancers:
        return np.asarray(enhancers[name](image).enhance(1 + 0.9 * level))
    if name in others:
        return np.asarray(others[name]())
    return np.asarray(
        image.transform(
            image.size,
            Image.Transform.AFFINE,
            coefficients(name, level),
            Image.Resampling.BILINEAR,
            fillcolor=(GREY,) * 3,
        )
    )


def coefficients(name: str, level: float) -> tuple[float, ...]:
    """(a, b, c, d, e, f) of x' = a·x + b·y + c, y' = d·x + e·y + f, from output to input."""
    angle = math.radians(30 * level)
    linear = {
        "rotate": (math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle)),
        "shear_x": (1, 0.3 * level, 0, 1),
        "shear_y": (1, 0, 0.3 * level, 1),
    }
    a, b, d, e = linear.get(name, (1, 0, 0, 1))
    x, y = (0.45 * level * SIZE * (name == f"translate_{axis}") for axis in "xy")
    middle = SIZE / 2  # Pillow's pixels have their middle at 0.5
    return a, b, middle - (a + b) * middle + x, d, e, middle - (d + e) * middle + y


def where_from(name: str, level: float) -> np.ndarray:
    """Where each output pixel comes from, (2, S, S), the middle of the first pixel being 0."""
    a, b, c, d, e, f = coefficients(name, level)
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    return np.stack([a * x + b * y + c, d * x + e * y + f]) - 0.5


WARPS = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_pillows(name):
    """To 1 of 255, for Pillow cuts fractions off; tables alike. Warps but for the very edge."""
    compiled = tf.function(OPERATIONS[name])
    for kind, picture in PICTURES.items():
        for level in (1.0,) if name in WITHOUT_LEVEL else LEVELS:
            ours = compiled(tf.constant(picture[None]), tf.constant(level)).numpy()[0]
            expected = of_pillow(name, picture, level)
            difference = np.abs(ours.astype(int) - expected)
            if name in WARPS:
                place = where_from(name, level)
                inside = ((place >= 0) & (place <= SIZE - 1)).all(axis=0)
                outside = ((place <= -1) | (place >= SIZE)).any(axis=0)
                assert inside.mean() > 0.5
                assert (ours[outside] == GREY).all()
                difference = difference[inside]
            exact = ("identity", "solarize", "posterize", "equalize")
            assert difference.max() <= (0 if name in exact else 1), (kind, level)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in WITHOUT_LEVEL])
def test_level_0_is_the_identity(name):
    for picture in PICTURES.values():
        ours = OPERATIONS[name](tf.constant(picture[None]), tf.constant(0.0))
        assert np.array_equal(ours[0], picture)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "identity"])
def test_every_other_level_changes_something(name):
    pictures = PICTURES["smooth"][None]
    changed = [
        np.abs(OPERATIONS[name](tf.constant(pictures), tf.constant(level)).numpy() - pictures).sum()
        for level in (-1.0, 1.0)
    ]
    assert min(changed) > 0


def test_a_clip_has_one_histogram_one_mean_and_one_warp():
    """Two frames are treated as the picture that has both of them side by side would be."""
    frames = np.stack([noise(0, 100), noise(60, 200)])
    beside = Image.fromarray(np.concatenate(list(frames), axis=1))
    for name, expected in {
        "autocontrast": ImageOps.autocontrast(beside),
        "equalize": ImageOps.equalize(beside),
        "contrast": ImageEnhance.Contrast(beside).enhance(1.45),
    }.items():
        ours = OPERATIONS[name](tf.constant(frames), tf.constant(0.5)).numpy()
        difference = np.concatenate(list(ours), axis=1).astype(int) - np.asarray(expected)
        assert np.abs(difference).max() <= 1, name
    for name in OPERATIONS:
        still = np.repeat(smooth()[None], 3, axis=0)
        ours = OPERATIONS[name](tf.constant(still), tf.constant(-0.7)).numpy()
        assert np.array_equal(ours[0], ours[1]), name
        assert np.array_equal(ours[0], ours[2]), name


@pytest.mark.parametrize("shape", [(SIZE, SIZE, 3), (5, SIZE, SIZE, 3)])
def test_what_is_drawn_is_what_is_done(shape, monkeypatch):
    """The view is the drawn operations one after the other, of images and of clips."""
    done = []

    def followed(number, frames, level):
        name = list(OPERATIONS)[int(number)]
        done.append((name, float(level)))
        return OPERATIONS[name](frames, level)

    recipe = Recipe("mine", size=SIZE, randaugment=3, randaugment_magnitude=7.0)
    view = tf.constant(np.random.default_rng(0).integers(0, 256, shape, dtype="uint8"))
    ours = [randaugment(view, recipe, [5, i]) for i in range(12)]
    compiled = tf.function(lambda seed: randaugment(view, recipe, seed))
    graph, again = ([compiled(tf.constant([5, i], "int64")) for i in range(12)] for _ in range(2))
    with monkeypatch.context() as patch:
        patch.setattr(module, "_one_of", followed)
        expected = [randaugment(view, recipe, [5, i]) for i in range(12)]
    assert len(done) == 36
    assert {abs(level) for _, level in done} == {float(np.float32(0.7))}
    assert len({name for name, _ in done}) > 9
    for a, b, c, d in zip(ours, expected, graph, again, strict=True):
        assert a.shape == c.shape == shape
        assert a.dtype == "uint8"
        assert np.array_equal(a, b)
        assert np.array_equal(c, d)
        # A compiled graph rounds some halves to the other side.
        assert np.abs(a.numpy().astype(int) - c.numpy()).mean() < 0.1


def test_operations_and_signs_are_equally_likely(monkeypatch):
    drawn = collections.Counter()
    monkeypatch.setattr(
        module,
        "_one_of",
        lambda number, frames, level: drawn.update([(int(number), float(level))]) or frames,
    )
    view = tf.zeros((SIZE, SIZE, 3), "uint8")
    recipe = Recipe("mine", size=SIZE, randaugment=14, randaugment_magnitude=10.0)
    for i in range(200):
        randaugment(view, recipe, [1, i])
    assert len(drawn) == 14 * 2
    # 2,800 draws of 28 equal chances: 100 each, with a standard deviation of 9.8.
    assert min(drawn.values()) > 60
    assert max(drawn.values()) < 140

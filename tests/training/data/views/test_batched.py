"""Many views at once: bit for bit what each of them is by itself, and no Python on the way."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data import open_source, pipeline, reading, resolve
from a2keras.training.data.pipeline import plain_batches, training_batches
from a2keras.training.data.source import ArrayExamples
from a2keras.training.data.views import batched
from a2keras.training.data.views.augmentation import random_view

LABELS = ("a", "b", "c")
MIXED = {"mixup": 0.4, "cutmix": 1.0}


def examples(height=37, width=29, count=13) -> ArrayExamples:
    images = np.random.default_rng(7).integers(0, 256, (count, height, width, 3), dtype="uint8")
    return ArrayExamples(images, np.arange(count) % 3, tuple(map(str, range(count))))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"interpolation": "bicubic"},
        {"crop_scale": 1.0, "flip": False},
        {"size": 53},
        {"size": 41, "interpolation": "bicubic", "crop_scale": 0.9},
        {"crop": "side", "crop_aspect": 1.3},
        {"crop": "area", "crop_aspect": 1.33},
        {"hue": 20.0, "lightness": 50.0, "saturation": 40.0},
        {"pixel_noise": 20.0, "erasing": 0.5, "randaugment": 2},
    ],
)
def test_every_bit_is_that_of_the_view_by_itself(settings):
    data = examples()
    recipe = Recipe("mine", **{"size": 17, **settings})
    preprocessing = Preprocessing(LABELS, recipe.size)
    rows = np.array([3, 0, 12, 3, 7, 5, 11])
    seeds = np.stack([np.full(7, 1234567891011), np.arange(7)], axis=1)
    images, _ = data.stacked()
    single = tf.function(lambda i, s: random_view(data, i, recipe, preprocessing, s))
    alone = [single(i, s) for i, s in zip(tf.constant(rows), tf.constant(seeds), strict=True)]
    together = tf.function(lambda i, s: batched.random_views(images, i, recipe, s))
    found = together(tf.constant(rows), tf.constant(seeds))
    assert np.array_equal(found, np.stack(alone))
    assert len(np.unique(found[0] - found[3])) > 1  # the same image, another view


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [11, 23, 31])
def test_taps_are_the_weights_of_a_resize(interpolation, size):
    """Against `tf.image.resize` of the unit vectors: its matrix, column by column."""
    first, weights = batched.taps(23, size, interpolation)
    for length in range(1, 24):
        unit = np.eye(length, dtype="float32")[..., None, None]  # (length, H, 1, 1)
        resized = tf.image.resize(unit, (size, 1), interpolation, antialias=True)
        matrix = resized.numpy()[..., 0, 0].T
        found = np.zeros((size, length + weights.shape[2]), "float32")
        for row in range(size):
            found[row, first[length, row] :][: weights.shape[2]] += weights[length, row]
        assert np.array_equal(found[:, :length], matrix)
        assert not found[:, length:].any()


@pytest.fixture
def singly(monkeypatch):
    """Makes the pipeline take its views one by one for a block."""

    def batches(make):
        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "at_once", lambda *_: 0)
            return list(make())

    return batches


@pytest.mark.parametrize(
    ("settings", "first_step", "shard"),
    [({}, 0, (0, 1)), ({}, 3, (1, 2)), (MIXED, 1, (0, 1)), ({**MIXED, "accumulate": 3}, 2, (0, 1)),
     ({"sampling": "balanced"}, 0, (2, 3))],
)  # fmt: skip
def test_the_batches_are_those_of_single_views(singly, settings, first_step, shard):
    data = examples(count=17)
    recipe = Recipe("mine", size=11, batch_size=6, epochs=2, seed=3, **settings)

    def make():
        return training_batches(data, recipe, Preprocessing(LABELS, 11), first_step, shard)

    pairs = list(zip(make(), singly(make), strict=True))
    assert len(pairs) == (2 * 3 - first_step) * recipe.accumulate
    for ours, theirs in pairs:
        for one, other in zip(ours, theirs, strict=True):
            assert one.shape == other.shape and np.array_equal(one, other)


@pytest.mark.parametrize("fit", ["crop", "letterbox"])
def test_plain_batches_are_those_of_single_views(singly, fit):
    def make():
        indices = np.array([5, 2, 2, 12, 0, 9, 7])
        return plain_batches(examples(), 3, Preprocessing(LABELS, 11, fit=fit), indices)

    for ours, theirs in zip(make(), singly(make), strict=True):
        assert all(np.array_equal(*each) for each in zip(ours, theirs, strict=True))


def test_large_images_and_those_of_several_sizes_are_taken_one_by_one(tmp_path, write_images):
    assert batched.at_once(tf.zeros((5, 37, 29, 3)), 17, 10**6) == 32
    assert batched.at_once(tf.zeros((5, 37, 29, 3)), 17, 5) == 6
    assert batched.at_once(tf.zeros((5, 37, 29, 3)), 224, 10**6) == 0
    assert batched.at_once(None, 17, 10**6) == 0
    mixed = reading.Keeping(10**6)
    for shape in ((5, 7, 3), (7, 6, 3)):
        mixed.add(np.zeros(shape, "uint8"))
    assert mixed.done().stacked() is None
    assert mixed.done().select(np.array([1])).stacked() is None  # of one size, in such a block


@pytest.mark.parametrize("sizes", [[(23, 23)], [(23, 29), (29, 23), (31, 37)]])
def test_no_python_runs_for_an_example_in_memory(tmp_path, monkeypatch, sizes):
    """Of one size or of several: once a file is decoded, its pixels stay in the graph."""
    for i in range(24):
        path = tmp_path / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 256, (*sizes[i % len(sizes)], 3), "uint8")
        Image.fromarray(pixels).save(path)
    recipe = Recipe("mine", data=f"folder:{tmp_path}", size=17, batch_size=4, epochs=1)
    recipe = resolve(recipe)
    data = open_source(recipe).splits["train"]
    expected = [data.training_frames(i) for i in range(len(data))]
    monkeypatch.setattr(type(data), "training_frames", None)
    monkeypatch.setattr(reading.Kept, "__getitem__", None)
    preprocessing = Preprocessing(("a", "b"), 17)
    batches = list(training_batches(data, recipe, preprocessing))
    assert len(batches) == -(-len(data) // 4)
    for i, frames in enumerate(expected):
        assert np.array_equal(data.load(i), frames)


def test_a_run_of_more_epochs_than_one_goes_on_in_the_middle_of_a_portion():
    recipe = Recipe("mine", size=11, batch_size=5, epochs=3, seed=1)
    make = (examples(count=13), recipe, Preprocessing(LABELS, 11))
    whole, rest = (list(training_batches(*make, first_step=step)) for step in (0, 3))
    assert (len(whole), len(rest)) == (9, 6)
    for ours, theirs in zip(whole[3:], rest, strict=True):
        assert np.array_equal(ours[0], theirs[0]) and np.array_equal(ours[1], theirs[1])
    other = training_batches(*make[:1], dataclasses.replace(recipe, seed=2), make[2])
    assert not np.array_equal(next(iter(other))[0], whole[0][0])

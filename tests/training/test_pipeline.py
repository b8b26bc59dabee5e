"""The order of examples is a function of (seed, epoch, step); clips are cut as one."""

import dataclasses

import numpy as np
import pytest

from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data.pipeline import (
    epoch_order,
    plain_batches,
    steps_per_epoch,
    training_batches,
)
from a2keras.training.data.source import ArrayExamples, Examples

LABELS = np.arange(17) % 3
RECIPE = Recipe("mine", size=5, epochs=3, batch_size=4, crop_scale=0.6, seed=11)
PREPROCESSING = Preprocessing(("a", "b", "c"), 5)


@pytest.fixture(scope="module")
def examples() -> ArrayExamples:
    """17 images of 7×11 pixels; every pixel of image i is 10 · (i + 1)."""
    shades = 10 * np.arange(1, 18, dtype="uint8")
    images = np.broadcast_to(shades[:, None, None, None], (17, 7, 11, 3))
    return ArrayExamples(images, LABELS, tuple(map(str, range(17))))


def run(examples: Examples, recipe: Recipe, first_step: int = 0, shard=(0, 1)) -> list[tuple]:
    batches = training_batches(examples, recipe, PREPROCESSING, first_step, shard)
    return [(pixels.numpy(), labels.numpy()) for pixels, labels in batches]


def test_an_epoch_shows_each_example_once_in_an_order_of_its_own(examples):
    batches = run(examples, RECIPE)
    assert len(batches) == 3 * 4  # 17 // 4 batches an epoch
    orders = []
    for epoch in range(3):
        shown = np.concatenate([p[:, 0, 0, 0] for p, _ in batches[4 * epoch : 4 * epoch + 4]])
        orders.append((shown / 10 - 1).astype(int))
        assert orders[-1].tolist() == epoch_order(17, 11, epoch)[:16].tolist()
        assert len(set(orders[-1])) == 16
    assert orders[0].tolist() != orders[1].tolist() != orders[2].tolist()
    pixels, labels = batches[0]
    assert pixels.shape == (4, 5, 5, 3)
    assert pixels.dtype == labels.dtype == "float32"
    assert labels.argmax(axis=1).tolist() == LABELS[orders[0][:4]].tolist()


@pytest.fixture(scope="module")
def noise() -> ArrayExamples:
    """17 images of which no two pixels are alike, so that every crop and flip shows."""
    images = np.random.default_rng(1).integers(0, 255, (17, 7, 11, 3), dtype="uint8")
    return ArrayExamples(images, LABELS, tuple(map(str, range(17))))


@pytest.mark.parametrize("first_step", [0, 3, 4, 7, 11, 12])
def test_a_run_that_goes_on_sees_what_it_would_have_seen(noise, first_step):
    whole, rest = run(noise, RECIPE), run(noise, RECIPE, first_step)
    assert len(whole) == 12
    assert len(rest) == 12 - first_step
    for (pixels, labels), (pixels_again, labels_again) in zip(
        whole[first_step:], rest, strict=True
    ):
        assert np.array_equal(pixels, pixels_again)
        assert np.array_equal(labels, labels_again)


def test_another_seed_is_another_order(noise):
    other = run(noise, dataclasses.replace(RECIPE, seed=12))
    assert not np.array_equal(run(noise, RECIPE)[0][0], other[0][0])


@pytest.mark.parametrize("parts", [2, 4])
def test_the_shards_together_are_the_batches(noise, parts):
    whole = run(noise, RECIPE, first_step=6)
    shards = [run(noise, RECIPE, 6, (part, parts)) for part in range(parts)]
    for step, (pixels, labels) in enumerate(whole):
        assert shards[0][step][0].shape == (4 // parts, 5, 5, 3)
        assert np.array_equal(pixels, np.concatenate([shard[step][0] for shard in shards]))
        assert np.array_equal(labels, np.concatenate([shard[step][1] for shard in shards]))


@pytest.mark.parametrize("shard", [(2, 2), (-1, 2), (0, 3), (0, 0)])
def test_a_shard_that_does_not_exist_is_refused(noise, shard):
    with pytest.raises(ValueError) as error:
        run(noise, RECIPE, 0, shard)
    assert str(error.value) == (
        "`shard` must be (i, n) with 0 <= i < n, and n must divide the batch. "
        f"Received: shard={shard}, batch_size=4"
    )


def test_steps_per_epoch_is_at_most_what_the_examples_fill():
    assert steps_per_epoch(RECIPE, 17) == 4
    assert steps_per_epoch(dataclasses.replace(RECIPE, steps_per_epoch=3), 17) == 3
    assert steps_per_epoch(dataclasses.replace(RECIPE, steps_per_epoch=9), 17) == 4


def test_validation_shows_all_examples_in_order(examples):
    batches = list(plain_batches(examples, 4, PREPROCESSING))
    shown = np.concatenate([pixels[:, 2, 2, 0] for pixels, _ in batches])
    assert (shown / 10 - 1).astype(int).tolist() == list(range(17))
    assert np.concatenate([y for _, y in batches]).argmax(axis=1).tolist() == LABELS.tolist()

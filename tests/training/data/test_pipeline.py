"""The order of examples is a function of (seed, epoch, step); clips are cut as one."""

import dataclasses

import numpy as np
import pytest

from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data import pipeline
from a2keras.training.data.pipeline import (
    epoch_order,
    first_views,
    plain_batches,
    steps_per_epoch,
    training_batches,
    with_equal_batches,
)
from a2keras.training.data.source import ArrayExamples, Examples
from a2keras.training.data.views import augmentation

LABELS = np.arange(17) % 3
RECIPE = Recipe("mine", size=5, epochs=3, batch_size=4, crop_scale=0.6, seed=11)
AUGMENTED = dataclasses.replace(
    RECIPE, mixup=0.4, cutmix=1.0, randaugment=2, randaugment_magnitude=6.0, erasing=0.5
)
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


def test_tensorflow_says_nothing_of_the_last_views_of_an_epoch(capfd):
    """42 are made as 32 and 10, of room for 32, and dealt out to batches of 14."""
    images = np.zeros((40, 37, 41, 3), "uint8")
    forty = ArrayExamples(images, np.arange(40) % 3, tuple(map(str, range(40))))
    recipe = dataclasses.replace(RECIPE, size=32, batch_size=14)
    batches = training_batches(forty, recipe, Preprocessing(("a", "b", "c"), 32), 0, (0, 1))
    assert [pixels.shape for pixels, _ in batches] == 9 * [(14, 32, 32, 3)]
    assert "RefCount" not in capfd.readouterr().err


def test_an_epoch_shows_each_example_once_in_an_order_of_its_own(examples):
    """What is left of the last batch goes to the first examples once more."""
    batches = run(examples, RECIPE)
    assert len(batches) == 3 * 5  # ceil(17 / 4) batches an epoch
    orders = []
    for epoch in range(3):
        shown = np.concatenate([p[:, 0, 0, 0] for p, _ in batches[5 * epoch : 5 * epoch + 5]])
        orders.append((shown / 10 - 1).astype(int))
        order = epoch_order(17, 11, epoch).tolist()
        assert orders[-1].tolist() == order + order[:3]
        assert sorted(order) == list(range(17))
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


@pytest.mark.parametrize("first_step", [0, 4, 5, 7, 14, 15])
def test_a_run_that_goes_on_sees_what_it_would_have_seen(noise, first_step):
    goes_on(noise, RECIPE, first_step)


@pytest.mark.parametrize("first_step", [4, 14])
def test_and_so_does_one_with_augmentation(noise, first_step):
    goes_on(noise, AUGMENTED, first_step)


def goes_on(noise: Examples, recipe: Recipe, first_step: int) -> None:
    whole, rest = run(noise, recipe), run(noise, recipe, first_step)
    assert len(whole) == 15
    assert len(rest) == 15 - first_step
    for (pixels, labels), (pixels_again, labels_again) in zip(
        whole[first_step:], rest, strict=True
    ):
        assert np.array_equal(pixels, pixels_again)
        assert np.array_equal(labels, labels_again)


def test_another_seed_is_another_order(noise):
    other = run(noise, dataclasses.replace(RECIPE, seed=12))
    assert not np.array_equal(run(noise, RECIPE)[0][0], other[0][0])


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "parts"), [(RECIPE, 2), (RECIPE, 4), (AUGMENTED, 2)])
def test_the_shards_together_are_the_batches(noise, recipe, parts):
    whole = run(noise, recipe, first_step=6)
    shards = [run(noise, recipe, 6, (part, parts)) for part in range(parts)]
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


def test_a_shard_of_half_pairs_is_refused(noise):
    with pytest.raises(ValueError) as error:
        run(noise, AUGMENTED, 0, (1, 4))
    assert str(error.value) == (
        "`shard` must be (i, n) with 0 <= i < n, and n must divide the batch, into whole pairs. "
        "Received: shard=(1, 4), batch_size=4"
    )


@pytest.mark.parametrize(("recipe", "accumulate"), [(RECIPE, 2), (AUGMENTED, 2), (AUGMENTED, 4)])
def test_the_micro_batches_together_are_the_batches(noise, recipe, accumulate):
    """Wherever they cut: of four parts each has one example, and its partner is in another."""
    whole = run(noise, recipe, first_step=5)
    parts = run(noise, dataclasses.replace(recipe, accumulate=accumulate), first_step=5)
    assert len(parts) == accumulate * len(whole)
    for step, (pixels, labels) in enumerate(whole):
        some = parts[accumulate * step : accumulate * (step + 1)]
        assert np.array_equal(pixels, np.concatenate([part for part, _ in some]))
        assert np.array_equal(labels, np.concatenate([part for _, part in some]))


def test_neighbours_are_mixed_with_each_other(noise):
    """What enters is the plain batch, mixed with the weights that the labels tell."""
    recipe = dataclasses.replace(RECIPE, mixup=0.5)
    for (plain, classes), (pixels, labels) in zip(
        run(noise, RECIPE), run(noise, recipe), strict=True
    ):
        partner = [1, 0, 3, 2]
        for i, j in enumerate(partner):
            assert labels[i].sum() == pytest.approx(1, abs=1e-6)
            if (own := classes[i].argmax()) != classes[j].argmax():
                weight = labels[i][own]
                np.testing.assert_allclose(
                    pixels[i], weight * plain[i] + (1 - weight) * plain[j], atol=1e-4
                )
                assert labels[i][classes[j].argmax()] == pytest.approx(1 - weight, abs=1e-6)
    shares = np.concatenate([labels.max(axis=1) for _, labels in run(noise, recipe)])
    assert len(set(shares[shares < 1].tolist())) > 9  # one for every pair


def test_the_first_views_are_those_that_enter(noise):
    """But for halves that a compiled graph rounds to the other side."""
    plain = dataclasses.replace(AUGMENTED, randaugment=0)
    for recipe, tolerance in ((plain, 1e-4), (AUGMENTED, 1)):
        (pixels, _), *_ = run(noise, recipe)
        views = first_views(noise, recipe, PREPROCESSING, 4)
        assert np.abs(views - pixels).mean() < tolerance
        lone = first_views(noise, recipe, PREPROCESSING, 3)
        np.testing.assert_array_equal(lone[:2], views[:2])


def test_what_is_off_is_not_there(noise, monkeypatch):
    """Without augmentation nothing of it is even built into the pipeline."""
    built = set()

    def recorded(name, function):
        # Not an exception: one within tf.map_fn leaves TensorFlow's variable scope changed,
        # and no strategy's scope can be entered in this process any more.
        def record(*arguments):
            built.add(name)
            return function(*arguments)

        return record

    for module, name in (
        (augmentation, "randaugment"),
        (augmentation, "erase"),
        (pipeline, "mixed_pair"),
    ):
        monkeypatch.setattr(module, name, recorded(name, getattr(module, name)))
    assert len(run(noise, RECIPE)) == 15
    assert built == set()
    for setting, name in (
        ({"randaugment": 1}, "randaugment"),
        ({"erasing": 0.1}, "erase"),
        ({"mixup": 0.1}, "mixed_pair"),
        ({"cutmix": 0.1}, "mixed_pair"),
    ):
        run(noise, dataclasses.replace(RECIPE, **setting))
        assert built == {name}
        built.clear()


def test_what_comes_again_in_an_epoch_is_another_view(noise):
    batches = run(noise, RECIPE)
    first, again = batches[0][0][:3], batches[4][0][1:]
    assert batches[0][1][:3].tolist() == batches[4][1][1:].tolist()
    assert not any(np.array_equal(*pair) for pair in zip(first, again, strict=True))


def test_steps_per_epoch_is_at_most_what_shows_all_examples():
    assert steps_per_epoch(RECIPE, 16) == 4
    assert steps_per_epoch(RECIPE, 17) == 5
    assert steps_per_epoch(dataclasses.replace(RECIPE, steps_per_epoch=3), 17) == 3
    assert steps_per_epoch(dataclasses.replace(RECIPE, steps_per_epoch=9), 17) == 5


@pytest.mark.parametrize(
    ("batch", "steps", "count", "unit", "size"),
    [
        (32, 0, 42, 1, 21),  # 2 of 21, not 32 and 10
        (32, 0, 64, 1, 32),
        (32, 0, 65, 1, 22),  # 3 of 22 show one again
        (32, 0, 65, 4, 24),
        (32, 0, 20, 1, 20),  # fewer than a batch
        (32, 0, 3, 8, 8),  # fewer than there are replicas
        (32, 2, 42, 1, 21),
        (32, 1, 42, 1, 32),  # the recipe wants less of an epoch
        (32, 9, 1000, 1, 32),
        (2048, 0, 1_281_167, 64, 2048),
    ],
)
def test_batches_of_one_size_show_all_examples(batch, steps, count, unit, size):
    recipe = dataclasses.replace(RECIPE, batch_size=batch, steps_per_epoch=steps)
    equal = with_equal_batches(recipe, count, unit)
    assert equal == dataclasses.replace(recipe, batch_size=size)
    assert steps_per_epoch(equal, count) == steps_per_epoch(recipe, count)
    assert with_equal_batches(equal, count, unit) == equal


def test_validation_shows_all_examples_in_order(examples):
    batches = list(plain_batches(examples, 4, PREPROCESSING))
    shown = np.concatenate([pixels[:, 2, 2, 0] for pixels, _ in batches])
    assert (shown / 10 - 1).astype(int).tolist() == list(range(17))
    assert np.concatenate([y for _, y in batches]).argmax(axis=1).tolist() == LABELS.tolist()

"""The learning rate, by hand."""

import dataclasses
import math

import keras
import numpy as np
import pytest

from a2keras.training.compute.schedules import learning_rate
from a2keras.training.config import Recipe


def rates(recipe: Recipe, steps_per_epoch: int) -> list[float]:
    schedule = learning_rate(recipe, steps_per_epoch)
    return [float(schedule(np.int64(step))) for step in range(recipe.epochs * steps_per_epoch + 1)]


def test_warm_up_then_cosine_to_zero():
    recipe = Recipe("mine", epochs=3, warmup_epochs=1, learning_rate=0.8)
    expected = [0.2, 0.4, 0.6, 0.8]  # four steps of warm-up
    expected += [0.4 * (1 + math.cos(math.pi * k / 8)) for k in range(9)]
    assert rates(recipe, 4) == pytest.approx(expected, abs=1e-7)
    assert expected[4] == 0.8
    assert expected[8] == pytest.approx(0.4)
    assert expected[-1] == 0


def test_no_warm_up_starts_at_the_base():
    recipe = Recipe("mine", epochs=2, warmup_epochs=0, learning_rate=0.5)
    assert rates(recipe, 3)[0] == 0.5


def test_a_fraction_of_an_epoch_warms_up():
    recipe = Recipe("mine", epochs=2, warmup_epochs=0.5, learning_rate=0.9)
    assert rates(recipe, 6)[:4] == pytest.approx([0.3, 0.6, 0.9, 0.9])


def test_steps_down():
    recipe = Recipe(
        "mine",
        epochs=4,
        warmup_epochs=0,
        learning_rate=0.2,
        schedule="step",
        step_epochs="1, 3",
        step_factor=0.1,
    )
    expected = [0.2, 0.2, 0.02, 0.02, 0.02, 0.02, 0.002, 0.002, 0.002]
    assert rates(recipe, 2) == pytest.approx(expected)


def test_the_head_has_a_schedule_of_its_own():
    recipe = Recipe(
        "mine", epochs=5, freeze_epochs=2, freeze_rate=0.6, warmup_epochs=1, learning_rate=0.2
    )
    expected = [0.3, 0.6]  # of four steps, two warm up
    expected += [0.3 * (1 + math.cos(math.pi * k / 2)) for k in range(2)]
    expected += [0.1, 0.2]
    expected += [0.1 * (1 + math.cos(math.pi * k / 4)) for k in range(5)]
    assert rates(recipe, 2) == pytest.approx(expected, abs=1e-7)
    recipe = dataclasses.replace(recipe, freeze_rate=0.0, base_batch=32, batch_size=16)
    assert rates(recipe, 2)[1] == pytest.approx(0.1)  # as learning_rate
    recipe = dataclasses.replace(recipe, freeze_epochs=1)
    assert rates(recipe, 2)[:4] == pytest.approx([0.1, 0.1, 0.05, 0.1])  # half of it warms up


def test_steps_down_come_after_the_head():
    recipe = Recipe(
        "mine",
        epochs=4,
        freeze_epochs=1,
        freeze_rate=0.5,
        warmup_epochs=0,
        learning_rate=0.2,
        schedule="step",
        step_epochs="2, 3",
    )
    expected = [0.5, 0.25, 0.2, 0.2, 0.02, 0.02, 0.002, 0.002, 0.002]
    assert rates(recipe, 2) == pytest.approx(expected)


def test_both_schedules_survive_their_config():
    schedule = learning_rate(Recipe("mine", freeze_epochs=3, freeze_rate=0.7), 5)
    config = keras.saving.serialize_keras_object(schedule.first)
    assert config["config"]["base"] == 0.7
    again = type(schedule).from_config(schedule.get_config())
    assert float(again(20)) == float(schedule(20))


def test_the_schedule_survives_its_config():
    schedule = learning_rate(Recipe("mine", schedule="step", step_epochs="2"), 5)
    again = type(schedule).from_config(schedule.get_config())
    assert float(again(10)) == float(schedule(10)) == pytest.approx(0.005)

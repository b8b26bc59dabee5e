"""AdamW, against Keras's own."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from a2keras.training.compute import optimizers
from a2keras.training.compute.freezing import Phase
from a2keras.training.compute.optimizers import Optimizer
from a2keras.training.config import Recipe

RECIPE = Recipe(
    "mine", optimizer="adamw", beta_1=0.7, beta_2=0.93, adam_epsilon=1e-3, weight_decay=0.2
)
RATES = [0.3, 0.2, 0.05, 0.1, 0.15]


def network() -> keras.Model:
    keras.utils.set_random_seed(7)
    pixels = keras.Input((5, 7, 3))
    x = keras.layers.Conv2D(11, 3, name="trunk")(pixels)
    x = keras.layers.Flatten()(x)
    return keras.Model(pixels, keras.layers.Dense(2, name="head")(x))


def gradients(steps: int, weights: list) -> list[list[np.ndarray]]:
    random = np.random.default_rng(3)
    return [[random.normal(0, 2, w.shape).astype("float32") for w in weights] for _ in range(steps)]


def kerass(weights: list, **settings) -> keras.optimizers.AdamW:
    optimizer = keras.optimizers.AdamW(
        0.1, weight_decay=0.2, beta_1=0.7, beta_2=0.93, epsilon=1e-3, **settings
    )
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.build(weights)
    return optimizer


def schedule(step):
    return keras.ops.take(tf.constant(RATES), step)


@pytest.mark.parametrize("clip", [0.0, 1.5])
def test_it_is_that_of_keras(clip):
    ours, theirs = network(), network()
    optimizer = Optimizer(dataclasses.replace(RECIPE, clip_norm=clip), ours, schedule)
    reference = kerass(theirs.trainable_variables, global_clipnorm=clip or None)
    for rate, each in zip(RATES, gradients(5, ours.trainable_variables), strict=True):
        optimizer.apply([tf.constant(g) for g in each])
        reference.learning_rate = rate
        reference.apply_gradients(
            [(tf.constant(g), w) for g, w in zip(each, theirs.trainable_variables, strict=True)]
        )
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-6, err_msg=a.path)
    assert len(optimizer.variables) == 1 + 2 * 4 + 1  # step, both moments, number of updates


def test_a_weight_that_learns_later_begins_anew():
    """The head from the first step, the trunk from the third: as two optimizers of Keras."""
    ours, theirs = network(), network()
    weights = ours.trainable_variables
    phases = [Phase(0, weights[2:], []), Phase(2, weights, [])]
    optimizer = Optimizer(RECIPE, ours, schedule, phases)
    head, trunk = (theirs.get_layer(name).trainable_variables for name in ("head", "trunk"))
    references = kerass(head), kerass(trunk)
    for step, (rate, each) in enumerate(zip(RATES, gradients(5, weights), strict=True)):
        optimizer.phase = int(step >= 2)
        learning = each if step >= 2 else each[2:]
        optimizer.apply([tf.constant(g) for g in learning])
        for reference, those, values in zip(
            references, (head, trunk), (each[2:], each[:2]), strict=True
        ):
            if those is head or step >= 2:
                reference.learning_rate = rate
                reference.apply_gradients(
                    [(tf.constant(g), w) for g, w in zip(values, those, strict=True)]
                )
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-6, err_msg=a.path)


def test_an_overflow_is_no_update(monkeypatch):
    monkeypatch.setattr(optimizers, "FIRST_SCALE", 4.0)
    ours, theirs = network(), network()
    recipe = dataclasses.replace(RECIPE, precision="mixed_float16")
    optimizer = Optimizer(recipe, ours, lambda step: 0.1)
    reference = kerass(theirs.trainable_variables)
    first, second = gradients(2, ours.trainable_variables)
    before = [v.numpy() for v in optimizer.variables[1:10]]
    optimizer.apply([tf.fill(g.shape, np.inf) for g in first])
    for v, was in zip(optimizer.variables[1:10], before, strict=True):
        assert np.array_equal(v.numpy(), was)
    for each in (first, second):
        optimizer.apply([tf.constant(2 * g) for g in each])  # the scale is halved
        reference.apply_gradients(
            [(tf.constant(g), w) for g, w in zip(each, theirs.trainable_variables, strict=True)]
        )
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-6, err_msg=a.path)
    assert int(optimizer.step) == 3

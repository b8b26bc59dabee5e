"""Residual branches that are left out: which ones, how often, and what is computed then."""

import dataclasses

import keras
import numpy as np
import pytest

from a2keras import models
from a2keras.errors import UserError
from a2keras.training.compute.freezing import Wiring
from a2keras.training.compute.stochastic_depth import StochasticDepth, residuals_of
from a2keras.training.config import Recipe

RECIPE = Recipe("mine", model="some_net", drop_path=0.6, batch_size=11)


def network() -> keras.Model:
    """Two residual units, the second with a projection, and an addition that is none."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    pixels = keras.Input((13, 17, 3), name="pixels")
    x = layers.Conv2D(5, 3, padding="same", name="conv1")(pixels)
    y = layers.Conv2D(5, 3, padding="same", activation="relu", name="conv2_a")(x)
    y = layers.Conv2D(5, 3, padding="same", name="conv2_b")(y)
    x = layers.Add(name="conv2")([y, x])
    y = layers.Conv2D(7, 3, padding="same", activation="relu", name="conv3_a")(x)
    y = layers.Conv2D(7, 3, padding="same", name="conv3_b")(y)
    x = layers.Conv2D(7, 1, name="conv3_shortcut")(x) + y
    y, z = (layers.Conv2D(7, 1, name=f"conv4_{each}")(x) for each in "ab")
    x = layers.Add(name="conv4")([y, z])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(pixels, layers.Dense(2, name="predictions")(x))


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, 13, 17, 3)).astype("float32")


def test_branches_are_told_from_shortcuts():
    wiring = Wiring(network())
    found = residuals_of(wiring)
    names = [wiring.places[each.place].operation.name for each in found]
    assert (names[0], [each.branch for each in found]) == ("conv2", [0, 1])


@pytest.mark.parametrize(
    ("name", "count"), [("resnet50", 16), ("mobilenet_v2", 10), ("efficientnet_lite0", 9)]
)
def test_the_residuals_of_known_networks(name, count):
    model = models.build(name, input_shape=(32, 32, 3), weights=None, classes=3)
    assert len(residuals_of(Wiring(model))) == count


def test_factors_leave_out_what_they_are_zero_for():
    model = network()
    depth = StochasticDepth(RECIPE, model)
    x = pixels(3)
    ones = np.ones((3, 2), "float32")
    np.testing.assert_allclose(depth.model([x, ones]), model(x), atol=1e-6)
    factors = np.array([[0, 1], [1, 0], [0, 0]], "float32")
    mixed = depth.model([x, factors]).numpy()
    whole = model.get_weights()
    for i, gone in enumerate([("conv2_b",), ("conv3_b",), ("conv2_b", "conv3_b")]):
        for name in gone:
            layer = model.get_layer(name)
            layer.set_weights([np.zeros(w.shape) for w in layer.weights])
        np.testing.assert_allclose(mixed[i], model(x)[i], atol=1e-6)
        model.set_weights(whole)
    assert {id(v) for v in depth.model.weights} == {id(v) for v in model.weights}


def test_factors_have_a_mean_of_one_and_are_functions_of_seed_and_step():
    depth = StochasticDepth(RECIPE, network())
    np.testing.assert_allclose(depth.rates, [0.3, 0.6])
    drawn = np.stack([depth.factors(step) for step in range(900)])
    assert drawn.shape == (900, 11, 2)
    assert drawn.dtype == "float32"
    for i, rate in enumerate((0.3, 0.6)):
        assert set(np.unique(drawn[..., i])) == {np.float32(0), np.float32(1 / (1 - rate))}
        assert drawn[..., i].mean() == pytest.approx(1, abs=0.05)
    again = StochasticDepth(RECIPE, network())
    assert np.array_equal(again.factors(7), drawn[7])
    assert not np.array_equal(drawn[6], drawn[7])
    other = StochasticDepth(dataclasses.replace(RECIPE, seed=1), network())
    assert not np.array_equal(other.factors(7), drawn[7])
    assert np.array_equal(depth.factors(7, learns=False), np.ones((11, 2)))


def test_what_is_held_is_not_left_out():
    depth = StochasticDepth(dataclasses.replace(RECIPE, freeze_until="conv2"), network())
    assert depth.rates.tolist() == [0, 0.6]


def test_networks_without_residuals_are_told():
    x = keras.Input((7, 7, 3))
    model = keras.Model(x, keras.layers.Conv2D(5, 3)(x))
    with pytest.raises(UserError) as error:
        StochasticDepth(RECIPE, model)
    assert str(error.value) == (
        "recipe field drop_path is for networks with residuals, and some_net has none. "
        "Received: drop_path=0.6"
    )

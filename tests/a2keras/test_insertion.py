"""Where blocks stand in the copy of a model, and what it computes."""

import functools
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

import a2keras
from a2keras import DoubleAttention, NonLocal, SqueezeExcitation

sys.path.insert(0, str(Path(__file__).parent))
from hosts import (
    ENDS,
    IMAGE,
    array,
    block,
    blocks_of,
    call,
    check,
    loud,
    many_ends,
    nested,
    noise,
    randomise,
    sequential,
    shared,
    small,
)


@pytest.mark.parametrize(
    ("make", "inputs", "after", "channels"),
    [
        (small, IMAGE, ["one_conv", "two_bn", "sum"], [5, 5, 5]),
        (sequential, IMAGE, ["conv"], [5]),
        (nested, IMAGE, ["inner/add", "deep_bn", "stack/conv", "/conv", "inner"], [5] * 5),
        (shared, IMAGE, ["conv", "deep", "first"], [5, 5, 5]),
        (many_ends, ENDS, ["conv", "add", "last"], [5, 5, 7]),
    ],
)
def test_predictions_weights_and_ends_stay(make, inputs, after, channels):
    model = make()
    copy = check(model, inputs, after)
    assert copy.count_params() == model.count_params() + sum(2 * c * (3 + 2) for c in channels)
    for one, other in zip(model.inputs, copy.inputs, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        assert one._keras_history.operation.name == other._keras_history.operation.name
    quiet, changed = (keras.tree.flatten(call(each, inputs)) for each in (model, loud(copy)))
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(quiet, changed, strict=True))


def test_the_block_stands_between_the_layer_and_what_followed_it():
    """Against the host's own layers, called by hand with the block among them."""
    copy = loud(a2keras.insert_blocks(model := small(), ["one_relu", "sum"], block))
    one, after_sum = (copy.get_layer(f"{n}_double_attention") for n in ("one_relu", "sum"))
    layer = {each.name: each for each in model.layers}
    x = IMAGE
    for name in ("one_conv", "one_bn", "one_relu"):
        x = layer[name](x)
    y = x = one(x)
    for name in ("two_conv", "two_bn", "two_relu"):
        y = layer[name](y)
    expected = layer["head"](layer["pool"](after_sum(layer["sum"]([x, y]))))
    np.testing.assert_allclose(call(copy, IMAGE), array(expected), rtol=1e-5, atol=1e-6)


def test_a_shared_layer_has_one_shared_block():
    copy = loud(a2keras.insert_blocks(model := shared(), ["conv", "deep"], block))
    (inner,) = (layer for layer in copy.layers if isinstance(layer, keras.Model))
    block_conv, block_deep = (
        host.get_layer(f"{name}_double_attention")
        for host, name in ((copy, "conv"), (inner, "deep"))
    )
    first, conv, pool = (model.get_layer(n) for n in ("first", "conv", "pool"))
    deep = model.get_layer("inner").get_layer("deep")
    x = first(IMAGE)
    y = block_deep(deep(block_conv(conv(x))))
    y = block_deep(deep(block_conv(conv(pool(y)))))
    np.testing.assert_allclose(
        call(copy, IMAGE)[1], np.mean(array(y), (1, 2)), rtol=1e-5, atol=1e-6
    )


def test_a_followed_output_is_replaced_by_its_block():
    inputs = keras.Input((11, 13, 3))
    model = keras.Model(inputs, layers.Conv2D(5, 3, name="conv")(inputs))
    copy = loud(a2keras.insert_blocks(model, ["conv"], block))
    expected = copy.get_layer("conv_double_attention")(model(IMAGE))
    np.testing.assert_array_equal(call(copy, IMAGE), array(expected))


def test_masks_reach_the_block_and_pass_it():
    words = keras.Input((11,), dtype="int32")
    x = layers.Embedding(17, 5, mask_zero=True, name="embed")(words)
    model = randomise(keras.Model(words, layers.GlobalAveragePooling1D(name="pool")(x)))
    tokens = np.random.default_rng(0).integers(1, 17, (2, 11))
    tokens[0, 7:], tokens[1, 3:] = 0, 0
    copy = loud(check(model, tokens, ["embed"]))
    mask = tokens != 0
    features = copy.get_layer("embed_double_attention")(model.get_layer("embed")(tokens), mask=mask)
    expected = [np.mean(each[keep], 0) for each, keep in zip(array(features), mask, strict=True)]
    np.testing.assert_allclose(call(copy, tokens), expected, rtol=1e-5)


def test_call_arguments_stay():
    """Tensors by keyword, and a `training` that the model was built with."""
    inputs = keras.Input((11, 5))
    attention = layers.MultiHeadAttention(2, 3, name="attention")
    x = attention(query=inputs, value=inputs, key=inputs * 2, use_causal_mask=True)
    x = layers.BatchNormalization(name="norm")(x, training=True)
    model = randomise(keras.Model(inputs, x))
    copy = a2keras.insert_blocks(model, ["attention"], block)
    for batch in (noise(2, 11, 5), noise(3, 11, 5, seed=5)):  # each moves the statistics
        np.testing.assert_array_equal(call(model, batch), call(copy, batch))
    statistics = [each.get_layer("norm").moving_mean for each in (model, copy)]
    np.testing.assert_array_equal(*map(array, statistics))


class Squeeze(layers.Layer):
    """A user's block, which is the identity when fresh."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        self.down = self.add_weight(shape=(shape[-1], self.units), name="down")
        self.up = self.add_weight(shape=(self.units, shape[-1]), initializer="zeros", name="up")

    def call(self, x):
        return x + ops.matmul(ops.matmul(x, self.down), self.up)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@pytest.mark.parametrize(
    ("block", "names", "parameters"),
    [
        (DoubleAttention(2, 3, pre_activation=True), "double_attention", 100 + 4 * 34),
        (NonLocal, "non_local", 2 * 4 * 5),
        (functools.partial(NonLocal, 3, use_bias=True), "non_local", 2 * (4 * 15 + 3 * 3 + 5)),
        (lambda: Squeeze(2), "squeeze", 2 * 20),
        (layers.Activation("linear", name="mine"), "activation", 0),
        (keras.Sequential([layers.Identity(), Squeeze(3)]), "sequential", 2 * 30),
        (lambda: layers.Dense(5, kernel_initializer="identity"), "dense", 2 * 30),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_any_layer_can_be_the_block(block, names, parameters):
    model = small()
    copy = check(model, IMAGE, ["one_relu", "sum"], block)
    assert copy.count_params() == model.count_params() + parameters
    blocks = [copy.get_layer(f"{name}_{names}") for name in ("one_relu", "sum")]
    pattern = block if isinstance(block, layers.Layer) else block()
    assert all(type(each) is type(pattern) and each is not pattern for each in blocks)


def test_squeeze_and_excitation_is_not_the_identity_when_fresh():
    model = small()
    copy = a2keras.insert_blocks(model, ["sum"], lambda: SqueezeExcitation(5))
    features = keras.Model(model.input, model.get_layer("sum").output)(IMAGE)
    gated = copy.get_layer("sum_squeeze_excitation")(features)
    expected = model.get_layer("head")(model.get_layer("pool")(gated))
    np.testing.assert_allclose(call(copy, IMAGE), array(expected), rtol=1e-5, atol=1e-6)
    assert np.abs(call(copy, IMAGE) - call(model, IMAGE)).max() > 0.01


def test_every_place_gets_initial_weights_of_its_own():
    blocks = blocks_of(a2keras.insert_blocks(small(), ["one_relu", "sum"], block()))
    assert not np.array_equal(*[array(each.theta.kernel) for each in blocks])


def test_a_predicate_chooses_layers_of_nested_models_too():
    is_conv = lambda layer: isinstance(layer, layers.Conv2D)  # noqa: E731
    asked = []
    copy = a2keras.insert_blocks(nested(), lambda layer: asked.append(layer.name) or is_conv(layer))
    assert len(blocks_of(copy)) == 4
    assert asked[:2] == ["conv", "middle"] and asked.count("conv") == 3
    assert {"inner", "deep_relu", "stack", "flat"} < set(asked)
    assert not any(name.startswith("input") for name in asked)

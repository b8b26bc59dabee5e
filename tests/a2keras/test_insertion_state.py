"""What the copy of a model carries over: state, flags, policies, layers of every making."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

import a2keras
from a2keras import DoubleAttention

sys.path.insert(0, str(Path(__file__).parent))
from hosts import (
    IMAGE,
    array,
    block,
    blocks_of,
    call,
    check,
    is_block,
    loud,
    nested,
    noise,
    randomise,
    small,
    unit,
)


@keras.saving.register_keras_serializable("test_insertion_state")
class Residual(layers.Layer):
    """A composite, with one of its layers frozen, and no get_config of its own."""

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.first = layers.Dense(channels, name="first")
        self.norm = layers.BatchNormalization(name="norm")

    def build(self, shape):
        self.first.build(shape)
        self.norm.build((*shape[:-1], self.channels))
        self.scale = self.add_weight(shape=(self.channels,), initializer="ones", name="scale")

    def call(self, x):
        return x + self.scale * self.norm(self.first(x))


class Unnamed(layers.Layer):
    """Not registered, and takes neither name nor dtype."""

    def __init__(self, factor=2.0):
        super().__init__()
        self.factor = factor

    def get_config(self):
        return {"factor": self.factor}

    def call(self, x):
        return x * self.factor

    def compute_output_shape(self, shape):
        return shape


def halved(x):
    return x / 2


def test_layers_of_every_making_are_copied():
    factor = 3.0  # in the closure of the lambda, beside a name of this module
    inputs = keras.Input((7, 11, 13, 3))
    x = layers.Normalization(name="adapted")(inputs)
    x = layers.TimeDistributed(layers.Conv2D(5, 3, name="conv"), name="frames")(x)
    x = layers.Lambda(lambda t, shift: ops.relu(t) * factor + shift, arguments={"shift": 0.5})(x)
    x = layers.TimeDistributed(Unnamed())(layers.Activation(halved, name="half")(x))
    x = layers.ConvLSTM2D(5, 3, return_sequences=True, name="lstm")(x)
    x = Residual(5, name="residual")(layers.Dropout(0.5, seed=3, name="drop")(x))
    x = Unnamed(0.25)(layers.SpectralNormalization(layers.Dense(5, name="dense"), name="wrap")(x))
    model = randomise(keras.Model(inputs, x))
    model.get_layer("adapted").adapt(5 + 3 * noise(7, 7, 11, 13, 3, seed=3))
    names = ["adapted", "frames", "lambda", "half", "drop", "residual", "wrap"]
    names[2] = next(layer.name for layer in model.layers if isinstance(layer, layers.Lambda))
    copy = check(model, noise(2, 7, 11, 13, 3), names)
    for one, other in zip(model.layers, [c for c in copy.layers if not is_block(c)], strict=1):
        assert one.name == other.name and type(one) is type(other)
    seeds = [each.get_layer("drop").variables for each in (model, copy)]
    np.testing.assert_array_equal(*[array(each[0]) for each in seeds])


def test_trainable_flags_stay():
    """Of layers, of layers inside layers and of single variables; blocks are trainable."""
    x = keras.Input((11, 13, 5))
    inner = keras.Model(x, unit(x, 5, "deep"), name="inner")
    inner.trainable = False
    inner.get_layer("deep_bn").trainable = True  # in effect once `inner` is trainable again
    inputs = keras.Input((11, 13, 3))
    x = layers.Conv2D(5, 1, name="frozen", trainable=False)(inputs)
    x = Residual(5, name="residual")(inner(x))
    model = keras.Model(inputs, layers.Conv2D(5, 1, name="free")(x))
    model.get_layer("residual").norm.trainable = False
    model.get_layer("free").bias.trainable = False
    copy = a2keras.insert_blocks(model, ["frozen", "deep_relu"], block)

    def flags(host):
        norm = host.get_layer("residual").norm
        deep = [each.trainable for each in host.get_layer("inner").layers if not is_block(each)]
        outer = {each.name: each.trainable for each in host.layers if not is_block(each)}
        return outer, deep, norm.trainable, [v.trainable for v in host.get_layer("free").weights]

    assert flags(model) == flags(copy)
    assert flags(copy)[0]["inner"] is flags(copy)[0]["frozen"] is flags(copy)[2] is False
    assert flags(copy)[3] == [True, False]
    assert [each.trainable for each in blocks_of(copy)] == [True, True]
    assert len(copy.trainable_weights) == len(model.trainable_weights) + 2 * 4
    model.trainable = False
    assert a2keras.insert_blocks(model, ["frozen"]).trainable_weights == []


def test_dtype_policies_stay_and_blocks_take_that_of_their_layer():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        inputs = keras.Input((11, 13, 3))
        x = layers.Conv2D(5, 3, name="half")(inputs)
        x = layers.BatchNormalization(dtype="float32", name="full")(x)
        x = Unnamed()(ops.tanh(layers.ReLU(name="again")(x)))
        model = randomise(keras.Model(inputs, layers.Conv2D(5, 1, dtype="float32", name="end")(x)))
    finally:
        keras.config.set_dtype_policy("float32")
    after = ["half", "full", "again", "tanh", "end"]
    after[3] = next(each.name for each in model.operations if each.name.startswith("tanh"))
    copy = check(model, IMAGE, after)
    policies = {each.name: each.dtype_policy.name for each in copy.layers}
    for layer in model.layers[1:]:
        assert policies[layer.name] == layer.dtype_policy.name
    blocks = [policies[f"{name}_double_attention"] for name in after]
    assert blocks == ["mixed_bfloat16", "float32", "mixed_bfloat16", "mixed_bfloat16", "float32"]
    given = a2keras.insert_blocks(model, ["half"], lambda: DoubleAttention(3, 2, dtype="float64"))
    assert given.get_layer("half_double_attention").dtype_policy.name == "float64"


def test_blocks_take_the_data_format_of_their_layer():
    inputs = keras.Input((3, 11, 13))
    x = layers.Conv2D(5, 3, padding="same", data_format="channels_first", name="conv")(inputs)
    inner_inputs = keras.Input((5, 11, 13))
    inner_x = layers.BatchNormalization(axis=1, name="norm")(inner_inputs)
    inner = keras.Model(inner_inputs, layers.ReLU(name="relu")(inner_x), name="inner")
    x = inner(x)
    x = layers.Add(name="add")([x, ops.tanh(x)])
    same = layers.Lambda(lambda t: t + 1, name="same")(x)
    wrapped = layers.SpectralNormalization(
        layers.Conv2D(5, 3, data_format="channels_first", padding="same"), name="wrapped"
    )(ops.transpose(layers.Permute((2, 3, 1), name="turn")(same), (0, 3, 1, 2)))
    model = randomise(keras.Model(inputs, wrapped))
    after = ["conv", "norm", "inner/relu", "add", "same", "turn", "wrapped"]
    copy = check(model, noise(2, 3, 11, 13), after)
    formats = {each.name: each.data_format for each in blocks_of(copy)}
    assert formats.pop("turn_double_attention") == "channels_last"
    assert list(formats.values()) == ["channels_first"] * 6
    assert {each.theta.kernel.shape[0] for each in blocks_of(copy)} == {5}


def test_training_one_leaves_the_other_as_it_is():
    model = small()
    model.compile("sgd", "mse")
    copy = loud(a2keras.insert_blocks(model, ["one_relu", "sum"], block))
    assert not copy.compiled
    copy.compile(keras.optimizers.SGD(0.01), "mse")
    before, targets = call(model, IMAGE), np.ones((2, 7), "float32")
    changed = call(copy, IMAGE)
    copy.fit(IMAGE, targets, epochs=1, verbose=0)
    np.testing.assert_array_equal(call(model, IMAGE), before)
    assert np.abs(call(copy, IMAGE) - changed).max() > 1e-4
    trained = call(copy, IMAGE)
    model.fit(IMAGE, targets, epochs=1, verbose=0)
    np.testing.assert_array_equal(call(copy, IMAGE), trained)


def test_compiled_predictions_agree_to_rounding():
    """Not to the bit in general: a compiler may merge the followed layer with the next."""
    model = small()
    copy = a2keras.insert_blocks(model, ["one_conv", "two_bn", "sum"], block)
    expected = model.predict(IMAGE, verbose=0)
    np.testing.assert_allclose(copy.predict(IMAGE, verbose=0), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("make", "place"), [(small, "sum"), (nested, "inner/add")])
def test_the_copy_is_saved_and_loaded_and_takes_further_blocks(make, place, tmp_path):
    copy = loud(a2keras.insert_blocks(make(), [place], block))
    copy.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(call(loaded, IMAGE), call(copy, IMAGE))
    again = check(loaded, IMAGE, [place, f"{place}_double_attention"])
    assert [each.name.rpartition("/")[2] for each in blocks_of(again)] == [
        f"{place.rpartition('/')[2]}_double_attention{end}"
        for end in ("_2", "", "_double_attention")
    ]


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="vocabularies in a graph need TensorFlow"
)
def test_vocabularies_are_copied():
    words = keras.Input((11,), dtype="string")
    lookup = layers.StringLookup(name="lookup")
    lookup.adapt([["a", "b"], ["c", "a"]])
    x = layers.Embedding(5, 3, name="embed")(lookup(words))
    model = randomise(keras.Model(words, layers.Flatten()(x)))
    copy = a2keras.insert_blocks(model, ["embed"], block)
    text = keras.ops.convert_to_tensor(np.array([["a", "b", "c", "d", "a", "", "b"] + ["c"] * 4]))
    np.testing.assert_array_equal(call(model, text), call(copy, text))
    assert copy.get_layer("lookup").get_vocabulary() == ["[UNK]", "a", "c", "b"]

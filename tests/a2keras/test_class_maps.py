"""Class activation maps against their definitions, on networks of every shape."""

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import layers, ops

import a2keras
from a2keras.class_maps import ClassMaps

RANDOM = np.random.default_rng(0)


def convolutional(rank, *top, channels=7):
    """A convolution with maps of 7 channels, on inputs of 3, and what stands on top of it."""
    inputs = keras.Input((*(5, 11, 13)[:rank], 3))
    x = getattr(layers, f"Conv{rank}D")(
        channels, 3, padding="same", activation="relu", name="maps"
    )(inputs)
    for layer in top:
        x = layer(x)
    model = keras.Model(inputs, x)
    for weight in model.weights:
        weight.assign(RANDOM.normal(size=weight.shape))
    return model


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("squash", ["dense", "activation", "logits"])
def test_behind_pooling_and_a_dense_layer_they_are_class_activation_mappings(rank, squash):
    """Zhou et al. (2016): the channels weighted by the dense layer's weights of the class."""
    pool = getattr(layers, f"GlobalAveragePooling{rank}D")()
    dense = layers.Dense(17, activation="softmax" if squash == "dense" else None)
    top = [layers.Activation("softmax")] if squash == "activation" else []
    model = convolutional(rank, pool, dense, *top)
    x = RANDOM.normal(size=(2, *model.input_shape[1:])).astype("float32")
    maps = a2keras.class_activation_maps(model, x, classes=[3, 16])
    features = ops.convert_to_numpy(model.get_layer("maps")(x))
    kernel = dense.get_weights()[0]
    positions = np.prod(features.shape[1:-1])
    want = np.maximum(np.einsum("...k,kc->...c", features, kernel)[..., [3, 16]], 0) / positions
    np.testing.assert_allclose(maps, want, rtol=1e-4, atol=1e-6)
    assert maps.shape == (2, *(5, 11, 13)[:rank], 2)
    assert 0 < (maps == 0).mean() < 1


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize(
    ("size", "top", "weight", "slope"),
    [
        ((64, 88), layers.GlobalAveragePooling2D, 2.0**-8, 2.0**-8 / 5632),  # hardly a number there
        ((1, 2), layers.Flatten, 1.0, 1.0),  # the sum of the channels is none there
    ],
)
def test_maps_of_mixed_precision_are_computed_in_float32(policy, size, top, weight, slope):
    inputs = keras.Input((*size, 3))
    x = layers.Conv2D(2, 1, use_bias=False, name="maps", dtype=policy)(inputs)
    x = top(dtype=policy)(x)
    scores = layers.Dense(1, use_bias=False, dtype=policy)(x)
    model = keras.Model(inputs, layers.Activation("sigmoid", dtype="float32")(scores))
    kernel = np.array([[1.0, 0], [0, 1], [0, 0]])[None, None]
    model.set_weights([kernel, np.full(model.weights[1].shape, weight)])
    x = np.zeros((1, *size, 3), "float32")
    x[0, -1, 1] = 40960, 49152, 0
    (found,) = a2keras.class_activation_maps(model, x, [0])[0, -1, 1]
    assert found == pytest.approx((40960 + 49152) * slope, rel=1e-2)


def test_maps_by_hand():
    """Maps (1, 2), (3, -4), two channels at two positions, and a dense layer of each number."""
    inputs = keras.Input((1, 2, 2))
    x = layers.Conv2D(2, 1, use_bias=False, name="maps")(inputs)
    scores = layers.Dense(2, use_bias=False)(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Softmax()(scores))
    model.set_weights([np.eye(2)[None, None], np.array([[1, 0], [2, 1], [3, 0], [4, 3]])])
    found = ClassMaps(model)
    x = np.array([[[[1.0, 2], [3, -4]]]], "float32")
    maps = found(x, [0, 1])
    # Class 0: the channels' mean weights (1 + 3) / 2 = 2 and (2 + 4) / 2 = 3: 2·1 + 3·2, 2·3 - 3·4.
    # Class 1: 0 and (1 + 3) / 2 = 2: 2·2, -2·4. What is below 0 speaks against the class.
    np.testing.assert_allclose(maps[0, 0, :, 0], [8, 0])
    np.testing.assert_allclose(maps[0, 0, :, 1], [4, 0])
    assert found.layer == "maps"


def test_behind_a_recurrent_head_they_follow_the_slope_of_its_score():
    """By differences: the score with a channel a little higher at every position."""
    model = convolutional(
        3,
        layers.Lambda(lambda x: ops.mean(x, (2, 3)), output_shape=(5, 7)),
        layers.LSTM(3),
        layers.Dense(2),
        layers.Activation("softmax"),
    )
    for weight in model.weights:
        weight.assign(0.1 * RANDOM.normal(size=weight.shape))
    x = RANDOM.normal(size=(1, 5, 11, 13, 3)).astype("float32")
    features = ops.convert_to_numpy(model.get_layer("maps")(x))

    def score(features):
        for layer in model.layers[2:-1]:
            features = layer(features)
        return float(ops.convert_to_numpy(features)[0, 1])

    step, positions = 0.05, 5 * 11 * 13
    slopes = [
        (score(features + step * channel) - score(features - step * channel)) / (2 * step)
        for channel in np.eye(7, dtype="float32")
    ]
    want = np.maximum(features @ np.array(slopes) / positions, 0)
    np.testing.assert_allclose(ClassMaps(model)(x, [1])[..., 0], want, rtol=2e-2, atol=2e-7)


def test_models_in_models_are_looked_into():
    trunk = convolutional(2, layers.GlobalAveragePooling2D())
    nested = keras.Sequential([keras.Input((5, 11, 3)), trunk, layers.Dense(2)])
    twice = keras.Sequential([keras.Input((5, 11, 3)), layers.Rescaling(1.0), nested])
    x = RANDOM.normal(size=(2, 5, 11, 3)).astype("float32")
    flat = keras.Model(trunk.inputs, nested.layers[1](trunk.outputs[0]))
    want = ClassMaps(flat)(x, [1])
    for model in (nested, twice):
        found = ClassMaps(model)
        assert found.layer == "maps"
        np.testing.assert_allclose(found(x, [1]), want, rtol=1e-5)
    assert want.max() > 0


def test_maps_are_the_last_ones_that_everything_goes_through():
    inputs = keras.Input((6, 10, 3))
    first = layers.Conv2D(7, 3, name="first")(inputs)
    second = layers.MaxPooling2D(name="pooled")(layers.Conv2D(5, 1, name="second")(first))
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(second)
    one = layers.Conv2D(11, 1, name="one_position")(pooled)
    scores = layers.Dense(2)(layers.Flatten()(one))
    assert ClassMaps(keras.Model(inputs, scores)).layer == "second"
    past = layers.GlobalAveragePooling2D()(first)
    both = layers.Dense(2)(layers.Concatenate()([layers.Flatten()(one), past]))
    assert ClassMaps(keras.Model(inputs, both)).layer == "first"


def test_models_without_maps_are_refused():
    inputs = keras.Input((5, 7, 3))
    plain = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(inputs)), name="plain")
    with pytest.raises(ValueError) as error:
        ClassMaps(plain)
    assert str(error.value) == (
        "class maps need feature maps, and a layer that all of them go through. "
        "Received: model 'plain' without"
    )

    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match=r"need a functional model of one input and one output"):
        ClassMaps(Own())


def test_a_model_is_left_as_it_was_and_its_maps_follow_its_weights():
    dense = layers.Dense(17, activation="softmax")
    model = convolutional(2, layers.GlobalAveragePooling2D(), dense)
    x = RANDOM.normal(size=(2, *model.input_shape[1:])).astype("float32")
    a2keras.class_activation_maps(model, x, [3])
    nodes = [len(layer._inbound_nodes + layer._outbound_nodes) for layer in model.layers]
    before = a2keras.class_activation_maps(model, x, [3])
    dense.set_weights([2 * each for each in dense.get_weights()])
    after = a2keras.class_activation_maps(model, x, [3])
    np.testing.assert_allclose(after, 2 * before, rtol=1e-5)
    assert after.max() > 0
    now = [len(layer._inbound_nodes + layer._outbound_nodes) for layer in model.layers]
    assert now == nodes
    gone = weakref.ref(model)
    del model, dense
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("number", [17, -1, 1.5, "cat", None])
def test_classes_that_a_model_does_not_have(number):
    model = convolutional(2, layers.GlobalAveragePooling2D(), layers.Dense(17))
    x = np.ones((1, *model.input_shape[1:]), "float32")
    with pytest.raises(ValueError) as caught:
        a2keras.class_activation_maps(model, x, [np.int64(16), number])
    assert str(caught.value) == (
        f"`classes` must be numbers of the model's outputs, 0 to 16. Received: {number!r}"
    )
    for one in (16, np.array(16), ops.convert_to_tensor(16)):
        assert a2keras.class_activation_maps(model, x, one).shape[-1] == 1
    assert a2keras.class_activation_maps(model, x, np.array([0, 16])).shape[-1] == 2


def test_maps_are_of_what_a_model_is_now():
    conv = layers.Conv2D(7, 3, name="maps")
    model = keras.Sequential(
        [
            keras.Input((11, 13, 3)),
            conv,
            layers.GlobalAveragePooling2D(),
            layers.Dense(17, "softmax"),
        ]
    )
    x = RANDOM.normal(size=(2, 11, 13, 3)).astype("float32")
    a2keras.class_activation_maps(model, x, 16)
    model.pop()
    model.add(layers.Dense(5, "softmax"))
    with pytest.raises(ValueError, match="0 to 4"):
        a2keras.class_activation_maps(model, x, 16)
    found = a2keras.class_activation_maps(model, x, 4)
    np.testing.assert_allclose(found, ClassMaps(model)(x, [4]), rtol=1e-6)
    model.layers[-1].activation = keras.activations.relu
    changed = a2keras.class_activation_maps(model, x, 4)
    np.testing.assert_allclose(changed, ClassMaps(model)(x, [4]), rtol=1e-6)

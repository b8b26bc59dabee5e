"""Batch normalisation inside blocks: its arguments, replicas, and freezing it."""

import keras
import numpy as np
import pytest

import a2keras
from a2keras import DoubleAttention, NonLocal, models

TENSORFLOW = keras.backend.backend() == "tensorflow"
ON_TENSORFLOW = pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow's replicas")
BLOCKS = pytest.mark.parametrize("kind", [DoubleAttention, NonLocal])
SETTINGS = {"momentum": 0.75, "epsilon": 0.125, "trainable": False, "synchronized": TENSORFLOW}
ARGUMENTS = {
    "bn_momentum": 0.75,
    "bn_epsilon": 0.125,
    "bn_trainable": False,
    "synchronized": TENSORFLOW,
}


def normal(shape, seed=1, deviation=1.0):
    return np.random.default_rng(seed).normal(0, deviation, shape).astype("float32")


def inside(layer):
    """The batch normalisations of a block, by hand."""
    projections = [layer.theta, layer.rho if hasattr(layer, "rho") else layer.g, layer.phi]
    return [each.normalization for each in (*projections, layer.output_projection)]


def numbers(x):
    return keras.ops.convert_to_numpy(x)


@BLOCKS
def test_the_arguments_reach_every_normalization_and_the_file(kind, tmp_path):
    inputs = keras.Input((5, 7, 11))
    model = keras.Model(inputs, kind(pre_activation=True, **ARGUMENTS, name="block")(inputs))
    model.save(tmp_path / "model.keras")
    for each in (
        model,
        keras.models.load_model(tmp_path / "model.keras"),
        keras.models.clone_model(model),
        a2keras.insert_blocks(model, ["block"]),
    ):
        for normalization in inside(each.get_layer("block")):
            for name, value in SETTINGS.items():
                assert getattr(normalization, name) == value, name


@BLOCKS
def test_what_is_set_by_hand_is_kept_too(kind):
    inputs = keras.Input((5, 7, 11))
    model = keras.Model(inputs, kind(pre_activation=True, name="block")(inputs))
    for each in inside(model.get_layer("block")):
        for name, value in SETTINGS.items():
            setattr(each, name, value)
    again = keras.models.clone_model(model).get_layer("block")
    assert {name: getattr(again, name) for name in ARGUMENTS} == ARGUMENTS
    again.bn_epsilon = 0.5  # and on the block, for all of its own
    assert [each.epsilon for each in inside(again)] == [0.5] * 4


def test_epsilon_and_momentum_are_used():
    x = normal((3, 7, 5))
    layer = DoubleAttention(pre_activation=True, bn_momentum=0.25, bn_epsilon=0.5)
    layer(x, training=True)
    one = layer.theta.normalization
    flat = x.reshape(-1, 5).astype("float64")
    assert np.allclose(numbers(one.moving_mean), 0.75 * flat.mean(0), atol=1e-6)
    assert np.allclose(numbers(one.moving_variance), 0.25 + 0.75 * flat.var(0), atol=1e-5)
    want = (flat - numbers(one.moving_mean)) / np.sqrt(numbers(one.moving_variance) + 0.5)
    assert np.allclose(numbers(one(x)).reshape(-1, 5), want, atol=1e-5)


@pytest.mark.skipif(TENSORFLOW, reason="TensorFlow has replicas")
def test_elsewhere_synchronized_is_refused():
    message = "`synchronized` must be False but on TensorFlow.* Received: synchronized=True"
    with pytest.raises(ValueError, match=message):
        DoubleAttention(synchronized=True)
    with pytest.raises(ValueError, match=message):
        models.build("a2_resnet11", input_shape=(19, 23, 3), synchronized=True)


def a_nested_model():
    """Batch normalisations at the top, in a nested model, a wrapper and a list, and in blocks."""

    class Listed(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.parts = [keras.layers.BatchNormalization(), DoubleAttention(pre_activation=True)]

        def call(self, x, training=None):
            for part in self.parts:
                x = part(x, training=training)
            return x

    x = keras.Input((5, 7, 3))
    y = keras.layers.BatchNormalization()(x)
    nested = keras.Model(x, NonLocal(pre_activation=True)(y))
    inputs = keras.Input((2, 5, 7, 3))
    y = keras.layers.TimeDistributed(nested)(inputs)
    y = keras.layers.TimeDistributed(keras.layers.BatchNormalization())(y)
    y = Listed()(y)
    y = DoubleAttention(pre_activation=True)(y)
    y = keras.layers.GlobalAveragePooling3D()(y)
    return keras.Model(inputs, keras.layers.Dense(5, activation="softmax")(y))


def statistics(model):
    return {v.path: numbers(v) for v in model.non_trainable_variables if "moving" in v.path}


def test_frozen_normalizations_stand_still_wherever_they_are():
    model = a_nested_model()
    count = 3 + 3 * 4
    x, y = normal((8, 2, 5, 7, 3), deviation=3), np.arange(8) % 5
    assert len(a2keras.normalization.batch_normalizations(model)) == count
    before = statistics(model)
    assert len(before) == 2 * count
    assert a2keras.freeze_batch_normalization(model) == count
    model.compile("sgd", "sparse_categorical_crossentropy")
    gammas = {v.path: numbers(v) for v in model.variables if v.path.endswith(("gamma", "beta"))}
    kernels = [numbers(v) for v in model.trainable_variables]
    inference = numbers(model(x, training=False))
    assert np.allclose(numbers(model(x, training=True)), inference, atol=1e-6)
    model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    after = statistics(model)
    assert all(np.array_equal(before[path], after[path]) for path in before)
    for variable in model.variables:
        if variable.path in gammas:
            assert np.array_equal(numbers(variable), gammas[variable.path])
    moved = [not np.array_equal(k, numbers(v))
             for k, v in zip(kernels, model.trainable_variables, strict=True)]  # fmt: skip
    assert any(moved)


def test_all_44_statistics_of_a_network_stand_still_also_after_loading(tmp_path):
    model = models.build("a2_resnet11", input_shape=(19, 23, 3), classes=5)
    assert a2keras.freeze_batch_normalization(model) == 22
    assert len(statistics(model)) == 44
    model.save(tmp_path / "model.keras")
    x, y = normal((4, 19, 23, 3)), np.arange(4)
    for each in (
        model,
        keras.models.load_model(tmp_path / "model.keras"),
        keras.models.clone_model(model),
    ):
        before = statistics(each)
        each.compile("sgd", "sparse_categorical_crossentropy")
        each.train_on_batch(x, y)
        after = statistics(each)
        assert all(np.array_equal(before[path], after[path]) for path in before)


def test_a_block_frozen_as_a_whole_is_so_after_loading():
    """Keras keeps the flag of a layer, not those of the layers that it makes when it is built."""
    inputs = keras.Input((5, 7, 11))
    model = keras.Model(inputs, DoubleAttention(pre_activation=True, name="block")(inputs))
    model.get_layer("block").trainable = False
    again = keras.models.clone_model(model)
    before = statistics(again)
    again(normal((2, 5, 7, 11)), training=True)
    assert all(np.array_equal(before[path], each) for path, each in statistics(again).items())


# Two replicas.


def fitted(make, x, y, replicas, epochs=2):
    """The weights after `fit` on batches of 8, on one device or two; 10 steps."""
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    if replicas == 2:
        reduction = tf.distribute.ReductionToOneDevice()
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], reduction)
    with strategy.scope():
        keras.utils.set_random_seed(3)
        model = make()
        model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=8, epochs=epochs, shuffle=False, verbose=0)
    return model.get_weights()


def difference(one, other):
    return max(np.abs(a - b).max() for a, b in zip(one, other, strict=True))


@pytest.mark.slow
@ON_TENSORFLOW
@BLOCKS
@pytest.mark.parametrize("masked", [False, True])
def test_two_replicas_learn_what_one_does(kind, masked):
    generator = np.random.default_rng(0)
    x, y = normal((40, 13, 5), deviation=2), np.arange(40) % 3
    x += np.linspace(-2, 2, 40)[:, None, None].astype("float32")  # replicas see other means
    if masked:
        for each, length in zip(x, generator.integers(1, 13, 40), strict=True):
            each[length:] = 0

    def make(synchronized=True):
        inputs = keras.Input((13, 5))
        x = keras.layers.Masking()(inputs) if masked else inputs
        x = kind(3, pre_activation=True, synchronized=synchronized, output_initializer="he_normal")(
            x
        )
        x = keras.layers.GlobalAveragePooling1D()(x)
        return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))

    one = fitted(make, x, y, 1)
    assert difference(one, fitted(make, x, y, 2)) < 1e-5
    # The counterproof: without, they differ.
    assert difference(one, fitted(lambda: make(False), x, y, 2)) > 1e-3


@pytest.mark.slow
@ON_TENSORFLOW
def test_two_replicas_of_a_network_learn_what_one_does():
    x, y = normal((16, 11, 13, 3), deviation=2), np.arange(16) % 5

    def make():
        model = models.build("a2_resnet11", input_shape=(11, 13, 3), classes=5, synchronized=True)
        return keras.models.clone_model(model)  # which keeps it

    assert difference(fitted(make, x, y, 1, epochs=1), fitted(make, x, y, 2, epochs=1)) < 1e-4


@ON_TENSORFLOW
@pytest.mark.parametrize("name", ["a2_resnet11", "convnet_lstm"])
def test_a_builder_synchronizes_its_own_normalizations_alone(name):
    shape = (37, 41, 3) if name == "a2_resnet11" else (3, 37, 41, 3)
    inputs = keras.Input(shape)
    before = keras.layers.BatchNormalization(name="mine")
    model = models.build(name, input_tensor=before(inputs), classes=5, synchronized=True)
    found = {each for each in a2keras.normalization.batch_normalizations(model)}
    assert before in found and len(found) > 20
    assert not before.synchronized
    assert all(each.synchronized for each in found - {before})
    plain = models.build(name, input_shape=shape, classes=5)
    assert not any(e.synchronized for e in a2keras.normalization.batch_normalizations(plain))

"""One table runs every public layer and every network through what a user may do with it.

Forward, a `.keras` file, mixed precision, channels first, two replicas, SavedModel. What is not
enrolled fails `test_everything_is_enrolled`. Networks have no more than two units in a stage here,
which are one of either kind, the first and the others; all units are built where they are counted.
"""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

import a2keras
from a2keras import models
from a2keras.models.stages import Stage

TENSORFLOW = keras.backend.backend() == "tensorflow"
CLASSES = 5
# Probabilities that another order of summation may give, fifty layers deep.
ROUNDING = 1e-3


class Case(NamedTuple):
    """How a thing is built, and the shape of what it takes: channels last, without the batch."""

    build: Callable[[tuple[int, ...]], keras.Model]
    shape: tuple[int, ...]


def layer(kind: type, **arguments: Any) -> Case:
    """A layer between its input and a classifier."""

    def build(shape):
        inputs = keras.Input(shape)
        x = keras.layers.GlobalAveragePooling2D()(kind(**arguments)(inputs))
        x = keras.layers.Dense(CLASSES)(x)
        return keras.Model(inputs, keras.layers.Activation("softmax", dtype="float32")(x))

    return Case(build, (13, 17, 11))


def network(name: str, *size: int, **options: Any) -> Case:
    def build(shape):
        builder = models.builder(name)
        short = builder.for_record(shortened(builder.network))
        return short(input_shape=shape, classes=CLASSES, **options)

    return Case(build, (*size, 3))


def shortened(record: Any) -> Any:
    """A network's record with at most two units in a stage, and its blocks behind those."""
    changes = {}
    if hasattr(record, "units"):
        changes["units"] = tuple(min(count, 2) for count in record.units)
    elif all(isinstance(stage, Stage) for stage in getattr(record, "stages", [None])):
        changes["stages"] = tuple(
            dataclasses.replace(stage, units=min(stage.units, 2)) for stage in record.stages
        )
    if changes:
        places = [each.rsplit("_", 1) for each in record.positions]
        moved = [f"{stage}_{min(int(unit), 2)}" for stage, unit in places]
        changes["positions"] = tuple(dict.fromkeys(moved))
    return dataclasses.replace(record, **changes)


LAYERS = {
    "DoubleAttention": layer(a2keras.DoubleAttention, value_channels=3, descriptors=2),
    "DoubleAttention, pre-activation": layer(a2keras.DoubleAttention, pre_activation=True),
    "NonLocal": layer(a2keras.NonLocal, value_channels=3),
    "SqueezeExcitation": layer(a2keras.SqueezeExcitation, ratio=3),
}
NETWORKS = {
    "a2_efficientnet_lite0": network("a2_efficientnet_lite0", 37, 41),
    "a2_mfnet_2d": network("a2_mfnet_2d", 37, 41),
    "a2_mfnet_3d": network("a2_mfnet_3d", 3, 37, 41),
    "a2_mobilenet_v2": network("a2_mobilenet_v2", 37, 41),
    "a2_resnet11": network("a2_resnet11", 19, 23),
    "a2_resnet11_video": network("a2_resnet11_video", 3, 19, 23),
    "a2_resnet50": network("a2_resnet50", 37, 41),
    "a2_resnet50_video": network("a2_resnet50_video", 3, 37, 41),
    "a2_shufflenet_v2": network("a2_shufflenet_v2", 37, 41),
    "c3d": network("c3d", 5, 37, 41),
    "convnet_lstm": network("convnet_lstm", 3, 37, 41),
    "efficientnet_lite0": network("efficientnet_lite0", 37, 41),
    "i3d": network("i3d", 11, 37, 41),
    "inception_v1": network("inception_v1", 37, 41),
    "mfnet_2d": network("mfnet_2d", 37, 41),
    "mfnet_3d": network("mfnet_3d", 3, 37, 41),
    "mobilenet_v2": network("mobilenet_v2", 37, 41),
    "r2plus1d_18": network("r2plus1d_18", 5, 19, 23),
    "r2plus1d_34": network("r2plus1d_34", 5, 19, 23),
    "res3d_18": network("res3d_18", 5, 19, 23),
    "resnet152": network("resnet152", 37, 41),
    "resnet20": network("resnet20", 19, 23),
    "resnet20, small stem, se": network("resnet20", 11, 13, stem="small", attention="se"),
    "resnet26_video": network("resnet26_video", 3, 19, 23),
    "resnet29_video": network("resnet29_video", 3, 19, 23),
    "resnet50": network("resnet50", 37, 41),
    "resnet50_lite": network("resnet50_lite", 37, 41),
    "resnet50_video": network("resnet50_video", 3, 37, 41),
    "se_resnet50": network("se_resnet50", 37, 41),
    "shufflenet_v2": network("shufflenet_v2", 37, 41),
}
CASES = {**LAYERS, **NETWORKS}
EVERY_CASE = pytest.mark.parametrize("name", CASES)
ON_TENSORFLOW = pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow's own")


def test_everything_is_enrolled():
    assert {name.partition(",")[0] for name in NETWORKS} == set(models.list_models())
    public = {name: getattr(a2keras, name) for name in a2keras.__all__}
    kinds = {name: each for name, each in public.items() if isinstance(each, type)}
    layers = {name for name, each in kinds.items() if issubclass(each, keras.layers.Layer)}
    assert {name.partition(",")[0] for name in LAYERS} == layers


def batch(name: str, count: int = 2) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, *CASES[name].shape)).astype("float32")


def randomise(model: keras.Model, inputs: np.ndarray) -> None:
    """No weight at a value that another, forgotten one might have too; signals of order one."""
    generator = np.random.default_rng(2)
    for weight in model.weights:
        noise = generator.normal(size=weight.shape)
        if len(weight.shape) > 1:
            depthwise = weight.shape[-1] == 1
            fan_in = np.prod(weight.shape[: -2 if depthwise else -1])
            weight.assign(noise * np.sqrt(2 / fan_in))
        elif "moving" not in weight.path:
            # Branches smaller than their shortcuts, or fifty units would amplify any rounding.
            weight.assign(0.05 * noise + 0.2 * ("gamma" in weight.path))
    # One pass in training mode leaves its own statistics as the moving ones.
    normalizations = [
        each
        for each in model._flatten_layers()
        if isinstance(each, keras.layers.BatchNormalization)
    ]
    before = [each.momentum for each in normalizations]
    for each in normalizations:
        each.momentum = 0.0
    model(inputs, training=True)
    for each, momentum in zip(normalizations, before, strict=True):
        each.momentum = momentum


@contextlib.contextmanager
def setting(change: Callable, value: str, before: str):
    change(value)
    try:
        yield
    finally:
        change(before)


class Built:
    """The model of a case with random weights, and what it answers; built once for all checks."""

    def __init__(self, name: str) -> None:
        keras.utils.set_random_seed(0)
        self.model = CASES[name].build(CASES[name].shape)
        randomise(self.model, batch(name, 7))
        self.outputs = answers(self.model, batch(name))


def answers(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(inputs, training=False))


@pytest.fixture(scope="module")
def built():
    """Keeps one case at a time: pytest runs the checks of a case together (see the ids)."""
    kept: dict[str, Built] = {}

    def get(name: str) -> Built:
        if name not in kept:
            kept.clear()
            kept[name] = Built(name)
        return kept[name]

    return get


@pytest.mark.slow
@EVERY_CASE
def test_conformance(name, built, tmp_path):
    """The checks of one case in a row, since building it is what takes the time."""
    case = built(name)
    probabilities_of_each_example_alone(name, case)
    a_file_brings_it_back(name, case, tmp_path)
    mixed_precision_is_close(name, case)
    channels_first_is_the_same(name, case)
    if TENSORFLOW:
        two_replicas_take_the_step_of_one(name, case)
        a_saved_model_computes_the_same(name, case, tmp_path)


def probabilities_of_each_example_alone(name: str, case: Built) -> None:
    assert case.outputs.shape == (2, CLASSES)
    assert np.allclose(case.outputs.sum(axis=-1), 1, atol=1e-5)
    assert not np.allclose(case.outputs[0], case.outputs[1], atol=2 * ROUNDING), (
        "inputs must matter"
    )
    assert np.allclose(answers(case.model, batch(name)[1:]), case.outputs[1:], atol=ROUNDING)


def a_file_brings_it_back(name: str, case: Built, tmp_path: Any) -> None:
    case.model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(answers(loaded, batch(name)), case.outputs)


def mixed_precision_is_close(name: str, case: Built) -> None:
    with setting(keras.config.set_dtype_policy, "mixed_bfloat16", "float32"):
        model = CASES[name].build(CASES[name].shape)
    model.set_weights(case.model.get_weights())
    outputs = model(batch(name), training=False)
    assert keras.backend.standardize_dtype(outputs.dtype) == "float32"
    # Eight bits through fifty layers: probabilities of another network would be 0.2 apart.
    assert np.abs(keras.ops.convert_to_numpy(outputs) - case.outputs).mean() < 0.08
    kernels = [w for w in model.trainable_weights if "kernel" in w.path]
    assert {keras.backend.standardize_dtype(each.dtype) for each in kernels} == {"float32"}


def channels_first_is_the_same(name: str, case: Built) -> None:
    shape = CASES[name].shape
    with setting(keras.config.set_image_data_format, "channels_first", "channels_last"):
        model = CASES[name].build((shape[-1], *shape[:-1]))
    model.set_weights(case.model.get_weights())
    assert np.allclose(answers(model, np.moveaxis(batch(name), -1, 1)), case.outputs, atol=ROUNDING)


def two_replicas_take_the_step_of_one(name: str, case: Built) -> None:
    """Inference mode, so that batch normalisation has the same statistics on either side."""
    import tensorflow as tf

    inputs = batch(name)

    def step(model, optimizer, x, replicas):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.math.log(model(x, training=False)[:, 1])) / replicas
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    def made():
        model = CASES[name].build(CASES[name].shape)
        model.set_weights(case.model.get_weights())
        optimizer = keras.optimizers.SGD(0.01)
        optimizer.build(model.trainable_variables)
        return model, optimizer

    alone, optimizer = made()
    step(alone, optimizer, inputs, 2)
    reduction = tf.distribute.ReductionToOneDevice()
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], reduction)
    with strategy.scope():
        model, optimizer = made()
    parts = strategy.experimental_distribute_values_from_function(
        lambda context: inputs[
            context.replica_id_in_sync_group : context.replica_id_in_sync_group + 1
        ]
    )
    strategy.run(lambda x: step(model, optimizer, x, 2), args=(parts,))
    start, one, two = (
        np.concatenate([np.ravel(weight) for weight in each.get_weights()])
        for each in (case.model, alone, model)
    )
    # Not weight by weight: a ReLU near zero may fall to the other side in another batch.
    assert np.linalg.norm(two - one) < 0.1 * np.linalg.norm(one - start)


def a_saved_model_computes_the_same(name: str, case: Built, tmp_path: Any) -> None:
    import tensorflow as tf

    case.model.export(tmp_path / "saved", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved"))
    assert np.allclose(served.serve(batch(name)), case.outputs, atol=ROUNDING)

"""What is computed twice changes nothing: not the gradients, not the statistics, not the seeds."""

import dataclasses

import keras
import numpy as np
import pytest

from a2keras import DoubleAttention, models
from a2keras.errors import UserError
from a2keras.training.compute.rematerialization import Rematerialized, cuts_of
from a2keras.training.compute.strategies import strategy_for
from a2keras.training.compute.tensorflow import TensorFlowComputation
from a2keras.training.config import Recipe
from a2keras.training.data.source import ArrayExamples
from a2keras.training.run.train import preprocessing_of

RECIPE = Recipe("mine", model="a2_resnet11", size=17, batch_size=6, learning_rate=0.1)


def build(name: str, input_tensor, classes: int) -> keras.Model:
    layers = keras.layers
    x = input_tensor
    for i in range(1, 5):
        y = layers.Conv2D(7, 3, padding="same", use_bias=False, name=f"conv{i}")(x)
        y = layers.BatchNormalization(momentum=0.8, name=f"bn{i}")(y)
        y = layers.ReLU(name=f"relu{i}")(y)
        x = layers.Add(name=f"add{i}")([x, y]) if i in (2, 3) else y
    x = DoubleAttention(3, 2, pre_activation=True, name="attention")(x)
    if name != "a2_resnet50":
        x = layers.Dropout(0.3, name="drop")(x)
    x = layers.Conv2D(5, 3, name="conv5")(x)
    x = layers.Dense(classes)(layers.GlobalAveragePooling2D()(x))
    x = layers.Activation("softmax", dtype="float32")(x)
    return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], x)


@pytest.fixture(scope="module")
def examples() -> ArrayExamples:
    random = np.random.default_rng(5)
    pixels = random.integers(0, 256, (60, 19, 23, 3), dtype="uint8")
    return ArrayExamples(pixels, random.integers(0, 3, 60), tuple(map(str, range(60))))


def trained(recipe: Recipe, examples, replicas: int = 1) -> list[np.ndarray]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "build", build)
        computation = TensorFlowComputation(strategy_for("auto", replicas))
        computation.build(recipe, preprocessing_of(recipe, ("a", "b", "c")), 5)
    batches = computation.training_iterator(examples, 0)
    for _ in range(3):
        computation.train_step(batches)
    return computation.read()


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{"drop_path": 0.5, "accumulate": 2}, {"precision": "mixed_bfloat16"}]
)
def test_the_run_is_the_same(examples, changes):
    recipe = dataclasses.replace(RECIPE, **changes)
    plain = trained(recipe, examples)
    again = trained(dataclasses.replace(recipe, remat=True), examples)
    for a, b in zip(plain, again, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)


@pytest.mark.slow
def test_two_replicas_end_as_one(examples):
    recipe = dataclasses.replace(RECIPE, remat=True, model="a2_resnet50")
    for a, b in zip(trained(recipe, examples), trained(recipe, examples, 2), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_cuts_are_where_one_tensor_passes():
    pixels = keras.Input((17, 17, 3))
    model = build("", pixels, 3)
    cuts = cuts_of(model)
    names = [each._keras_history.operation.name for each in cuts]
    assert len(names) == len(Rematerialized(model).parts) - 1 > 0
    assert not {"conv2", "bn2", "relu2", "conv3", "bn3", "relu3"} & set(names)


def test_an_older_keras_is_told(monkeypatch):
    monkeypatch.delattr(keras, "remat", raising=False)
    with pytest.raises(UserError) as error:
        Rematerialized(build("", keras.Input((17, 17, 3)), 3))
    assert str(error.value) == (
        "recipe field remat needs a Keras that has keras.remat, 3.9 or later. "
        f"Received: remat=True with Keras {keras.__version__}"
    )

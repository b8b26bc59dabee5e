"""What is held does not change by a bit, and then everything learns."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest

from a2keras import DoubleAttention, models
from a2keras.errors import UserError
from a2keras.training import network
from a2keras.training.computation_tensorflow import TensorFlowComputation
from a2keras.training.config import Recipe
from a2keras.training.data.source import ArrayExamples, Source
from a2keras.training.distribution import strategy_for
from a2keras.training.freezing import Holding, Wiring, check_start, learning, phases_of
from a2keras.training.train import preprocessing_of, train

CLASSES = ("a", "b", "c")
PLAIN = Recipe(
    "plain",
    data="digits",
    task="image",
    model="a2_resnet11",
    weights="somewhere",
    size=23,
    flip=False,
    epochs=3,
    freeze_epochs=1,
    freeze_rate=0.3,
    freeze_bn=True,
    batch_size=12,
    learning_rate=0.05,
    warmup_epochs=0.5,
    optimizer="adamw",
    clip_norm=1.0,
    weight_decay=0.01,
)
STEPS = 5  # an epoch has


def small(name: str, input_tensor, classes: int, **_) -> keras.Model:
    """A residual unit, a block, noise, a nested model; everything that a phase can hold."""
    layers = keras.layers
    x = layers.Conv2D(7, 3, strides=2, padding="same", name="conv1_conv")(input_tensor)
    x = layers.BatchNormalization(momentum=0.8, name="conv1_bn")(x)
    y = layers.Dropout(0.4, name="conv2_1_drop")(layers.ReLU(name="conv2_1_relu")(x))
    y = layers.Conv2D(7, 3, padding="same", name="conv2_1_conv")(y)
    x = layers.Add(name="conv2_1_out")([x, y])
    x = DoubleAttention(3, 2, pre_activation=True, name="conv2_1_attention")(x)
    inner = keras.Input(x.shape[1:])
    z = layers.Conv2D(5, 3, strides=2, use_bias=False, name="conv3_1_conv")(inner)
    z = layers.BatchNormalization(momentum=0.8, name="conv3_1_bn")(z)
    x = keras.Model(inner, layers.ReLU(name="conv3_1_relu")(z), name="nested")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    x = layers.Dense(classes, name="predictions")(x)
    x = layers.Activation("softmax", dtype="float32", name="probabilities")(x)
    return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], x)


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    monkeypatch.setattr(models, "build", small)


@pytest.fixture(scope="module")
def examples() -> ArrayExamples:
    random = np.random.default_rng(5)
    pixels = random.integers(0, 256, (60, 29, 31, 3), dtype="uint8")
    return ArrayExamples(pixels, random.integers(0, 3, 60), tuple(map(str, range(60))))


def build(recipe: Recipe = PLAIN) -> keras.Model:
    return network.build(recipe, preprocessing_of(recipe, CLASSES))


def computation_of(recipe: Recipe, replicas: int = 1) -> TensorFlowComputation:
    computation = TensorFlowComputation(strategy_for("auto", replicas))
    computation.build(recipe, preprocessing_of(recipe, CLASSES), STEPS)
    return computation


def names(places: set[int], wiring: Wiring) -> list[str]:
    return [wiring.places[i].operation.name for i in sorted(places)]


def test_head_trunk_and_blocks_are_found_by_the_graph():
    wiring = Wiring(build())
    assert names(wiring.head, wiring) == ["predictions"]
    assert names(wiring.blocks, wiring) == ["conv2_1_attention"]
    trunk = ["conv1_conv", "conv1_bn", "conv2_1_conv", "conv3_1_conv", "conv3_1_bn"]
    assert names(wiring.trunk, wiring) == trunk
    assert "conv2_1_drop" in names(wiring.before_head, wiring)
    assert not {"pool", "dropout", "predictions"} & set(names(wiring.before_head, wiring))


def test_a_normalisation_behind_the_last_kernel_belongs_to_the_head():
    pixels = keras.Input((7, 7, 3))
    x = keras.layers.BatchNormalization(name="trunk_bn")(keras.layers.Conv2D(5, 3)(pixels))
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(3, name="predictions")(x)
    x = keras.layers.BatchNormalization(name="head_bn")(x)
    wiring = Wiring(keras.Model(pixels, keras.layers.Activation("softmax")(x)))
    assert names(wiring.head, wiring) == ["predictions", "head_bn"]


def state(computation) -> dict[str, np.ndarray]:
    """All variables of the network, and the averages of its weights, by their names."""
    optimizer = computation.optimizer
    variables = computation.model.variables + optimizer.averages
    names = [v.path for v in computation.model.variables]
    if optimizer.averages:
        names += [f"average {v.path}" for v in optimizer.averaged]
    return dict(zip(names, computation.read(variables), strict=True))


def changed(before: dict, after: dict) -> set[str]:
    return {path for path in before if not np.array_equal(before[path], after[path])}


def follow(computation, examples, first: int, last: int) -> None:
    batches = computation.training_iterator(examples, first)
    for step in range(first, last):
        computation.enter(step)
        computation.train_step(batches)


HELD_BN = {f"{bn}/{v}" for bn in ("conv1_bn", "conv3_1_bn") for v in
           ("gamma", "beta", "moving_mean", "moving_variance")}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "sgd"},
        {"accumulate": 3, "ema_decay": 0.9},
        {"precision": "mixed_float16"},
        {"jit_compile": True},
    ],
)
def test_first_the_head_alone_learns_and_then_everything(examples, changes):
    computation = computation_of(dataclasses.replace(PLAIN, **changes))
    start = state(computation)
    follow(computation, examples, 0, STEPS)
    middle = state(computation)
    averaged = ("", "average ") if computation.recipe.ema_decay else ("",)
    moved = changed(start, middle)
    assert {path for path in moved if "seed" not in path} == {
        f"{each}predictions/{v}" for each in averaged for v in ("kernel", "bias")
    }
    assert sum("seed" in path for path in moved) == 1  # the head's dropout: the trunk's is off
    follow(computation, examples, STEPS, 3 * STEPS)
    end = state(computation)
    still = set(end) - changed(middle, end)
    assert still == {f"{each}{path}" for each in averaged for path in HELD_BN}

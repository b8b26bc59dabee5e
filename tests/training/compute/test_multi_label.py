"""Steps on examples with any number of labels: their sums, whoever computes them."""

import dataclasses

import keras
import numpy as np
import pytest

from a2keras import models
from a2keras.errors import UserError
from a2keras.training.compute import network
from a2keras.training.compute.strategies import strategy_for
from a2keras.training.compute.tensorflow import TensorFlowComputation
from a2keras.training.config import Recipe
from a2keras.training.data.pipeline import training_batches
from a2keras.training.data.source import ArrayExamples
from a2keras.training.labelling import AnyLabels, f1, mean_average_precision
from a2keras.training.run.train import preprocessing_of
from a2keras.training.run.validation import validate

CLASSES = ("a", "b", "c", "d", "e")
RECIPE = Recipe(
    "mine", data="csv:list.csv", task="image", multi_label=True, model="a2_resnet11", size=11,
    flip=False, epochs=2, batch_size=12, learning_rate=0.1, warmup_epochs=0.5,
)  # fmt: skip


@pytest.fixture(scope="module")
def examples() -> ArrayExamples:
    random = np.random.default_rng(5)
    pixels = random.integers(0, 256, (59, 13, 17, 3), dtype="uint8")
    labels = random.random((59, 5)) < [0.5, 0.3, 0.2, 0.1, 0.0]
    assert not labels.any(axis=1).all()  # some have none
    return ArrayExamples(pixels, labels, tuple(map(str, range(59))))


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    def build(name: str, input_tensor, classes: int, classifier_activation: str) -> keras.Model:
        x = keras.layers.Conv2D(7, 3, strides=2)(input_tensor)
        x = keras.layers.BatchNormalization(momentum=0.8)(x)
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
        x = keras.layers.Dense(classes, activation=classifier_activation)(x)
        return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], x)

    monkeypatch.setattr(models, "build", build)


def computation_of(recipe: Recipe, replicas: int = 1, labels=None) -> TensorFlowComputation:
    computation = TensorFlowComputation(strategy_for("auto", replicas))
    computation.build(recipe, preprocessing_of(recipe, CLASSES), 5, labels)
    return computation


def test_the_network_ends_in_sigmoids():
    preprocessing = preprocessing_of(RECIPE, CLASSES)
    assert preprocessing.multi_label
    outputs = network.build(RECIPE, preprocessing)(np.ones((3, 11, 11, 3), "float32")).numpy()
    assert outputs.shape == (3, 5)
    assert np.all((outputs > 0) & (outputs < 1))
    assert np.abs(outputs.sum(axis=1) - 1).min() > 0.1


@pytest.mark.parametrize("mixed", [{}, {"mixup": 0.6, "cutmix": 0.7}], ids=["plain", "mixed"])
def test_labels_are_mixed_as_pixels_are(examples, mixed):
    recipe = dataclasses.replace(RECIPE, **mixed)
    preprocessing = preprocessing_of(recipe, CLASSES)
    _, labels = next(iter(training_batches(examples, recipe, preprocessing)))
    plain = np.unique(labels.numpy()).tolist() == [0, 1]
    assert plain == (not mixed)
    assert labels.shape == (12, 5)
    _, own = next(iter(training_batches(examples, RECIPE, preprocessing)))
    pairs, of_own = (each.numpy().reshape(6, 2, 5).sum(axis=1) for each in (labels, own))
    np.testing.assert_allclose(pairs, of_own, atol=1e-6)  # what one has lost the other has got
    assert np.unique(own).tolist() == [0, 1]


def test_two_replicas_are_one(examples):
    """Losses, sums and weights after three steps, with weights of the classes, accumulated."""
    found = []
    recipe = dataclasses.replace(
        RECIPE, class_weights="balanced", label_smoothing=0.1, accumulate=2
    )
    for replicas in (1, 2):
        computation = computation_of(recipe, replicas, examples.labels)
        batches = computation.training_iterator(examples, 0)
        numbers = [computation.numbers(computation.train_step(batches)) for _ in range(3)]
        found.append((np.array(numbers), computation.read(computation.model.weights)))
    (one, weights), (two, others) = found
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    assert one[:, 3].min() > 1
    for ours, theirs in zip(weights, others, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_numbers_of_a_step_by_hand(examples):
    recipe = dataclasses.replace(RECIPE, class_weights="balanced")
    computation = computation_of(recipe, 1, examples.labels)
    pixels, labels = next(iter(training_batches(examples, recipe, computation.preprocessing)))
    p = computation.model(pixels, training=True).numpy()
    y = labels.numpy()
    share = examples.labels.mean(axis=0)
    w = np.where(share > 0, (1 - share) / np.maximum(share, 1e-9), 1)
    losses = -(w * y * np.log(p) + (1 - y) * np.log(1 - p)).mean(axis=1)
    step = computation.train_step(computation.training_iterator(examples, 0))
    loss, right, stop, of = computation.numbers(step)
    assert loss == pytest.approx(losses.sum(), rel=1e-4)
    assert (stop, right) == (0, ((p >= 0.5) & (y == 1)).sum())
    assert right / of == pytest.approx(f1(y, p, "micro"))


class Silent:
    """No callbacks, and no interruption."""

    received = None
    in_turn = False

    def call(self, *_, **__) -> None: ...


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_validation_sees_every_example_once(examples, replicas):
    """59 examples in batches of 14: rows that fill up count nowhere, those without labels do."""
    computation = computation_of(dataclasses.replace(RECIPE, batch_size=14), replicas)
    figures = validate(computation, examples, Silent(), Silent())
    views = [computation.preprocessing.view(examples.frames(i)) for i in range(59)]
    p = computation.model(np.stack(views).astype("float32")).numpy()
    losses = np.array(AnyLabels().losses(examples.labels.astype("float32"), p, 0.0))
    assert figures.pop("validation_loss") == pytest.approx(losses.mean(), rel=1e-5)
    assert figures == {
        "validation_mAP": pytest.approx(mean_average_precision(examples.labels, p), rel=1e-6),
        "validation_micro_f1": pytest.approx(f1(examples.labels, p, "micro"), rel=1e-6),
        "validation_macro_f1": pytest.approx(f1(examples.labels, p, "macro"), rel=1e-6),
    }


def test_a_balanced_epoch_is_refused():
    with pytest.raises(UserError) as refused:
        dataclasses.replace(RECIPE, sampling="balanced")
    assert str(refused.value) == (
        "recipe field sampling must be uniform where multi_label=True: no example has one class "
        "whose turn it is. Received: sampling=balanced"
    )

"""What is held does not change by a bit, and then everything learns."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from a2keras import DoubleAttention, models
from a2keras.errors import UserError
from a2keras.graphs import layers_of
from a2keras.training.compute import network
from a2keras.training.compute.freezing import (
    Holding,
    Wiring,
    check_start,
    describe_phases,
    phases_of,
)
from a2keras.training.compute.optimizers import Optimizer
from a2keras.training.compute.strategies import strategy_for
from a2keras.training.compute.tensorflow import TensorFlowComputation
from a2keras.training.config import Recipe
from a2keras.training.data.source import ArrayExamples, Source
from a2keras.training.run.checkpoints import Checkpoints, Saving
from a2keras.training.run.directory import Run
from a2keras.training.run.loop import Trainer
from a2keras.training.run.progress import Progress
from a2keras.training.run.train import preprocessing_of, train

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
WITHOUT_NOISE = "a2_resnet50"


def small(name: str, input_tensor, classes: int, **_) -> keras.Model:
    """A residual unit, a block, noise, a nested model; everything that a phase can hold."""
    layers = keras.layers
    noise = 0.0 if name == WITHOUT_NOISE else 1.0
    x = layers.Conv2D(7, 3, strides=2, padding="same", use_bias=False, name="conv1_conv")(
        input_tensor
    )
    x = layers.BatchNormalization(momentum=0.8, name="conv1_bn")(x)
    y = layers.Dropout(0.4 * noise, name="conv2_1_drop")(layers.ReLU(name="conv2_1_relu")(x))
    y = layers.Conv2D(7, 3, padding="same", name="conv2_1_conv")(y)
    x = layers.Add(name="conv2_1_out")([x, y])
    x = DoubleAttention(3, 2, pre_activation=True, name="conv2_1_attention")(x)
    inner = keras.Input(x.shape[1:])
    z = layers.Conv2D(5, 3, strides=2, use_bias=False, name="conv3_1_conv")(inner)
    z = layers.BatchNormalization(momentum=0.8, name="conv3_1_bn")(z)
    x = keras.Model(inner, layers.ReLU(name="conv3_1_relu")(z), name="nested")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.3 * noise, name="dropout")(x)
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


HELD_BN = {
    f"{layer}/{variable}"
    for layer in ("conv1_bn", "conv3_1_bn")
    for variable in ("gamma", "beta", "moving_mean", "moving_variance")
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "sgd", "jit_compile": True},
        {"accumulate": 3, "ema_decay": 0.9, "precision": "mixed_float16"},
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


def trained(recipe: Recipe, examples, replicas: int = 1) -> dict[str, np.ndarray]:
    computation = computation_of(recipe, replicas)
    follow(computation, examples, 0, 2 * STEPS)
    return state(computation)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"freeze_bn": False, "layer_decay": 0.7}, {"accumulate": 3}])
def test_two_replicas_end_as_one(examples, changes):
    """With a larger epsilon: AdamW makes a whole step of a gradient that is rounding alone."""
    settings = {"learning_rate": 0.003, "adam_epsilon": 1e-3, "drop_path": 0.4, **changes}
    recipe = dataclasses.replace(PLAIN, model=WITHOUT_NOISE, **settings)
    one, two = (trained(recipe, examples, replicas) for replicas in (1, 2))
    assert max(float(np.abs(one[path] - two[path]).max()) for path in one) < 1e-5


@pytest.mark.slow
def test_micro_batches_are_the_batch_where_normalisation_is_held(examples):
    """Blocks of the recipe's network have statistics of their own: here they are held, too."""
    recipe = dataclasses.replace(PLAIN, model=WITHOUT_NOISE, freeze_until="conv2_1_attention")
    at_once = trained(recipe, examples)
    in_parts = trained(dataclasses.replace(recipe, accumulate=3), examples)
    assert max(float(np.abs(at_once[path] - in_parts[path]).max()) for path in at_once) < 1e-5


def source(examples) -> Source:
    return Source(CLASSES, {"train": examples, "validation": examples}, "none", "fingerprint")


@pytest.fixture
def recipe(tmp_path) -> Recipe:
    """With weights to start from."""
    build().save_weights(tmp_path / "start.weights.h5")
    return dataclasses.replace(PLAIN, weights=f"{tmp_path}/start.weights.h5")


class Killed(Exception):
    pass


def without_times(history: list[dict]) -> list[dict]:
    return [{k: v for k, v in line.items() if "second" not in k} for line in history]


@pytest.mark.slow
def test_a_run_that_is_killed_anywhere_ends_bit_for_bit_as_the_whole_one(
    recipe, examples, tmp_path, monkeypatch
):
    """In the first phase, at its last step, and in the second."""
    recipe = dataclasses.replace(recipe, epochs=2, ema_decay=0.9, precise_bn=2, drop_path=0.3)
    whole = train(recipe, tmp_path / "whole", "none", source=source(examples))
    step = TensorFlowComputation.train_step
    for last in (3, 5, 7):

        def killed(computation, batches, stop=False, last=last):
            if int(computation.optimizer.step) == last:
                raise Killed
            return step(computation, batches, stop)

        monkeypatch.setattr(TensorFlowComputation, "train_step", killed)
        with pytest.raises(Killed):
            saving = Saving(steps=1)
            train(recipe, tmp_path / "again", "none", saving=saving, source=source(examples))
    monkeypatch.setattr(TensorFlowComputation, "train_step", step)
    again = train(recipe, tmp_path / "again", "none", source=source(examples))
    ends = [Checkpoints(run.path / "checkpoints").load(2 * STEPS) for run in (whole, again)]
    for key, value in ends[0].state.items():
        assert np.array_equal(value, ends[1].state[key]), key
    lines = [without_times(run.history()) for run in (whole, again)]
    assert lines[0] == lines[1]
    assert lines[0][0]["learning_rate"] == pytest.approx(0.3 * 0.5 * (1 + np.cos(np.pi * 2 / 3)))


def test_what_is_held_is_evaluated_as_it_is(recipe, examples, tmp_path):
    """Precise statistics are those of the layers that have learned with their batches."""
    recipe = dataclasses.replace(recipe, precise_bn=2, epochs=2, freeze_bn=True)
    run = train(recipe, tmp_path / "run", "none", source=source(examples))
    model = keras.models.load_model(run.model_path)
    assert all(layer.trainable for layer in layers_of(model))
    began = build()
    began.load_weights(recipe.weights)
    values = {v.path: v.numpy() for v in began.weights}
    for variable in model.weights:
        same = np.array_equal(values[variable.path], variable.numpy())
        assert same == (variable.path in HELD_BN), variable.path


def test_a_block_at_the_identity_stays_it(examples):
    computation = computation_of(PLAIN)
    model = computation.model
    layer = model.get_layer("conv2_1_attention")
    through = keras.Model(model.inputs, [layer.input, layer.output])
    follow(computation, examples, 0, STEPS)
    pixels = examples.frames(0)[None, :23, :23].astype("float32")
    before, after = through(pixels, training=True)
    assert np.array_equal(before, after)
    follow(computation, examples, STEPS, STEPS + 2)
    before, after = through(pixels, training=True)
    assert not np.array_equal(before, after)


def test_up_to_a_unit_nothing_learns(examples):
    recipe = dataclasses.replace(
        PLAIN, freeze_epochs=0, freeze_rate=0.0, freeze_bn=False, freeze_until="conv2_1"
    )
    computation = computation_of(recipe)
    before = state(computation)
    follow(computation, examples, 0, 3)
    still = set(before) - changed(before, state(computation))
    first = ["conv1_conv/kernel"]
    first += [path for path in HELD_BN if path.startswith("conv1_bn")]
    first += [f"conv2_1_conv/{v}" for v in ("kernel", "bias")]
    assert {path for path in still if "seed" not in path} == set(first)
    # The dropout of the unit is off, so that its seed stays, the head's is on.
    assert [path for path in still if "seed" in path] == [
        path for path in before if "seed" in path
    ][:1]
    ids = {id(v) for v in computation.optimizer.weights}
    assert not {id(v) for v in computation.model.get_layer("conv2_1_conv").weights} & ids


def test_phases_are_told():
    model = build()
    phases = phases_of(PLAIN, model, STEPS)
    assert [phase.first_step for phase in phases] == [0, STEPS]
    head = 5 * 3 + 3
    total = model.count_params()
    learn = sum(v.value.numpy().size for v in model.trainable_variables) - 2 * (7 + 5)
    assert describe_phases(phases, model, 3, STEPS) == [
        f"epoch 1: {head} of {total:,} parameters learn",
        f"epochs 2 to 3: {learn:,} of {total:,} parameters learn",
    ]
    plain = dataclasses.replace(PLAIN, freeze_epochs=0, freeze_rate=0.0, freeze_bn=False)
    assert describe_phases(phases_of(plain, model, STEPS), model, 3, STEPS) == []


def test_layers_are_switched_back():
    model = build()
    holding = Holding(phases_of(dataclasses.replace(PLAIN, freeze_bn=False), model, STEPS))
    normalization, drop = model.get_layer("conv1_bn"), model.get_layer("conv2_1_drop")
    for step, trainable, rate in ((0, False, 0), (4, False, 0), (5, True, 0.4), (3, False, 0)):
        holding.enter(holding.phase_at(step))
        assert (normalization.trainable, drop.rate) == (trainable, rate)


def test_what_was_frozen_before_stays_frozen():
    model = build()
    model.get_layer("conv1_bn").trainable = False
    holding = Holding(phases_of(dataclasses.replace(PLAIN, freeze_bn=False), model, STEPS))
    holding.enter(1)
    assert not model.get_layer("conv1_bn").trainable


def refused(**changes) -> str:
    with pytest.raises(UserError) as error:
        phases_of(dataclasses.replace(PLAIN, **changes), build(), STEPS)
    return str(error.value)


def test_units_that_there_are_not_are_told():
    assert refused(freeze_until="conv2_2") == (
        "recipe field freeze_until: a2_resnet11 has no layer or unit 'conv2_2': did you mean "
        "'conv2_1'?"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"freeze_until": "probabilities"},
        {"freeze_until": "predictions", "freeze_epochs": 0, "freeze_rate": 0.0},
    ],
)
def test_something_must_be_left_to_learn(changes):
    assert refused(**changes) == (
        f"nothing of a2_resnet11 is left to learn. Received: freeze_until={changes['freeze_until']}"
    )


@pytest.mark.parametrize(
    ("field", "value"), [("freeze_epochs", 1), ("freeze_bn", True), ("freeze_until", "conv1")]
)
@pytest.mark.parametrize(
    ("model", "weights"), [("a2_resnet11", ""), ("a2_resnet11", "none"), ("own.keras", "none")]
)
def test_without_weights_there_is_nothing_to_hold(field, value, model, weights):
    recipe = Recipe("a", epochs=3, model=model, weights=weights)
    check_start(recipe)
    with pytest.raises(UserError) as error:
        check_start(dataclasses.replace(recipe, **{field: value}))
    assert str(error.value) == (
        "what weights have learned can be held, and the recipe starts from none: see its field "
        f"weights. Received: {field}={value}"
    )


def test_depths_are_counted_where_maps_become_smaller():
    wiring = Wiring(build())
    depths = wiring.depths()
    layers = [p.operation for p in wiring.places if isinstance(p.operation, keras.layers.Layer)]
    of = {layer.name: depths[id(w)] for layer in layers for w in layer.weights}
    assert of == {
        "conv1_conv": 2,
        "conv1_bn": 2,
        "conv2_1_conv": 2,
        "conv2_1_attention": 2,
        "conv3_1_conv": 1,
        "conv3_1_bn": 1,
        "predictions": 0,
    }
    optimizer = Optimizer(
        dataclasses.replace(PLAIN, layer_decay=0.3, learning_rate_factors="bn/=2"), build(), None
    )
    factors = dict(zip((v.path for v in optimizer.weights), optimizer.factors, strict=True))
    assert factors["predictions/kernel"] == 1
    assert factors["conv3_1_conv/kernel"] == pytest.approx(0.3)
    assert factors["conv1_bn/gamma"] == pytest.approx(2 * 0.09)


@pytest.mark.parametrize(
    ("family", "options", "first", "head"),
    [
        ("MobileNetV2", {"alpha": 0.35}, "Conv1", "predictions"),
        ("MobileNetV3Small", {"include_preprocessing": False}, "conv", "logits"),
    ],
)
def test_any_network_has_a_head_and_depths(family, options, first, head):
    """Squeeze-and-excitation's small maps are aside of the path to the head."""
    builder = getattr(keras.applications, family)
    network = builder(input_shape=(64, 64, 3), weights=None, classes=3, **options)
    wiring = Wiring(network)
    assert names(wiring.head, wiring) == [head]
    # 32, 16, 8, 4 and 2 positions a side, then one.
    assert wiring.depths()[id(network.get_layer(first).kernel)] == 5


def test_patience_ends_a_run(recipe, examples, tmp_path, monkeypatch, capsys):
    """The second epoch in which everything learns is the best; two more that are not end it."""
    accuracies = iter([0.9, 0.2, 0.5, 0.5, 0.4, 0.7])
    scored = Trainer.validate

    def validate(trainer):
        return {**scored(trainer), "validation_accuracy": next(accuracies)}

    monkeypatch.setattr(Trainer, "validate", validate)
    recipe = dataclasses.replace(recipe, epochs=9, patience=2, select="best", steps_per_epoch=2)
    run = train(recipe, tmp_path / "run", "none", source=source(examples))
    assert [line["validation_accuracy"] for line in run.history()] == [0.9, 0.2, 0.5]
    assert next(accuracies) == 0.5
    assert json.loads((run.path / "results.json").read_text())["epochs"] == 3
    assert "no better validation for 2 epochs: it ends after epoch 3" in capsys.readouterr().err
    assert Run.load(run.path).finished
    train(recipe, tmp_path / "run", "none", source=source(examples))
    said = "has been trained for 3 of 9 epochs, then patience=2 was over: nothing is left to do."
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("accuracies", "changes", "ends"),
    [
        ([0.5, 0.4], {}, False),
        ([0.5, 0.4, 0.5], {}, True),
        ([0.5, 0.4, 0.6], {}, False),
        ([0.5, 0.4, None], {}, False),  # no validation was due
        ([0.9, 0.4, 0.5], {"freeze_epochs": 2}, False),
        ([0.9, 0.4, 0.5, 0.4], {"freeze_epochs": 2}, True),
        ([0.9, 0.4, 0.5, 0.6], {"freeze_epochs": 2}, True),
        ([0.9, 0.4, 0.5, 0.6, 0.95], {"freeze_epochs": 2}, False),
        ([0.5, 0.4, 0.5, 0.4], {"patience": 0}, False),
        ([], {}, False),
        ([0.1], {"epochs": 1, "patience": 0, "warmup_epochs": 0}, True),
    ],
)
def test_patience_counts_from_the_best_epoch_in_which_everything_learns(accuracies, changes, ends):
    recipe = dataclasses.replace(Recipe("mine", epochs=9, patience=2), **changes)
    history = [{"step": 7 * i, "validation_accuracy": a} for i, a in enumerate(accuracies, 1)]
    history = [{k: v for k, v in line.items() if v is not None} for line in history]
    assert Progress(history=history).ends(recipe) == ends


def test_patience_needs_validation(recipe, examples, tmp_path):
    alone = dataclasses.replace(source(examples), splits={"train": examples})
    with pytest.raises(UserError) as error:
        train(dataclasses.replace(recipe, patience=3), tmp_path / "run", source=alone)
    assert str(error.value) == (
        "patience=3 needs validation examples, and digits has none: see validation_fraction. "
        "Received: patience=3"
    )

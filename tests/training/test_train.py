"""The run: replicas agree, a stopped run goes on as if it had not stopped, mistakes are told."""

import dataclasses
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from a2keras.__main__ import run
from a2keras.console import UserError
from a2keras.training import network, recipes
from a2keras.training.config import Recipe
from a2keras.training.data import open_source
from a2keras.training.distribution import strategy_for, synchronize_batch_normalization
from a2keras.training.schedules import learning_rate
from a2keras.training.train import Trainer, compile_model, preprocessing_of, train

SETTINGS = ["size=16", "batch_size=12", "steps_per_epoch=5", "epochs=2", "learning_rate=0.1"]


@pytest.fixture
def digits() -> Recipe:
    return recipes.recipe("digits_image").override(SETTINGS)


def weights(path) -> list[np.ndarray]:
    return keras.models.load_model(path / "model.keras", compile=False).get_weights()


def test_two_replicas_end_with_the_weights_of_one(tmp_path, digits, tiny_network, monkeypatch):
    one = train(digits, tmp_path / "one")
    two = train(digits, tmp_path / "two", replicas=2)
    assert json.loads((two.path / "results.json").read_text())["replicas"] == 2
    # After ten steps, batch normalization's statistics included: inside the block, too.
    names = [v.path for v in keras.models.load_model(two.model_path, compile=False).weights]
    assert sum("moving" in name for name in names) == 2 * (1 + 4)
    differences = {
        name: float(np.abs(a - b).max())
        for name, a, b in zip(names, weights(one.path), weights(two.path), strict=True)
    }
    assert max(differences.values()) < 1e-5, differences
    for a, b in zip(one.history(), two.history(), strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-5)
        assert a["accuracy"] == pytest.approx(b["accuracy"], abs=1e-6)
    saved = keras.models.load_model(two.model_path, compile=False)
    assert not saved.get_layer(index=3).synchronized
    # The counterproof: without synchronized statistics they would differ.
    name = "a2keras.training.train.synchronize_batch_normalization"
    monkeypatch.setattr(name, lambda model: None)
    apart = train(digits, tmp_path / "apart", replicas=2)
    pairs = zip(weights(one.path), weights(apart.path), strict=True)
    assert max(np.abs(a - b).max() for a, b in pairs) > 1e-3


def test_every_batch_normalization_is_synchronized():
    class Composite(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = [keras.layers.BatchNormalization(), keras.layers.BatchNormalization()]

        def call(self, x):
            return self.inner[1](self.inner[0](x))

    inputs = keras.Input((3,))
    composite, outer = Composite(), keras.layers.BatchNormalization()
    synchronize_batch_normalization(keras.Model(inputs, outer(composite(inputs))))
    assert [layer.synchronized for layer in (*composite.inner, outer)] == [True] * 3


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(
    tmp_path, digits, tiny_network, monkeypatch, replicas
):
    digits = dataclasses.replace(digits, epochs=3, steps_per_epoch=3)
    whole = train(digits, tmp_path / "whole", replicas=replicas)
    epoch_of = Trainer._train_epoch

    def stop_in_epoch_three(trainer, iterator, bar):
        if len(trainer.history) == 2:
            trainer.step(next(iterator))
            raise KeyboardInterrupt
        return epoch_of(trainer, iterator, bar)

    monkeypatch.setattr(Trainer, "_train_epoch", stop_in_epoch_three)
    with pytest.raises(KeyboardInterrupt):
        train(digits, tmp_path / "stopped", replicas=replicas)
    assert not (tmp_path / "stopped/results.json").exists()
    monkeypatch.setattr(Trainer, "_train_epoch", epoch_of)
    stopped = train(digits, tmp_path / "stopped", replicas=replicas)
    for a, b in zip(weights(whole.path), weights(stopped.path), strict=True):
        assert np.array_equal(a, b)
    timeless = ({k: v for k, v in line.items() if "second" not in k} for line in stopped.history())
    for line, again in zip(whole.history(), timeless, strict=True):
        assert again.items() <= line.items()


def test_a_finished_run_is_left_alone_and_another_recipe_refused(
    tmp_path, tiny_network, run_command, capsys
):
    flags = ["--recipe=digits_image", f"--output={tmp_path}/run"]
    settings = [f"--set={setting}" for setting in [*SETTINGS, "epochs=1", "steps_per_epoch=2"]]
    run_command("train", *flags, *settings)
    files = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()}
    assert set(files) == {
        "recipe.json",
        "data.json",
        "metrics.jsonl",
        "results.json",
        "preprocessing.json",
        "model.keras",
        "checkpoints",
        "curves.png",
    }
    capsys.readouterr()
    import a2keras.__main__ as command

    command.run(["train", *flags, *settings])
    assert "has been trained for all 1 epochs: nothing is left to do." in capsys.readouterr().err
    with pytest.raises(UserError) as error:
        run_command("train", *flags, *settings, "--set=seed=5")
    assert str(error.value) == (
        f"{tmp_path}/run is a run with seed=0, not seed=5: choose another --output"
    )
    assert files == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()}


def test_the_saved_model_is_what_was_trained(tmp_path, digits, tiny_network):
    run = train(dataclasses.replace(digits, precision="mixed_bfloat16"), tmp_path / "run")
    model = keras.models.load_model(run.model_path, compile=False)
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert model.input_shape == (None, 16, 16, 3)
    assert model.output_shape == (None, 10)
    source = open_source(run.recipe)
    view = preprocessing_of(run.recipe, source.classes).view(source.splits["test"].frames(0))
    assert model(view[None]).numpy().sum() == pytest.approx(1, abs=1e-5)
    results = json.loads((run.path / "results.json").read_text())
    assert results["steps"] == 10
    assert results["parameters"] == model.count_params()
    assert results["metrics"]["loss"] == run.history()[-1]["loss"]
    assert results["data"]["examples"] == {"train": 1197, "validation": 150, "test": 450}


BATCH = "batch_size must be divisible by the replicas. Received: batch_size=7, replicas=2"
NONE = "--strategy=none is one replica. Received: --replicas=2"
FEW = "digits has 1197 examples to train on, fewer than a batch. Received: batch_size=1198"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--replicas=2", "--set=batch_size=7"], BATCH),
        (["--replicas=0"], "--replicas must be at least 1. Received: --replicas=0"),
        (["--replicas=2", "--strategy=none"], NONE),
        (["--set=batch_size=1198"], FEW),
        (["--model=a2_resnet11_video"], "a2_resnet11_video takes videos, but the data are images"),
        (["--data=folder:/nowhere/at/all"], "/nowhere/at/all does not exist"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(tmp_path, run_command, arguments, message):
    with pytest.raises(UserError) as error:
        run_command("train", "--recipe=digits_image", f"--output={tmp_path}/run", *arguments)
    assert str(error.value) == message
    assert not (tmp_path / "run").exists()


def test_an_unknown_network_is_told_with_those_that_exist(tmp_path, run_command):
    with pytest.raises(UserError, match="there is no network 'resnet': there are a2_resnet11, "):
        run_command("train", "--recipe=digits_image", "--model=resnet", f"--output={tmp_path}/run")


def test_a_loss_that_is_no_number_ends_the_run(tmp_path, digits, tiny_network):
    wild = dataclasses.replace(digits, learning_rate=1e30, warmup_epochs=0)
    with pytest.raises(UserError) as error:
        train(wild, tmp_path / "run")
    assert "the loss is nan in epoch 1, at step " in str(error.value)
    assert "try a smaller learning_rate (now 1e+30)" in str(error.value)
    assert not (tmp_path / "run/results.json").exists()


def test_a_file_that_vanishes_during_training_is_named(images, tmp_path, tiny_network, monkeypatch):
    recipe = recipes.recipe("folder").override(
        [f"data=folder:{images}", "size=16", "batch_size=4", "epochs=1", "memory_budget=0"]
    )
    restore = Trainer._restore

    def lose_a_class(trainer):
        for path in (images / "red").iterdir():
            path.unlink()
        restore(trainer)

    monkeypatch.setattr(Trainer, "_restore", lose_a_class)
    with pytest.raises(UserError) as error:
        train(recipe, tmp_path / "run")
    assert str(error.value).startswith(f"a file can no longer be read: {images}/red/")
    assert str(error.value).endswith(".png: does not exist")


def test_weight_decay_passes_over_batch_normalization_and_biases(digits, tiny_network):
    decayed = dataclasses.replace(digits, weight_decay=0.02, momentum=0.5)
    model = network.build(decayed, preprocessing_of(decayed, tuple("0123456789")))
    compile_model(model, decayed, learning_rate(dataclasses.replace(decayed, warmup_epochs=0), 5))
    before = [v.numpy().copy() for v in model.trainable_variables]
    model.optimizer.apply_gradients([(tf.zeros(v.shape), v) for v in model.trainable_variables])
    for variable, was in zip(model.trainable_variables, before, strict=True):
        kernel = len(was.shape) > 1
        # Learning rate × weight decay / (1 - momentum), as the momentum of SGD would add it up.
        factor = 1 - 0.1 * 0.02 / 0.5 if kernel else 1
        np.testing.assert_allclose(variable.numpy(), was * factor, rtol=1e-6, err_msg=variable.path)
        assert kernel == (variable.name == "kernel"), variable.path


def test_auto_is_one_device_without_gpus():
    assert strategy_for("auto").num_replicas_in_sync == 1
    assert strategy_for("auto", 2).num_replicas_in_sync == 2
    assert strategy_for("mirrored").num_replicas_in_sync == 1
    with pytest.raises(UserError, match="has already started with 2 logical CPU devices"):
        strategy_for("auto", 3)


def test_a_fresh_process_can_have_any_number_of_replicas():
    code = (
        "from a2keras.training.distribution import strategy_for;"
        "print(strategy_for('auto', 3).num_replicas_in_sync)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert process.stdout == "3\n"


def test_a_diverging_run_is_told_in_one_sentence(tmp_path):
    output = tmp_path / "run"
    settings = ["--set=epochs=1", "--set=warmup_epochs=0", "--set=steps_per_epoch=2"]
    train = ["train", "--recipe=digits_image", f"--output={output}", *settings]
    with pytest.raises(UserError, match=r"the \w+ is (nan|inf) in epoch 1, at step \d of 2 or"):
        run([*train, "--set=learning_rate=1e30"])
    assert not (output / "results.json").exists()

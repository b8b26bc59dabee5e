"""The run: replicas agree, a stopped run goes on as if it had not stopped, mistakes are told."""

import dataclasses
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from a2keras.__main__ import run
from a2keras.errors import UserError
from a2keras.training import recipes
from a2keras.training.compute import strategies
from a2keras.training.compute.strategies import computation_for, strategy_for
from a2keras.training.compute.tensorflow import TensorFlowComputation
from a2keras.training.config import Recipe
from a2keras.training.data import open_source
from a2keras.training.data.source import Skipped
from a2keras.training.run.directory import Run
from a2keras.training.run.loop import Trainer
from a2keras.training.run.train import check_agreement, in_batches, preprocessing_of, train

SETTINGS = ["size=16", "batch_size=12", "steps_per_epoch=5", "epochs=2", "learning_rate=0.1"]


@pytest.fixture
def digits() -> Recipe:
    return recipes.recipe("digits_image").override(SETTINGS)


def weights(path) -> list[np.ndarray]:
    return keras.models.load_model(path / "model.keras", compile=False).get_weights()


@pytest.mark.slow
def test_two_replicas_end_with_the_weights_of_one(
    tmp_path, digits, tiny_network_of_the_paper, monkeypatch
):
    digits = digits.override(["seed=1"])  # with 0 rounding is amplified to 3e-5, else to 3e-6
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
    monkeypatch.setattr(TensorFlowComputation, "synchronize_batch_normalization", lambda self: None)
    apart = TensorFlowComputation(strategy_for("auto", 2))
    source = open_source(one.recipe)
    apart.build(one.recipe, preprocessing_of(one.recipe, source.classes), 5)
    batches = apart.training_iterator(source.splits["train"], 0)
    for _ in range(10):
        apart.train_step(batches)
    pairs = zip(weights(one.path), apart.read(apart.model.weights), strict=True)
    assert max(np.abs(a - b).max() for a, b in pairs) > 1e-3


def test_a_finished_run_is_left_alone_and_goes_on_by_its_own_recipe_alone(
    tmp_path, tiny_network, run_command, capsys
):
    with pytest.raises(UserError, match=r"--recipe is missing: .*run is not a run that could go"):
        run_command("train", f"--output={tmp_path}/run")
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
        "samples.npz",
        "checkpoints",
        "tensorboard",
        "curves.png",
    }
    capsys.readouterr()
    run(["train", *flags, *settings])
    assert "has been trained for all 1 epochs: nothing is left to do." in capsys.readouterr().err
    with pytest.raises(UserError) as error:
        run_command("train", *flags, *settings, "--set=seed=5")
    assert str(error.value) == (
        f"{tmp_path}/run is a run with seed=0, not seed=5: choose another --output"
    )
    assert files == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()}
    kept = weights(tmp_path / "run")
    (tmp_path / "run" / "results.json").unlink()  # as after a kill before the last file
    run_command("train", f"--output={tmp_path}/run")
    assert (tmp_path / "run" / "results.json").exists()
    assert all(np.array_equal(a, b) for a, b in zip(weights(tmp_path / "run"), kept, strict=True))


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


def test_an_epoch_shows_all_examples_in_batches_of_one_size(tmp_path, digits, tiny_network, capsys):
    recipe = digits.override(["batch_size=600", "steps_per_epoch=0", "epochs=1"])
    run = train(recipe, tmp_path / "run")
    assert (
        "an epoch shows all 1197 examples in 2 batches of 599, not of batch_size=600; in the 1 "
        "place left some of them come again\n"
    ) in capsys.readouterr().err
    assert run.batch_size() == 599
    assert json.loads((run.path / "results.json").read_text())["steps"] == 2
    assert json.loads((run.path / "recipe.json").read_text())["batch_size"] == 600
    with pytest.raises(UserError) as error:  # it goes on as it has begun
        in_batches(run, computation_for("mirrored", 2), 1197)
    assert str(error.value) == (
        "batch_size must be divisible by the replicas. Received: batch_size=599, replicas=2"
    )
    other = Run(tmp_path / "other", recipe)
    assert in_batches(other, computation_for("mirrored", 2), 1197).batch_size == 600


def test_a_run_that_has_not_made_a_step_may_become_another(tmp_path, images, tiny_network):
    """A mistake that only the network knows must not hold the directory."""
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="other")])
    other.save_weights(tmp_path / "other.weights.h5")
    settings = [f"data={images}", "size=16", "batch_size=9", "epochs=1", "task=image"]
    recipe = recipes.recipe("folder").override(settings)
    wrong = dataclasses.replace(recipe, weights=str(tmp_path / "other.weights.h5"))
    with pytest.raises(UserError, match="the recipe's weights cannot be loaded: nothing in"):
        train(wrong, tmp_path / "run")
    assert Recipe.load(tmp_path / "run/recipe.json").weights == wrong.weights
    run = train(recipe, tmp_path / "run")
    assert (run.finished, Recipe.load(run.path / "recipe.json").weights) == (True, "")
    with pytest.raises(UserError, match="is a run with epochs=1, not epochs=2"):
        train(dataclasses.replace(recipe, epochs=2), run.path)


BATCH = "batch_size must be divisible by the replicas. Received: batch_size=7, replicas=2"
PARTS = (
    "batch_size / accumulate must be divisible by the replicas. Received: batch_size=32, "
    "accumulate=32, replicas=2"
)
COMPILED = (
    "on TensorFlow jit_compile is for one replica (KERAS_BACKEND=jax compiles on any). Received: "
    "jit_compile=True, replicas=2"
)
NONE = "--strategy=none is one replica. Received: --replicas=2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--replicas=2", "--set=batch_size=7"], BATCH),
        (["--replicas=2", "--set=accumulate=32"], PARTS),
        (["--replicas=2", "--set=jit_compile=true"], COMPILED),
        (
            ["--replicas=0"],
            "--replicas must be a whole number of at least 1. Received: --replicas=0",
        ),
        (["--replicas=2", "--strategy=none"], NONE),
        (["--model=a2_resnet11_video"], "a2_resnet11_video takes videos, but the data are images"),
        (["--data=folder:/nowhere/at/all"], "/nowhere/at/all does not exist"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(tmp_path, run_command, arguments, message):
    with pytest.raises(UserError) as error:
        run_command("train", "--recipe=digits_image", f"--output={tmp_path}/run", *arguments)
    assert str(error.value) == message
    assert not (tmp_path / "run").exists()


def test_the_best_epoch_needs_validation_examples(images, tmp_path, run_command):
    settings = ["select=best", "validation_fraction=0", "size=16", "batch_size=4"]
    with pytest.raises(UserError) as error:
        run_command(
            "train",
            "--recipe=folder",
            "--set=weights=none",
            f"--data=folder:{images}",
            f"--output={tmp_path}/run",
            *(f"--set={setting}" for setting in settings),
        )
    assert str(error.value) == (
        f"select=best needs validation examples, and folder:{images} has none: see "
        "validation_fraction. Received: select=best"
    )
    assert not (tmp_path / "run").exists()


def test_an_unknown_network_is_told_with_its_neighbours(tmp_path, run_command):
    with pytest.raises(UserError, match="there is no network 'a2_resnet': did you mean 'a2_resnet"):
        run_command("train", "--recipe=digits_image", "--model=a2_resnet", f"--output={tmp_path}")


def test_a_loss_that_is_no_number_ends_the_run(tmp_path, tiny_network, run_command):
    settings = [f"--set={each}" for each in [*SETTINGS, "learning_rate=1e30", "warmup_epochs=0"]]
    with pytest.raises(UserError) as error:
        run_command("train", "--recipe=digits_image", f"--output={tmp_path}/run", *settings)
    assert str(error.value) == (
        "the loss is nan at step 2, which is step 2 of 5 in epoch 1: try a smaller learning_rate "
        "(now 1e+30) or more warmup_epochs. There is no checkpoint yet"
    )
    assert not (tmp_path / "run/results.json").exists()


def test_a_worker_with_another_recipe_is_told(digits, monkeypatch):
    chief = {**dataclasses.asdict(digits), "fingerprint of the data": "a", "epochs": 3}
    monkeypatch.setattr("a2keras.training.run.train.share", lambda *_: (chief, []))
    with pytest.raises(UserError) as error:
        check_agreement(digits, SimpleNamespace(fingerprint="a"), SimpleNamespace(worker=1))
    assert str(error.value) == ("worker 1 differs from the chief, worker 0, in epochs: 2, not 3")


def test_a_file_that_vanishes_during_training_is_named(images, tmp_path, tiny_network, monkeypatch):
    recipe = recipes.recipe("folder").override(
        [f"data=folder:{images}", "size=16", "batch_size=4", "epochs=1", "memory_budget=0"]
    )
    restore = Trainer.restore

    def lose_a_class(trainer):
        for path in (images / "red").iterdir():
            path.unlink()
        restore(trainer)

    monkeypatch.setattr(Trainer, "restore", lose_a_class)
    with pytest.raises(UserError) as error:
        train(recipe, tmp_path / "run")
    assert str(error.value).startswith(f"a file can no longer be read: {images}/red/")
    assert str(error.value).endswith(".png: does not exist")


def test_auto_is_one_device_without_gpus():
    assert strategy_for("auto").num_replicas_in_sync == 1
    assert strategy_for("auto", 2).num_replicas_in_sync == 2
    assert strategy_for("mirrored").num_replicas_in_sync == 1
    with pytest.raises(UserError, match="has already started with 2 logical CPU devices"):
        strategy_for("auto", 3)


def test_devices_have_one_strategy_in_a_process(monkeypatch):
    """Of two, the second's collective operations are refused, see `tests/test_plain_keras.py`."""
    assert strategy_for("auto", 2) is strategy_for("mirrored", 2)
    made = []
    monkeypatch.setattr(strategies, "_STRATEGIES", {})
    monkeypatch.setattr(
        tf.distribute, "MirroredStrategy", lambda *how: made.append(how) or len(made)
    )
    # What a program has left visible of four.
    monkeypatch.setattr(
        tf.config, "get_visible_devices", lambda kind: [f"{kind}:{i}" for i in "123"]
    )
    assert [strategy_for("mirrored", count) for count in (2, None, 2, 3)] == [1, 2, 1, 2]
    (two, reduction), (three, other) = made
    assert (two, reduction) == (["GPU:0", "GPU:1"], None)  # by their numbers among the visible
    assert three == ["GPU:0", "GPU:1", "GPU:2"]
    assert isinstance(other, tf.distribute.ReductionToOneDevice)


def test_a_tpu_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("TPU_NAME", "grpc://127.0.0.1:1")
    with pytest.raises(
        UserError, match=r"there is no TPU \(TPU_NAME=grpc://127.0.0.1:1\): .*refus"
    ):
        strategy_for("tpu")
    monkeypatch.delenv("TPU_NAME")

    def not_found(name):  # what TensorFlow says here, where trying would change the process
        raise tf.errors.NotFoundError(
            None, None, "TPUs not found in the cluster. Failed in initialization: No OpKernel was"
        )

    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", not_found)
    with pytest.raises(UserError) as error:
        strategy_for("tpu")
    assert str(error.value) == "there is no TPU (TPU_NAME=local): TPUs not found in the cluster"
    with pytest.raises(UserError, match=r"`strategy=tpu` takes all there are\. Received: `repl"):
        strategy_for("tpu", 2)


def test_more_replicas_than_gpus_are_told(monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["GPU:0", "GPU:1"])
    with pytest.raises(UserError) as error:
        strategy_for("mirrored", 3)
    told = "`replicas` must be at most 2, the GPUs there are. Received: `replicas=3`"
    assert str(error.value) == told


def test_a_run_goes_on_with_what_could_be_read_when_it_began(tmp_path):
    """Another set of files would be split otherwise, and mix what was learned into the test."""
    run = Run(tmp_path / "run", Recipe("mine", data="folder:photos"))
    report = {"fingerprint": "f", "skipped": [{"path": "photos/a.heic", "reason": "is HEIC"}]}
    run.start(report)
    changed = {"fingerprint": "f", "skipped": [{"path": "photos/b.png", "reason": "is damaged"}]}
    run.start(changed)  # nothing has been learned yet
    (run.path / "checkpoints/step_3").mkdir(parents=True)
    run.start(changed)
    for skipped, what in (
        ([], "photos/b.png could not be read"),
        (report["skipped"] + changed["skipped"], "photos/a.heic could be read"),
    ):
        with pytest.raises(UserError) as error:
            run.start({"fingerprint": "f", "skipped": skipped})
        assert str(error.value) == (
            f"other files of folder:photos can be read than when {run.path} began, which has split "
            f"those: {what}. Choose another `output`"
        )
    assert run.skipped() == (Skipped("photos/b.png", "is damaged"),)

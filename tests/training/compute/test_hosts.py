"""Runs of networks that are not ours: trained, stopped, told apart, scored, and exact as any."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training import recipes
from a2keras.training.compute import checks, network
from a2keras.training.config import Recipe
from a2keras.training.data import list_data
from a2keras.training.run import initial_weights
from a2keras.training.run.interruption import Stopped
from a2keras.training.run.loop import Trainer
from a2keras.training.run.train import preprocessing_of, train

layers = keras.layers
SETTINGS = ["size=16", "batch_size=12", "steps_per_epoch=3", "epochs=2", "learning_rate=0.05"]
PROGRAM = """
import sys
from a2keras.training import recipes
from a2keras.training.run.train import train
train(recipes.recipe("digits_image").override(sys.argv[2:]), sys.argv[1])
"""


def write_own(path: Path, filters: int = 5) -> None:
    keras.utils.set_random_seed(3)
    x = pixels = keras.Input((24, 24, 3))
    x = layers.Conv2D(filters, 3, padding="same", name="stem")(layers.Rescaling(1 / 255)(x))
    y = layers.BatchNormalization(name="bn")(layers.Conv2D(filters, 3, padding="same")(x))
    x = layers.ReLU(name="out")(layers.Add(name="add")([x, y]))
    x = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    keras.Model(pixels, x, name="own").save(path)


@pytest.fixture
def recipe(tmp_path) -> Recipe:
    write_own(tmp_path / "own.keras")
    settings = [*SETTINGS, f"model={tmp_path}/own.keras", "attention=a2"]
    return recipes.recipe("digits_image").override(settings)


def weights(path: Path) -> dict[str, np.ndarray]:
    model = keras.models.load_model(path / "model.keras", compile=False)
    return {each.path: each.numpy() for each in model.weights}


def largest_difference(one: Path, other: Path) -> float:
    a, b = weights(one), weights(other)
    assert a.keys() == b.keys()
    return max(float(np.abs(a[name] - b[name]).max()) for name in a)


@pytest.mark.slow
def test_a_run_of_a_file_is_exact_and_notices_another_file(
    tmp_path, recipe, monkeypatch, run_command, capsys
):
    whole = train(recipe, tmp_path / "whole")
    assert "blocks (positions): out_double_attention (16×16)" in capsys.readouterr().err
    assert whole.recipe.model == str(tmp_path / "own.keras")
    assert re.fullmatch("[0-9a-f]{64}", whole.recipe.model_sha256)
    # Its pixels enter it as they are, and so it is told.
    told = json.loads((whole.path / "preprocessing.json").read_text())
    assert (told["mean"], told["scale"]) == ([0, 0, 0], [1, 1, 1])

    two = train(recipe, tmp_path / "two", replicas=2)
    assert largest_difference(whole.path, two.path) < 1e-5

    settle = Trainer.settle

    def stop_after_two(trainer):
        settle(trainer)
        if trainer.progress.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "settle", stop_after_two)
        with pytest.raises(Stopped):
            train(recipe, tmp_path / "stopped")
    own, kept = tmp_path / "own.keras", (tmp_path / "own.keras").read_bytes()
    write_own(own, filters=7)
    with pytest.raises(UserError, match=r"own.keras has changed since the run began: its SHA-256"):
        run_command("train", f"--output={tmp_path}/stopped")
    with pytest.raises(UserError, match=r"stopped is a run with model_sha256=\w+, not model_sha"):
        train(recipe, tmp_path / "stopped")
    with pytest.raises(UserError, match=r"own.keras has changed since the run began: its SHA-256"):
        network.build(whole.recipe, preprocessing_of(whole.recipe, ("a", "b")))
    own.write_bytes(kept)
    run_command("train", f"--output={tmp_path}/stopped")
    assert largest_difference(whole.path, tmp_path / "stopped") == 0

    # Scored, explained and shown without the file.
    own.unlink()
    run_command("evaluate", whole.path)
    run_command("explain", whole.path, f"--output={tmp_path}/explained", "--samples=1")
    explained = json.loads((tmp_path / "explained" / "explain.json").read_text())
    assert explained["explained"][0]["blocks"][0]["positions"] == [1, 16, 16]
    shown = json.loads(run_command("summary", whole.path, "--format=json"))
    assert [each["stage"] for each in shown["stages"]] == ["16×16", "head"]
    assert shown["stages"][0]["attention"] == ["out_double_attention"]
    with pytest.raises(
        UserError, match=r"there is no file .*own.keras, which is to be the network"
    ):
        run_command("train", f"--output={tmp_path}/other", "--recipe=digits_image",
                    f"--model={own}")  # fmt: skip


@pytest.mark.slow
def test_replicas_of_the_cpu_share_a_file(tmp_path, recipe):
    """In a process of its own, since this one has its logical devices."""
    settings = [f"--set={each}" for each in [*SETTINGS, "attention=a2"]]
    command = ["train", "--recipe=digits_image", f"--model={recipe.model}", "--replicas=2"]
    done = subprocess.run(
        [sys.executable, "-m", "a2keras", *command, f"--output={tmp_path}/run", *settings],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    assert "2 replica(s)" in done.stderr


@pytest.mark.slow
def test_on_jax(tmp_path, recipe):
    pytest.importorskip("jax")
    settings = [*SETTINGS, f"model={recipe.model}", "attention=a2", "steps_per_epoch=20"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "jax", *settings],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "jax" / "metrics.jsonl").read_text().splitlines()
    first, last = (json.loads(line)["loss"] for line in lines)
    assert last < first < np.log(10) + 0.5


@pytest.mark.slow
def test_weights_of_a_host(tmp_path, recipe):
    """The file's own; new ones; those of another file."""
    own = keras.models.load_model(tmp_path / "own.keras").get_layer("stem").kernel.numpy()

    def stem_of(**changes):
        changed = checks.resolve_weights(dataclasses.replace(recipe, **changes))
        run = train(changed, tmp_path / "run" / changes.get("weights", "own")[-9:].strip("/"))
        assert run.recipe.weights == changed.weights
        return weights(run.path)["stem/kernel"]

    still = {"learning_rate": 1e-30, "weight_decay": 0.0}
    assert np.array_equal(stem_of(**still), own)
    assert not np.isclose(stem_of(weights="none", **still), own).any()
    model = keras.models.load_model(tmp_path / "own.keras")
    model.get_layer("stem").kernel.assign(own + 1)
    model.save_weights(tmp_path / "x.weights.h5")
    found = stem_of(weights=str(tmp_path / "x.weights.h5"), **still)
    np.testing.assert_allclose(found, own + 1, rtol=1e-6)


def test_what_a_file_takes_is_told_once(tmp_path):
    """A run that has begun goes on with it, whatever becomes of the file that said it."""
    write_own(tmp_path / "own.keras")
    Preprocessing(("a", "b"), 24, takes="tf").save(tmp_path)
    recipe = recipes.recipe("digits_image").override([f"model={tmp_path}/own.keras"])
    begun = list_data(recipe).recipe
    assert begun.pixels == "tf"
    Preprocessing(("a", "b"), 24, takes="caffe").save(tmp_path)
    assert list_data(begun).recipe == begun
    earlier = dataclasses.replace(begun, pixels="auto")
    assert list_data(earlier).recipe == earlier


def test_from_scratch_is_one_word_for_every_network():
    assert Recipe("a", model="resnet50", weights="none").weights == ""
    assert Recipe("a", model="keras:VGG16", weights="none").weights == ""
    assert Recipe("a", model="own.keras", weights="none").weights == "none"


def test_a_network_of_keras_applications_starts_from_a_file(tmp_path):
    keras.utils.set_random_seed(11)
    source = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(32, 32, 3))
    source.save(tmp_path / "kept.weights.keras")
    source.save(tmp_path / "kept.h5")
    recipe = Recipe("a", task="image", model="keras:MobileNet", size=32, attention="se")
    assert initial_weights.pixels_of(recipe).mean == (127.5,) * 3
    preprocessing = preprocessing_of(recipe, ("a", "b"), initial_weights.pixels_of(recipe))
    model = network.build(recipe, preprocessing)
    for name in ("kept.weights.keras", "kept.h5"):
        chosen = checks.resolve_weights(dataclasses.replace(recipe, weights=str(tmp_path / name)))
        report = initial_weights._load(model, chosen)
        assert len(report.loaded) == len(source.weights) == 135
        new = {each.split("/")[0] for each in report.new}
        blocks = {f"conv_pw_{i}_relu_squeeze_excitation" for i in (1, 3)}  # 16 × 16 and 8 × 8
        assert new == {"predictions", *blocks}
        kernel = source.get_layer("conv_pw_7").kernel.numpy()
        assert np.array_equal(model.get_layer("conv_pw_7").kernel.numpy(), kernel)


def test_a_trunk_that_is_held_must_have_found_all_its_weights(tmp_path):
    write_own(tmp_path / "own.keras")
    own = keras.models.load_model(tmp_path / "own.keras")
    recipe = Recipe("a", task="image", model=str(tmp_path / "own.keras"), size=16, epochs=3)
    preprocessing = preprocessing_of(recipe, ("a", "b"))
    keras.Model(own.input, own.get_layer("stem").output).save_weights(tmp_path / "x.weights.h5")
    recipe = dataclasses.replace(recipe, weights=str(tmp_path / "x.weights.h5"))
    model = network.build(recipe, preprocessing)
    report = initial_weights._load(model, recipe)
    for free in ({}, {"freeze_epochs": 1}):  # all of it learns, sooner or later
        initial_weights._check_trunk(model, dataclasses.replace(recipe, **free), report)
    held = dataclasses.replace(recipe, freeze_bn=True)
    with pytest.raises(ValueError) as error:
        initial_weights._check_trunk(model, held, report)
    names = "bn/gamma, bn/beta, bn/moving_mean, bn/moving_variance"
    assert str(error.value) == (
        f"4 variables of the trunk find no value in {tmp_path}/x.weights.h5, though they would be "
        f"held as they are: {names}"
    )


def test_a_file_that_has_learned_nothing_is_not_held(tmp_path):
    """Its batch normalisation would keep statistics that are no data's."""
    write_own(tmp_path / "own.keras")
    recipe = Recipe("a", task="image", model=str(tmp_path / "own.keras"), freeze_bn=True)
    with pytest.raises(UserError) as error:
        network.check(recipe)
    assert str(error.value) == (
        f"freeze_bn holds batch normalisation as it has learned, and that of {tmp_path}/own.keras "
        "is as it was made: set weights=none, from scratch, or freeze_bn=false. "
        "Received: freeze_bn=True"
    )
    network.check(dataclasses.replace(recipe, freeze_bn=False))
    own = keras.models.load_model(tmp_path / "own.keras")
    own.get_layer("bn").moving_mean.assign([0, 0, 0, 0, 0.1])
    own.save(tmp_path / "own.keras")
    network.check(recipe)


def test_imagenet_without_a_network(tmp_path, monkeypatch, capsys):
    """Keras fetches through the proxy that the environment names: there is none at this port."""
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    settings = [*SETTINGS, "size=32", "model=keras:MobileNet", "weights=imagenet"]
    if (Path.home() / ".keras" / "models" / "mobilenet_1_0_224_tf_no_top.h5").is_file():
        pytest.skip("Keras has these weights here")
    recipe = recipes.recipe("digits_image").override(settings)
    with pytest.raises(
        UserError,
        match=r"cannot be loaded: Keras cannot fetch the imagenet weights of keras:MobileNet "
        r"\(URL fetch failure on https://\S+/mobilenet_1_0_224_tf_no_top.h5: .*\): fetch that file "
        "by hand, and name it with `weights=FILE`",
    ):
        train(recipe, tmp_path / "run")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["model=keras:VGG"], r"there is no network 'keras:VGG': did you mean 'keras:VGG1"),
        (
            ["model=resnet"],
            r"did you mean 'resnet.*\? keras:NAME is one of keras.applications, FILE.keras",
        ),
        (["task=video", "model=keras:VGG16"], r"keras:VGG16 takes images, but the data are videos"),
        (["model=resnet50", "pixels=tf"], r"pixels is for a FILE.keras, not for model=resnet50"),
        (["size=31", "model=keras:VGG16"], r"keras:VGG16 cannot be built by this recipe: Input si"),
        (["pixels=bgr"], r"pixels must be one of auto, raw, unit, tf, torch, caffe. Received: pix"),
    ],
)
def test_mistakes(tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        train(recipes.recipe("digits_image").override([*SETTINGS, *settings]), tmp_path / "run")

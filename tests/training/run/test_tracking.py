"""A run that is told to MLflow and to Weights & Biases, each into files of this machine."""

import json
import os
import signal

import keras
import pytest

from a2keras.errors import UserError
from a2keras.training import recipes
from a2keras.training.run import tracking as tracking_module
from a2keras.training.run.interruption import Stopped
from a2keras.training.run.trackers import check_track
from a2keras.training.run.tracking import Tracker, tracking
from a2keras.training.run.train import train


@pytest.fixture
def recipe():
    settings = ["size=16", "batch_size=12", "steps_per_epoch=11", "epochs=2"]
    return recipes.recipe("digits_image").override(settings)


def tracked(recipe, output, track, *callbacks):
    with tracking(track, output, recipe) as trackers:
        return train(recipe, output, callbacks=[*callbacks, *trackers])


class Terminates(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        os.kill(os.getpid(), signal.SIGTERM)


def test_mlflow_has_the_recipe_and_every_figure_and_goes_on(
    tmp_path, recipe, tiny_network, monkeypatch
):
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: pip install .[track]")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    try:
        with pytest.raises(Stopped):
            tracked(recipe, tmp_path / "run", "mlflow", Terminates())
        ((key, name),) = json.loads((tmp_path / "run/tracking.json").read_text()).items()
        assert key == "mlflow"
        client = mlflow.MlflowClient()
        assert client.get_run(name).info.status == "KILLED"
        run = tracked(recipe, tmp_path / "run", "mlflow")
        assert json.loads((tmp_path / "run/tracking.json").read_text()) == {"mlflow": name}
        found = client.get_run(name)
        assert (found.info.status, found.info.run_name) == ("FINISHED", "run")
        assert found.data.params["steps_per_epoch"] == "11"
        assert len(found.data.params) == len(vars(recipe))
        for ours, theirs in (("loss", "loss"), ("validation_accuracy", "val_accuracy")):
            lines = client.get_metric_history(name, theirs)
            assert [(each.step, each.value) for each in lines] == [
                (line["step"], pytest.approx(line[ours])) for line in run.history()
            ]
        steps = {each.step for each in client.get_metric_history(name, "step_loss")}
        assert steps == {10, 20}
        assert mlflow.active_run() is None
    finally:
        mlflow.set_tracking_uri(before)


def test_mlflow_is_told_of_a_failure(tmp_path, recipe, tiny_network, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: pip install .[track]")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    recipe = recipe.override(["learning_rate=1e30", "warmup_epochs=0"])
    try:
        with pytest.raises(UserError, match="the loss is nan"):
            tracked(recipe, tmp_path / "run", "mlflow")
        name = json.loads((tmp_path / "run/tracking.json").read_text())["mlflow"]
        assert mlflow.MlflowClient().get_run(name).info.status == "FAILED"
    finally:
        mlflow.set_tracking_uri(before)


def test_weights_and_biases_writes_a_run_offline(tmp_path, recipe, tiny_network, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed: pip install .[track]")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    tracked(recipe, tmp_path / "run", "wandb")
    name = json.loads((tmp_path / "run/tracking.json").read_text())["wandb"]
    (record,) = tmp_path.glob(f"wandb/offline-run-*-{name}/run-{name}.wandb")
    content = record.read_bytes()
    for told in (b"step_loss", b"val_accuracy", b"steps_per_epoch", b"learning_rate"):
        assert told in content
    assert str(tmp_path).encode() + b"/run/model" not in content


class Lost(Tracker):
    """A service that goes away after it has begun."""

    name = "lost"

    def begin(self, known):
        return "7"

    def log(self, step, figures):
        raise ConnectionError("no route to host")

    def end(self, how):
        raise ConnectionError(f"not even that it has {how}")


def test_a_service_that_is_lost_ends_no_training(
    tmp_path, recipe, tiny_network, monkeypatch, capsys
):
    monkeypatch.setitem(tracking_module._TRACKERS, "lost", Lost)
    recipe = recipe.override(["epochs=1"])
    run = tracked(recipe, tmp_path / "run", "lost")
    assert run.finished
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("lost")]
    assert said == [
        "lost could not be told of step 10: no route to host",
        "lost could not be told of step 11: no route to host",
        "lost could not be told that the run has finished: not even that it has finished",
    ]


def test_a_service_that_is_not_there_is_told_before_the_first_step(
    tmp_path, recipe, tiny_network, monkeypatch
):
    monkeypatch.setitem(tracking_module._TRACKERS, "lost", Lost)
    monkeypatch.setattr(Lost, "begin", Lost.end)
    with pytest.raises(UserError) as error:
        tracked(recipe, tmp_path / "run", "lost")
    assert str(error.value) == "lost cannot be told of the run: not even that it has None"


def test_nobody_is_told_where_nobody_asked(tmp_path, recipe, tiny_network):
    tracked(recipe.override(["epochs=1", "steps_per_epoch=2"]), tmp_path / "run", None)
    assert not (tmp_path / "run/tracking.json").exists()


def test_messages(monkeypatch):
    with pytest.raises(UserError) as error:
        check_track("tensorboard")
    assert str(error.value) == "`track` must be mlflow or wandb. Received: `track=tensorboard`"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError) as error:
        check_track("wandb")
    assert str(error.value) == "`track=wandb` needs wandb: pip install 'a2keras[track]'"

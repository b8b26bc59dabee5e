"""Checkpoints: whole or not there, verified, the last few and the best; and a disk that is full."""

import json
import os
import resource
import signal
import subprocess

import keras
import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.training import recipes
from a2keras.training.run.checkpoints import Checkpoint, Checkpoints, DamagedCheckpoint, Saving
from a2keras.training.run.directory import Run
from a2keras.training.run.interruption import Interruption, Stopped
from a2keras.training.run.loop import Trainer
from a2keras.training.run.progress import Progress
from a2keras.training.run.train import train


def checkpoint(step: int, **document) -> Checkpoint:
    state = {"a": np.arange(6, dtype="float32").reshape(2, 3) + step, "b": np.array(step, "int64")}
    return Checkpoint(step, state, document)


def test_what_is_saved_comes_back_bit_for_bit(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    assert checkpoints.latest() is None
    state = {
        "float": np.array([0.1, -0.0, 1e-42, np.nextafter(1, 2)], "float32"),
        "seed": np.array([1, 2**32 - 1], "uint32"),
        "step": np.array(7),
    }
    checkpoints.save(Checkpoint(7, state, {"loss": 0.1 + 0.2, "history": [{"a": 1}]}))
    again = checkpoints.latest()
    assert again.step == 7
    assert again.document == {"loss": 0.30000000000000004, "history": [{"a": 1}]}
    assert list(again.state) == list(state)
    for name, array in state.items():
        assert again.state[name].dtype == array.dtype
        assert again.state[name].tobytes() == array.tobytes()


def test_the_checksums_are_those_of_sha256sum(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(checkpoint(3))
    check = ["sha256sum", "--check", "SHA256SUMS"]
    done = subprocess.run(
        check, cwd=checkpoints.path(3), capture_output=True, text=True, check=True
    )
    assert done.stdout == "state.npz: OK\ndocument.json: OK\n"


def test_the_last_ones_and_the_best_one_stay(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step, best in ((2, 2), (4, 2), (6, 2), (8, 8), (10, 8), (12, 8)):
        checkpoints.save(checkpoint(step), best)
    assert checkpoints.steps() == [8, 10, 12]
    checkpoints.save(checkpoint(12), 12)
    assert checkpoints.steps() == [10, 12]


def test_what_was_written_last_stays_below_damaged_ones(tmp_path, capsys):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (10, 20, 30):
        checkpoints.save(checkpoint(step), 10)
    for step in (20, 30):
        (checkpoints.path(step) / "state.npz").write_bytes(b"damaged")
    assert checkpoints.latest().step == 10
    checkpoints.save(checkpoint(11), 10)
    assert checkpoints.latest().step == 11


def test_the_best_epoch_is_the_first_of_the_best():
    lines = [{"step": 5 * (i + 1), "validation_accuracy": a} for i, a in enumerate([0.2, 0.7, 0.7])]
    assert Progress(history=lines).best_step() == 10
    assert Progress(history=[{"step": 5}]).best_step() is None


@pytest.mark.parametrize("name", ["state.npz", "document.json", "SHA256SUMS"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_checkpoint_is_told_and_the_one_before_it_taken(tmp_path, capsys, name, damage):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(checkpoint(5, loss=0.5))
    checkpoints.save(checkpoint(7, loss=0.7))
    path = checkpoints.path(7) / name
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1 :]
    path.write_bytes({"flip": flipped, "cut": whole[:middle], "remove": b""}[damage])
    if damage == "remove":
        path.unlink()
    found = checkpoints.latest()
    assert (found.step, found.document) == (5, {"loss": 0.5})
    assert "the checkpoint of step 7 is damaged: " in capsys.readouterr().err
    with pytest.raises(DamagedCheckpoint):
        checkpoints.load(7)
    # The run comes by there again, and replaces it.
    checkpoints.save(checkpoint(7, loss=0.7))
    assert checkpoints.latest().step == 7


def test_no_sound_checkpoint_is_no_fresh_start(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(checkpoint(5))
    (checkpoints.path(5) / "SHA256SUMS").unlink()
    with pytest.raises(UserError) as error:
        checkpoints.latest()
    assert str(error.value) == (
        f"none of the checkpoints in {tmp_path} is sound: restore them from a backup, or choose "
        "another `output` to start again"
    )


def test_what_a_killed_save_has_left_is_no_checkpoint(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(checkpoint(5))
    checkpoints.path(5).rename(tmp_path / ".step_00000005.partial")
    assert checkpoints.latest() is None
    checkpoints.remove_partial()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            {"minutes": -1},
            "`checkpoint_minutes` must be a number of at least 0. "
            "Received: `checkpoint_minutes=-1`",
        ),
        (
            {"steps": -3},
            "`checkpoint_steps` must be a whole number of at least 0. "
            "Received: `checkpoint_steps=-3`",
        ),
        (
            {"keep": 0},
            "`checkpoint_keep` must be a whole number of at least 1. Received: `checkpoint_keep=0`",
        ),
    ],
)
def test_bad_saving_is_refused(setting, message):
    with pytest.raises(UserError) as error:
        Saving(**setting)
    assert str(error.value) == message


def test_checkpoints_come_by_number_and_by_time(tmp_path, tiny_network, monkeypatch):
    recipe = recipes.recipe("digits_image").override(["size=16", "epochs=2", "steps_per_epoch=7"])
    saved = []
    save = Trainer.save

    def noted(trainer):
        saved.append(trainer.progress.step)
        save(trainer)
        if trainer.progress.step == 7:
            trainer.saving = Saving(minutes=1e-9)

    monkeypatch.setattr(Trainer, "save", noted)
    train(recipe, tmp_path / "run", saving=Saving(minutes=0, steps=3))
    assert saved == [3, 6, 7, 8, 9, 10, 11, 12, 13, 14]


def test_a_full_disk_ends_the_run_and_leaves_the_last_checkpoint(
    tmp_path, tiny_network, monkeypatch
):
    recipe = recipes.recipe("digits_image").override(["size=16", "epochs=2", "steps_per_epoch=3"])
    step = Trainer.settle

    def fill_the_disk(trainer):
        step(trainer)
        if trainer.progress.step == 5:
            # No file may grow beyond this: a write fails in the kernel, as on a full disk.
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setattr(Trainer, "settle", fill_the_disk)
    try:
        with pytest.raises(UserError) as error:
            train(recipe, tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    directory = tmp_path / "run/checkpoints"
    assert str(error.value) == (
        f"the checkpoint of step 6 cannot be written to {directory}: File too large. "
        "The last checkpoint, of step 3, is intact"
    )
    assert [path.name for path in directory.iterdir()] == ["step_00000003"]
    assert Checkpoints(directory).latest().step == 3
    monkeypatch.setattr(Trainer, "settle", step)
    train(recipe, tmp_path / "run")
    assert (tmp_path / "run/results.json").exists()


def test_the_best_epoch_may_be_the_model(tmp_path, tiny_network, monkeypatch):
    settings = ["size=16", "epochs=5", "steps_per_epoch=2", "validate_every=2", "select=best"]
    recipe = recipes.recipe("digits_image").override(settings)
    accuracies = iter([0.9, 0.4, 0.7])  # how good a network is cannot be arranged
    score = "a2keras.training.run.loop.validate"
    result = {"validation_loss": 1.0}
    monkeypatch.setattr(
        score, lambda *_: {**result, "validation_accuracy": next(accuracies)}, raising=True
    )
    run = train(recipe, tmp_path / "run")
    scored = [line["epoch"] for line in run.history() if "validation_accuracy" in line]
    assert scored == [2, 4, 5]
    results = json.loads((run.path / "results.json").read_text())
    assert (results["epoch"], results["steps"]) == (2, 10)
    assert results["metrics"]["validation_accuracy"] == 0.9
    checkpoints = Checkpoints(run.path / "checkpoints")
    assert checkpoints.steps() == [4, 8, 10]
    saved = keras.models.load_model(run.model_path, compile=False).get_weights()
    for step, same in ((4, True), (10, False)):
        states = list(checkpoints.load(step).state.values())
        kernels = [array for array in states if array.shape == saved[0].shape]
        assert np.array_equal(kernels[0], saved[0]) == same
    # If it is damaged the last one is better than nothing, and says so.
    (run.path / "results.json").unlink()
    (checkpoints.path(4) / "state.npz").write_bytes(b"")
    train(recipe, tmp_path / "run")
    assert json.loads((run.path / "results.json").read_text())["epoch"] == 5


def test_two_processes_do_not_train_in_one_directory(tmp_path, tiny_network):
    recipe = recipes.recipe("digits_image").override(["size=16", "epochs=1", "steps_per_epoch=1"])
    with Run(tmp_path / "run", recipe).locked(), pytest.raises(UserError) as error:
        train(recipe, tmp_path / "run")
    assert str(error.value) == f"{tmp_path}/run is being trained by another process"
    assert list((tmp_path / "run").iterdir()) == []
    # What a killed process has left half-written does not make it another directory.
    (tmp_path / "run/.recipe.json.77.partial").touch()
    Run(tmp_path / "run", recipe).start({"fingerprint": "a"})
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"recipe.json", "data.json"}


def test_output_that_may_not_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    recipe = recipes.recipe("digits_image").override(["size=16", "epochs=1"])
    with pytest.raises(UserError) as error:
        train(recipe, tmp_path / "file/run")
    path = tmp_path / "file/run"
    assert str(error.value) == f"a run cannot be written to {path}: Not a directory"


@pytest.mark.slow
def test_signals_save_and_stop_after_the_step_and_before_a_validation(
    tmp_path, tiny_network, monkeypatch, capsys
):
    recipe = recipes.recipe("digits_image").override(["size=16", "epochs=2", "steps_per_epoch=3"])
    settle, validate = Trainer.settle, Trainer.validate

    def terminate(trainer):
        settle(trainer)
        if trainer.progress.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Trainer, "settle", terminate)
    with pytest.raises(Stopped) as stopped:
        train(recipe, tmp_path / "run")
    assert stopped.value.exit_code == 75
    assert str(stopped.value) == (
        f"stopped by SIGTERM after step 4: saved. The same command goes on with {tmp_path}/run"
    )
    checkpoints = Checkpoints(tmp_path / "run/checkpoints")
    assert checkpoints.steps() == [3, 4]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    monkeypatch.setattr(Trainer, "settle", settle)
    random = "all weights start as random numbers: `--set weights=…` names others"
    assert random in capsys.readouterr().err

    def interrupt(trainer):
        os.kill(os.getpid(), signal.SIGINT)
        return validate(trainer)

    monkeypatch.setattr(Trainer, "validate", interrupt)
    with pytest.raises(Stopped) as stopped:
        train(recipe, tmp_path / "run")
    told = capsys.readouterr().err
    assert "going on after step 4 of 6, in epoch 2 of 2" in told
    assert random not in told
    assert stopped.value.exit_code == 130
    found = checkpoints.latest()
    assert (found.step, len(found.document["history"])) == (6, 1)
    monkeypatch.setattr(Trainer, "validate", validate)
    assert len(train(recipe, tmp_path / "run").history()) == 2


def test_where_nothing_is_to_be_saved_a_signal_ends_the_run_at_once():
    with Interruption().watch(), pytest.raises(Stopped, match="stopped by SIGTERM: nothing was to"):
        os.kill(os.getpid(), signal.SIGTERM)
    with Interruption().watch() as interruption:
        interruption.patient = True
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_loss_that_is_no_number_names_the_last_good_checkpoint(
    tmp_path, tiny_network, monkeypatch
):
    recipe = recipes.recipe("digits_image").override(
        ["size=16", "epochs=2", "steps_per_epoch=4", "learning_rate=0.1"]
    )
    settle = Trainer.settle

    def poison(trainer):
        settle(trainer)
        if trainer.progress.step == 6:
            weight = trainer.computation.model.trainable_variables[0]
            weight.assign(np.full(weight.shape, np.nan, "float32"))

    monkeypatch.setattr(Trainer, "settle", poison)
    with pytest.raises(UserError) as error:
        train(recipe, tmp_path / "run", saving=Saving(minutes=0, steps=5))
    assert str(error.value) == (
        "the loss is nan at step 7, which is step 3 of 4 in epoch 2: try a smaller learning_rate "
        "(now 0.1) or more warmup_epochs. The last checkpoint, of step 5, is intact"
    )
    # A checkpoint of weights that are no numbers is none: the run says so instead of saving it.
    with pytest.raises(UserError, match=r"a weight is not finite at step 6, which is step 2 of 4"):
        train(recipe, tmp_path / "run", saving=Saving(minutes=0, steps=6))
    assert Checkpoints(tmp_path / "run/checkpoints").steps() == [4, 5]


def test_a_weight_that_is_no_number_at_the_end_of_an_epoch_is_of_that_epoch(
    tmp_path, tiny_network, monkeypatch
):
    settings = ["size=16", "epochs=2", "steps_per_epoch=3", "validate_every=2"]
    settle = Trainer.settle

    def poison(trainer):
        settle(trainer)
        if trainer.progress.step == 3:
            weight = trainer.computation.model.trainable_variables[0]
            weight.assign(np.full(weight.shape, np.nan, "float32"))

    monkeypatch.setattr(Trainer, "settle", poison)
    with pytest.raises(UserError, match=r"a weight is not finite at step 3, .* 3 of 3 in epoch 1:"):
        train(recipes.recipe("digits_image").override(settings), tmp_path / "run")


def test_a_run_whose_last_checkpoint_is_damaged_ends_the_same(tmp_path, tiny_network, capsys):
    recipe = recipes.recipe("digits_image").override(["size=16", "epochs=2", "steps_per_epoch=3"])
    run = train(recipe, tmp_path / "run", saving=Saving(minutes=0, steps=2))
    before = [run.history(), json.loads((run.path / "results.json").read_text())]
    (run.path / "results.json").unlink()
    directory = run.path / "checkpoints"
    best = Progress(history=run.history()).best_step()
    assert Checkpoints(directory).steps() == sorted({best, 4, 6})
    (directory / "step_00000006/state.npz").write_bytes(b"")
    train(recipe, tmp_path / "run")
    assert "the checkpoint of step 6 is damaged: state.npz does not have" in capsys.readouterr().err
    after = [run.history(), json.loads((run.path / "results.json").read_text())]
    assert timeless(before) == timeless(after)


def timeless(document):
    """A document without what a clock says."""
    if isinstance(document, dict):
        return {k: timeless(v) for k, v in document.items() if "second" not in k}
    return [timeless(v) for v in document] if isinstance(document, list) else document

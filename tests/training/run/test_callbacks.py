"""Keras callbacks in a run: called as `fit` calls them, and without a trace in the run."""

from collections.abc import Mapping

import keras
import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.training import recipes
from a2keras.training.run.callbacks import check
from a2keras.training.run.interruption import Stopped
from a2keras.training.run.train import train

BATCHES = ("train_batch_begin", "train_batch_end", "test_batch_begin", "test_batch_end")
HOOKS = ("train_begin", "train_end", "epoch_begin", "epoch_end", "test_begin", "test_end")


class Recorder(keras.callbacks.Callback):
    """Notes every call: hook, number, logs.

    Args:
        hooks: those that it has.
    """

    def __init__(self, *hooks: str) -> None:
        super().__init__()
        self.calls = []
        for hook in hooks:
            setattr(self, f"on_{hook}", self.noting(hook))

    def noting(self, hook):
        def note(*given, logs=None):  # Keras passes logs to every hook, to some by their name
            number = [each for each in given if isinstance(each, int)]
            passed = [dict(each) for each in (*given, logs) if isinstance(each, Mapping)]
            self.calls.append((hook, *number, *passed))

        return note

    def of(self, hook):
        return [call[1:] for call in self.calls if call[0] == hook]


@pytest.fixture
def recipe():
    settings = ["size=16", "batch_size=12", "steps_per_epoch=3", "epochs=2", "learning_rate=0.1"]
    return recipes.recipe("digits_image").override([*settings, "validate_every=2"])


def fitted(callbacks) -> None:
    """Keras's own `fit` on as many batches as the run has, which is the oracle of the order."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = np.zeros((36, 3), "float32"), np.zeros(36, int)
    # 150 examples, as the digits hold out
    held_out = (np.zeros((150, 3), "float32"), np.zeros(150, int))
    model.fit(
        x,
        y,
        batch_size=12,
        epochs=2,
        validation_data=held_out,
        validation_freq=2,
        callbacks=callbacks,
        verbose=0,
    )


def test_they_are_called_as_fit_calls_them(tmp_path, recipe, tiny_network):
    ours, theirs = Recorder(*HOOKS, *BATCHES), Recorder(*HOOKS, *BATCHES)
    run = train(recipe, tmp_path / "run", callbacks=[ours])
    fitted([theirs])

    def order(recorder):
        return [
            tuple(part for part in call if not isinstance(part, dict)) for call in recorder.calls
        ]

    assert order(ours) == order(theirs)
    assert ours.params == {"verbose": 0, "epochs": 2, "steps": 3} == theirs.params
    for hook in (*HOOKS, *BATCHES):
        names = [set(logs[-1]) if logs else set() for logs in map(_logs, theirs.of(hook))]
        found = [set(logs[-1]) if logs else set() for logs in map(_logs, ours.of(hook))]
        extra = {"learning_rate"} if hook in ("epoch_end", "train_end") else set()
        assert [each - extra for each in found] == names, hook
    first, second = run.history()
    assert ours.of("epoch_end")[0] == (
        0,
        {name: first[name] for name in ("loss", "accuracy", "learning_rate")},
    )
    logs = ours.of("epoch_end")[1][1]
    assert logs["val_loss"] == second["validation_loss"]
    assert logs["val_accuracy"] == second["validation_accuracy"]
    # The logs of a step are means over the epoch so far: those of the last one are the epoch's.
    assert ours.of("train_batch_end")[2] == (2, {k: first[k] for k in ("loss", "accuracy")})
    assert ours.of("test_end")[0][0]["loss"] == second["validation_loss"]


def _logs(call):
    return [each for each in call if isinstance(each, dict)]


def test_without_beginnings_no_step_waits(tmp_path, recipe, tiny_network, monkeypatch):
    """Its end is told while the next step is computed, so that the device has something to do."""
    from a2keras.training.compute.tensorflow import TensorFlowComputation as Computation

    calls = []
    step, numbers = Computation.train_step, Computation.numbers
    monkeypatch.setattr(Computation, "train_step", lambda *a: calls.append("step") or step(*a))
    monkeypatch.setattr(Computation, "numbers", lambda *a: calls.append("numbers") or numbers(*a))
    ends = Recorder("train_batch_end")
    train(recipe.override(["epochs=1"]), tmp_path / "ends", callbacks=[ends])
    assert calls[:5] == ["step", "step", "numbers", "step", "numbers"]
    assert [number for number, _ in ends.of("train_batch_end")] == [0, 1, 2]
    calls.clear()
    train(recipe.override(["epochs=1"]), tmp_path / "turns", callbacks=[Recorder("batch_begin")])
    assert calls[:4] == ["step", "numbers", "step", "numbers"]


@pytest.mark.slow
def test_they_leave_no_trace_in_the_run(tmp_path, recipe, tiny_network):
    class Vandal(keras.callbacks.Callback):
        """Sets all weights to zeros, wherever it can."""

        def on_epoch_end(self, epoch, logs=None):
            self.model.set_weights([0 * each for each in self.model.get_weights()])

    recipe = recipe.override(["ema_decay=0.9", "precise_bn=2", "mixup=0.4"])
    plain = train(recipe, tmp_path / "plain")
    watched = train(recipe, tmp_path / "watched", callbacks=[Vandal(), Recorder(*HOOKS)])
    figures = [
        [{k: v for k, v in line.items() if "second" not in k} for line in run.history()]
        for run in (plain, watched)
    ]
    assert figures[0] == figures[1]
    models = [keras.models.load_model(run.model_path, compile=False) for run in (plain, watched)]
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        assert np.array_equal(a, b)


def test_they_see_what_is_scored_and_saved(tmp_path, recipe, tiny_network):
    seen = {}

    class Looker(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen["start"] = self.model.get_weights()

        def on_epoch_end(self, epoch, logs=None):
            seen[epoch] = self.model.get_weights()

        def on_train_end(self, logs=None):
            seen["end"] = self.model.get_weights()

    recipe = recipe.override(["ema_decay=0.9", "select=best"])
    checkpoint = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"))
    run = train(recipe, tmp_path / "run", callbacks=[Looker(), checkpoint])
    saved = keras.models.load_model(run.model_path, compile=False).get_weights()
    second = keras.models.load_model(tmp_path / "2.keras").get_weights()
    for a, b, c, d in zip(saved, seen["end"], seen[1], second, strict=True):
        assert np.array_equal(a, b) and np.array_equal(c, d) and np.array_equal(a, c)
    changed = [np.abs(a - b).max() for a, b in zip(seen["start"], seen[0], strict=True)]
    assert max(changed) > 1e-4


class StopsAfter(keras.callbacks.Callback):
    def __init__(self, epoch: int, hook: str = "on_epoch_end") -> None:
        super().__init__()
        self.epoch = epoch
        setattr(self, hook, self.stop)

    def stop(self, number, logs=None):
        self.model.stop_training = number >= self.epoch


@pytest.mark.parametrize("hook", ["on_epoch_end", "on_train_batch_end"])
def test_a_callback_ends_the_run_after_its_epoch(tmp_path, recipe, tiny_network, capsys, hook):
    recipe = recipe.override(["epochs=5"])
    run = train(recipe, tmp_path / "run", callbacks=[StopsAfter(1, hook)])
    ended = 2 if hook == "on_epoch_end" else 1
    assert len(run.history()) == ended
    assert run.finished
    said = capsys.readouterr().err
    assert f"a callback has asked for it: it ends after epoch {ended}" in said
    # As after a kill before the last file: the checkpoint knows.
    (run.path / "results.json").unlink()
    (run.path / "model.keras").unlink()
    train(recipe, tmp_path / "run")
    assert len(run.history()) == ended and run.model_path.is_file()
    capsys.readouterr()
    train(recipe, tmp_path / "run", callbacks=[StopsAfter(1)])
    assert (
        f"has been trained for {ended} of 5 epochs, then a callback ended it: nothing is left"
    ) in capsys.readouterr().err


def test_epochs_and_steps_count_on_after_an_interruption(tmp_path, recipe, tiny_network):
    import os
    import signal

    class Terminates(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 1 and self.epoch == 1:
                os.kill(os.getpid(), signal.SIGTERM)

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

    first, second = Recorder(*HOOKS, *BATCHES), Recorder(*HOOKS, *BATCHES)
    with pytest.raises(Stopped):
        train(recipe, tmp_path / "run", callbacks=[Terminates(), first])
    assert first.of("train_end") == []
    train(recipe, tmp_path / "run", callbacks=[second])
    assert second.of("epoch_begin") == [(1,)]
    batches = first.of("train_batch_begin") + second.of("train_batch_begin")
    assert batches == [(0,), (1,), (2,)] * 2
    assert [epoch for epoch, _ in second.of("epoch_end")] == [1]


def test_two_replicas_give_one_set_of_logs(tmp_path, recipe, tiny_network):
    one, two = Recorder("epoch_end"), Recorder("epoch_end")
    train(recipe, tmp_path / "one", callbacks=[one])
    train(recipe, tmp_path / "two", replicas=2, callbacks=[two])
    for a, b in zip(one.of("epoch_end"), two.of("epoch_end"), strict=True):
        assert a[0] == b[0] and a[1] == pytest.approx(b[1], abs=1e-4)


def test_an_error_of_a_callback_is_the_programs(tmp_path, recipe, tiny_network):
    class Fails(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        train(recipe, tmp_path / "run", callbacks=[Fails()])
    again = Recorder("epoch_begin")
    train(recipe, tmp_path / "run", callbacks=[again])  # its epoch had been saved before
    assert again.of("epoch_begin") == [(1,)]


def test_there_is_no_optimizer(tmp_path, recipe, tiny_network):
    class Asks(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            assert not hasattr(self.model.optimizer, "learning_rate")
            self.model.optimizer.learning_rate  # noqa: B018

    with pytest.raises(UserError) as error:
        train(recipe, tmp_path / "run", callbacks=[Asks()])
    assert str(error.value) == (
        "callbacks see no optimizer here: the rate of an epoch is in its logs, as learning_rate. "
        "Received: model.optimizer.learning_rate"
    )


RATE = "the recipe decides the learning rate, by `learning_rate` and `schedule`"
OWN = "a run has checkpoints of its own, and the same call goes on from the last one"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: print,
            "`callbacks` must be objects of keras.callbacks.Callback. "
            "Received: <built-in function print>",
        ),
        (
            lambda: keras.callbacks.LearningRateScheduler(lambda epoch: 0.1),
            f"`callbacks` can hold no LearningRateScheduler: {RATE}",
        ),
        (
            lambda: keras.callbacks.ReduceLROnPlateau(),
            f"`callbacks` can hold no ReduceLROnPlateau: {RATE}",
        ),
        (
            lambda: keras.callbacks.BackupAndRestore("backup"),
            f"`callbacks` can hold no BackupAndRestore: {OWN}",
        ),
        (
            lambda: keras.callbacks.SwapEMAWeights(),
            "`callbacks` can hold no SwapEMAWeights: set `ema_decay`, and the averaged weights "
            "are scored and saved",
        ),
        (
            lambda: keras.callbacks.TensorBoard("logs"),
            "`callbacks` can hold no TensorBoard: a run writes its own events, into its directory "
            "tensorboard",
        ),
        (
            lambda: keras.callbacks.EarlyStopping(restore_best_weights=True),
            "`callbacks` can hold no EarlyStopping with restore_best_weights=True: set "
            "`select=best`, and the model has the weights of the best epoch",
        ),
        (
            lambda: keras.callbacks.ModelCheckpoint("a.keras", save_freq=3),
            "`callbacks` can hold a ModelCheckpoint with save_freq='epoch' alone: within an epoch "
            "callbacks see the weights of its start. Received: 3",
        ),
    ],
)
def test_what_a_callback_cannot_do_is_refused(make, message):
    with pytest.raises(UserError) as error:
        check([make()])
    assert str(error.value) == message


def test_what_looks_on_is_taken(tmp_path):
    callbacks = keras.callbacks
    check(
        [
            callbacks.EarlyStopping(patience=3),
            callbacks.ModelCheckpoint("a.keras", save_best_only=True),
            callbacks.CSVLogger("a.csv"),
            callbacks.History(),
            callbacks.LambdaCallback(on_epoch_end=print),
            callbacks.TerminateOnNaN(),
        ]
    )

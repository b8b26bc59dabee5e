"""Keras callbacks of a run: called as `fit` calls them, on a copy of the network."""

from collections.abc import Sequence
from typing import Any

import keras

from a2keras.errors import UserError
from a2keras.training.compute import network
from a2keras.training.compute.computation import Computation
from a2keras.training.compute.messages import share
from a2keras.training.run.progress import figures_of

_RATE = "the recipe decides the learning rate, by `learning_rate` and `schedule`"
_CHECKPOINTS = "a run has checkpoints of its own, and the same call goes on from the last one"
# What cannot be had by a callback here, and how it can be had.
_REFUSED = {
    "BackupAndRestore": _CHECKPOINTS,
    "LearningRateScheduler": _RATE,
    "OrbaxCheckpoint": _CHECKPOINTS,
    "ReduceLROnPlateau": _RATE,
    "SwapEMAWeights": "set `ema_decay`, and the averaged weights are scored and saved",
    "TensorBoard": "a run writes its own events, into its directory tensorboard",
}


def check(callbacks: Sequence[Any]) -> None:
    """Refuses what is no callback, or would do something other than it says.

    Raises:
        UserError: names it, and what does the same.
    """
    for each in callbacks:
        if not isinstance(each, keras.callbacks.Callback):
            raise UserError(
                f"`callbacks` must be objects of keras.callbacks.Callback. Received: {each!r}"
            )
        for name, instead in _REFUSED.items():
            if isinstance(each, getattr(keras.callbacks, name, ())):
                raise UserError(f"`callbacks` can hold no {name}: {instead}")
        if getattr(each, "restore_best_weights", False) is True:
            raise UserError(
                "`callbacks` can hold no EarlyStopping with restore_best_weights=True: "
                "set `select=best`, and the model has the weights of the best epoch"
            )
        if getattr(each, "save_freq", "epoch") != "epoch":
            raise UserError(
                "`callbacks` can hold a ModelCheckpoint with save_freq='epoch' alone: within an "
                f"epoch callbacks see the weights of its start. Received: {each.save_freq!r}"
            )


class NotForCallbacks(UserError, AttributeError):
    """A callback has asked for the optimizer. (Keras asks with `hasattr`.)"""


class _Optimizer:
    """What callbacks see instead of an optimizer: it has nothing."""

    def __getattr__(self, name: str) -> Any:
        raise NotForCallbacks(
            "callbacks see no optimizer here: the rate of an epoch is in its logs, as "
            f"learning_rate. Received: model.optimizer.{name}"
        )


class Callbacks:
    """The callbacks of a run; the chief alone calls its own.

    They see a network as `results.write` saves it, in float32 and without anything of the training,
    on which weights that they change change nothing of the run: so they see the same on every
    backend and strategy, and a run goes on from a checkpoint as if it had not stopped.

    Args:
        given: what the chief calls.
        computation: built for the run's recipe.
        steps: of an epoch.

    Attributes:
        present: whether the chief has any; all workers know.
        in_turn: whether a step must have ended before the next one begins, since somebody wants to
            know when one begins. Otherwise its end is told while the next one is computed, so that
            nothing waits for the device.
    """

    def __init__(self, given: Sequence[Any], computation: Computation, steps: int) -> None:
        self.computation = computation
        own = {"present": bool(given), "in_turn": any(map(_wants_beginnings, given))}
        agreed, _ = share(computation, own)
        self.present: bool = agreed["present"]
        self.in_turn: bool = agreed["in_turn"]
        self.all = list(given) if computation.is_chief else []
        if not self.all:
            return
        recipe = computation.recipe
        self.model = network.build(recipe, computation.preprocessing)
        self.model.optimizer = _Optimizer()
        self.model.stop_training = False
        for each in self.all:
            each.set_params({"verbose": 0, "epochs": recipe.epochs, "steps": steps})
            each.set_model(self.model)

    def call(self, hook: str, *number: int, logs: dict[str, float] | None = None) -> None:
        """Calls a method of all, in order: with the number of an epoch or of a batch, if any."""
        for each in self.all:
            getattr(each, hook)(*number, logs=logs)

    def show_weights(self) -> None:
        """Gives the network that they see the weights that the computation's has now."""
        if self.all:
            weights = self.computation.read(self.computation.model.weights)
            self.model.set_weights(weights)

    def stop(self) -> bool:
        """Whether one of them has asked to end the run; all workers hear the chief."""
        if not self.present:
            return False
        asked = bool(self.all) and bool(self.model.stop_training)
        stop: bool = share(self.computation, {"stop": asked})[0]["stop"]
        return stop


def _wants_beginnings(callback: Any) -> bool:
    hooks = ("on_train_batch_begin", "on_batch_begin", "on_test_batch_begin")
    return any(
        getattr(getattr(callback, hook), "__func__", None)
        is not getattr(keras.callbacks.Callback, hook)
        for hook in hooks
    )


def logs_of(line: dict[str, Any]) -> dict[str, float]:
    """An epoch's line as Keras names its figures: loss, accuracy, val_loss, val_accuracy, …"""
    figures = figures_of(line) | {"learning_rate": line["learning_rate"]}
    return {name.replace("validation_", "val_"): value for name, value in figures.items()}

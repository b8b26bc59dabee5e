"""MLflow and Weights & Biases: the recipe and the figures of a run, for whoever asks for it."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras

from a2keras.console import say
from a2keras.documents import read_json, write_json
from a2keras.errors import UserError, reason_of
from a2keras.training.config import Recipe
from a2keras.training.run.interruption import Stopped

FILE = "tracking.json"  # in the run: how its trackers call it, so that it goes on there
EVERY = 10  # steps between two whose figures are told


class Tracker(keras.callbacks.Callback):
    """Tells a service of a run. Where that is, its own variables say, as MLFLOW_TRACKING_URI.

    Args:
        directory: of the run.
        recipe: every field is told.
    """

    name: str

    def __init__(self, directory: Path, recipe: Recipe) -> None:
        super().__init__()
        self.directory = directory
        self.fields = dataclasses.asdict(recipe)
        self.epoch = 0
        self.begun = False

    def begin(self, known: str | None) -> str:
        """Begins, or goes on with what is known by an id; returns the id."""
        raise NotImplementedError

    def log(self, step: int, figures: dict[str, float]) -> None:
        """Tells figures after a step of the run."""
        raise NotImplementedError

    def end(self, how: str) -> None:
        """Ends it: "finished", "killed" (the same call goes on) or "failed"."""
        raise NotImplementedError

    def on_train_begin(self, logs: Any = None) -> None:
        path = self.directory / FILE
        ids = read_json(path, dict[str, str], "a list of trackers") if path.is_file() else {}
        try:
            ids[self.name] = self.begin(ids.get(self.name))
        except Exception as error:  # of a service, of any type
            raise UserError(f"{self.name} cannot be told of the run: {reason_of(error)}") from error
        self.begun = True
        write_json(path, ids)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = self.epoch * self.params["steps"] + batch + 1
        if step % EVERY == 0:
            figures = {f"step_{name}": value for name, value in logs.items()}
            self.attempt(f"told of step {step}", self.log, step, figures)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        step = (epoch + 1) * self.params["steps"]
        self.attempt(f"told of step {step}", self.log, step, {"epoch": epoch + 1, **logs})

    def on_train_end(self, logs: Any = None) -> None:
        self.attempt("told that the run has finished", self.end, "finished")

    def attempt(self, what: str, call: Callable, *arguments: Any) -> None:
        """Tells something; where that fails the training goes on, and its user is told."""
        try:
            call(*arguments)
        except Exception as error:  # of a service, of any type
            say(f"{self.name} could not be {what}: {reason_of(error)}")


class MLflow(Tracker):
    """A run of MLflow, below that of the program where there is one."""

    name = "mlflow"

    def begin(self, known: str | None) -> str:
        import mlflow

        title = None if known else self.directory.name
        run = mlflow.start_run(run_id=known, run_name=title, nested=True)
        mlflow.log_params(self.fields)
        return str(run.info.run_id)

    def log(self, step: int, figures: dict[str, float]) -> None:
        import mlflow

        mlflow.log_metrics(figures, step=step)

    def end(self, how: str) -> None:
        import mlflow

        mlflow.end_run(how.upper())


class WeightsAndBiases(Tracker):
    """A run of Weights & Biases, in the project WANDB_PROJECT or a2keras."""

    name = "wandb"

    def begin(self, known: str | None) -> str:
        import wandb

        # Figures alone: not what the program prints, nor its sources or the state of its git.
        settings = wandb.Settings(
            silent=True, console="off", disable_git=True, save_code=False, disable_code=True
        )
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "a2keras"),
            name=self.directory.name,
            id=known,
            resume="allow",
            config=self.fields,
            settings=settings,
        )
        # Steps that are done again, after an interruption, come a second time.
        self.run.define_metric("*", step_metric="step")
        return str(self.run.id)

    def log(self, step: int, figures: dict[str, float]) -> None:
        self.run.log({"step": step, **figures})

    def end(self, how: str) -> None:
        self.run.finish(exit_code=0 if how == "finished" else 1)


_TRACKERS = {each.name: each for each in (MLflow, WeightsAndBiases)}


@contextlib.contextmanager
def tracking(track: str | None, directory: Path, recipe: Recipe) -> Iterator[list[Tracker]]:
    """The callbacks that a tracker is, for the block; what ends the block ends it.

    Args:
        track: one of `trackers.TRACKERS`; None: nobody is told anything.
    """
    if track is None:
        yield []
        return
    tracker = _TRACKERS[track](directory, recipe)
    try:
        yield [tracker]
    except BaseException as error:
        if tracker.begun:
            how = "killed" if isinstance(error, Stopped | KeyboardInterrupt) else "failed"
            tracker.attempt(f"told that the run was {how}", tracker.end, how)
        raise

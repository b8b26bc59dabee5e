"""The loop: steps, epochs, and checkpoints from which a run goes on as if it had not stopped."""

import contextlib
import math
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from a2keras.console import progress, say
from a2keras.errors import UserError
from a2keras.training.compute.computation import Computation
from a2keras.training.compute.messages import share
from a2keras.training.data.pipeline import steps_per_epoch
from a2keras.training.data.source import Source
from a2keras.training.labelling import labelling_of
from a2keras.training.run import results, state
from a2keras.training.run.callbacks import Callbacks, logs_of
from a2keras.training.run.checkpoints import Checkpoints, Saving
from a2keras.training.run.directory import Run
from a2keras.training.run.events import EventFile, first_examples, grid
from a2keras.training.run.interruption import Interruption, Stopped
from a2keras.training.run.progress import Progress, describe, describe_epoch
from a2keras.training.run.validation import evaluated_weights, validate


class Trainer:
    """A run in training.

    Args:
        run: where the chief writes.
        source: the opened data.
        computation: built for the run's recipe.
        saving: when to write checkpoints.
        interruption: tells when to stop.
        callbacks: of Keras, which the chief calls.
    """

    def __init__(
        self,
        run: Run,
        source: Source,
        computation: Computation,
        saving: Saving,
        interruption: Interruption,
        callbacks: Sequence[Any] = (),
    ) -> None:
        self.run = run
        self.recipe = computation.recipe  # whose batches are all of one size
        self.labelling = labelling_of(self.recipe)
        self.source = source
        self.computation = computation
        self.saving = saving
        self.interruption = interruption
        self.examples = source.splits["train"]
        self.steps_per_epoch = steps_per_epoch(self.recipe, len(self.examples))
        self.checkpoints = Checkpoints(run.path / "checkpoints", saving.keep, Progress)
        self.callbacks = Callbacks(callbacks, computation, self.steps_per_epoch)
        self.progress = Progress()
        self.so_far: dict[str, float] = {}  # of the epoch, as far as its numbers have been read
        self.waiting: tuple[int, Any] | None = None  # the last step, whose numbers are not read yet
        self.stop_after: int | None = None  # the step at which all workers stop
        self.saved = self.mark = time.monotonic()
        self.events = EventFile(run.path / "tensorboard") if computation.is_chief else None

    def train(self) -> None:
        """Runs the steps that are left and writes the results."""
        self.restore()
        self.callbacks.show_weights()
        self.callbacks.call("on_train_begin")
        batches = self.computation.training_iterator(self.examples, self.progress.step)
        size = self.recipe.batch_size
        total = self.recipe.epochs * self.steps_per_epoch * size
        unit = " clips" if self.recipe.task == "video" else " images"
        self.interruption.patient = True
        with progress((), "training", unit=unit, total=total) as bar:
            bar.update(self.progress.step * size)
            while not self.progress.ends(self.recipe):
                line = self.train_epoch(batches, bar)
                with bar.external_write_mode(file=sys.stderr):
                    say(line)
        self.interruption.patient = False
        if (done := len(self.progress.history)) < self.recipe.epochs:
            patience = f"no better validation for {self.recipe.patience} epochs"
            why = "a callback has asked for it" if self.progress.stopped else patience
            say(f"{why}: it ends after epoch {done}")
        chosen = state.select(self.progress, self.computation, self.checkpoints)
        with self.evaluated_weights():
            if self.computation.is_chief:
                history = self.progress.history
                results.write(self.run, self.computation, self.source, history, chosen)
            self.callbacks.show_weights()
        self.callbacks.call("on_train_end", logs=logs_of(chosen))
        self.part()

    def restore(self) -> None:
        """Takes up what there is to go on from, or to start from."""
        restored = state.restore(self.run, self.computation, self.checkpoints)
        self.progress = restored or Progress()
        if not restored and self.recipe.starts_random:
            say("all weights start as random numbers: `--set weights=…` names others")
        if self.events and not self.progress.step:
            views = first_examples(self.examples, self.recipe, self.computation.preprocessing)
            self.events.picture(0, "examples", grid(views))
        if step := self.progress.step:
            epochs, done = self.recipe.epochs, len(self.progress.history)
            say(
                f"going on after step {step} of {epochs * self.steps_per_epoch}, "
                f"in epoch {min(done + 1, epochs)} of {epochs}"
            )

    def train_epoch(self, batches: Iterator, bar: Any) -> str:
        """Runs what is left of an epoch, keeps its checkpoint, and returns a line about it."""
        refreshed, size = 0.0, self.recipe.batch_size
        end = (len(self.progress.history) + 1) * self.steps_per_epoch
        self.mark = time.monotonic()
        self.so_far = {}
        self.callbacks.call("on_epoch_begin", len(self.progress.history))
        self.computation.enter(self.progress.step)
        while self.progress.step < end:
            batch = self.steps_per_epoch - (end - self.progress.step)
            self.callbacks.call("on_train_batch_begin", batch)
            handle = self.computation.train_step(batches, self.interruption.received is not None)
            self.progress.step += 1
            self.settle()
            self.waiting = (self.progress.step, handle)
            if self.callbacks.in_turn:
                self.settle()
            bar.update(size)
            if time.monotonic() - refreshed > 0.5:
                refreshed = time.monotonic()
                bar.set_postfix_str(describe(self.progress, self.recipe, self.so_far))
            if self.progress.step < end:
                self.save_or_stop()
        self.settle()
        validation = None if self.is_stopping() or self.stop_after else self.validate()
        if validation is None:
            self.stop()
        rate = float(self.computation.optimizer.schedule(end - 1))
        line = self.progress.line(self.steps_per_epoch * size, self.labelling, validation, rate)
        self.progress = self.progress.after(line)
        self.mark = time.monotonic()
        if self.computation.is_chief:
            self.run.write_history(self.progress.history)
            self.save()
        if self.events:
            self.events.epoch(line)
        self.end_epoch(line)
        return describe_epoch(line, self.recipe)

    def end_epoch(self, line: dict) -> None:
        """Tells the callbacks, and keeps it where one of them asks to end the run."""
        self.callbacks.call("on_epoch_end", line["epoch"] - 1, logs=logs_of(line))
        if self.callbacks.stop():
            self.progress.stopped = True
            if self.computation.is_chief:
                self.save()

    def validate(self) -> dict[str, float] | None:
        """Loss and figures of the validation examples, if any and due; None where stopped."""
        self.tick()
        epoch = len(self.progress.history) + 1
        due = epoch % self.recipe.validate_every == 0 or epoch == self.recipe.epochs
        examples = self.source.splits.get("validation") if due else None
        if examples is None and not self.callbacks.present:
            return {}
        if self.recipe.precise_bn and self.computation.is_chief:
            self.save()  # a signal is heard late there, perhaps too late
        figures: dict[str, float] | None = {}
        with self.evaluated_weights():
            if examples is not None:
                figures = validate(self.computation, examples, self.interruption, self.callbacks)
            self.callbacks.show_weights()
        if figures and not math.isfinite(figures["validation_loss"]):
            self.diverged(
                f"the validation_loss is {figures['validation_loss']}", self.progress.step
            )
        return figures

    def evaluated_weights(self) -> contextlib.AbstractContextManager:
        """The weights that are scored and saved, for a block."""
        return evaluated_weights(self.computation, self.examples, self.progress.step)

    def settle(self) -> None:
        """Takes in the numbers of the last step.

        It waits for the device. So the loop calls it after it has started the next step, which the
        device goes on with meanwhile.
        """
        if self.waiting is None:
            return
        step, handle = self.waiting
        self.waiting = None
        loss, correct, stop, judged = self.computation.numbers(handle).tolist()
        if not math.isfinite(loss):
            self.diverged(f"the loss is {loss}", step)
        self.progress.loss += loss
        self.progress.correct += correct
        self.progress.judged += judged
        size = self.recipe.batch_size
        done = step - len(self.progress.history) * self.steps_per_epoch
        self.so_far = self.progress.mean(done * size, self.labelling)
        self.callbacks.call("on_train_batch_end", done - 1, logs=dict(self.so_far))
        if self.events:
            share = correct / max(judged, 1)
            self.events.step(step, {"loss": loss / size, self.labelling.figure: share})
        if stop and self.stop_after is None:
            # By then every worker has read it, the slowest reader too.
            self.stop_after = step + 1

    def is_stopping(self) -> bool:
        """Whether to stop after this step; all workers agree on the step."""
        if self.computation.workers > 1:
            return self.stop_after == self.progress.step
        return self.interruption.received is not None

    def save_or_stop(self) -> None:
        """Writes a checkpoint where one is due, and stops where that was asked for."""
        if self.is_stopping():
            self.settle()
            self.stop()
        steps, minutes = self.saving.steps, self.saving.minutes
        due = bool(steps and self.progress.step % steps == 0)
        due |= bool(minutes and time.monotonic() - self.saved >= 60 * minutes)
        if due and self.computation.is_chief:
            self.settle()
            self.save()

    def stop(self) -> NoReturn:
        """Saves, waits until all workers are here, and ends the run."""
        if self.computation.is_chief:
            self.save()
        self.part()
        received = self.interruption.received
        reason = received.name if received else "another worker"
        raise Stopped(
            f"stopped by {reason} after step {self.progress.step}: saved. "
            f"The same command goes on with {self.run.path}",
            self.interruption.exit_code,
        )

    def part(self) -> None:
        """Workers end together, the chief first: who is gone while another one still reads is taken
        for lost by it."""
        share(self.computation, {})
        if not self.computation.is_chief:
            time.sleep(1)

    def save(self) -> None:
        """Writes a checkpoint of where the run is. No step may be waiting."""
        self.tick()
        values = self.computation.read()
        if not all(np.isfinite(value).all() for value in values):
            self.diverged("a weight is not finite", self.progress.step)
        checkpoint = state.checkpoint_of(self.progress, values)
        self.checkpoints.save(checkpoint, self.progress.best_step())
        self.saved = time.monotonic()

    def tick(self) -> None:
        """Adds the time since the last call, or since the epoch's start, to the epoch's."""
        now = time.monotonic()
        self.progress.seconds += now - self.mark
        self.mark = now

    def diverged(self, what: str, step: int) -> NoReturn:
        epoch, number = divmod(step - 1, self.steps_per_epoch)
        raise UserError(
            f"{what} at step {step}, which is step {number + 1} of {self.steps_per_epoch} in epoch "
            f"{epoch + 1}: try a smaller learning_rate (now {self.recipe.learning_rate}) or more "
            f"warmup_epochs. {self.checkpoints.describe_last()}"
        )

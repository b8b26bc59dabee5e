"""The run: epochs of synchronous steps, a checkpoint after each, and what is left at the end."""

import math
import re
import sys
import time
from pathlib import Path

import keras
import tensorflow as tf

from a2keras.console import UserError, progress, quiet_native_stderr, say, write_json
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training import network
from a2keras.training.config import Recipe
from a2keras.training.data import open_source, resolve
from a2keras.training.data.pipeline import plain_batches, steps_per_epoch, training_batches
from a2keras.training.data.source import Source
from a2keras.training.distribution import strategy_for, synchronize_batch_normalization
from a2keras.training.run import Run
from a2keras.training.schedules import learning_rate

CHECKPOINTS_KEPT = 2


def train(
    recipe: Recipe, output: str | Path, strategy: str = "auto", replicas: int | None = None
) -> Run:
    """Trains by a recipe, or goes on with the run in `output` from its last checkpoint.

    Args:
        recipe: what to train, on what, and how.
        output: directory of the run, see `Run`.
        strategy: `auto`, `none` or `mirrored`, see `strategy_for`.
        replicas: how many replicas share each batch.

    Raises:
        UserError: data that cannot be used, a batch that the replicas do not divide, a network that
            does not fit, an output that is something else, or a loss that is no longer a number.
    """
    recipe = resolve(recipe)
    network.check(recipe)
    run = Run(Path(output), recipe)
    run.check()
    if run.finished:
        say(f"{run.path} has been trained for all {recipe.epochs} epochs: nothing is left to do.")
        return run
    distribution = strategy_for(strategy, replicas)
    count = distribution.num_replicas_in_sync
    if recipe.batch_size % count:
        raise UserError(
            f"batch_size must be divisible by the replicas. Received: "
            f"batch_size={recipe.batch_size}, replicas={count}"
        )
    source = open_source(recipe)
    if len(source.splits["train"]) < recipe.batch_size:
        raise UserError(
            f"{recipe.data} has {len(source.splits['train'])} examples to train on, fewer than a "
            f"batch. Received: batch_size={recipe.batch_size}"
        )
    for gap in source.gaps():
        say(gap)
    run.start(source.report())
    trainer = Trainer(run, source, distribution)
    try:
        trainer.train()
    except tf.errors.UnknownError as error:  # what tf.data makes of an error in Python code
        if (reason := re.search(r"DecodeError: (.*)", str(error))) is None:
            raise
        raise UserError(f"a file can no longer be read: {reason[1]}") from error
    return run


class Trainer:
    """A network in training: its state, one step, one epoch, and the way from one to the next.

    Args:
        run: where to write.
        source: the opened data.
        strategy: model, optimizer and metrics are made under its scope, and every step runs on all
            its replicas. Keras's own `fit` cannot do this on several machines.
    """

    def __init__(self, run: Run, source: Source, strategy: tf.distribute.Strategy) -> None:
        self.run = run
        self.recipe = run.recipe
        self.source = source
        self.strategy = strategy
        self.preprocessing = preprocessing_of(run.recipe, source.classes)
        self.examples = source.splits["train"]
        self.steps_per_epoch = steps_per_epoch(self.recipe, len(self.examples))
        self.schedule = learning_rate(self.recipe, self.steps_per_epoch)
        with strategy.scope():
            self.model = network.build(self.recipe, self.preprocessing, self.recipe.precision)
            compile_model(self.model, self.recipe, self.schedule)
        if strategy.num_replicas_in_sync > 1:
            synchronize_batch_normalization(self.model)
        self.history: list[dict] = []
        self.epoch = tf.Variable(0, dtype="int64", trainable=False)  # epochs that have ended
        # Variables by their order, which the recipe fixes: by attribute, TensorFlow would pass over
        # layers that a composite layer keeps in a list.
        state = [*self.model.variables, *self.model.optimizer.variables]
        checkpoint = tf.train.Checkpoint(epoch=self.epoch, state=[v.value for v in state])
        self.checkpoints = tf.train.CheckpointManager(
            checkpoint, str(run.path / "checkpoints"), CHECKPOINTS_KEPT
        )
        self.step = self._compiled_step()
        self.predict = tf.function(lambda x: self.model(x, training=False))

    def _compiled_step(self):
        step = self.model.train_step
        if self.recipe.jit_compile:
            step = tf.function(step, jit_compile=True)
        return tf.function(lambda batch: self.strategy.run(step, args=(batch,)))

    def train(self) -> None:
        """Runs the epochs that are left and writes the results."""
        counts = ", ".join(f"{len(part)} {name}" for name, part in self.source.splits.items())
        say(
            f"{self.recipe.model}, {self.model.count_params():,} parameters; {counts} examples of "
            f"{len(self.source.classes)} classes; {self.strategy.num_replicas_in_sync} replica(s)"
        )
        self._restore()
        left = self.recipe.epochs - int(self.epoch.numpy())
        iterator = self._batches(int(self.epoch.numpy()))
        total = left * self.steps_per_epoch * self.recipe.batch_size
        with progress((), "training", unit=" examples", total=total) as bar:
            for _ in range(left):
                bar.write(self._train_epoch(iterator, bar), file=sys.stderr)
        self._finish()

    def _batches(self, first_epoch: int):
        """Iterates over the batches of all epochs from `first_epoch` on, split among replicas."""
        first_step = first_epoch * self.steps_per_epoch
        batches = training_batches(self.examples, self.recipe, self.preprocessing, first_step)
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        batches = batches.with_options(options)
        with quiet_native_stderr():  # with replicas TensorFlow warns of a lost optimisation
            return iter(self.strategy.experimental_distribute_dataset(batches))

    def _restore(self) -> None:
        if self.checkpoints.latest_checkpoint:
            self.checkpoints.restore_or_initialize()
            self.history = self.run.history()[: int(self.epoch.numpy())]
            say(f"going on after epoch {int(self.epoch.numpy())} of {self.recipe.epochs}")

    def _train_epoch(self, iterator, bar) -> str:
        """Runs one epoch, keeps its checkpoint, and returns a line that sums it up."""
        epoch, started = int(self.epoch.numpy()), time.monotonic()
        self.model.reset_metrics()
        shown = 0.0
        for step in range(self.steps_per_epoch):
            self.step(next(iterator))
            bar.update(self.recipe.batch_size)
            last = step == self.steps_per_epoch - 1
            if last or time.monotonic() - shown > 0.5:  # reading the metrics waits for the device
                metrics, shown = self._metrics(epoch, step), time.monotonic()
                text = f"loss {metrics['loss']:.3f} accuracy {metrics['accuracy']:.3f}"
                bar.set_postfix_str(f"epoch {epoch + 1}/{self.recipe.epochs} {text}")
        seconds = time.monotonic() - started
        validation = self._validate()
        self._check_finite(validation, epoch, self.steps_per_epoch - 1)
        line = {
            "epoch": epoch + 1,
            "step": (epoch + 1) * self.steps_per_epoch,
            **metrics,
            **validation,
            "learning_rate": float(self.schedule((epoch + 1) * self.steps_per_epoch - 1)),
            "seconds": round(seconds, 3),
            "examples_per_second": round(
                self.steps_per_epoch * self.recipe.batch_size / seconds, 1
            ),
        }
        self.history.append(line)
        self.epoch.assign(epoch + 1)
        # In this order: a line without its checkpoint is dropped when the run goes on, a checkpoint
        # without its line would leave a hole.
        self.run.write_history(self.history)
        self.checkpoints.save(checkpoint_number=epoch + 1)
        return _sentence(line, self.recipe.epochs)

    def _metrics(self, epoch: int, step: int) -> dict[str, float]:
        """The epoch's loss and accuracy so far; ends the run where they are no longer numbers."""
        metrics = {key: float(value) for key, value in self.model.get_metrics_result().items()}
        self._check_finite(metrics, epoch, step)
        return metrics

    def _check_finite(self, metrics: dict[str, float], epoch: int, step: int) -> None:
        for name, value in metrics.items():
            if not math.isfinite(value):
                kept = f". The checkpoint of epoch {epoch} is kept" if epoch else ""
                raise UserError(
                    f"the {name} is {value} in epoch {epoch + 1}, at step {step + 1} of "
                    f"{self.steps_per_epoch} or shortly before: try a smaller learning_rate "
                    f"(now {self.recipe.learning_rate}) or more warmup_epochs{kept}"
                )

    def _validate(self) -> dict[str, float]:
        """Loss and accuracy on the validation examples, as far as there are any."""
        if "validation" not in self.source.splits:
            return {}
        loss = keras.metrics.CategoricalCrossentropy(label_smoothing=self.recipe.label_smoothing)
        accuracy = keras.metrics.CategoricalAccuracy()
        examples = self.source.splits["validation"]
        for pixels, labels in plain_batches(examples, self.recipe.batch_size, self.preprocessing):
            probabilities = self.predict(pixels)
            loss.update_state(labels, probabilities)
            accuracy.update_state(labels, probabilities)
        return {
            "validation_loss": float(loss.result()),
            "validation_accuracy": float(accuracy.result()),
        }

    def _finish(self) -> None:
        """Writes the model, its preprocessing, the results and the curves."""
        from a2keras.training.plots import draw_curves

        path = self.run.path
        # A fresh float32 model takes the weights: what is saved then has nothing of the training in
        # it (synchronized batch normalization, mixed precision, the optimizer) and loads anywhere.
        finished = network.build(self.recipe, self.preprocessing)
        finished.set_weights(self.model.get_weights())
        finished.save(path / "model.keras")
        self.preprocessing.save(path)
        draw_curves(self.history, path / "curves.png")
        last = self.history[-1]
        write_json(
            path / "results.json",
            {
                "model": self.recipe.model,
                "parameters": finished.count_params(),
                "epochs": self.recipe.epochs,
                "steps": last["step"],
                "seconds": round(sum(line["seconds"] for line in self.history), 1),
                "replicas": self.strategy.num_replicas_in_sync,
                "metrics": {k: v for k, v in last.items() if "loss" in k or "accuracy" in k},
                "data": self.source.report(),
                "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
            },
        )


def preprocessing_of(recipe: Recipe, classes: tuple[str, ...]) -> Preprocessing:
    """How the recipe's network wants its input."""
    frames = recipe.frames if recipe.task == "video" else None
    stride = recipe.stride if recipe.task == "video" else 1
    return Preprocessing(classes, recipe.size, frames, stride, recipe.fit)


def compile_model(
    model: keras.Model, recipe: Recipe, schedule: keras.optimizers.schedules.LearningRateSchedule
) -> None:
    """Gives the model its optimizer, loss and metrics, and makes all their variables.

    The recipe's weight decay is that of SGD with an L2 penalty, as in the papers: its gradient goes
    through the momentum, which in the long run applies it 1 / (1 - momentum) times. Keras decouples
    weight decay from the gradient, so here the factor is part of the coefficient.
    """
    optimizer = keras.optimizers.SGD(
        schedule,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
        weight_decay=recipe.weight_decay / (1 - recipe.momentum) or None,
    )
    # Scales, offsets and biases are vectors; every kernel has more axes.
    vectors = [v for v in model.trainable_variables if len(v.shape) < 2]
    if recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_list=vectors)
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    model.optimizer.build(model.trainable_variables)


def _sentence(line: dict, epochs: int) -> str:
    text = (
        f"epoch {line['epoch']}/{epochs}: loss {line['loss']:.4f}, accuracy {line['accuracy']:.3f}"
    )
    if "validation_accuracy" in line:
        text += f", validation accuracy {line['validation_accuracy']:.3f}"
    return f"{text} ({line['seconds']:.1f} s, {line['examples_per_second']:.0f} examples/s)"

"""Trains on the JAX backend; a program of its own for test_jax.py.

    KERAS_BACKEND=jax python jax_runs.py DIRECTORY plain|frozen

writes weights into DIRECTORY/start.weights.h5 and trains from them: DIRECTORY/two on two devices,
DIRECTORY/one on one, and DIRECTORY/stopped on one, with a stop. By the recipe `frozen` the head
learns first.
"""

import os
import signal
import sys
from pathlib import Path

import keras

from a2keras import models
from a2keras.training import recipes
from a2keras.training.compute import network
from a2keras.training.run.interruption import Stopped
from a2keras.training.run.loop import Trainer
from a2keras.training.run.train import preprocessing_of, train

SETTINGS = [
    "size=16",
    "batch_size=12",
    "steps_per_epoch=5",
    "epochs=2",
    "learning_rate=0.05",
    "accumulate=2",
    "clip_norm=0.5",
    "ema_decay=0.9",
    "precise_bn=2",
    "mixup=0.4",
    "cutmix=1",
    "randaugment=2",
    "erasing=0.3",
]


FROZEN = [
    "freeze_epochs=1",
    "freeze_rate=0.1",
    "freeze_bn=true",
    "optimizer=adamw",
    "class_weights=balanced",
    "layer_decay=0.5",
    "drop_path=0.4",
    "warmup_epochs=0.4",
    "learning_rate=0.003",
]


def small(name: str, input_tensor, classes: int) -> keras.Model:
    """A network with a name for every layer, so that weights find their place."""
    from a2keras import DoubleAttention

    x = keras.layers.Conv2D(7, 3, strides=2, padding="same", use_bias=False, name="conv")(
        input_tensor
    )
    x = keras.layers.BatchNormalization(momentum=0.9, name="bn")(x)
    x = keras.layers.ReLU(name="relu")(x)
    y = keras.layers.Conv2D(7, 3, padding="same", use_bias=False, name="branch")(x)
    x = keras.layers.Add(name="add")([x, y])
    x = DoubleAttention(3, 2, name="attention")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dense(classes, activation="softmax", name="predictions")(x)
    return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], x)


def recipe(directory: Path, kind: str):
    weights = f"weights={directory}/start.weights.h5"
    settings = [*SETTINGS, weights, *(FROZEN if kind == "frozen" else [])]
    return recipes.recipe("digits_image").override(settings)


def stop_after(step: int) -> None:
    settle = Trainer.settle

    def settled(trainer: Trainer) -> None:
        settle(trainer)
        if trainer.progress.step == step:
            Trainer.settle = settle
            os.kill(os.getpid(), signal.SIGTERM)

    Trainer.settle = settled


def main(directory: Path, kind: str) -> None:
    models.build = small
    settings = recipe(directory, kind)
    train(settings, directory / "two", replicas=2)
    train(settings, directory / "one", "none")
    stop_after(3)
    try:
        train(settings, directory / "stopped", "none")
    except Stopped as stopped:
        print(stopped)
    train(settings, directory / "stopped", "none")


def write_start(directory: Path) -> None:
    """Weights to start from, on any backend."""
    start = recipes.recipe("digits_image").override(SETTINGS)
    model = network.build(start, preprocessing_of(start, tuple("0123456789")))
    model.save_weights(directory / "start.weights.h5")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

"""Trains in processes that are killed again and again; a program of its own for test_resume.py.

It imports TensorFlow once and forks before TensorFlow has started, so that a process costs only its
own work: every child is a real process that a real SIGKILL ends.

    python killed_runs.py DIRECTORY SEED

trains DIRECTORY/whole without a break and DIRECTORY/killed with many, and prints how each ended.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import keras

from a2keras import DoubleAttention, models
from a2keras.training import recipes
from a2keras.training.run import checkpoints
from a2keras.training.run.checkpoints import Saving
from a2keras.training.run.loop import Trainer
from a2keras.training.run.train import train

SETTINGS = [
    "size=16",
    "batch_size=12",
    "steps_per_epoch=7",
    "epochs=3",
    "learning_rate=0.1",
    "ema_decay=0.9",
    "precise_bn=2",
    "clip_norm=1",
    "mixup=0.4",
    "cutmix=1",
    "erasing=0.3",
]


def network(name: str, input_tensor, classes: int) -> keras.Model:
    """A small network with everything that has a state: statistics, dropout, a block."""
    x = keras.layers.Conv2D(7, 3, strides=2, padding="same", use_bias=False)(input_tensor)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.ReLU()(x)
    x = DoubleAttention(3, 2)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.3)(x)
    x = keras.layers.Dense(classes, activation="softmax")(x)
    return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], x)


def start(output: Path, dies_in_flush: int = 0) -> tuple[int, int]:
    """Starts a child that trains; returns its id, and a pipe that ends with its first step.

    Args:
        dies_in_flush: which flush to the disk the child kills itself before: within a checkpoint,
            before or after the renaming. 0: none.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    flushes = 0
    flush, settle = checkpoints._flush, Trainer.settle

    def counted_flush(path: Path) -> None:
        nonlocal flushes
        flushes += 1
        if flushes == dies_in_flush:
            os.kill(os.getpid(), signal.SIGKILL)
        flush(path)

    def settled(trainer: Trainer) -> None:
        settle(trainer)
        os.write(writer, b".")

    checkpoints._flush, Trainer.settle = counted_flush, settled
    try:
        train(recipes.recipe("digits_image").override(SETTINGS), output, saving=Saving(0, 2))
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(getattr(error, "exit_code", 1))
    os._exit(0)


def ended(child: int) -> int:
    """Waits for a child; its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(directory: Path, seed: int) -> None:
    models.build = network
    chance = random.Random(seed)
    print("whole", ended(start(directory / "whole")[0]), flush=True)
    killed = directory / "killed"
    # A save flushes five times: three files, their directory, and the one above after the renaming.
    for flush in (chance.randint(2, 4), chance.randint(5, 9)):
        print("in a save", ended(start(killed, flush)[0]), flush=True)
    for number in (signal.SIGKILL, signal.SIGTERM):
        child, reader = start(killed)
        for _ in range(chance.randint(1, 4)):
            os.read(reader, 1)
        time.sleep(0.05 * chance.random())
        os.kill(child, number)
        print(number.name, ended(child), flush=True)
    print("to the end", ended(start(killed)[0]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

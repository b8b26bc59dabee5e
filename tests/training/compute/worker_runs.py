"""Trains on two workers of this machine; a program of its own for test_workers.py.

As killed_runs.py, it imports TensorFlow once and forks before TensorFlow has started.

    python worker_runs.py DIRECTORY

trains DIRECTORY/one in one process, DIRECTORY/two on two workers that are stopped, killed and
started again, and DIRECTORY/early on two with callbacks; it prints how each has ended, and when.
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import keras

from a2keras import DoubleAttention, models
from a2keras.training import recipes
from a2keras.training.compute.cluster import Cluster
from a2keras.training.compute.strategies import strategy_for
from a2keras.training.run.checkpoints import Saving
from a2keras.training.run.loop import Trainer
from a2keras.training.run.train import train

SETTINGS = [
    "size=16",
    "batch_size=16",
    "steps_per_epoch=5",
    "epochs=2",
    "learning_rate=0.05",
    "accumulate=2",
    "clip_norm=0.5",
    "ema_decay=0.9",
    "precise_bn=2",
    "mixup=0.4",
    "cutmix=1",
    "erasing=0.3",
]


def network(name: str, input_tensor, classes: int) -> keras.Model:
    x = keras.layers.Conv2D(7, 3, strides=2, padding="same", use_bias=False)(input_tensor)
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    x = keras.layers.ReLU()(x)
    x = DoubleAttention(3, 2)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(classes, activation="softmax")(x)
    return keras.Model(keras.utils.get_source_inputs(input_tensor)[0], x)


class Notes(keras.callbacks.Callback):
    """Writes down the figures of every epoch, and asks to end the run after the first one."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        with self.file.open("a") as file:
            print(json.dumps({"epoch": epoch, **(logs or {})}), file=file)
        self.model.stop_training = True


def start(
    output: Path,
    cluster: Cluster | None = None,
    number: int = 0,
    step: int = 0,
    notes: Path | None = None,
) -> int:
    """Starts a process that trains, and that sends itself a signal after a step; returns its id."""
    child = os.fork()
    if child:
        return child
    if cluster is not None:
        os.environ["TF_CONFIG"] = cluster.tf_config()
    settle = Trainer.settle

    def settled(trainer: Trainer) -> None:
        settle(trainer)
        if number and trainer.progress.step == step:
            os.kill(os.getpid(), number)

    Trainer.settle = settled
    recipe = recipes.recipe("digits_image").override(SETTINGS)
    strategy = "none" if cluster is None else "multi_worker"
    callbacks = [Notes(notes)] if notes else []
    try:
        train(recipe, output, strategy, saving=Saving(0, 2), callbacks=callbacks)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(getattr(error, "exit_code", 1))
    os._exit(0)


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def free_address() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


def two(output: Path, number: int = 0, step: int = 0, notes: Path | None = None) -> str:
    """Trains on two workers, of which the second gets a signal; how both ended.

    Args:
        notes: where each worker's callback would write, to a file of its own.
    """
    addresses = (free_address(), free_address())
    # Nobody but the chief can write: the others need no place for the run.
    elsewhere = Path("/proc/nowhere")
    files = [notes and notes.with_suffix(f".{worker}") for worker in range(2)]
    chief = start(output, Cluster(addresses, 0), notes=files[0])
    other = start(elsewhere, Cluster(addresses, 1), number, step, files[1])
    ending = ended(other)
    began = time.monotonic()
    return f"{ended(chief)} {ending}, {time.monotonic() - began:.0f} seconds apart"


def replicas(count: int) -> int:
    """Starts a process that splits the CPU, which a process can do once, before TensorFlow starts.

    Returns:
        how many replicas it has got.
    """
    child = os.fork()
    if child == 0:
        os._exit(strategy_for("auto", count).num_replicas_in_sync)
    return ended(child)


def main(directory: Path) -> None:
    models.build = network
    print("replicas", replicas(3), flush=True)
    print("one", ended(start(directory / "one")), flush=True)
    print("stopped", two(directory / "two", signal.SIGTERM, 3), flush=True)
    print("killed", two(directory / "two", signal.SIGKILL, 7), flush=True)
    print("to the end", two(directory / "two"), flush=True)
    print("early", two(directory / "early", notes=directory / "notes"), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

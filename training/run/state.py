"""The state of a run, arrays and progress: into a checkpoint, and from one to all workers."""

import dataclasses

import numpy as np

from a2keras.console import say
from a2keras.errors import UserError
from a2keras.training.compute.computation import Computation
from a2keras.training.compute.messages import share
from a2keras.training.run.checkpoints import Checkpoint, Checkpoints, DamagedCheckpoint
from a2keras.training.run.directory import Run
from a2keras.training.run.initial_weights import start_from_weights
from a2keras.training.run.progress import Progress


def checkpoint_of(progress: Progress, values: list[np.ndarray]) -> Checkpoint:
    """What a run needs to go on: where it is, and the values of its computation's variables."""
    state = {f"{i:05}": value for i, value in enumerate(values)}
    return Checkpoint(progress.step, state, dataclasses.asdict(progress))


def restore(run: Run, computation: Computation, checkpoints: Checkpoints) -> Progress | None:
    """Takes up the newest sound checkpoint or the recipe's weights, if any, on all workers.

    Returns:
        None where there are neither.

    Raises:
        UserError: the checkpoints are of another network, or cannot be used.
    """
    document: dict = {}
    values: list[np.ndarray] = []
    if computation.is_chief:
        checkpoints.remove_partial()
        if found := checkpoints.latest():
            document, values = found.document, list(found.state.values())
        elif run.recipe.weights not in ("", "none"):
            start_from_weights(computation, run.path)
            document, values = dataclasses.asdict(Progress()), computation.read()
    document, arrays = share(computation, document, values)
    if not document:
        return None
    ours = [(str(each.dtype), tuple(each.shape)) for each in computation.variables]
    if ours != [(str(array.dtype), array.shape) for array in arrays]:
        raise UserError(f"the checkpoints of {run.path} are of another network")
    computation.write(list(arrays))
    return Progress(**document)


def select(progress: Progress, computation: Computation, checkpoints: Checkpoints) -> dict:
    """Goes to the epoch that the recipe selects, on all workers, and returns its line."""
    best, values = progress.best_step(), []
    if computation.recipe.select == "best" and best and computation.is_chief:
        try:
            values = list(checkpoints.load(best).state.values())
        except DamagedCheckpoint as damage:
            say(f"the best checkpoint, of step {best}, is damaged, the last is taken: {damage}")
    _, arrays = share(computation, {}, values)
    if best and arrays:
        computation.write(list(arrays))
        progress.step = best
    return next(line for line in progress.history if line["step"] == progress.step)

"""The weights that are scored and saved, and their score on the validation examples."""

import contextlib
from collections.abc import Iterator

import numpy as np

from a2keras.training.compute.batch_statistics import precise_statistics
from a2keras.training.compute.computation import Computation
from a2keras.training.data.source import Examples
from a2keras.training.run.interruption import Interruption


@contextlib.contextmanager
def evaluated_weights(computation: Computation, examples: Examples, step: int) -> Iterator[None]:
    """The weights that are scored and saved, for the block.

    As far as the recipe says so they are the averaged ones, with the statistics of the last
    batches before `step`. What is trained on comes back afterwards, so the block changes nothing.

    Args:
        computation: whose model has these weights meanwhile.
        examples: that it trains on.
        step: steps that have been done.
    """
    precise = min(computation.recipe.precise_bn, step)
    if not computation.optimizer.averages and not precise:
        yield
        return
    variables = computation.model.variables
    before = computation.read(variables)
    try:
        if computation.optimizer.averages:
            averages = computation.read(computation.optimizer.averages)
            computation.write(averages, computation.optimizer.averaged)
        if precise:
            computation.enter(step - 1)  # what is held has no statistics of the last batches
            batches = computation.training_iterator(examples, step - precise)
            precise_statistics(computation, batches, precise * computation.recipe.accumulate)
        yield
    finally:
        computation.write(before, variables)


def validate(
    computation: Computation, examples: Examples, interruption: Interruption
) -> dict[str, float] | None:
    """Loss and accuracy of the model; None on all workers where one was asked to stop."""
    totals, waiting = np.zeros(4), None
    for batch in computation.validation_batches(examples):
        stop = interruption.received is not None
        handle = computation.validation_step(batch, stop)
        if waiting is not None:
            totals += computation.numbers(waiting)
        waiting = handle
        if totals[2] or (stop and computation.workers == 1):
            return None
    totals += computation.numbers(waiting)
    loss, correct, _, count = totals.tolist()
    return {"validation_loss": loss / count, "validation_accuracy": correct / count}

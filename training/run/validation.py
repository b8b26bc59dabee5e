"""The weights that are scored and saved, and their score on the validation examples."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from a2keras.training.compute.batch_statistics import precise_statistics
from a2keras.training.compute.computation import Computation
from a2keras.training.data.source import Examples
from a2keras.training.run.callbacks import Callbacks
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
    computation: Computation, examples: Examples, interruption: Interruption, callbacks: Callbacks
) -> dict[str, float] | None:
    """Loss and figures of the model; None on all workers where one was asked to stop."""
    labelling = computation.labelling
    totals = np.zeros(5)
    outputs: list[np.ndarray] = []
    waiting: list[tuple[int, Any]] = []  # the last batch, whose numbers are not read yet

    def mean() -> dict[str, float]:
        loss, right, _, of, count = totals.tolist()
        return {"loss": loss / count, labelling.figure: right / max(of, 1)}

    def settle() -> None:
        number, handle = waiting.pop()
        numbers = computation.numbers(handle)
        totals[:] += numbers[: len(totals)]
        outputs.append(numbers[len(totals) :])
        callbacks.call("on_test_batch_end", number, logs=mean())

    callbacks.call("on_test_begin")
    for number, batch in enumerate(computation.validation_batches(examples)):
        stop = interruption.received is not None
        callbacks.call("on_test_batch_begin", number)
        handle = computation.validation_step(batch, stop)
        if waiting:
            settle()
        waiting.append((number, handle))
        if callbacks.in_turn:
            settle()
        if totals[2] or (stop and computation.workers == 1):
            return None
    if waiting:
        settle()
    logs = mean()
    if labelling.keeps_outputs:
        logs |= labelling.of_outputs(*computation.rows_of(np.concatenate(outputs)))
    callbacks.call("on_test_end", logs=logs)
    return {f"validation_{name}": value for name, value in logs.items()}

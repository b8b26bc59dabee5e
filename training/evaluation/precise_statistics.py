"""A finished run's model, its batch normalisation's statistics measured on its training data."""

import dataclasses

import keras

from a2keras.errors import UserError, counted
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.normalization import batch_normalizations
from a2keras.training.compute.batch_statistics import precise_statistics
from a2keras.training.compute.strategies import computation_for
from a2keras.training.data import open_source
from a2keras.training.data.errors import readable
from a2keras.training.data.pipeline import steps_per_epoch
from a2keras.training.run.directory import Run


def with_precise_statistics(
    run: Run, preprocessing: Preprocessing, model: keras.Model, count: int
) -> tuple[keras.Model, str]:
    """A finished run's model with the statistics of its last `count` training batches, and what was
    measured, in words.

    What the run held in inference mode when it ended keeps its statistics: it has learned by them.

    Args:
        run: whose training examples are read again.
        preprocessing: of the run.
        model: with the run's weights; it stays as it is.
        count: of batches.

    Raises:
        UserError: the data are not there any more, or are not those of the run, the model is
            another network than the recipe's, or it has nothing to measure.
    """
    recipe = dataclasses.replace(run.recipe, precision="float32", jit_compile=False)
    source = open_source(recipe)
    run.check_data(source.fingerprint)
    examples = source.splits["train"]
    if size := run.batch_size():
        recipe = dataclasses.replace(recipe, batch_size=size)
    steps = steps_per_epoch(recipe, len(examples))
    computation = computation_for("none")
    computation.build(recipe, preprocessing, steps)
    try:
        computation.model.set_weights(model.get_weights())
    except ValueError as error:
        raise UserError(
            f"{run.model_path} is not the network {recipe.model} that its recipe.json names"
        ) from error
    end = (len(run.history()) or recipe.epochs) * steps  # patience may have ended it before
    count = min(count, end)
    computation.enter(end - 1)
    measured = len(computation.normalizations())
    total = len(batch_normalizations(computation.model))
    fields = [
        n for n in recipe.holds if n != "freeze_epochs" or end <= recipe.freeze_epochs * steps
    ]
    held = ", ".join(f"{name}={getattr(recipe, name)}" for name in fields)
    if not measured:
        why = f"the run held all of it ({held})" if total else "it has none"
        raise UserError(
            f"`precise_bn` measures the batch normalisation of {run.path}, and {why}. "
            f"Received: `precise_bn={count}`"
        )
    with readable(recipe.data):
        batches = computation.training_iterator(examples, end - count)
        precise_statistics(computation, batches, count * recipe.accumulate)
    words = f"statistics of batch normalisation from {counted(count, 'training batch', 'es')}"
    if measured < total:
        words += f", of {measured} of its {total} layers: the run held the others ({held})"
    return computation.model, words

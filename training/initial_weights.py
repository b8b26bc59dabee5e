"""What a run starts from, where its recipe names weights: a file, or another run's network."""

import dataclasses
from pathlib import Path

import keras

from a2keras.documents import write_json
from a2keras.errors import UserError, reason_of
from a2keras.models import keras_files, weights
from a2keras.models.preprocessing.places import absolute
from a2keras.training import network
from a2keras.training.computation import Computation
from a2keras.training.config import Recipe
from a2keras.training.run import writing

FILE_NAME = "weights.json"


def resolve_weights(recipe: Recipe) -> Recipe:
    """Names the file by its full path; of a run, its model."""
    if not recipe.weights:
        return recipe
    path = Path(absolute(recipe.weights))
    path = path / "model.keras" if path.is_dir() else path
    return dataclasses.replace(recipe, weights=str(path))


def start_from_weights(computation: Computation, directory: Path) -> None:
    """Gives a fresh network the weights of the recipe's file, and writes the report beside the run.

    What the file does not have, or has in another shape, stays random: attention blocks, and the
    classifier where the classes are others. The averages start from the same weights.

    Args:
        computation: that has been built.
        directory: of the run; weights.json is written there.

    Raises:
        UserError: the file cannot be used, or nothing in it fits.
    """
    recipe = computation.recipe
    model = network.build(recipe, computation.preprocessing)
    try:
        report = _load(model, Path(recipe.weights))
    except (OSError, ValueError, UserError) as error:
        raise UserError(f"the recipe's weights cannot be loaded: {reason_of(error)}") from error
    values = model.get_weights()
    computation.write(values, computation.model.weights)
    of = {
        id(variable): value
        for variable, value in zip(computation.model.weights, values, strict=True)
    }
    optimizer = computation.optimizer
    if optimizer.averages:
        computation.write([of[id(variable)] for variable in optimizer.averaged], optimizer.averages)
    with writing("the report on the weights", directory):
        write_json(directory / FILE_NAME, dataclasses.asdict(report))


def _load(model: keras.Model, path: Path) -> weights.Report:
    """Loads by the kind of the file; an image network's kernels are repeated over time."""
    if path.name.endswith(".weights.h5"):
        return weights.load(model, path, skip_mismatch=True)
    if path.suffix != ".keras":
        return weights.convert(path, model, skip_mismatch=True)
    if len(model.inputs[0].shape) == 5:
        found = keras_files.load(path)
        if len(found.inputs[0].shape) == 4:
            return weights.inflate(found, model)
    return weights.load(model, path, skip_mismatch=True)

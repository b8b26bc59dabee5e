"""What a run starts from, where its recipe names weights: a file, or another run's network."""

import dataclasses
from pathlib import Path

import keras

from a2keras.documents import write_json
from a2keras.errors import UserError, reason_of
from a2keras.models import hosts, keras_files, names
from a2keras.models.preprocessing.pixels import Pixels
from a2keras.models.preprocessing.spec import FILE_NAME as PREPROCESSING
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.models.weights import checkpoints, fetching, loading, published
from a2keras.models.weights.assignment import listing, variables_of
from a2keras.models.weights.layouts import layout_of
from a2keras.training.compute import network
from a2keras.training.compute.computation import Computation
from a2keras.training.compute.freezing import Wiring, phases_of
from a2keras.training.config import Recipe
from a2keras.training.output import writing

FILE_NAME = "weights.json"


def pixels_of(recipe: Recipe) -> Pixels:
    """The normalisation that belongs to the recipe's weights, where that is known; or to its host.

    Raises:
        UserError: a checkpoint of another library that cannot be read.
    """
    if names.is_host(recipe.model):
        return hosts.pixels_of(recipe.model, recipe.pixels)
    if record := published.of_network(recipe.model, recipe.weights):
        return record.pixels
    path = Path(recipe.weights)
    try:
        if not recipe.weights or not path.is_file():
            return Pixels()
        if loading.is_ours(path):
            beside = (path.parent / PREPROCESSING).is_file()
            return Preprocessing.load(path.parent).pixels if beside else Pixels()
        return layout_of(checkpoints.read(path).arrays).pixels or Pixels()
    except (OSError, ValueError) as error:
        raise UserError(f"the recipe's weights cannot be loaded: {reason_of(error)}") from error


def start_from_weights(computation: Computation, directory: Path) -> None:
    """Gives a fresh network the weights of the recipe's file, and writes the report beside the run.

    What the file does not have, or has in another shape, stays random: attention blocks, and the
    classifier where the classes are others. The averages start from the same weights.

    Args:
        computation: that has been built.
        directory: of the run; weights.json is written there.

    Raises:
        UserError: the file cannot be used, nothing in it fits, or not all of a trunk that is to be
            held.
    """
    recipe = computation.recipe
    model = network.build(recipe, computation.preprocessing)
    try:
        report = _load(model, recipe)
        _check_trunk(model, recipe, report)
    except (OSError, ValueError, UserError) as error:
        reason = reason_of(error, 1000)
        raise UserError(f"the recipe's weights cannot be loaded: {reason}") from error
    values = model.get_weights()
    computation.write(values, computation.model.weights)
    value_of = {
        id(variable): value
        for variable, value in zip(computation.model.weights, values, strict=True)
    }
    optimizer = computation.optimizer
    if optimizer.averages:
        starts = [value_of[id(variable)] for variable in optimizer.averaged]
        computation.write(starts, optimizer.averages)
    with writing("the report on the weights", directory):
        write_json(directory / FILE_NAME, dataclasses.asdict(report))


def _check_trunk(model: keras.Model, recipe: Recipe, report: loading.Report) -> None:
    """`ValueError`: a trunk that stays new in part: of weights with a name any, else what is held
    to the end of the run."""
    if not report.new:
        return
    wiring, variables = Wiring(model), variables_of(model)
    must = wiring.weights(wiring.trunk)
    if is_file := Path(recipe.weights).is_file():
        phase = phases_of(recipe, model, 1)[-1]
        learning = {id(each) for each in phase.weights}
        held = {id(each) for layer in phase.held for each in layer.weights}
        held |= {id(each) for each in model.trainable_variables if id(each) not in learning}
        must &= held
    if lost := [name for name in report.new if id(variables[name]) in must]:
        raise ValueError(
            f"{len(lost)} variables of the trunk find no value in {report.source}, though "
            f"{'they would be held as they are' if is_file else 'it is to have learned'}: "
            f"{listing(lost)}"
        )


def _load(model: keras.Model, recipe: Recipe) -> loading.Report:
    """Loads by the kind of the file; an image network's kernels are repeated over time."""
    path = Path(recipe.weights)
    if recipe.model.startswith(names.PREFIX) and (
        recipe.weights == "imagenet" or (path.suffix == ".h5" and not loading.is_ours(path))
    ):
        return loading.copy(hosts.pretrained(recipe.model, recipe.weights), model)
    if record := published.of_network(recipe.model, recipe.weights):
        path = fetching.weights_of(record)
    if path.suffix == ".keras" and len(model.inputs[0].shape) == 5:
        found = keras_files.load(path)
        if len(found.inputs[0].shape) == 4:
            return loading.inflate(found, model)
    return loading.read(path, model, skip_mismatch=True)

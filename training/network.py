"""The network of a run: normalisation and the named network in one flat model of raw pixels."""

import difflib
import inspect
from typing import Any

import keras

from a2keras import models
from a2keras.errors import UserError, reason_of
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.normalization import batch_normalizations
from a2keras.training.config import Recipe


def check(recipe: Recipe) -> None:
    """Refuses a network that does not exist or does not fit the task, before any data is read."""
    names = models.list_models()
    if recipe.model not in names:
        near = difflib.get_close_matches(recipe.model, names, n=3, cutoff=0.0)
        raise UserError(f"there is no network {recipe.model!r}: did you mean {', '.join(near)}?")
    if models.is_video(recipe.model) != (recipe.task == "video"):
        kind = "videos" if models.is_video(recipe.model) else "images"
        raise UserError(f"{recipe.model} takes {kind}, but the data are {recipe.task}s")
    if recipe.stem and "stem" not in inspect.signature(models.builder(recipe.model)).parameters:
        raise UserError(
            f"recipe field stem is for ResNets, of which {recipe.model} is none. "
            f"Received: stem={recipe.stem}"
        )


def build(recipe: Recipe, preprocessing: Preprocessing, precision: str = "float32") -> keras.Model:
    """Builds the network with fresh weights from the recipe's seed.

    Args:
        recipe: names the network, its blocks, and how its batch normalisation is set.
        preprocessing: gives the input's shape and the classes.
        precision: Keras dtype policy of the layers; the class probabilities are always float32.

    Returns:
        A functional model: pixels 0..255 (B, *input_shape) → class probabilities (B, classes).

    Raises:
        UserError: positions that are no units of the network.
    """
    before = keras.config.dtype_policy()
    keras.utils.set_random_seed(recipe.seed)
    try:
        keras.config.set_dtype_policy(precision)
        pixels = keras.Input(preprocessing.input_shape, dtype="float32", name="pixels")
        model = models.build(
            recipe.model,
            input_tensor=preprocessing.pixels.layer()(pixels),
            classes=len(preprocessing.labels),
            **block_arguments(recipe),
        )
    except ValueError as error:
        raise UserError(
            f"{recipe.model} cannot be built by this recipe: {reason_of(error)}"
        ) from error
    finally:
        keras.config.set_dtype_policy(before)
    set_batch_normalization(model, recipe)
    return model


def block_arguments(recipe: Recipe) -> dict[str, Any]:
    """The arguments of the builder by which the recipe changes the network."""
    arguments: dict[str, Any] = {}
    if recipe.attention != "auto":
        arguments["attention"] = None if recipe.attention == "none" else recipe.attention
    if recipe.positions:
        arguments["positions"] = recipe.unit_names()
    if recipe.stem:
        arguments["stem"] = recipe.stem
    return arguments


def set_batch_normalization(model: keras.Model, recipe: Recipe) -> None:
    """Sets momentum and epsilon as the recipe asks, in the blocks too."""
    for layer in batch_normalizations(model):
        layer.momentum = recipe.bn_momentum or layer.momentum
        layer.epsilon = recipe.bn_epsilon or layer.epsilon

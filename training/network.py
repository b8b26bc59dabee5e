"""The network of a run: normalisation and the named network in one flat model of raw pixels."""

import keras

from a2keras import models
from a2keras.console import UserError
from a2keras.models.preprocessing.spec import Preprocessing, normalisation
from a2keras.training.config import Recipe


def check(recipe: Recipe) -> None:
    """Refuses a network that does not exist or does not fit the task, before any data is read."""
    names = models.list_models()
    if recipe.model not in names:
        raise UserError(f"there is no network {recipe.model!r}: there are {', '.join(names)}")
    if models.is_video(recipe.model) != (recipe.task == "video"):
        kind = "videos" if models.is_video(recipe.model) else "images"
        raise UserError(f"{recipe.model} takes {kind}, but the data are {recipe.task}s")


def build(recipe: Recipe, preprocessing: Preprocessing, precision: str = "float32") -> keras.Model:
    """Builds the network with fresh weights from the recipe's seed.

    Args:
        recipe: names the network.
        preprocessing: gives the input's shape and the classes.
        precision: Keras dtype policy of the layers; the class probabilities are always float32.

    Returns:
        A functional model: pixels 0..255 (B, *input_shape) → class probabilities (B, classes).
    """
    before = keras.config.dtype_policy()
    keras.utils.set_random_seed(recipe.seed)
    try:
        keras.config.set_dtype_policy(precision)
        pixels = keras.Input(preprocessing.input_shape, dtype="float32", name="pixels")
        return models.build(
            recipe.model,
            input_tensor=normalisation()(pixels),
            classes=len(preprocessing.labels),
        )
    finally:
        keras.config.set_dtype_policy(before)

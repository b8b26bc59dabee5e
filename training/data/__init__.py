"""Sources of examples: `digits`, and `folder:DIR` with one folder per class."""

import dataclasses
from pathlib import Path

from a2keras.console import UserError
from a2keras.training.config import Recipe
from a2keras.training.data.source import Source

SOURCES = "digits or folder:DIR"


def resolve(recipe: Recipe) -> Recipe:
    """Replaces what a recipe leaves to the data ("auto") without reading the data's files.

    Raises:
        UserError: no data, an unknown kind of source, or a folder that cannot be used.
    """
    kind, _, place = recipe.data.partition(":")
    data, task = recipe.data, recipe.task
    if kind == "folder" and place:
        from a2keras.training.data.folder import list_folder

        data = f"folder:{Path(place).expanduser().resolve()}"
        task = list_folder(Path(place).expanduser().resolve(), task).task
    elif recipe.data == "digits":
        task = "image" if task == "auto" else task
    else:
        raise UserError(f"--data must be {SOURCES}. Received: --data={recipe.data}")
    model = recipe.model
    if model == "auto":
        model = "a2_resnet11_video" if task == "video" else "a2_resnet11"
    return dataclasses.replace(recipe, data=data, task=task, model=model)


def open_source(recipe: Recipe, splits: tuple[str, ...] | None = None) -> Source:
    """Opens the data of a resolved recipe; with `splits`, only these are read."""
    if recipe.data == "digits":
        from a2keras.training.data.digits import open_digits

        return open_digits(recipe)
    from a2keras.training.data.folder import open_folder

    return open_folder(Path(recipe.data.partition(":")[2]), recipe, splits)

"""Sources of examples: `digits`, and `folder:DIR` with one folder per class."""

import dataclasses
from pathlib import Path

import numpy as np

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


def open_source(recipe: Recipe) -> Source:
    """Opens the data of a resolved recipe: reads every file once and splits them."""
    if recipe.data == "digits":
        from a2keras.training.data.digits import open_digits

        return open_digits(recipe)
    from a2keras.training.data.folder import open_folder

    return open_folder(_directory(recipe), recipe)


def open_held_out(
    recipe: Recipe, classes: tuple[str, ...], data: str | None = None
) -> tuple[str, Source]:
    """Opens what a run may be scored on: its test split, or validation if there is no test.

    Args:
        recipe: of the run.
        classes: that the run's network tells apart.
        data: another source; of a folder without split folders all files are taken.

    Returns:
        the split's name, and the source with this split, its labels in the order of `classes`.

    Raises:
        UserError: nothing was held out, or a class that the network does not know.
    """
    other = resolve(dataclasses.replace(recipe, data=data or recipe.data))
    if other.data == "digits":
        source = open_source(other)
    else:
        from a2keras.training.data.folder import list_held_out

        source = list_held_out(_directory(other), other, whole=bool(data))
    split = next((name for name in ("test", "validation") if name in source.splits), None)
    if split is None:
        raise UserError(f"{other.data} has no test or validation examples: give --data")
    for name in source.classes:
        if name not in classes:
            raise UserError(
                f"{other.data} has a class {name}, which the run does not know: its classes are "
                f"{', '.join(classes)}"
            )
    examples = source.splits[split]
    examples.labels = np.array([classes.index(name) for name in source.classes])[examples.labels]
    return split, dataclasses.replace(source, classes=classes, splits={split: examples})


def _directory(recipe: Recipe) -> Path:
    return Path(recipe.data.partition(":")[2])

"""Recipes as data: one frozen record each, opened by a note on what was done and why."""

import difflib
from importlib import import_module

from a2keras.errors import UserError
from a2keras.training.config import Recipe

NAMES = (
    "imagenet_a2_resnet50",
    "kinetics_ablation_resnet26",
    "kinetics_a2_resnet50",
    "ucf101_finetune",
    "digits_image",
    "digits_video",
    "folder",
)


def recipe(name: str) -> Recipe:
    """Returns a recipe by name; `UserError` with the nearest name where there is none."""
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.0)[0]
        raise UserError(f"there is no recipe {name!r}: did you mean {near!r}?")
    found: Recipe = import_module(f"a2keras.training.recipes.{name}").RECIPE
    return found

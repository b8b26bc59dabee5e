"""Recipes as data: one frozen record each, opened by a note on what was done and why."""

import dataclasses
from importlib import import_module
from typing import TYPE_CHECKING, Optional

from a2keras.errors import UserError, did_you_mean, nearest
from a2keras.training.config import Recipe

if TYPE_CHECKING:
    from a2keras.training.data.listing import Listing

NAMES = (
    "imagenet_a2_resnet50",
    "kinetics_ablation_resnet26",
    "kinetics_a2_resnet50",
    "ucf101_finetune",
    "digits_image",
    "digits_video",
    "folder",
    "photos",
    "videos",
)
FOR_FOLDERS = {"image": "photos", "video": "videos"}


def recipe(name: str) -> Recipe:
    """Returns a recipe by name; `UserError` with the nearest name where there is none."""
    if name not in NAMES:
        hint = did_you_mean(nearest(name, NAMES), f"the recipes are {', '.join(NAMES)}")
        raise UserError(f"there is no recipe {name!r}: {hint}")
    found: Recipe = import_module(f"a2keras.training.recipes.{name}").RECIPE
    return found


def listed(name: str, settings: list[str]) -> tuple[Recipe, Optional["Listing"]]:
    """The recipe of a command line, and its data where they had to be listed for it.

    `folder` is that of its data's kind, which starts from published weights, unless the settings
    say `weights=none`.

    Raises:
        UserError: no such recipe or setting, or data that cannot be used.
    """
    named = recipe(name)
    has_weights = dataclasses.replace(named, weights="auto").override(settings).weights
    if name != "folder" or not has_weights:
        return named.override(settings), None
    from a2keras.training.data import list_data

    found = list_data(named.override(settings))
    return recipe(FOR_FOLDERS[found.recipe.task]).override(settings), found.listing

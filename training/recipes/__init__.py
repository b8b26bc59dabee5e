"""Recipes as data: one frozen record each, opened by a note on what was done and why."""

import dataclasses
import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Optional

from a2keras.errors import UserError
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
        near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.0)[0]
        raise UserError(f"there is no recipe {name!r}: did you mean {near!r}?")
    found: Recipe = import_module(f"a2keras.training.recipes.{name}").RECIPE
    return found


def listed(name: str, fields: Mapping[str, Any]) -> tuple[Recipe, Optional["Listing"]]:
    """A recipe with other values of some fields, and its data where they had to be listed for it.

    `folder` is that of its data's kind, which starts from published weights, unless the fields
    say `weights=none`.

    Raises:
        UserError: no such recipe or field, or data that cannot be used.
    """
    named = recipe(name)
    has_weights = dataclasses.replace(named, weights="auto").with_fields(fields).weights
    if name != "folder" or not has_weights:
        return named.with_fields(fields), None
    from a2keras.training.data import list_data

    found = list_data(named.with_fields(fields))
    return recipe(FOR_FOLDERS[found.recipe.task]).with_fields(fields), found.listing

"""Recipes as data: one frozen record each, opened by a note on what was done and why."""

import dataclasses
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Optional

from a2keras.errors import UserError, did_you_mean, nearest, printable
from a2keras.training import recipe_files
from a2keras.training.config import Recipe
from a2keras.training.recipe_files import RecipeFile

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
    """Returns a recipe by its name, or by the path of a file (`recipe_files`).

    Raises:
        UserError: there is none, with the names that are near; a file that is none.
    """
    own = _opened(name)
    return own.applied(_named(own.start))


def listed(name: str, fields: Mapping[str, Any]) -> tuple[Recipe, Optional["Listing"]]:
    """A recipe with other values of some fields, and its data where they had to be listed for it.

    `folder` is that of its data's kind, which starts from published weights, unless the fields
    say `weights=none`.

    Args:
        name: of a recipe, or the path of a file.
        fields: their values, see `Recipe.with_fields`.

    Raises:
        UserError: no such recipe or field, or data that cannot be used.
    """
    own = _opened(name)
    named = own.applied(_named(own.start))
    from_published = own.applied(dataclasses.replace(_named(own.start), weights="auto"))
    if own.start != "folder" or from_published.with_fields(fields).starts_random:
        return named.with_fields(fields), None
    from a2keras.training.data import list_data

    found = list_data(named.with_fields(fields))
    chosen = own.applied(_named(FOR_FOLDERS[found.recipe.task]))
    return chosen.with_fields(fields), found.listing


def _opened(name: str) -> RecipeFile:
    """What a file says; of a name, what a file would that says nothing but this name."""
    is_file = recipe_files.is_file(name)
    own = recipe_files.read(name) if is_file else RecipeFile("", name, {})
    if own.start not in NAMES and not (is_file and own.start == ""):
        known = f"the recipes are {', '.join(NAMES)}, or {recipe_files.FORM}"
        hint = did_you_mean(nearest(own.start, NAMES), known)
        place = f"{printable(own.path)}: " if is_file else ""
        raise UserError(f"{place}there is no recipe {own.start!r}: {hint}")
    return own


def _named(name: str) -> Recipe:
    """A recipe by name; the defaults of all fields by none."""
    if not name:
        return Recipe("")
    found: Recipe = import_module(f"a2keras.training.recipes.{name}").RECIPE
    return found

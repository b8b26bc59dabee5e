"""Sources of examples: what `--data` may say, and opening it."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import numpy as np

from a2keras.console import show, show_table
from a2keras.errors import UserError
from a2keras.models import names
from a2keras.models.preprocessing.places import absolute, check_text, is_remote
from a2keras.models.preprocessing.spec import taken_by
from a2keras.training.config import Recipe
from a2keras.training.data.errors import reachable
from a2keras.training.data.labels import counts, renumbered
from a2keras.training.data.listing import Listing
from a2keras.training.data.lists.places import split_places
from a2keras.training.data.opening import (
    check_open,
    check_trainable,
    list_held_out,
    open_listing,
)
from a2keras.training.data.source import Skipped, Source
from a2keras.training.host_files import checked_host


class Kind(NamedTuple):
    """A kind of source: what a user writes, and who lists it."""

    form: str  # what is in brackets may be left out
    what: str  # it is, for people
    module: str  # has list_source(place, recipe) -> Listing
    # What follows the colon as paths, which a recipe keeps absolute; none where it is a name.
    places: Callable[[str], list[str]] = lambda place: [place]
    marks: tuple[str, ...] = ()  # files by which a folder is known to be of this kind

    def fits(self, data: str) -> bool:
        """Whether there is a place behind the kind's name, or nothing where it takes none."""
        _, colon, place = data.partition(":")
        return bool(place) if ":" in self.form else not colon


KINDS = {
    "digits": Kind(
        "digits",
        "scanned digits that come with scikit-learn; still, or set in motion",
        "a2keras.training.data.digits",
        lambda place: [],
    ),
    "folder": Kind(
        "[folder:]DIR",
        "one folder per class, or folders of splits with these in them",
        "a2keras.training.data.folder",
    ),
    "csv": Kind(
        "[csv:]FILE[,TEST]",
        "a list of files with their classes, or two or three lists; csv:DIR: UCF-101's or HMDB51's",
        "a2keras.training.data.lists.csv",
        split_places,
    ),
    "tfds": Kind(
        "tfds:NAME",
        "an image or video set of TensorFlow Datasets, NAME[/CONFIG][:VERSION]",
        "a2keras.training.data.records.tfds",
        lambda place: [],
    ),
    "prepared": Kind(
        "[prepared:]DIR",
        "what `a2keras prepare` has written",
        "a2keras.training.data.records.prepared",
        marks=("manifest.json", "examples.csv"),
    ),
}
SOURCES = ", ".join(kind.form for kind in KINDS.values())
# With which a source may begin.
PREFIXES = tuple(f"{name}:" if ":" in kind.form else name for name, kind in KINDS.items())


def describe() -> None:
    """Prints what `--data` may be; `a2keras help data`."""
    show_table(["--data=", "what"], [(kind.form, kind.what) for kind in KINDS.values()])
    show(
        "\nOf what lies on this machine the kind may be left out: a folder is folder:, or "
        "prepared: where `a2keras prepare` has written it, and a file is a list.\nA folder called "
        "digits is ./digits. See docs/data.md."
    )


def absolute_source(data: str) -> str:
    """A source as a recipe keeps it: with its kind, its paths absolute.

    Raises:
        UserError: an unknown kind of source, or a path that no file of text can keep.
    """
    check_text("`data`", data)
    source = with_kind(data)
    if source is None:
        why = why_none(data)
        raise UserError(f"`data` must be one of {SOURCES}: {why}. Received: `data={data}`")
    kind, colon, place = source.partition(":")
    place = ",".join(map(absolute, KINDS[kind].places(place))) or place
    check_text("`data`", place)
    return f"{kind}{colon}{place}"


def with_kind(data: str) -> str | None:
    """A source with the kind in front of it, which may be left out of a path on this machine.

    A kind wins over a path of that name: `digits` are the digits, a folder of theirs is `./digits`.

    Returns:
        None where it has no kind and is no path.
    """
    kind = data.partition(":")[0]
    if kind in KINDS and KINDS[kind].fits(data):
        return data
    if not data or is_remote(data):
        return None
    paths = list(map(absolute, split_places(data)))
    # Those of pathlib raise where a name is too long.
    if len(paths) == 1 and os.path.isdir(paths[0]):  # noqa: PTH112
        marked = (name for name, each in KINDS.items() if each.marks and _has(paths[0], each.marks))
        return f"{next(marked, 'folder')}:{data}"
    return f"csv:{data}" if all(map(os.path.isfile, paths)) else None


def why_none(data: str) -> str:
    """Why a text is no source, where it has no kind."""
    if not data:
        return "none is given"
    return "a place elsewhere needs its kind" if is_remote(data) else "there is no such path"


def _has(folder: str, names: Sequence[str]) -> bool:
    return all(Path(folder, name).is_file() for name in names)


class Listed(NamedTuple):
    """A recipe with what its data decide, and these."""

    recipe: Recipe
    listing: Listing


def resolve(recipe: Recipe, to_train: bool = True) -> Recipe:
    """The recipe of `list_data`."""
    return list_data(recipe, to_train).recipe


def list_data(recipe: Recipe, to_train: bool = True, listing: Listing | None = None) -> Listed:
    """Replaces what a recipe leaves to the data ("auto") without reading the data's files.

    Args:
        recipe: as a user gives it.
        to_train: whether the data are to be trained on, or only scored.
        listing: of the data, where they have been listed already.

    Raises:
        UserError: no data, an unknown kind of source, or a source that cannot be used.
    """
    if to_train and recipe.model != "auto" and not names.is_file(recipe.model):
        names.check(recipe.model)  # before a large folder is listed
    check_text("root", recipe.root)
    root = absolute(recipe.root) if recipe.root else ""
    check_text("root", root)
    recipe = dataclasses.replace(recipe, data=absolute_source(recipe.data), root=root)
    listing = listing or list_source(recipe)
    if to_train:
        check_trainable(listing)
        check_open(recipe, listing.place, bool((listing.splits == "").all()))
    return Listed(_with_network(recipe, listing.task, to_train), listing)


def _with_network(recipe: Recipe, task: str, to_train: bool) -> Recipe:
    """The task, and the network that is trained for it: a file by its full path and its hash."""
    model, found, pixels = recipe.model, recipe.model_sha256, recipe.pixels
    if model == "auto":
        model = "a2_resnet11_video" if task == "video" else "a2_resnet11"
    elif names.is_file(model) and to_train:
        model = absolute(model)
        found = checked_host(model, recipe.model_sha256)
        if pixels == "auto" and not recipe.model_sha256:
            # The same to the run's end, whatever becomes of the file that says it.
            pixels = taken_by(model)
    return dataclasses.replace(recipe, task=task, model=model, model_sha256=found, pixels=pixels)


def list_source(recipe: Recipe) -> Listing:
    """Lists the data of a recipe.

    Raises:
        UserError: the source cannot be used, or a file system elsewhere does not answer.
    """
    kind, _, place = recipe.data.partition(":")
    if recipe.multi_label and kind != "csv":
        raise UserError(
            "multi_label needs a list (csv:FILE), whose rows can have several labels. "
            f"Received: data={recipe.data}"
        )
    with reachable(recipe.data):
        listing: Listing = import_module(KINDS[kind].module).list_source(place, recipe)
        return listing


def open_source(recipe: Recipe) -> Source:
    """Opens the data of a resolved recipe: finds out what can be read, and splits it."""
    return open_listing(list_source(recipe), recipe)


def open_held_out(
    recipe: Recipe,
    classes: tuple[str, ...],
    data: str | None = None,
    skipped: Sequence[Skipped] = (),
    wanted: Sequence[str] = ("test", "validation"),
) -> tuple[str, Source]:
    """Opens what a run may be scored on: its test split, or validation if there is no test.

    Args:
        recipe: of the run.
        classes: that the run's network tells apart.
        data: another source; of one without splits of its own all examples are taken.
        skipped: what the run could not read: it has split the rest.
        wanted: the splits that will do, the first that there is.

    Returns:
        the split's name, and the source with this split, its labels in the order of `classes`.

    Raises:
        UserError: nothing was held out, or a class that the network does not know.
    """
    other, listing = list_data(
        dataclasses.replace(recipe, data=data or recipe.data), to_train=False
    )
    source = list_held_out(listing, other, bool(data), skipped)
    split = next((name for name in wanted if name in source.splits), None)
    if split is None:
        hint = "all of them are for training" if data else "give `data`"
        raise UserError(f"{other.data} has no {' or '.join(wanted)} examples: {hint}")
    examples = source.splits[split]
    for label in np.flatnonzero(counts(examples.labels, len(source.classes))):
        if (name := source.classes[label]) not in classes:
            raise UserError(
                f"{other.data} has a class {name}, which the run does not know: its classes are "
                f"{', '.join(classes)}"
            )
    number = {name: label for label, name in enumerate(classes)}
    numbers = np.array([number.get(name, -1) for name in source.classes])
    examples = examples.with_labels(renumbered(examples.labels, numbers, len(classes)))
    return split, dataclasses.replace(source, classes=classes, splits={split: examples})

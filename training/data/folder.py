"""A folder with one folder per class: `folder:DIR`."""

from pathlib import PurePath

import numpy as np
from etils import epath

from a2keras.errors import UserError
from a2keras.models.preprocessing.places import as_path
from a2keras.training.config import Recipe
from a2keras.training.data.files import (
    SUFFIXES,
    FileListing,
    MediaFile,
    fingerprint_of,
    task_of,
)
from a2keras.training.data.listing import SPLIT_NAMES, SPLITS


def list_source(place: str, recipe: Recipe) -> FileListing:
    """The listing of `folder:PLACE`."""
    return list_folder(as_path(place), recipe.task)


def list_folder(directory: epath.Path, task: str = "auto") -> FileListing:
    """Lists class folders, or train/validation/test folders of class folders.

    Hidden files and files that are neither images nor videos are passed over.

    Args:
        directory: the folder.
        task: take only images, or only videos; "auto" takes whichever there are.

    Raises:
        UserError: no such folder, nothing in it, fewer than two classes, a class without files, or
            images and videos mixed.
    """
    directory = as_path(directory)
    if not directory.is_dir():
        problem = "is not a folder" if directory.exists() else "does not exist"
        raise UserError(f"{directory} {problem}")
    roots = _split_roots(directory)
    training_root = roots.get("train", directory)
    classes = tuple(folder.name for folder in _folders(training_root))
    media = sorted(
        (path.relative_to(directory).as_posix(), folder.name, split)
        for split, root in roots.items()
        for folder in _folders(root)
        for path in _media(folder)
    )
    if not media:
        raise UserError(f"{directory} has no class folders with images or videos in them")
    task = task_of([path for path, _, _ in media], str(directory), task)
    files = [each for each in media if _suffix(each[0]) in SUFFIXES[task]]
    if len(classes) < 2:
        raise UserError(
            f"{training_root} has only one class folder, {classes[0]}: training needs at least two"
        )
    for _, name, split in files:
        if name not in classes:
            raise UserError(f"{roots[split] / name} is a class that {training_root} does not have")
    _check_classes(training_root, classes, files)
    given = sorted({split for _, _, split in files} - {""}, key=SPLITS.index)
    names = tuple(path for path, _, _ in files)
    return FileListing(
        place=str(directory),
        task=task,
        classes=classes,
        names=names,
        labels=np.array([classes.index(name) for _, name, _ in files], "int64"),
        splits=np.array([split for _, _, split in files]),
        split_rule="by the folders " + ", ".join(given) if given else "",
        fingerprint=fingerprint_of(names, [directory / name for name in names])[0],
        files=tuple(MediaFile(str(directory / name)) for name in names),
        places=tuple(f"the class folder {training_root / name}" for name in classes),
    )


def _split_roots(directory: epath.Path) -> dict[str, epath.Path]:
    """The folders of the splits, or the one folder as "" where it has none."""
    if (directory / "train").is_dir() and _folders(directory / "train"):
        found = [folder for folder in _folders(directory) if folder.name in SPLIT_NAMES]
        if len(found) > 1:
            return {SPLIT_NAMES[folder.name]: folder for folder in found}
    return {"": directory}


def _folders(directory: epath.Path) -> list[epath.Path]:
    return sorted(p for p in directory.iterdir() if p.is_dir() and not p.name.startswith("."))


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()


def _media(folder: epath.Path) -> list[epath.Path]:
    """All images and videos below a folder, without what is hidden."""
    return [
        root / name
        for root, _, names in folder.walk()
        if not any(part.startswith(".") for part in root.relative_to(folder).parts)
        for name in names
        if _suffix(name) in SUFFIXES["image"] | SUFFIXES["video"] and not name.startswith(".")
    ]


def _check_classes(
    root: epath.Path, classes: tuple[str, ...], files: list[tuple[str, str, str]]
) -> None:
    have = {name for _, name, split in files if split in ("", "train")}
    for name in classes:
        if name not in have:
            raise UserError(f"the class folder {root / name} has no images or videos")

"""A folder with one folder per class: `folder:DIR`."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from a2keras.errors import UserError, counted, printable, system_reason
from a2keras.models.preprocessing.places import as_path, is_remote
from a2keras.models.preprocessing.scanning import Tree, joined, scan, suffix_of
from a2keras.training.config import Recipe
from a2keras.training.data.contents import FileList
from a2keras.training.data.files import FileListing, MediaFile
from a2keras.training.data.layout import roots_of
from a2keras.training.data.listing import class_name
from a2keras.training.data.split_names import SPLITS
from a2keras.training.data.tasks import SUFFIXES, task_of


@dataclass(frozen=True, kw_only=True)
class FolderListing(FileListing):
    """Class folders.

    Attributes:
        root: the folder that they lie in; of the training split where there are several.
        folders: of every class one of its folders.
    """

    root: str
    folders: tuple[str, ...]

    def class_place(self, label: int) -> str:
        return f"the class folder {self.folders[label]}"

    def refuse_single(self) -> None:
        raise UserError(
            f"{self.root} has only one class folder with {self.task}s, {self.classes[0]}: training "
            "needs at least two"
        )

    def refuse_unknown(self, label: int) -> None:
        raise UserError(f"{self.folders[label]} is a class that {self.root} does not have")


def list_source(place: str, recipe: Recipe) -> FolderListing:
    """The listing of `folder:PLACE`."""
    return list_folder(place, recipe.task)


def list_folder(directory: Any, task: str = "auto") -> FolderListing:
    """Lists class folders, or folders of splits with class folders in them.

    Args:
        directory: the folder, a path here or of a cloud store.
        task: take only images, or only videos; "auto" takes whichever there are.

    Raises:
        UserError: no such folder, nothing in it, images and videos mixed, or folders of splits that
            leave open which is meant.
    """
    # Plain strings here: of a path object for each of a million files nothing is gained.
    place = os.fsdecode(directory)
    if is_remote(place):
        directory = as_path(place)
        place, is_dir, is_there = str(directory), directory.is_dir, directory.exists
    else:
        directory = place = str(PurePath(place))
        is_dir, is_there = Path(place).is_dir, Path(place).exists
    if not is_dir():
        problem = "is not a folder" if is_there() else "does not exist"
        raise UserError(f"{printable(place)} {problem}")
    try:
        tree = scan(directory)
    except OSError as error:
        raise UserError(f"{printable(place)} cannot be listed: {system_reason(error)}") from error
    roots, notes = roots_of(tree, place)
    found = [
        (file, name, split)
        for split, root in roots.items()
        for folder, name in ((each, class_of(each)) for each in tree.folders.get(root, []))
        for file in tree.below(folder)
    ]
    if not found:
        raise UserError(_nothing(place, tree))
    return _listing(place, tree, roots, notes, sorted(found), task)


def _nothing(place: str, tree: Tree) -> str:
    nothing = f"{printable(place)} has no class folders with images or videos in them"
    if not (stray := tree.media.get("", [])):
        return nothing
    return (
        f"{nothing}, but {counted(len(stray), 'file')} beside them, such as {printable(stray[0])}"
    )


def _listing(
    place: str,
    tree: Tree,
    roots: dict[str, str],
    notes: tuple[str, ...],
    found: list[tuple[str, str, str]],
    task: str,
) -> FolderListing:
    task = task_of([file for file, _, _ in found], printable(place), task)
    files = [each for each in found if suffix_of(each[0]) in SUFFIXES[task]]
    if others := len(found) - len(files):
        kinds = "videos" if task == "image" else "images"
        notes = (*notes, f"passed over {kinds} (task={task}): {others}")
    for root in roots.values():
        if stray := tree.media.get(root):
            such = f"{counted(len(stray), 'file')}, such as {printable(stray[0])}"
            notes = (*notes, f"passed over outside the class folders: {such}")
    used = {name for _, name, _ in files}
    training = roots.get("train", roots.get(""))
    folders: dict[str, str] = {}
    empty = []
    for root in roots.values():  # the training split's come first
        for folder in tree.folders.get(root, []):
            if class_of(folder) in used:
                folders.setdefault(class_of(folder), folder)
            elif root == training:
                empty.append(printable(f"{place}/{folder}"))
    if empty:
        which = f"{counted(len(empty), 'class folder')}, such as {empty[0]}"
        notes = (*notes, f"WARNING: without {task}s, and so no class: {which}")
    classes = tuple(sorted(folders))
    number = {name: label for label, name in enumerate(classes)}
    names = tuple(printable(file) for file, _, _ in files)
    paths = tuple(f"{place}/{file}" for file, _, _ in files)
    given = [split for split in SPLITS if any(split == each for _, _, each in files)]
    return FolderListing(
        place=printable(place),
        task=task,
        classes=classes,
        names=names,
        labels=np.array([number[name] for _, name, _ in files], "int64"),
        splits=np.array([split for _, _, split in files]),
        split_rule="by the folders " + ", ".join(given) if given else "",
        notes=(*notes, *tree.remarks()),
        files=tuple(map(MediaFile, paths)),
        listed=FileList(tuple(file for file, _, _ in files), paths),
        root=printable(joined(place, training or "")),
        folders=tuple(printable(f"{place}/{folders[name]}") for name in classes),
    )


def class_of(folder: str) -> str:
    """The class that a folder holds."""
    return class_name(folder.rpartition("/")[2])

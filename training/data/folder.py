"""A folder with one folder per class: what lies in it, how it is split, and reading it once."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from a2keras.console import UserError
from a2keras.models.preprocessing.decode import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from a2keras.training.config import Recipe
from a2keras.training.data.files import NOT_KEPT, FileExamples, read_all
from a2keras.training.data.source import Skipped, Source
from a2keras.training.data.splits import groups_of, named_groups, random_groups, stratified

SPLIT_FOLDERS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}


SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Listing:
    """The media files of a folder, before any of them is read.

    Attributes:
        directory: the folder.
        task: "image" or "video".
        classes: names in alphabetical order.
        paths: relative paths in alphabetical order.
        labels: int64 (N,), the class of every file.
        splits: the split folder of every file, or "" where the folder has none.
    """

    directory: Path
    task: str
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    labels: np.ndarray
    splits: np.ndarray

    @property
    def fingerprint(self) -> str:
        sizes = (f"{path}\t{(self.directory / path).stat().st_size}\n" for path in self.paths)
        return hashlib.sha256("".join(sizes).encode()).hexdigest()


def list_folder(directory: Path, task: str = "auto") -> Listing:
    """Lists class folders, or train/validation/test folders of class folders.

    Hidden files and files that are neither images nor videos are passed over.

    Args:
        directory: the folder.
        task: take only images, or only videos; "auto" takes whichever there are.

    Raises:
        UserError: no such folder, nothing in it, fewer than two classes, a class without files, or
            images and videos mixed.
    """
    if not directory.is_dir():
        problem = "is not a folder" if directory.exists() else "does not exist"
        raise UserError(f"{directory} {problem}")
    roots = {"": directory}
    if (directory / "train").is_dir() and any(_folders(directory / "train")):
        found = [folder for folder in _folders(directory) if folder.name in SPLIT_FOLDERS]
        if len(found) > 1:
            roots = {SPLIT_FOLDERS[folder.name]: folder for folder in found}
    training_root = roots.get("train", directory)
    classes = tuple(folder.name for folder in _folders(training_root))
    files = [
        (path.relative_to(directory).as_posix(), folder.name, split)
        for split, root in roots.items()
        for folder in _folders(root)
        for path in _media(folder, task)
    ]
    if not files:
        raise UserError(f"{directory} has no class folders with images or videos in them")
    if len(classes) < 2:
        raise UserError(
            f"{training_root} has only one class folder, {classes[0]}: training needs at least two"
        )
    for _, name, split in files:
        if name not in classes:
            raise UserError(f"{roots[split] / name} is a class that {training_root} does not have")
    _check_classes(training_root, classes, files, "has no images or videos")
    files.sort()
    return Listing(
        directory,
        _task([path for path, _, _ in files], directory),
        classes,
        tuple(path for path, _, _ in files),
        np.array([classes.index(name) for _, name, _ in files], "int64"),
        np.array([split for _, _, split in files]),
    )


def _folders(directory: Path) -> list[Path]:
    return sorted(p for p in directory.iterdir() if p.is_dir() and not p.name.startswith("."))


def _media(folder: Path, task: str) -> list[Path]:
    kinds = {"image": IMAGE_SUFFIXES, "video": VIDEO_SUFFIXES}
    suffixes = kinds.get(task, IMAGE_SUFFIXES | VIDEO_SUFFIXES)
    return [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _check_classes(
    root: Path, classes: tuple[str, ...], files: list[tuple[str, str, str]], problem: str
) -> None:
    have = {name for _, name, split in files if split in ("", "train")}
    for name in classes:
        if name not in have:
            raise UserError(f"the class folder {root / name} {problem}")


def _task(paths: list[str], directory: Path) -> str:
    images = [path for path in paths if Path(path).suffix.lower() in IMAGE_SUFFIXES]
    videos = [path for path in paths if Path(path).suffix.lower() in VIDEO_SUFFIXES]
    if images and videos:
        raise UserError(
            f"{directory} mixes images ({len(images)}, such as {images[0]}) and videos "
            f"({len(videos)}, such as {videos[0]}): choose with --set task=image or task=video"
        )
    return "video" if videos else "image"


def assign_splits(listing: Listing, recipe: Recipe) -> tuple[np.ndarray, str]:
    """The split of every file, and the rule in words. It depends on the names alone."""
    splits = listing.splits.astype("U10")  # as long as "validation"
    rules = []
    open_splits = splits == ""
    if not open_splits.any():
        rules.append("by the folders " + ", ".join(sorted(set(splits), key=SPLITS.index)))
    splits[open_splits] = "train"
    if recipe.test_groups and not recipe.group_pattern:
        raise UserError("test_groups needs group_pattern, which tells the group of a file")
    groups = groups_of(list(listing.paths), recipe.group_pattern) if recipe.group_pattern else None
    fractions = {"test": recipe.test_fraction, "validation": recipe.validation_fraction}
    for name, fraction in fractions.items():
        if name in listing.splits or (name == "test" and not open_splits.any()):
            continue
        pool = np.flatnonzero(splits == "train")
        if groups is None:
            chosen = stratified(listing.labels[pool], fraction, recipe.seed)
            rules.append(f"{name}: {fraction:g} of every class (seed {recipe.seed})")
        elif name == "test" and recipe.test_groups:
            chosen = named_groups(groups[pool], recipe.test_groups)
            rules.append(f"test: groups {recipe.test_groups} of {recipe.group_pattern}")
        else:
            chosen = random_groups(groups[pool], fraction, recipe.seed)
            held = ", ".join(sorted(set(groups[pool][chosen].tolist())))
            rules.append(f"{name}: groups {held or 'none'} of {recipe.group_pattern}")
        splits[pool[chosen]] = name
    return splits, "; ".join(rules)


def open_folder(directory: Path, recipe: Recipe) -> Source:
    """Lists and splits a folder, and reads every file once.

    Raises:
        UserError: see `list_folder`; also a class without a readable file to train on.
    """
    listing = list_folder(directory, recipe.task)
    splits, rule = assign_splits(listing, recipe)
    paths = [directory / path for path in listing.paths]
    short_side = math.ceil(recipe.size / recipe.crop_scale)  # so that no crop has to be enlarged
    # The test files are only scored later, from the files themselves.
    frames, errors = read_all(
        paths, splits != "test", recipe.task, short_side, recipe.memory_budget
    )
    readable = np.array([array is not None for array in frames])
    _check_trainable(listing, splits, readable)
    skipped = tuple(
        Skipped(listing.paths[i], str(error))
        for i, error in zip(np.flatnonzero(~readable), errors, strict=True)
    )
    members = {name: np.flatnonzero((splits == name) & readable) for name in SPLITS}
    examples = {
        name: _examples(listing, recipe, mine, [frames[i] for i in mine])
        for name, mine in members.items()
        if len(mine)
    }
    return Source(listing.classes, examples, rule, listing.fingerprint, skipped)


def list_held_out(directory: Path, recipe: Recipe, whole: bool) -> Source:
    """Lists what `open_folder` would hold out, without reading it.

    Args:
        directory: the folder.
        recipe: how to split it.
        whole: of a folder without split folders, take all files as "test".
    """
    listing = list_folder(directory, recipe.task)
    if whole and (listing.splits == "").all():
        splits, rule = np.full(len(listing.paths), "test"), "all files of the folder"
    else:
        splits, rule = assign_splits(listing, recipe)
    members = {name: np.flatnonzero(splits == name) for name in ("validation", "test")}
    examples = {
        name: _examples(listing, recipe, mine, [NOT_KEPT] * len(mine))
        for name, mine in members.items()
        if len(mine)
    }
    return Source(listing.classes, examples, rule, listing.fingerprint)


def _examples(
    listing: Listing, recipe: Recipe, members: np.ndarray, frames: list[np.ndarray | None]
) -> FileExamples:
    return FileExamples(
        [listing.directory / listing.paths[i] for i in members],
        [listing.paths[i] for i in members],
        listing.labels[members],
        recipe.task == "video",
        recipe.size,
        math.ceil(recipe.size / recipe.crop_scale),
        [array for array in frames if array is not None],
    )


def _check_trainable(listing: Listing, splits: np.ndarray, readable: np.ndarray) -> None:
    root = listing.directory / "train" if "train" in listing.splits else listing.directory
    for label, name in enumerate(listing.classes):
        mine = (listing.labels == label) & np.isin(listing.splits, ["", "train"])
        if not (mine & readable).any():
            raise UserError(f"no file of the class folder {root / name} can be read")
        if not (mine & readable & (splits == "train")).any():
            raise UserError(
                f"the split leaves nothing of the class folder {root / name} to train on"
            )

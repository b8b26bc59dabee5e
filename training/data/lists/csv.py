"""Lists of files with their classes: `csv:FILE`, as Kinetics and UCF-101 publish theirs.

Three forms are told apart by what stands in the file:

- a table with columns of paths and classes and, where there are any, start, end (seconds of a
  video) and split, by the names that `columns` knows; without a header path, label, start, end;
- Kinetics: a table with the columns `label,youtube_id,time_start,time_end,split`;
- UCF-101: lines `Class/file.avi 1` or `Class/file.avi`, with the names of the numbers in
  `classInd.txt` beside the list.
"""

import itertools
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from a2keras.errors import UserError, counted, printable
from a2keras.models.preprocessing.places import absolute, as_path, is_remote
from a2keras.models.preprocessing.scanning import MEDIA, suffix_of
from a2keras.training.config import Recipe
from a2keras.training.data.contents import FileList
from a2keras.training.data.files import FileListing, MediaFile
from a2keras.training.data.labels import SEPARATOR
from a2keras.training.data.lists.finding import Finder
from a2keras.training.data.lists.places import lists_in, split_places
from a2keras.training.data.lists.reading import ListFile, read_lists
from a2keras.training.data.lists.rows import SEPARATORS, Row
from a2keras.training.data.tasks import SUFFIXES, task_of
from a2keras.whole_numbers import NUMBER

PARTS = {1: ("",), 2: ("train", "test"), 3: ("train", "validation", "test")}


@dataclass(frozen=True, kw_only=True)
class ListListing(FileListing):
    """Files that lists name.

    Attributes:
        lists: the paths of the lists.
    """

    lists: tuple[str, ...]

    def class_place(self, label: int) -> str:
        return f"the class {self.classes[label]} of {self.lists[0]}"

    def refuse_single(self) -> None:
        raise UserError(
            f"{self.lists[0]} has only one class, {self.classes[0]}: training needs at least two"
        )

    def refuse_unknown(self, label: int) -> None:
        if len(self.lists) == 1:
            super().refuse_unknown(label)
        name = self.classes[label]
        raise UserError(f"{self.lists[-1]} has a class {name}, which {self.lists[0]} does not have")


@dataclass(frozen=True)
class Example:
    """A row with its split, and where its file lies; `path` is from the root, as it is there."""

    row: Row
    split: str
    path: str
    file: MediaFile
    is_there: bool

    @property
    def name(self) -> str:
        return printable(self.path) + self.file.part


def list_source(place: str, recipe: Recipe) -> ListListing:
    """The listing of `csv:PLACE`: one list, or lists of train,test or train,validation,test.

    A folder stands for UCF-101's `trainlist0N.txt` and `testlist0N.txt` in it, or HMDB51's
    `CLASS_test_splitN.txt` of all classes, where N is the recipe's `fold`.

    Raises:
        UserError: a list that cannot be read or is of none of the forms, paths that leave the root
            or contradict each other, or no file at its place.
    """
    paths = split_places(place)
    if len(paths) == 1 and not is_remote(place) and as_path(place).is_dir():
        paths = lists_in(place, recipe.fold)
    elif len(paths) not in PARTS:
        raise UserError(f"csv: takes one, two or three lists. Received: {len(paths)}")
    root = absolute(recipe.root) if recipe.root else None
    lists = read_lists(paths, root, recipe.multi_label)
    examples, notes = _located(lists, root)
    repeated = _check_apart(examples, place)
    return _listing(lists, examples, (*notes, *repeated), recipe)


def _located(lists: Sequence[ListFile], root: str | None) -> tuple[list[Example], list[str]]:
    """Finds the files of all rows.

    The folders of a list are looked through only where a path is not there as it stands, and for
    files of which the list gives nothing but the name only where none of its paths is there.
    """
    folders = [posixpath.dirname(each.path) if root is None else root for each in lists]
    finders = {folder: Finder(folder) for folder in folders}
    direct = [
        [finders[folder].at(row.path) for row in each.rows]
        for each, folder in zip(lists, folders, strict=True)
    ]
    nothing = not any(any(found) for found in direct)
    examples: list[Example] = []
    by_name: list[tuple[str, str]] = []
    parts = PARTS.get(len(lists), ("",) * len(lists))
    for each, part, folder, paths in zip(lists, parts, folders, direct, strict=True):
        before = len(examples)
        for row, path in zip(each.rows, paths, strict=True):
            if path is None:
                anywhere = nothing or suffix_of(row.path) not in MEDIA
                path = finders[folder].by_index(row.path, anywhere, row.place)
                if path and path.rpartition("/")[0] != row.path.rpartition("/")[0]:
                    by_name.append((row.path, path))
            relative = path or row.path
            # From 0 is from the beginning: one part has one name.
            file = MediaFile(_whole(folder, relative), row.start or None, row.end)
            examples.append(Example(row, row.split or part, relative, file, path is not None))
        if not each.has_header:
            _check_first(examples[before:])
    notes = [note for each in lists for note in each.notes]
    if by_name:
        found = counted(len(by_name), "file")
        such = f"such as {printable(by_name[0][1])} for {printable(by_name[0][0])}"
        notes.append(f"found below the folder of the list, by name alone: {found}, {such}")
    return examples, notes


def _check_first(examples: Sequence[Example]) -> None:
    """A first line that fits no file, while most others do, is a header of unknown words."""
    first, there = examples[0], sum(each.is_there for each in examples)
    if first.is_there or suffix_of(first.row.path) in MEDIA or 2 * there < len(examples):
        return
    raise UserError(
        f"{first.row.place}: {printable(first.row.path)} is no file, as most others are: if the "
        "line is a header, its columns are to be called path,label; if not, give the file its "
        "suffix"
    )


def _whole(folder: str, path: str) -> str:
    if is_remote(path):
        return path
    return f"{folder}/{path}" if is_remote(folder) else str(PurePath(folder, path))


def _check_apart(examples: Sequence[Example], place: str) -> list[str]:
    """A file in two splits would be trained on and scored; in two classes it would be neither's."""
    seen: dict[MediaFile, Example] = {}
    repeated = []
    for each in examples:
        first = seen.setdefault(each.file, each)
        if first.split != each.split:
            raise UserError(
                f"{printable(place)} has {each.name} in {first.split or 'no split'} and in "
                f"{each.split or 'no split'}"
            )
        if first.row.label != each.row.label:
            ours, theirs = (each.row.label or "none", first.row.label or "none")
            raise UserError(
                f"{each.row.place}: {each.name} is in class {ours} here and in class "
                f"{theirs} in {first.row.place}"
            )
        if first is not each:
            repeated.append(each)
    if not repeated:
        return []
    return [f"rows that name a file again: {len(repeated)}, such as {repeated[0].row.place}"]


def _listing(
    lists: Sequence[ListFile], examples: list[Example], notes: tuple[str, ...], recipe: Recipe
) -> ListListing:
    paths = [printable(each.path) for each in lists]
    media, passed_over = _media(examples, paths[0])
    notes += passed_over
    task = task_of([printable(each.path) for each in media], paths[0], recipe.task)
    listed = [e for e in media if suffix_of(e.file.path) in SUFFIXES[task] or not e.is_there]
    for each in listed:
        if each.file.part and suffix_of(each.file.path) in SUFFIXES["image"]:
            raise UserError(
                f"{each.row.place}: start and end tell a part of a video, but "
                f"{printable(each.path)} is an image: call the columns otherwise, or leave them out"
            )
    if others := len(media) - len(listed):
        kinds = "videos" if task == "image" else "images"
        notes += (f"passed over {kinds} (task={task}): {others}",)
    known = [_labels_of(each, recipe.multi_label) for each in listed]
    present = {name for each in media for name in _labels_of(each, recipe.multi_label)}
    order = dict.fromkeys([*lists[0].order, *sorted(present, key=_by_number)])
    classes = tuple(name for name in order if name in present)
    notes += _about_separators(known, recipe.multi_label)
    files = tuple(each.file for each in listed)
    listing = ListListing(
        place=",".join(paths) if len(paths) in PARTS else str(PurePath(paths[0]).parent),
        task=task,
        classes=classes,
        names=_names(listed),
        labels=_numbered(known, classes, recipe.multi_label),
        splits=np.array([each.split for each in listed]),
        split_rule=_rule(paths, listed),
        notes=notes,
        files=files,
        listed=FileList(
            tuple(f"{each.name}\t{each.row.label}" for each in listed),
            tuple(file.path for file in files),
        ),
        lists=tuple(paths),
    )
    if not classes:
        raise UserError(f"{paths[0]} has no label in any row")
    if not any(each.is_there for each in listed):
        raise UserError(
            f"none of the {len(files)} files that {paths[0]} lists is there, such as "
            f"{printable(files[0].path)}: tell with `root=DIR` where they lie"
        )
    return listing


def _names(examples: Sequence[Example]) -> tuple[str, ...]:
    """What examples are called, no two of them the same.

    As their lists have them; where one name is of files in several folders, as they lie below the
    folder that all share.
    """
    places: dict[str, str] = {}
    if all(places.setdefault(each.name, each.file.path) == each.file.path for each in examples):
        return tuple(each.name for each in examples)
    paths = [each.file.path.split("/") for each in examples]
    folders = [parts[:-1] for parts in paths]
    pairs = zip(min(folders), max(folders), strict=False)  # what these share, all others do
    shared = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    wholes = ["/".join(parts[shared:]) for parts in paths]
    return tuple(printable(w) + e.file.part for w, e in zip(wholes, examples, strict=True))


def _labels_of(example: Example, multi_label: bool) -> list[str]:
    """The names of its labels; of other data than multi-label ones it is one."""
    label = example.row.label
    return [part for part in label.split(SEPARATOR) if part] if multi_label else [label]


def _numbered(known: list[list[str]], classes: tuple[str, ...], multi_label: bool) -> np.ndarray:
    """What `Listing.labels` holds, of the names of every example's labels."""
    number = {name: label for label, name in enumerate(classes)}
    if not multi_label:
        return np.array([number[label] for (label,) in known], "int64")
    labels = np.zeros((len(known), len(classes)), bool)
    for row, names in zip(labels, known, strict=True):
        row[[number[name] for name in names]] = True
    return labels


def _about_separators(known: list[list[str]], multi_label: bool) -> tuple[str, ...]:
    """What is said where labels are separated as they are not expected to be."""
    if multi_label:
        several = any(len(names) > 1 for names in known)
        return () if several else ("no row has several labels: | or ; separates them",)
    joined = [label for (label,) in known if SEPARATORS.search(label)]
    if not joined:
        return ()
    return (
        f"classes with | or ; in their names: {counted(len(joined), 'row')}, such as {joined[0]} "
        "(multi_label=true takes these for several labels)",
    )


def _media(examples: list[Example], path: str) -> tuple[list[Example], tuple[str, ...]]:
    """The examples that are images or videos, or are not there; and what is said of the others."""
    media = [e for e in examples if suffix_of(e.file.path) in MEDIA or not e.is_there]
    others = [e for e in examples if suffix_of(e.file.path) not in MEDIA and e.is_there]
    if not others:
        return media, ()
    first = others[0]
    such = f"{counted(len(others), 'file')}, such as {first.name} ({first.row.place})"
    if not media:
        raise UserError(f"{path} lists no images or videos, only {such}")
    return media, (f"passed over, neither images nor videos by their suffix: {such}",)


def _rule(paths: Sequence[str], examples: Sequence[Example]) -> str:
    given = any(each.split for each in examples)
    names = [PurePath(path).name for path in paths]
    names = names if len(names) <= max(PARTS) else [names[0], f"{len(names) - 1} more"]
    return "by " + ", ".join(names) if given else ""


def _by_number(text: str) -> tuple[int, str]:
    return (int(text) if NUMBER.fullmatch(text) else -1, text)

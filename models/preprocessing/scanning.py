"""What lies below a folder: its media files, and what is passed over, counted."""

import functools
import os
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from a2keras.errors import OutOfResources, counted, lacking, printable
from a2keras.models.preprocessing.file_formats import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from a2keras.models.preprocessing.places import as_path, is_remote

MEDIA = IMAGE_SUFFIXES | VIDEO_SUFFIXES
# What systems leave in folders, in lower case; besides, all names that begin with a dot.
LITTER = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"}
    | {"lost+found", "system volume information", "icon\r"}
)


@dataclass
class Tree:
    """Everything visible below a folder; paths are relative to it, with `/`.

    Attributes:
        media: of each folder the images and videos in it, by their suffix; "" is the folder itself.
        folders: of each folder those in it.
        others: numbers of the other files by their suffix.
        other: one of these.
        notes: sentences about links and folders that were passed over, safe to print.
    """

    media: dict[str, list[str]] = field(default_factory=dict)
    folders: dict[str, list[str]] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    other: str = ""
    notes: list[str] = field(default_factory=list)

    def add(self, folder: str, names: list[str], folders: list[str]) -> None:
        """Adds what is in a folder."""
        start = f"{folder}/" if folder else ""
        self.folders[folder] = [start + name for name in sorted(folders)]
        media = self.media[folder] = []
        for name in sorted(names):
            if (suffix := suffix_of(name)) in MEDIA:
                media.append(start + name)
            else:
                self.others[suffix or "no suffix"] += 1
                self.other = self.other or start + name

    @functools.cached_property
    def files(self) -> list[str]:
        """All images and videos, in order."""
        return sorted(file for files in self.media.values() for file in files)

    def below(self, folder: str) -> list[str]:
        """The images and videos anywhere below a folder."""
        if not folder:
            return self.files
        first, last = f"{folder}/", f"{folder}{chr(ord('/') + 1)}"
        return self.files[bisect_left(self.files, first) : bisect_left(self.files, last)]

    def remarks(self) -> tuple[str, ...]:
        """What was passed over, in sentences."""
        if not self.others:
            return tuple(self.notes)
        total = self.others.total()
        were = "was" if total == 1 else "were"
        kinds = ", ".join(f"{suffix}: {count}" for suffix, count in self.others.most_common(5))
        passed = f"{counted(total, 'file')} {were} passed over, such as {self.other} ({kinds})"
        return (*self.notes, printable(passed))


def suffix_of(name: str) -> str:
    """As `PurePath(name).suffix`, in lower case, of millions of names."""
    stem, _, suffix = name.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if stem and suffix else ""


def joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name


def visible(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in LITTER


def scan(directory: Any) -> Tree:
    """Reads the names of everything below a folder, here or elsewhere.

    Linked folders are followed, each folder once: a link into what has been read already is passed
    over, so that a circle of links has an end.

    Raises:
        OSError: the folder itself cannot be listed, or the machine has no more files or memory.
    """
    if not is_remote(str(directory)):
        return _Walk(os.fspath(directory)).all()
    tree, directory = Tree(), as_path(str(directory))
    for folder, folders, names in directory.walk():
        relative = folder.relative_to(directory).as_posix()
        relative = "" if relative == "." else relative
        if all(map(visible, PurePath(relative).parts)):
            tree.add(relative, list(filter(visible, names)), list(filter(visible, folders)))
    return tree


class _Walk:
    """Goes through a folder of this machine: first what lies in it, then where its links lead."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.tree = Tree()
        self.links: list[str] = []
        self.read: set[tuple[int, int]] = set()  # the folders, by device and inode
        self.again: list[str] = []  # links into what has been read
        self.broken: list[str] = []
        self.special: list[str] = []  # pipes, sockets, devices

    def all(self) -> Tree:
        self._below("")
        while self.links:
            self._below(self.links.pop(0))
        for paths, are in (
            (self.again, "linked folders that are read in another place"),
            (self.broken, "links that lead nowhere"),
            (self.special, "pipes, sockets or devices"),
        ):
            if paths:
                such = f"{len(paths)}, such as {printable(paths[0])}"
                self.tree.notes.append(f"passed over {are}: {such}")
        return self.tree

    def _below(self, top: str) -> None:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            path = joined(self.directory, folder)
            try:
                status = os.stat(path)  # noqa: PTH116  (plain strings, see `list_folder`)
                if (key := (status.st_dev, status.st_ino)) in self.read:
                    self.again.append(folder)
                    continue
                self.read.add(key)
                with os.scandir(path) as entries:
                    waiting += self._add(folder, sorted(entries, key=lambda entry: entry.name))
            except OSError as error:
                if lack := lacking(error):
                    raise OutOfResources(lack, f"{path} was listed", error) from error
                if not folder:
                    raise
                note = f"the folder {printable(folder)} cannot be listed: {error.strerror}"
                self.tree.notes.append(note)

    def _add(self, folder: str, entries: list[os.DirEntry]) -> list[str]:
        """Takes what is in a folder; returns the folders in it that are no links."""
        files: list[str] = []
        folders: list[str] = []
        real: list[str] = []
        for entry in entries:
            name = entry.name
            if not visible(name):
                continue
            kind = _kind(entry)
            if kind == "file" or (kind == "broken" and suffix_of(name) in MEDIA):
                files.append(name)  # a broken link to an image is an image that is missing
            elif kind == "folder":
                folders.append(name)
                (self.links if entry.is_symlink() else real).append(joined(folder, name))
            else:
                (self.broken if kind == "broken" else self.special).append(joined(folder, name))
        self.tree.add(folder, files, folders)
        return real


def _kind(entry: os.DirEntry) -> str:
    try:
        if entry.is_file():
            return "file"
        if entry.is_dir():
            return "folder"
        return "broken" if entry.is_symlink() and not Path(entry.path).exists() else "special"
    except OSError:  # links in a circle
        return "broken"

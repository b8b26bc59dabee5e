"""Where the files of a list lie: at their paths, or under what these may mean."""

import functools
import posixpath
import unicodedata
from collections import defaultdict
from pathlib import Path, PurePath

from a2keras.errors import UserError, printable
from a2keras.models.preprocessing.places import is_remote
from a2keras.models.preprocessing.scanning import MEDIA, scan, suffix_of


class Finder:
    """Finds files below a folder by the paths of a list.

    Lists are written on other systems: with `\\\\` between folders, accents as one character or as
    two, small letters for capital ones, and without the files' suffixes or folders.

    Args:
        root: where the paths start.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    def at(self, path: str) -> str | None:
        """The path as it is on the disk, relative as it is given; None where nothing is there.

        Elsewhere than on this machine every path is taken as it is.
        """
        if is_remote(path) or is_remote(self.root):
            return path
        forms = (path, with_slashes(path))
        composed = (unicodedata.normalize(form, forms[1]) for form in ("NFC", "NFD"))
        return next((each for each in (*forms, *composed) if self._is_file(each)), None)

    def _is_file(self, path: str) -> bool:
        try:
            return Path(self.root, path).is_file()
        except (OSError, ValueError):  # a name that is too long
            return False

    def by_index(self, path: str, anywhere: bool, place: str) -> str | None:
        """As `at`, among all images and videos below the root.

        Args:
            path: that is not there as it is.
            anywhere: whether a path without folders may be in any folder.
            place: of the path, for the error.

        Raises:
            UserError: several files may be meant.
        """
        if path.startswith("/"):
            return None
        key = _key(with_slashes(path))
        keys = [("", key)] if suffix_of(path) in MEDIA else [("", key), ("stem", key)]
        if anywhere and "/" not in key:
            keys += [(f"name {kind}", each) for kind, each in keys]
        for each in keys:
            found = self._index.get(each, [])
            exact = [file for file in found if _plain(file) == unicodedata.normalize("NFC", path)]
            found = exact or found
            if len(found) > 1:
                names = " and ".join(map(printable, found[:2]))
                raise UserError(f"{place}: {path} may be {names}: tell with root where they lie")
            if found:
                return found[0]
        return None

    @functools.cached_property
    def _index(self) -> dict[tuple[str, str], list[str]]:
        index = defaultdict(list)
        try:
            files = scan(self.root).files
        except OSError:  # then nothing is found there
            files = []
        for file in files:
            key = _key(file)
            name = key.rpartition("/")[2]
            index["", key].append(file)
            index["stem", _stem(key)].append(file)
            index["name ", name].append(file)
            index["name stem", _stem(name)].append(file)
        return index


def with_slashes(path: str) -> str:
    """A path of Windows's as it is written here."""
    return posixpath.normpath(path.replace("\\", "/"))


def _plain(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _key(path: str) -> str:
    return _plain(path).casefold()


def _stem(path: str) -> str:
    return path.removesuffix(PurePath(path).suffix)

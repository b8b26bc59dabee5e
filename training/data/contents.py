"""What is in files, as hashes: by them files are the same, whatever they are called."""

import functools
import hashlib
import os
import stat
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from a2keras.arrays import read_npz
from a2keras.console import progress
from a2keras.errors import UserError, lacking, printable
from a2keras.files import cache_directory, replacing, sha256
from a2keras.models.preprocessing.places import is_remote, size_of
from a2keras.training.data.reading import in_order, threads_for

# A file has not changed while its device, inode, size and times of change are the same. The last of
# them no program can set.
Key = tuple[int, int, int, int, int]
# File systems count time in steps: a file that has just been written may change within one.
SETTLED = 2 * 10**9  # nanoseconds
AT_ONCE = 64  # files that a thread reads one after the other: asking it costs more than a small one
# Where more had to be read, the hashes are kept for the next command.
WORTH_KEEPING = 256 * 1024**2  # bytes
FILES_WORTH_KEEPING = 10_000
NO_HASH = ("missing", "empty", "size:")  # of files without a content that could be compared
_known: dict[Key, str] = {}


@dataclass(frozen=True)
class FileList:
    """All files of a source, with what it says about each of them.

    Attributes:
        lines: name and class of every example.
        paths: where every example lies; several may be parts of one file.
    """

    lines: tuple[str, ...]
    paths: tuple[str, ...]

    @functools.cached_property
    def contents(self) -> dict[str, str]:
        """Of every path the SHA-256 of what is in the file, or what else is known, see `hashes`."""
        return hashes(dict.fromkeys(self.paths))

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the lines, each with the content of its file."""
        pairs = zip(self.lines, self.paths, strict=True)
        text = "".join(f"{line}\t{self.contents[path]}\n" for line, path in pairs)
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def hashes(paths: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of files, in hexadecimal digits; each content is read once.

    Of a file elsewhere, which would have to be fetched for it, `size:BYTES`; of one that is not
    there or cannot be read, `missing`; of one without a byte, `empty`.
    """
    found: dict[str, str] = {}
    keys: dict[Key, list[str]] = {}
    for path in paths:
        if is_remote(path):
            size = size_of(path)
            found[path] = "missing" if size is None else f"size:{size}"
        elif (key := _key(path)) is None:
            found[path] = "missing"
        elif not key[2]:
            found[path] = "empty"
        else:
            keys.setdefault(key, []).append(path)
    if _are_worth_keeping([key for key in keys if key not in _known]):
        _known.update(_load(_kept_in(keys)))
    unknown = [key for key in keys if key not in _known]
    now = time.time_ns()
    first = [keys[key][0] for key in unknown]
    read = in_order(_sha256, first, threads_for(first), AT_ONCE)
    fresh = dict(zip(unknown, progress(read, "hashing", total=len(unknown)), strict=True))
    settled = {k: v for k, v in fresh.items() if v != "missing" and max(k[3:]) < now - SETTLED}
    _known.update(settled)
    if _are_worth_keeping(settled):
        _save(_kept_in(keys), {key: _known[key] for key in keys if key in _known})
    for key, same in keys.items():
        found |= dict.fromkeys(same, fresh.get(key) or _known[key])
    return found


def _are_worth_keeping(keys: Collection[Key]) -> bool:
    return len(keys) > FILES_WORTH_KEEPING or sum(key[2] for key in keys) > WORTH_KEEPING


def _key(path: str) -> Key | None:
    try:
        status = os.stat(path)  # noqa: PTH116  (of a million files a path object costs the most)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        return None
    times = status.st_mtime_ns, status.st_ctime_ns
    return status.st_dev, status.st_ino, status.st_size, *times


def _sha256(path: str) -> str:
    try:
        return sha256(path)
    except OSError as error:
        if lacking(error):
            raise UserError(f"{printable(path)} cannot be read: {error.strerror}") from error
        return "missing"


def _kept_in(keys: dict[Key, list[str]]) -> Path:
    """In the user's cache, by the folder that all these files lie in."""
    folders = {same[0].rpartition("/")[0] for same in keys.values()}
    folder = os.path.commonpath([Path(each).absolute() for each in folders])
    cache = cache_directory()
    return cache / f"contents_{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}.npz"


def _load(path: Path) -> dict[Key, str]:
    try:
        arrays = read_npz(path)
        keys, digests = arrays["keys"], arrays["digests"].tobytes().hex()
        each = (digests[i : i + 64] for i in range(0, len(digests), 64))
        return dict(zip(map(tuple, keys.tolist()), each, strict=True))
    except Exception:  # missing, damaged or of another version: then they are read again
        return {}


def _save(path: Path, known: dict[Key, str]) -> None:
    digests = np.frombuffer(bytes.fromhex("".join(known.values())), np.uint8).reshape(-1, 32)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            np.savez(partial, keys=np.array(list(known), np.uint64), digests=digests)
    except OSError:
        pass  # then they are read again the next time

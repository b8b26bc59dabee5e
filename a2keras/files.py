"""Files and directories, written whole or not at all, never through a link in their place.

A link that a user names, such as --output=LINK, is followed. One that lies within a directory of
ours may have come with it from anywhere: it is replaced, or refused, and what it points to is left
alone.
"""

import contextlib
import errno
import fcntl
import hashlib
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from a2keras.errors import UserError, system_reason
from a2keras.whole_numbers import is_number

PARTIAL = ".partial"  # in the names of what is being written, hidden ones
BLOCK = 2**18  # bytes that are read at a time
NO_FILE = "it is a pipe or a device, not a file"


def open_file(path: Any) -> io.BufferedReader:
    """Opens for reading what may come from anywhere, where it is a file: a pipe would be waited for
    without end, and a device has none.

    Args:
        path: of this machine, or an `epath` of a cloud store.

    Raises:
        OSError: it cannot be read, or is a folder, a pipe or a device.
    """
    if "://" in str(path):  # where there are no others
        file: io.BufferedReader = path.open("rb")
        return file
    return os.fdopen(_descriptor(path), "rb")


def _descriptor(path: Any) -> int:
    """The descriptor of a file of this machine, see `open_file`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, NO_FILE, str(path))


def read_bytes(path: Any) -> bytes:
    """The content of a file, see `open_file`."""
    with open_file(path) as file:
        return file.read()


def check_all_files(directory: Path) -> None:
    """For libraries that open what lies below a directory by themselves.

    Raises:
        OSError: something there is neither a file nor a folder, nor leads to one.
    """
    for folder, _, names in os.walk(directory, followlinks=False):
        for name in names:
            path = Path(folder, name)
            if path.exists() and not path.is_file():
                raise OSError(errno.EINVAL, NO_FILE, str(path))


@contextlib.contextmanager
def writing_to(place: object) -> Iterator[None]:
    """Tells a full disk, or a place that may not be written, as a `UserError`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{place} cannot be written: {system_reason(error)}") from error


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Gives a new file beside `path` to write to, which takes its place when the block ends well.

    A reader sees the old file or the new, never a part of it. A symbolic link at `path` is replaced
    and what it points to is left alone. The new file keeps the last two suffixes (`.weights.h5`),
    by which libraries choose a format. If the block fails, nothing is left.
    """
    path = Path(path)
    descriptor, name = tempfile.mkstemp(
        prefix=f".{_beginning(path)}.",
        suffix=PARTIAL + "".join(path.suffixes[-2:])[-32:],
        dir=path.parent,
    )
    partial = Path(name)
    try:
        os.fchmod(descriptor, 0o666 & ~_umask())  # mkstemp's own is for nobody else to read
        os.close(descriptor)
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def check_removable(directory: Any, what: str, is_ours: Callable[[str], bool]) -> None:
    """Makes sure that nothing of a user's goes with an output that is removed or replaced.

    Args:
        directory: of this machine, or an `epath` of a cloud store; it need not be there.
        what: it is to hold, such as "the export".
        is_ours: whether a file is part of that, by its path relative to the directory.

    Raises:
        UserError: the current directory is it, or within it, or something there is not ours.
    """
    if holds_current_directory(directory):
        raise UserError(
            f"{directory} is replaced as a whole, and the current directory is it or within it: "
            "choose another `output`"
        )
    for file in _files_below(directory):
        if not is_ours(file.relative_to(directory).as_posix()):
            raise UserError(f"{file} is not part of {what} in {directory}: move it away first")


def holds_current_directory(directory: Any) -> bool:
    """Whether this process is in a directory, or in one below it."""
    with contextlib.suppress(OSError):  # one of them is not there
        found, here = Path(directory).stat(), Path.cwd()
        return any(os.path.samestat(found, each.stat()) for each in (here, *here.parents))
    return False


def _files_below(directory: Any) -> Iterator[Any]:
    """All that lies below a directory but directories; what links lead to lies elsewhere."""
    if not directory.is_dir():
        return
    for path in directory.iterdir():
        if path.is_dir() and not Path(path).is_symlink():
            yield from _files_below(path)
        else:
            yield path


def _nothing() -> None:
    pass


@contextlib.contextmanager
def replacing_directory(path: Path, check: Callable[[], object] = _nothing) -> Iterator[Path]:
    """Gives a new directory beside `path`, which takes its place when the block ends well.

    If the block fails, what was at `path` is still there. What killed processes have left beside it
    is removed; of one that was killed between the two renames, the earlier directory comes back.

    Args:
        path: the directory.
        check: raises an error where `path` may not be removed, see `check_removable`; it is called
            once more when the block has ended, since which somebody may have put something there.
    """
    _clear_up(path)
    check()
    partial = path.with_name(f".{_beginning(path)}.{os.getpid()}{PARTIAL}")
    earlier = partial.with_suffix(".earlier")
    with locked(partial):
        try:
            yield partial
            with locked(path):  # which is `earlier` meanwhile
                check()
                path.rename(earlier)
                try:
                    partial.rename(path)
                except OSError:
                    earlier.rename(path)
                    raise
                shutil.rmtree(earlier, ignore_errors=True)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _clear_up(path: Path) -> None:
    """Removes directories of `replacing_directory` whose processes are gone."""
    if not path.parent.is_dir():
        return
    start = f".{_beginning(path)}."
    left = [each for each in path.parent.iterdir() if each.name.startswith(start)]
    for each in left:
        number, _, kind = each.name.removeprefix(start).partition(".")
        if not is_number(number) or f".{kind}" not in (PARTIAL, ".earlier"):
            continue
        if each.is_symlink() or not each.is_dir():
            continue
        with contextlib.suppress(OSError), locked(each):  # BlockingIOError: it is in use
            if f".{kind}" != PARTIAL and not os.path.lexists(path):
                each.rename(path)
            else:
                shutil.rmtree(each)


@contextlib.contextmanager
def locked(directory: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Makes a directory unless it is there, and keeps it from other processes for the block.

    The lock goes with the process, however that ends.

    Args:
        directory: to make and to lock.
        waiting: is called where another process has it, before that is waited for.

    Raises:
        BlockingIOError: another process has it, and nobody waits.
        OSError: see `make_directory`.
    """
    while True:
        make_directory(directory)
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
        except FileNotFoundError:  # whoever had it has just removed it
            continue
        try:
            _lock(descriptor, waiting)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:  # a file system that has no locks
            break
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), directory.stat()):
                break
        os.close(descriptor)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, waiting: Callable[[], None] | None) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if waiting is None:
            raise
        waiting()
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def make_directory(path: Path) -> Path:
    """Makes a directory within one of ours, unless it is there.

    Raises:
        OSError: it cannot be made, or what is there is a file or a symbolic link.
    """
    path.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        reason = "it is a symbolic link, which is not followed"
        raise NotADirectoryError(errno.ENOTDIR, reason, str(path))
    return path


def remove(path: Path) -> None:
    """Removes what is at `path`, if anything: a directory with all that it holds, a file, a link.

    A link's target is left alone.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _beginning(path: Path) -> str:
    """The beginning of a name: names have at most 255 bytes, and this one may have all of them."""
    return path.name.encode(errors="surrogateescape")[:64].decode(errors="ignore")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | Path, text: str) -> None:
    """Writes a text file in UTF-8, see `replacing`; bytes of names that are no text as \\udcff."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Writes a file, see `replacing`."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def cache_directory() -> Path:
    """Where what can be fetched or made again is kept: `a2keras` in XDG_CACHE_HOME, or ~/.cache.

    Raises:
        UserError: there is neither, as for a user without a name in a container.
    """
    named = os.environ.get("XDG_CACHE_HOME", "")
    # Its specification has a path that is not absolute ignored.
    cache = Path(named if os.path.isabs(named) else os.path.expanduser("~/.cache"))  # noqa: PTH111, PTH117
    if not cache.is_absolute():
        raise UserError(
            "XDG_CACHE_HOME or HOME must be the absolute path of a folder that can be written. "
            f"Received: XDG_CACHE_HOME={named!r}, HOME={os.environ.get('HOME')!r}"
        )
    return cache / "a2keras"


def sha256(path: str | Path) -> str:
    """The hash of a file's content, in hexadecimal digits."""
    # Without a file object: of the smallest files to make one takes twice as long as to read them.
    descriptor = _descriptor(path)
    try:
        digest = hashlib.sha256()
        while block := os.read(descriptor, BLOCK):
            digest.update(block)
        return digest.hexdigest()
    finally:
        os.close(descriptor)

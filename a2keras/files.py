"""Files, written whole or not at all, and never through a link that lies in their place."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

PARTIAL = ".partial"  # in the names of files that are being written, hidden ones


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Gives a new file beside `path` to write to, which takes its place when the block ends well.

    A reader sees the old file or the new, never a part of it. A symbolic link at `path` is replaced
    and what it points to is left alone. The new file keeps the suffix, by which libraries choose a
    format. If the block fails, nothing is left.
    """
    path = Path(path)
    # Names have at most 255 bytes, and `path` may have all of them.
    stem = path.name.encode(errors="surrogateescape")[:64].decode(errors="ignore")
    descriptor, name = tempfile.mkstemp(
        prefix=f".{stem}.", suffix=PARTIAL + path.suffix[:32], dir=path.parent
    )
    partial = Path(name)
    try:
        os.fchmod(descriptor, 0o666 & ~_umask())  # mkstemp's own is for nobody else to read
        os.close(descriptor)
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


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


def sha256(path: Path) -> str:
    """The hash of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_directory() -> Path:
    """Where what is fetched once is kept: `a2keras` in XDG_CACHE_HOME, or else in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "a2keras"

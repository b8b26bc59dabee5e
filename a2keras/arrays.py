"""Files of NumPy's arrays, `.npz` and `.npy`, which may be damaged or hostile.

`numpy.load` takes a file's word for how large its arrays are, and raises whatever the layers below
it raise. Here what a header says is compared with what is there before any memory is taken.
"""

import contextlib
import errno
import math
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from a2keras.errors import printable, reason_of
from a2keras.files import open_file

# An archive may say more bytes than it has: it is compressed. Arrays are not compressed this far.
LARGE, EXPANSION = 2**28, 100
_CHUNK = 2**20


def read_npz(path: Path, limit: int | None = None) -> dict[str, np.ndarray]:
    """All arrays of a `.npz` file.

    Args:
        path: the file.
        limit: bytes that all arrays together may take; None: `LARGE`, or `EXPANSION` times the
            file's, whichever is more.

    Raises:
        ValueError: the file is damaged, cut off, or holds something else or more; the reason.
        OSError: it cannot be read.
    """
    most = max(LARGE, EXPANSION * path.stat().st_size)
    most = most if limit is None else min(limit, most)
    with open_file(path) as file, _damage(), zipfile.ZipFile(file) as archive:
        return _members(archive, most)


def read_npy(path: Path, limit: int) -> np.ndarray:
    """The array of a `.npy` file; arguments and errors as of `read_npz`."""
    size = path.stat().st_size
    with open_file(path) as file, _damage():
        return _array(file, min(size, limit + _CHUNK))


@contextlib.contextmanager
def _damage() -> Iterator[None]:
    """Makes a `ValueError` of whatever a damaged file gives rise to."""
    try:
        yield
    except MemoryError:  # of the machine: the file may be sound
        raise
    except OSError as error:
        # But for a place before the file's beginning, and what a decompressor calls by this name.
        if error.errno not in (errno.EINVAL, None):
            raise
        raise ValueError(reason_of(error)) from None
    except Exception as error:  # zipfile, zlib and NumPy raise errors of a dozen types
        raise ValueError(reason_of(error)) from None


def _members(archive: zipfile.ZipFile, most: int) -> dict[str, np.ndarray]:
    members = archive.infolist()
    if (total := sum(member.file_size for member in members)) > most + _CHUNK:
        raise ValueError(f"it declares {total} bytes, more than {most}")
    arrays: dict[str, np.ndarray] = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name in arrays:
            raise ValueError(f"it holds {printable(name)} twice")
        with archive.open(member) as file:
            try:
                arrays[name] = _array(file, member.file_size)
            except ValueError as error:
                raise ValueError(f"{printable(name)}: {error}") from None
    return arrays


def _array(file: IO[bytes], size: int) -> np.ndarray:
    """The array of a stream that has `size` bytes, header and all."""
    shape, by_columns, dtype, header = _header(file)
    expected = math.prod(shape) * dtype.itemsize
    if expected != size - header or not dtype.itemsize or min(shape, default=0) < 0:
        raise ValueError(f"it has {size - header} bytes, not those of {shape} of {dtype}")
    content = bytearray()  # so that the array can be written to
    while part := file.read(_CHUNK):
        content += part
    if len(content) != expected:
        raise ValueError("it is cut off")
    if not expected:
        return np.zeros(shape, dtype)
    return np.frombuffer(content, dtype).reshape(shape, order="F" if by_columns else "C")


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Shape, order and type of an array, and the bytes of the header that tells them."""
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    counted: Any = _Counted(file)
    version = np.lib.format.read_magic(counted)
    if version not in read:
        raise ValueError(f"it is a .npy file of version {version}")
    try:
        with warnings.catch_warnings():  # of Python, about the literals that damage makes
            warnings.simplefilter("ignore")
            shape, by_columns, dtype = read[version](counted)
    except Exception:  # of Python's parser too, MemoryError among them for too much nesting
        raise ValueError("its header cannot be read") from None
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not loaded")
    return shape, by_columns, dtype, counted.count


class _Counted:
    """A stream that counts what is read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.count = file, 0

    def read(self, size: int) -> bytes:
        content = self.file.read(size)
        self.count += len(content)
        return content

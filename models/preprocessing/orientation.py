r"""How the camera was held: the one rule, which `export/serving/exif.py` follows within a graph.

A picture is turned as the EXIF block of its file says, and by nothing else: not by XMP, by the
directory of a thumbnail or a text chunk of ImageMagick's.

- The block is the content of a JPEG's first segment APP1 that begins with `Exif\0\0` and comes
  before the pixels, of a PNG's first chunk `eXIf`, of a WebP's first chunk `EXIF`; where there are
  more than `MOST_PARTS` segments or chunks, it is looked for in so many. Of other formats it is
  what Pillow says (which turns TIFF itself, by the same tag).
- `Exif\0\0` at its beginning is left out, up to `MOST_MARKS` times. What remains is a TIFF
  structure, little-endian (`II*\0`) or big-endian (`MM\0*`). Bytes beyond its end are zero.
- In its first directory counts the last entry with the tag 0x0112 that is one SHORT, LONG or
  RATIONAL, signed or not. Values from 1 to 8 are orientations; anything else means 1, upright.
"""

import io
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

MARK = b"Exif\0\0"
MOST_MARKS = 8
MOST_PARTS = 4096
TAG = 0x0112
SHORTS, LONGS, RATIONALS = (3, 8), (4, 9), (5, 10)  # types of entries, unsigned and signed
# Which values mirror the columns, and which the rows, after rows and columns of 5 to 8 are swapped.
MIRRORED_COLUMNS, MIRRORED_ROWS, SWAPPED = (2, 3, 6, 7), (3, 4, 7, 8), 5

At = Callable[[int, int], bytes]  # so many bytes of a file from a place on, zero beyond its end


def upright(pixels: np.ndarray, value: int) -> np.ndarray:
    """Turns pixels (H, W, 3) as the orientation `value`, 1 to 8, says."""
    if value >= SWAPPED:
        pixels = pixels.swapaxes(0, 1)
    if value in MIRRORED_COLUMNS:
        pixels = pixels[:, ::-1]
    if value in MIRRORED_ROWS:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def block_of(file: BinaryIO) -> bytes | None:
    """The EXIF block of a JPEG, PNG or WebP file, b"" where it has none; None: another format."""
    size = file.seek(0, 2)
    data = file.getvalue() if isinstance(file, io.BytesIO) else None

    def at(place: int, count: int) -> bytes:
        if data is not None:
            return data[place : place + count].ljust(count, b"\0")
        file.seek(min(place, size))
        return file.read(count).ljust(count, b"\0")

    head = at(0, 12)
    if head.startswith(b"\xff\xd8\xff"):
        if data is not None and MARK not in data:
            return b""
        start, length = _in_jpeg(at, size)
    elif head.startswith(b"\x89PNG\r\n\x1a\n"):
        start, length = _in_png(at, size)
    elif head.startswith(b"RIFF") and head.endswith(b"WEBP"):
        start, length = _in_webp(at, size)
    else:
        return None
    return at(start, max(min(length, size - start), 0))


def orientation_in(block: bytes) -> int:
    """The orientation that an EXIF block tells, 1 to 8."""
    for _ in range(MOST_MARKS):
        block = block.removeprefix(MARK)
    orders = {b"II*\0": "little", b"MM\0*": "big"}
    order = orders.get(block[:4])
    if order is None:
        return 1

    def number(place: int, size: int) -> int:
        return int.from_bytes(block[place : place + size].ljust(size, b"\0"), order)  # type: ignore[arg-type]

    directory = number(4, 4)
    count = min(number(directory, 2), len(block) // 12 + 1)
    value = 1
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        kind, inside = number(entry + 2, 2), entry + 8
        if number(entry, 2) != TAG or number(entry + 4, 4) != 1:
            continue
        if kind in SHORTS:
            value = number(inside, 2)
        elif kind in LONGS:
            value = number(inside, 4)
        elif kind in RATIONALS:
            above, below = (number(number(inside, 4) + at, 4) for at in (0, 4))
            value = above // below if below and above % below == 0 else 0
    return value if 1 <= value <= 8 else 1


def _find(
    size: int,
    first: int,
    is_it: Callable[[int], bool],
    next_of: Callable[[int], int],
    goes_on: Callable[[int], bool],
) -> int:
    """Where a part of a file begins; 0: it has none, or not among the first `MOST_PARTS`."""
    place = first
    for _ in range(MOST_PARTS):
        if place >= size or is_it(place) or not goes_on(place):
            break
        place = next_of(place)
    return place if place < size and is_it(place) else 0


def _in_jpeg(at: At, size: int) -> tuple[int, int]:
    """Segments FF xx and a big-endian length; FF may be repeated, some markers are bare."""

    def length(place: int) -> int:
        return int.from_bytes(at(place + 2, 2), "big")

    def next_of(place: int) -> int:
        marker = at(place + 1, 1)[0]
        if marker == 0xFF:
            return place + 1
        return place + 2 + (0 if marker == 1 or 0xD0 <= marker <= 0xD8 else length(place))

    def goes_on(place: int) -> bool:  # to the end of the file or the pixels
        mark, marker = at(place, 2)
        return mark == 0xFF and marker not in (0, 0xD9, 0xDA)

    def is_it(place: int) -> bool:
        return at(place, 2) == b"\xff\xe1" and at(place + 4, 6) == MARK

    place = _find(size, 2, is_it, next_of, goes_on)
    return place + 4, length(place) - 2 if place else 0


def _in_png(at: At, size: int) -> tuple[int, int]:
    """Chunks: big-endian length, name, content, check sum."""

    def length(place: int) -> int:
        return int.from_bytes(at(place, 4), "big")

    place = _find(
        size,
        8,
        lambda place: at(place + 4, 4) == b"eXIf",
        lambda place: place + 12 + length(place),
        lambda place: at(place + 4, 4) != b"IEND",
    )
    return place + 8, length(place) if place else 0


def _in_webp(at: At, size: int) -> tuple[int, int]:
    """Chunks: name, little-endian length, content, padded to even lengths."""

    def length(place: int) -> int:
        return int.from_bytes(at(place + 4, 4), "little")

    place = _find(
        size,
        12,
        lambda place: at(place, 4) == b"EXIF",
        lambda place: place + 8 + length(place) + length(place) % 2,
        lambda place: True,
    )
    return place + 8, length(place) if place else 0

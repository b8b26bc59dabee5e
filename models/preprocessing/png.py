"""Whether a PNG has all its rows: Pillow takes those that are missing for zeros."""

import struct
import zlib
from typing import BinaryIO

# Of every pass of interlacing the first row and column, and the distance to the next ones.
PASSES = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)),
    (1, 0, 2, 1),
)
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the kind of colour
PORTION = 1 << 20  # bytes that are inflated at a time


def lacks_rows(file: BinaryIO) -> bool:
    """Whether the compressed pixels end before the last row.

    Args:
        file: of a PNG that Pillow has decoded.
    """
    file.seek(8)
    expected, found = 0, 0
    inflate = zlib.decompressobj()
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        content = file.read(length)
        if name == b"IHDR":
            expected = _size(*struct.unpack(">IIBBBBB", content[:13]))
        elif name == b"IDAT":
            while content and not inflate.eof:
                found += len(inflate.decompress(content, PORTION))
                content = inflate.unconsumed_tail
        elif name == b"IEND":
            break
        file.seek(4, 1)  # its check sum
    return found + len(inflate.flush()) < expected


def _size(width: int, height: int, depth: int, colour: int, *others: int) -> int:
    """Bytes of all rows, each with one that tells its filter."""
    passes = PASSES if others[-1] else ((0, 0, 1, 1),)
    total = 0
    for row, column, down, right in passes:
        rows, columns = len(range(row, height, down)), len(range(column, width, right))
        if columns:
            total += rows * (1 + -(-columns * depth * CHANNELS[colour] // 8))
    return total

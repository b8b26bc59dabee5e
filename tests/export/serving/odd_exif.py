"""EXIF blocks as cameras, editors and their bugs write them, and worse; and files around them."""

import io
import random
import struct
import zlib
from typing import NamedTuple

from PIL import Image

MARK = b"Exif\0\0"
ORIENTATION, X_RESOLUTION, MAKER = 0x0112, 0x011A, 0x010F
BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED = 1, 2, 3, 4, 5, 6, 7
SSHORT, SLONG, SRATIONAL, FLOAT, DOUBLE = 8, 9, 10, 11, 12


class Entry(NamedTuple):
    """Of a directory; `inside` is packed as the type says, or laid behind and pointed at."""

    tag: int
    kind: int
    count: int
    inside: bytes


def tiff(order: str, entries: list[Entry], after: int = 0, magic: int = 42) -> bytes:
    """A TIFF structure of one directory; `after` is the place of the next one."""
    mark = b"II" if order == "<" else b"MM"
    behind = 8 + 2 + 12 * len(entries) + 4
    directory, data = struct.pack(order + "H", len(entries)), b""
    for entry in entries:
        inside = entry.inside
        if len(inside) > 4:
            inside = struct.pack(order + "I", behind + len(data))
            data += entry.inside
        directory += struct.pack(order + "HHI", *entry[:3]) + inside.ljust(4, b"\0")
    header = mark + struct.pack(order + "HI", magic, 8)
    return header + directory + struct.pack(order + "I", after) + data


def held(order: str, kind: int, *values: int) -> Entry:
    """The orientation as values of any type."""
    letters = {BYTE: "B", SHORT: "H", LONG: "I", SBYTE: "b", SSHORT: "h", SLONG: "i"}
    letters |= {RATIONAL: "I", SRATIONAL: "i", FLOAT: "f", DOUBLE: "d", ASCII: "B", UNDEFINED: "B"}
    numbers = struct.pack(f"{order}{len(values)}{letters[kind]}", *values)
    count = len(values) // 2 if kind in (RATIONAL, SRATIONAL) else len(values)
    return Entry(ORIENTATION, kind, count, numbers)


def named_blocks(order: str) -> dict[str, tuple[bytes, int]]:
    """Blocks of every known kind, each with the orientation that the rule reads."""
    six = held(order, SHORT, 6)
    text = Entry(X_RESOLUTION, ASCII, 3, b"72\0")

    def one(*entries: Entry, **options: int) -> bytes:
        return tiff(order, list(entries), **options)

    first = tiff(order, [Entry(MAKER, ASCII, 4, b"A2K\0")], after=26)
    second = tiff(order, [six])[8:]
    wide = struct.pack(order + "HI", 43, 8)
    blocks = {
        "nothing": (b"", 1),
        "a header alone": (one()[:8], 1),
        "no header": (b"\0" * 40, 1),
        "text": (b"hello, this is no EXIF at all", 1),
        "another magic": (one(six, magic=41), 1),
        "BigTIFF": ((b"II" if order == "<" else b"MM") + wide + bytes(40), 1),
        "half a header": (one(six)[:5], 1),
        "a resolution as text": (one(six, text), 6),
        "text before": (one(text, six), 6),
        "many entries": (one(*[text] * 700, six), 6),
        "a doubled mark": (MARK + MARK + one(six), 6),
        "a mark eight times": (MARK * 7 + one(six), 6),
        "two tags": (one(held(order, SHORT, 3), six), 6),
        "two tags, the last one nothing": (one(six, held(order, SHORT, 9)), 1),
        "two tags, the last one text": (one(six, held(order, ASCII, 51, 0)), 6),
        "in the second directory": (first + second, 1),
        "a directory that follows itself": (one(six, after=8), 6),
        "a directory in the header": (one(six)[:4] + struct.pack(order + "I", 0) + bytes(9), 1),
        "a directory beyond": (one(six)[:4] + struct.pack(order + "I", 2**32 - 1) + bytes(99), 1),
        "more entries than there are": (one(six)[:8] + b"\xff\xff" + one(six)[10:], 6),
        "a count of four billion": (one(Entry(MAKER, ASCII, 2**32 - 1, b"AAAA"), six), 6),
        "unknown types": (one(*(Entry(MAKER + n, n, 1, b"x") for n in range(20)), six), 6),
    }
    for kind in (SHORT, LONG, SSHORT, SLONG):
        blocks[f"type {kind}"] = one(held(order, kind, 8)), 8
        blocks[f"type {kind} twice"] = one(held(order, kind, 6, 6)), 1
    for kind in (BYTE, ASCII, SBYTE, UNDEFINED, FLOAT, DOUBLE):
        blocks[f"type {kind}"] = one(held(order, kind, 6)), 1
    for above, below, value in [(6, 1, 6), (12, 2, 6), (13, 2, 1), (6, 0, 1), (0, 0, 1), (9, 1, 1)]:
        blocks[f"{above}/{below}"] = one(held(order, RATIONAL, above, below)), value
    blocks["signed 5/1"] = one(held(order, SRATIONAL, 5, 1)), 5
    blocks["a ratio beyond"] = one(Entry(ORIENTATION, RATIONAL, 1, b"\xff\xff\xff\x7f")), 1
    for value in (0, 1, 2, 3, 4, 5, 7, 8, 9, 255, 256, 65535):
        blocks[f"value {value}"] = one(held(order, SHORT, value)), value if value in range(9) else 1
    blocks["value 0"] = blocks["value 0"][0], 1
    return blocks


def random_block(draw: random.Random) -> bytes:
    """Entries of any type, count and content around orientations, then damage."""
    order = draw.choice("<>")
    entries = []
    for _ in range(draw.randrange(6)):
        tag = draw.choice([MAKER, X_RESOLUTION, 0x8769, 0x8825, 0x927C, draw.randrange(65536)])
        count = draw.choice([0, 1, 1, 1, 2, 3, draw.randrange(2**32)])
        inside = draw.randbytes(draw.choice([1, 4, 4, 8, 20]))
        entries.append(Entry(tag, draw.choice([*range(14), 16, 129, 65535]), count, inside))
    for _ in range(draw.choice([0, 1, 1, 1, 1, 2])):
        kind = draw.choice([SHORT] * 6 + [BYTE, LONG, RATIONAL, SBYTE, SSHORT, SLONG, SRATIONAL])
        values = [draw.choice([*range(10), 1])] + ([1] if kind in (RATIONAL, SRATIONAL) else [])
        values *= draw.choice([1, 1, 1, 1, 2])
        entries.insert(draw.randrange(len(entries) + 1), held(order, kind, *values))
    after = draw.choice([0, 0, 8, draw.randrange(2**32)])
    block = tiff(order, entries, after, draw.choice([42] * 9 + [43, 10752]))
    block = MARK * draw.choice([0, 0, 0, 0, 1, 2, 9]) + block
    if draw.random() < 0.2:
        block = block[: draw.randrange(len(block))]
    if draw.random() < 0.2:
        damaged = bytearray(block)
        for _ in range(min(3, len(damaged))):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        block = bytes(damaged)
    return block


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def in_jpeg(picture: Image.Image, block: bytes, where: str = "first") -> bytes:
    """A JPEG with a block as APP1: first, behind other segments, or after bytes FF."""
    file = saved(picture, "JPEG", quality=90, subsampling=0)
    content = MARK + block[:65000]
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content
    at = {"first": 2, "filled": 2, "behind": 20, "twice": 2, "late": file.index(b"\xff\xda")}[where]
    if where == "filled":
        segment = b"\xff\xff\xff" + segment
    if where == "twice":  # the first one counts
        other = MARK + tiff(">", [held(">", SHORT, 3)])
        segment += b"\xff\xe1" + struct.pack(">H", 2 + len(other)) + other
    return file[:at] + segment + file[at:]


def in_png(picture: Image.Image, block: bytes, where: str = "first") -> bytes:
    """A PNG with a block as eXIf: before the pixels, or behind them."""
    file = saved(picture, "PNG")
    at = 33 if where == "first" else len(file) - 12
    return file[:at] + chunk(b"eXIf", block) + file[at:]


def chunk(name: bytes, content: bytes) -> bytes:
    check_sum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check_sum


def in_webp(picture: Image.Image, block: bytes) -> bytes:
    """A WebP of the extended form, with a block as its chunk EXIF."""
    image = saved(picture, "WEBP", lossless=True)[12:]
    size = struct.pack("<I", picture.width - 1)[:3] + struct.pack("<I", picture.height - 1)[:3]
    parts = b"WEBPVP8X" + struct.pack("<II", 10, 8) + size + image
    parts += b"EXIF" + struct.pack("<I", len(block)) + block + b"\0" * (len(block) % 2)
    return b"RIFF" + struct.pack("<I", len(parts)) + parts

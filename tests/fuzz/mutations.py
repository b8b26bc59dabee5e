"""Damage: what is done to a sound file. Every change is a function of (random, content)."""

import io
import json
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

from structures import STRUCTURES

Change = Callable[[Random, bytes], bytes]

# Where sizes, counts and offsets go wrong.
NUMBERS = (0, 1, -1, 2, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
ODD_NUMBERS = ("0", "-1", "1e999", "-1e308", "NaN", "inf", "1.5", "0x10", "²", "١٢", "9" * 400)
ODD_TEXTS = (
    "", " ", "\0", "\x1b[2J\x1b]0;x\x07", "\r", "\n", "\t", '"', "'", ",", ";", "\\", "/", "..",
    "../../etc/passwd", "=1+1", "@x", "$x$", "$\\frac{", "%s%n", "{}", "\u202e", "\u2028", "\ufeff",
    "é", "e\u0301", "猫", "🙂", "a" * 300, "path", "label", "None", "true", "http://x/y.png",
)  # fmt: skip
LONG = 200_000


def mutated(random: Random, content: bytes, name: str) -> bytes:
    """The content after one to three changes that suit a file of this name."""
    changes = changes_for(name)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        content = random.choice(changes)(random, content)
    return content


def changes_for(name: str) -> tuple[Change, ...]:
    suffix = name.rpartition(".")[2].lower()
    own = {
        **dict.fromkeys(("json", "jsonl"), (*JSON * 3, *TEXT)),
        **dict.fromkeys(("csv", "txt", "arguments", "settings", "names", "variables"), TEXT * 2),
        **dict.fromkeys(("keras", "npz", "pt"), (in_zip,) * 12 + (lost_member,) * 2),
        "png": (in_png,) * 10,
        **{each: (structure_changed(each),) * 10 for each in STRUCTURES},
    }
    return (*own.get(suffix, ()), *BYTES)


def _span(random: Random, size: int) -> tuple[int, int]:
    """A piece of `size` bytes, mostly a short one."""
    start = random.randrange(size + 1)
    return start, min(size, start + random.choice((1, 2, 4, 8, 64, max(1, size // 4))))


# Bytes.
def flipped(random: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8, 32)) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def number_written(random: Random, content: bytes) -> bytes:
    size = random.choice((1, 2, 4, 8))
    number = (random.choice(NUMBERS) % 256**size).to_bytes(size, random.choice(("little", "big")))
    at = random.randrange(len(content) + 1)
    # At a place that numbers have.
    at = at // size * size if random.random() < 0.7 else at
    return content[:at] + number + content[at + size :]


def cut(random: Random, content: bytes) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def removed(random: Random, content: bytes) -> bytes:
    start, end = _span(random, len(content))
    return content[:start] + content[end:]


def zeroed(random: Random, content: bytes) -> bytes:
    start, end = _span(random, len(content))
    return content[:start] + random.choice((b"\0", b"\xff")) * (end - start) + content[end:]


def inserted(random: Random, content: bytes) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + random.randbytes(random.choice((1, 2, 4, 16, 1000))) + content[at:]


def doubled(random: Random, content: bytes) -> bytes:
    start, end = _span(random, len(content))
    return content[:end] + content[start:end] * random.choice((1, 2, 50)) + content[end:]


def swapped(random: Random, content: bytes) -> bytes:
    a, b, c, d = sorted(random.randrange(len(content) + 1) for _ in range(4))
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


BYTES: tuple[Change, ...] = (
    flipped, number_written, number_written, cut, removed, zeroed, inserted, doubled, swapped
)  # fmt: skip


# Text.
def number_edited(random: Random, content: bytes) -> bytes:
    """One of the numbers in a text is another."""
    places, at = [], 0
    while at < len(content):
        end = at
        while end < len(content) and content[end : end + 1].isdigit():
            end += 1
        if end > at:
            places.append((at, end))
        at = end + 1
    if not places:
        return content
    start, end = random.choice(places)
    return content[:start] + random.choice(ODD_NUMBERS).encode() + content[end:]


def text_inserted(random: Random, content: bytes) -> bytes:
    start, end = _span(random, len(content))
    end = end if random.random() < 0.5 else start
    text = random.choice((*ODD_TEXTS, "x" * LONG if random.random() < 0.1 else "x"))
    return content[:start] + text.encode() + content[end:]


def line_changed(random: Random, content: bytes) -> bytes:
    """A line is lost, there twice, elsewhere, blank, or has other separators."""
    lines = content.split(b"\n")
    at = random.randrange(len(lines))
    line = lines.pop(at)
    old, new = random.choice(b",; /\\."), random.choice((b",", b";", b"\t", b"  ", b"\\", b""))
    new_lines = random.choice(
        ([], [line, line], [b""], [line, b"", b"  "], [line.replace(bytes([old]), new)], [line * 2])
    )
    if random.random() < 0.2:
        at = random.randrange(len(lines) + 1)
    return b"\n".join([*lines[:at], *new_lines, *lines[at:]])


def written_otherwise(random: Random, content: bytes) -> bytes:
    """The same text in another encoding, normal form, dialect or with other line ends."""
    text = content.decode(errors="replace")
    return random.choice(
        (
            lambda: text.encode("latin-1", "replace"),
            lambda: text.encode("utf-16"),
            lambda: text.encode("utf-8-sig"),
            lambda: unicodedata.normalize("NFD", text).encode(),
            lambda: text.replace("\n", "\r\n").encode(),
            lambda: text.replace("\n", "\r").encode(),
            lambda: text.replace(",", ";").encode(),
            lambda: text.replace(",", "\t").encode(),
            lambda: text.replace(" ", ",").encode(),
            lambda: text.replace(",", '","').encode(),
            lambda: text.replace("/", "\\").encode(),
            lambda: text.upper().encode(),
        )
    )()


TEXT: tuple[Change, ...] = (number_edited, text_inserted, line_changed, written_otherwise)


# JSON, and JSON by lines.
class _Raw(str):
    """What stands in a document as it is, such as a number that no float holds."""


def _odd_value(random: Random, old: Any) -> Any:
    nested = _Raw("[" * 3000 + "]" * 3000)
    return random.choice(
        (
            None, True, False, 0, -1, 1, 0.5, 2**31, 2**63, 1e308, [], {}, [[]], {"": None}, old,
            [old], {"value": old}, str(old), "a" * LONG, nested, *map(_Raw, ODD_NUMBERS[:6]),
            *ODD_TEXTS,
        )
    )  # fmt: skip


def json_changed(random: Random, content: bytes) -> bytes:
    """A value has another type or size, a key is lost, new, or called otherwise."""
    if content.count(b"\n{") and b"}\n{" in content:
        lines = content.split(b"\n")
        at = random.randrange(len(lines))
        return b"\n".join([*lines[:at], json_changed(random, lines[at]), *lines[at + 1 :]])
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return number_edited(random, content)
    places = list(_places([document]))
    holder, key = random.choice(places)
    at_all = random.random()
    if at_all < 0.65 or (isinstance(holder, list) and len(holder) == 1):
        holder[key] = _odd_value(random, holder[key])
    elif at_all < 0.8:
        del holder[key]
    elif isinstance(holder, dict):
        name = random.choice((*ODD_TEXTS, f"{key}2", key.upper()))
        holder[name] = holder.pop(key) if at_all < 0.9 else _odd_value(random, holder[key])
    else:
        holder.insert(key, _odd_value(random, holder[key]))
    return _as_json(places[0][0][0]).encode(errors="surrogateescape")


def _places(holder: Any) -> Any:
    """(holder, key) of every value, however deep."""
    pending = [holder]
    while pending:
        each = pending.pop()
        for key in range(len(each)) if isinstance(each, list) else list(each):
            yield each, key
            if isinstance(each[key], list | dict):
                pending.append(each[key])


def _as_json(value: Any) -> str:
    if isinstance(value, _Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_as_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_as_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


JSON: tuple[Change, ...] = (json_changed, json_changed, json_changed)


# Archives and pictures with sums, which are right again after the change.
def in_zip(random: Random, content: bytes) -> bytes:
    """One of an archive's files is changed."""
    members = _members(content)
    if not members:
        return flipped(random, content)
    at = random.randrange(len(members))
    name, data = members[at]
    members[at] = (name, random.choice(changes_for(name))(random, data))
    return _zip(members, random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def lost_member(random: Random, content: bytes) -> bytes:
    """One of an archive's files is lost, there twice, called otherwise, or very large."""
    members = _members(content)
    if not members:
        return cut(random, content)
    at = random.randrange(len(members))
    name, data = members.pop(at)
    members += random.choice(
        (
            [], [(name, data), (name, data[::-1])], [(f"../{name}", data)], [(name, b"")],
            [(name.upper(), data)], [(name, data + bytes(64 * 1024**2 * (random.random() < 0.05)))],
        )
    )  # fmt: skip
    return _zip(members, zipfile.ZIP_DEFLATED)


def _members(content: bytes) -> list[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [(name, archive.read(name)) for name in archive.namelist()]
    except Exception:  # an earlier change has hit the archive itself
        return []


def _zip(members: list[tuple[str, bytes]], compression: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            archive.writestr(info, data)
    return buffer.getvalue()


def in_png(random: Random, content: bytes) -> bytes:
    """The chunks of a PNG are changed, and have the right sums again."""
    changed = random.choice(BYTES)(random, content)
    result, at = changed[:8], 8
    while at + 12 <= len(changed):
        size = min(int.from_bytes(changed[at : at + 4], "big"), len(changed) - at - 12)
        body = changed[at + 4 : at + 8 + size]
        result += size.to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
        at += 12 + size
    return result + changed[at:]


def structure_changed(suffix: str) -> Change:
    """A change of one of the tables of `structures.STRUCTURES`; of bytes where it has none left."""

    def change(random: Random, content: bytes) -> bytes:
        return STRUCTURES[suffix](random, content) or flipped(random, content)

    return change

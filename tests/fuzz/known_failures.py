"""A reader that fails in every way that the harness tells apart, by the content of the file."""

import os
import signal
import time
import zlib
from collections.abc import Iterable
from pathlib import Path

from reader import Reader

WAYS = ("accepted", "clean", "traceback", "crash", "hang", "memory")


def seeds(folder: Path) -> Iterable[Path]:
    (folder / "sound.txt").write_text("a sound file, 1 2 3\n")
    yield folder / "sound.txt"


def way_of(content: bytes) -> str:
    """What becomes of a file."""
    return WAYS[zlib.crc32(content) % len(WAYS)]


def read(path: Path) -> None:
    way = way_of(path.read_bytes())
    if way == "clean":
        raise ValueError("one sentence")
    if way == "traceback":
        raise KeyError("nobody knows this key")
    if way == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if way == "hang":
        time.sleep(1000)
    if way == "memory":
        taken = b"x" * 400 * 1024**2
        time.sleep(1000)
        del taken


IMPORTED = ()
READERS = {"known": Reader("known", seeds, read, 0, clean=("ValueError",), seconds=2.0)}

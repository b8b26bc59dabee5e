"""Decoding in a process of its own, whose limits can be lowered: python limited_decoding.py WHAT…

Prints one JSON document.
"""

import contextlib
import errno
import gc
import json
import os
import resource
import sys
from pathlib import Path

import av

from a2keras.models.preprocessing import DecodeError, decode_video, read_image
from a2keras.models.preprocessing.errors import undecodable
from a2keras.models.preprocessing.windows import Windows, sliding_clips


def now() -> tuple[int, float]:
    """Threads and MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return len([*Path("/proc/self/task").iterdir()]), pages * resource.getpagesize() / 2**20


def growth(film: str, count: str) -> dict:
    """What so many decodes leave without Python's collector; errors are kept, as in a report."""

    def attempt() -> str:
        try:
            return str(decode_video(film).frames.shape)
        except DecodeError as error:
            errors.append(error)
            return "DecodeError"

    errors: list[DecodeError] = []
    attempt()
    gc.collect()
    gc.disable()
    threads, size = now()
    results = {attempt() for _ in range(int(count))}
    threads_after, size_after = now()
    return {
        "results": sorted(results),
        "threads": threads_after - threads,
        "MiB": size_after - size,
    }


@contextlib.contextmanager
def lowered(kind: int, limit: int):
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


@contextlib.contextmanager
def few_files():
    with lowered(resource.RLIMIT_NOFILE, 64), contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            while True:
                held.enter_context(open(os.devnull))  # noqa: PTH123
        yield


def little_memory(mib: int):
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return lowered(resource.RLIMIT_AS, pages * resource.getpagesize() + mib * 2**20)


@contextlib.contextmanager
def no_threads():
    """Limits on processes are not for root."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    with lowered(resource.RLIMIT_NPROC, 1):
        yield


LIMITS = {
    "files": few_files,
    "memory": lambda: little_memory(5),
    "threads": no_threads,
}


def limited(limit: str, film: str, image: str) -> dict:
    """What each kind of reading says under a limit, and after it."""

    def told(read) -> str:
        try:
            read()
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "read"

    def refused() -> None:
        raise undecodable("x", "y", av.error.MemoryError(errno.ENOMEM, "Cannot allocate memory"))

    reads = {
        "video": lambda: decode_video(film),
        "part": lambda: decode_video(film, start=0.1),
        "windows": lambda: list(Windows(film, sliding_clips(0.1, 4, 1))),
        "image": lambda: read_image(image),
        "ffmpeg": refused,
    }
    for read in reads.values():  # what is imported late is there
        told(read)
    with LIMITS[limit]():
        under = {name: told(read) for name, read in reads.items()}
    return {"under": under, "after": {name: told(read) for name, read in reads.items()}}


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    print(json.dumps(growth(*rest) if what == "growth" else limited(what, *rest)))

"""Files that give no frames: missing, damaged, too large, or read where the machine fails."""

import os

import numpy as np

from a2keras.errors import OutOfResources, lacking, printable, reason_of
from a2keras.models.preprocessing.places import Path_

MAX_PIXELS = 89_478_485  # of one frame; Pillow's own bound against decompression bombs


class DecodeError(Exception):
    """A file gives no frames. The text is one sentence that names the path."""

    def __init__(self, path: Path_, reason: object):
        # Safe to print: TensorFlow hands on no error whose text is not UTF-8.
        super().__init__(printable(f"{os.fsdecode(path)}: {reason}"))


def undecodable(path: Path_, reason: str, error: BaseException) -> Exception:
    """What to raise where a library fails on a file.

    Returns:
        `OutOfResources` where the machine is what fails: a file that has never been looked at must
        not be left out as a damaged one. Else a `DecodeError`, with what the library says.
    """
    lack = lacking(error)
    if lack == "memory" and type(error).__module__.startswith("av.") and not _memory_is_short():
        lack = None  # FFmpeg says so as well where a damaged file asks for an absurd amount
    if lack:
        return OutOfResources(lack, f"{os.fsdecode(path)} was read", error)
    message = getattr(error, "strerror", None) or reason_of(error)
    return DecodeError(path, f"{reason} ({message})")


def _memory_is_short() -> bool:
    """Whether there is less to be had than FFmpeg takes at most at a time: 2 GiB."""
    try:
        np.empty(2**31, np.uint8)
    except MemoryError:
        return True
    return False


def check_pixels(path: Path_, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DecodeError(
            path, f"has {width} × {height} pixels, more than the limit of {MAX_PIXELS}"
        )

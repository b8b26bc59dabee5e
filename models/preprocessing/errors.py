"""What decoding images and videos shares: its error, opening a file, the limit on pixels."""

import io
import os
from pathlib import Path

from a2keras.errors import printable
from a2keras.models.preprocessing.places import Path_, is_remote, read_bytes

MAX_PIXELS = 89_478_485  # of one frame; Pillow's own bound against decompression bombs


class DecodeError(Exception):
    """A file gives no frames. The text is one sentence that names the path."""

    def __init__(self, path: Path_, reason: object):
        # Safe to print: TensorFlow hands on no error whose text is not UTF-8.
        super().__init__(printable(f"{os.fsdecode(path)}: {reason}"))


def opened(path: Path_) -> str | io.BytesIO:
    """What a decoder takes: the path of a file here, the bytes of one elsewhere."""
    text = os.fsdecode(path)
    if is_remote(text):
        try:
            return io.BytesIO(read_bytes(text))
        except OSError as error:
            raise DecodeError(path, f"cannot be read ({error})") from error
    if not Path(text).is_file():
        raise DecodeError(path, "is not a file" if Path(text).exists() else "does not exist")
    return text


def check_pixels(path: Path_, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DecodeError(
            path, f"has {width} × {height} pixels, more than the limit of {MAX_PIXELS}"
        )

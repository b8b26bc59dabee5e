"""What decoding images and videos shares: its error, opening a file, the limit on pixels."""

import io
import os
from pathlib import Path

from a2keras.models.preprocessing.places import Path_, is_remote, read_bytes

MAX_PIXELS = 89_478_485  # of one frame; Pillow's own bound against decompression bombs


class DecodeError(Exception):
    """A file gives no frames. The text is one sentence that names the path."""

    def __init__(self, path: Path_, reason: object):
        super().__init__(f"{os.fsdecode(path)}: {reason}")


def opened(path: Path_) -> str | io.BytesIO:
    """What a decoder takes: the absolute path of a file here, the bytes of one elsewhere."""
    text = os.fsdecode(path)
    if is_remote(text):
        try:
            return io.BytesIO(read_bytes(text))
        except OSError as error:
            raise DecodeError(path, f"cannot be read ({error})") from error
    if not Path(text).is_file():
        raise DecodeError(path, "is not a file" if Path(text).exists() else "does not exist")
    return str(Path(text).absolute())  # to FFmpeg, the beginning of `a:b.mp4` is a protocol


def check_pixels(path: Path_, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DecodeError(
            path, f"has {width} × {height} pixels, more than the limit of {MAX_PIXELS}"
        )

"""A file, wherever it lies, as decoders take it."""

import io
import os
from pathlib import Path

from a2keras.models.preprocessing.errors import DecodeError, undecodable
from a2keras.models.preprocessing.places import Path_, is_remote, read_bytes


def decoder_input(path: Path_) -> str | io.BytesIO:
    """What a decoder takes: the absolute path of a file here, the bytes of one elsewhere."""
    text = os.fsdecode(path)
    check_there(path)
    if is_remote(text):
        try:
            return io.BytesIO(read_bytes(text))
        except OSError as error:
            raise undecodable(path, "cannot be read", error) from error
    return str(Path(text).absolute())  # to FFmpeg, the beginning of `a:b.mp4` is a protocol


def check_there(path: Path_) -> None:
    """`DecodeError` where there is no such file here; nobody is asked for one elsewhere."""
    text = os.fsdecode(path)
    if is_remote(text):
        return
    try:
        there, is_file = Path(text).exists(), Path(text).is_file()
    except OSError as error:  # a name that is too long, a folder that nobody may look into
        raise undecodable(path, "cannot be read", error) from error
    if not is_file:
        raise DecodeError(path, "is not a file" if there else "does not exist")

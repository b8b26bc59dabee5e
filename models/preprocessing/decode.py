"""From a file to uint8 RGB frames, whichever it is: an image or a video."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from a2keras.errors import UserError
from a2keras.models.preprocessing.file_formats import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from a2keras.models.preprocessing.image import NotAnImage, read_image
from a2keras.models.preprocessing.places import Path_
from a2keras.models.preprocessing.video import read_video

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "files_in", "read"]


def read(path: Path_, short_side: int | None = None) -> np.ndarray:
    """Reads an image, uint8 (H, W, 3), or a video, uint8 (T, H, W, 3), whichever the file is.

    The suffix decides; a file with another suffix is tried as an image, and as a video where its
    first bytes are those of no image.
    """
    suffix = Path(os.fsdecode(path)).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return read_image(path)
    if suffix not in VIDEO_SUFFIXES:
        try:
            return read_image(path)
        except NotAnImage:
            pass
    return read_video(path, short_side)


def files_in(places: Iterable[str], is_video: bool) -> list[str]:
    """The files that a user names, and for a folder all images, or all videos, below it.

    Raises:
        UserError: a folder without any.
    """
    suffixes, kind = (VIDEO_SUFFIXES, "video") if is_video else (IMAGE_SUFFIXES, "image")
    files: list[str] = []
    for place in places:
        if not Path(place).is_dir():
            files.append(place)
            continue
        paths = [each for each in sorted(Path(place).rglob("*")) if each.suffix.lower() in suffixes]
        if not paths:
            raise UserError(f"the folder {place} holds no {kind}")
        files += map(str, paths)
    return files

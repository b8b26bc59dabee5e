"""From a file to uint8 RGB frames, whichever it is: an image or a video."""

import os
from pathlib import Path

import numpy as np

from a2keras.models.preprocessing.file_formats import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from a2keras.models.preprocessing.image import NotAnImage, read_image
from a2keras.models.preprocessing.places import Path_
from a2keras.models.preprocessing.video import read_video

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES", "read"]


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

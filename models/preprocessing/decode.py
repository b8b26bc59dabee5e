"""From a file to uint8 RGB frames, whichever it is: an image or a video."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePath

import numpy as np

from a2keras.console import say
from a2keras.errors import UserError, printable, system_reason
from a2keras.models.preprocessing.file_formats import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from a2keras.models.preprocessing.image import NotAnImage, read_image
from a2keras.models.preprocessing.places import Path_
from a2keras.models.preprocessing.scanning import scan, suffix_of
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

    What counts as being below a folder is the same as for training, see `scan`.

    Raises:
        UserError: a folder without any, or one that cannot be listed.
    """
    suffixes, kind = (VIDEO_SUFFIXES, "video") if is_video else (IMAGE_SUFFIXES, "image")
    files: list[str] = []
    for place in places:
        # That of pathlib raises where a folder may not be looked into.
        if not os.path.isdir(place):  # noqa: PTH112
            files.append(place)
            continue
        try:
            tree = scan(place)
        except OSError as error:
            reason = system_reason(error)
            raise UserError(f"{printable(place)} cannot be listed: {reason}") from error
        for note in tree.notes:
            say(note)
        found = [file for file in tree.files if suffix_of(file) in suffixes]
        if not found:
            raise UserError(f"the folder {printable(place)} holds no {kind}")
        files += [str(PurePath(place, file)) for file in found]
    return files

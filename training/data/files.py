"""Media files as examples: read once, kept in memory where they fit, read again where not."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from a2keras.console import progress, say
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.image import read_image
from a2keras.models.preprocessing.video import decode_video
from a2keras.training.data.source import Examples

GIB = 1024**3
NOT_KEPT = np.zeros(0, "uint8")  # a file that can be read, but is not kept in memory


class FileExamples(Examples):
    """Images or videos on disk.

    Args:
        paths: the files.
        names: their paths relative to the data's folder.
        labels: int64 (N,).
        is_video: what they are.
        size: short side that prediction reads videos with.
        short_side: short side that training needs.
        kept: decoded frames for training, or `NOT_KEPT`.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        names: Sequence[str],
        labels: np.ndarray,
        is_video: bool,
        size: int,
        short_side: int,
        kept: Sequence[np.ndarray],
    ) -> None:
        self.paths = tuple(paths)
        self.names = tuple(names)
        self.labels = labels
        self.is_video = is_video
        self.size = size
        self.short_side = short_side
        self.kept = tuple(kept)

    def frames(self, index: int) -> np.ndarray:
        path = self.paths[index]
        return decode_video(path, self.size).steady() if self.is_video else read_image(path)

    def training_frames(self, index: int) -> np.ndarray:
        kept = self.kept[index]
        if kept is not NOT_KEPT:
            return kept
        return read_small(self.paths[index], self.is_video, self.short_side)


def read_small(path: Path, is_video: bool, short_side: int) -> np.ndarray:
    """Decodes a file to uint8 frames whose short side is at most `short_side`."""
    if is_video:
        return decode_video(path, short_side).steady()
    image = read_image(path)
    height, width = image.shape[:2]
    scale = short_side / min(height, width)
    if scale >= 1:
        return image
    from PIL import Image

    size = (max(round(width * scale), short_side), max(round(height * scale), short_side))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def read_all(
    paths: Sequence[Path], keep: np.ndarray, task: str, short_side: int, budget: float
) -> tuple[list[np.ndarray | None], list[DecodeError]]:
    """Reads every file once, so that what cannot be read is known before training starts.

    Args:
        paths: the files.
        keep: bool (N,), whose frames training will need again.
        task: "image" or "video".
        short_side: of the frames to keep.
        budget: GiB of frames to keep; if they do not all fit, none is kept.

    Returns:
        for every file its frames, `NOT_KEPT` or None (it cannot be read); and the reasons.
    """
    frames: list[np.ndarray | None] = []
    errors: list[DecodeError] = []
    kept, fits = 0, True

    def attempt(path: Path) -> np.ndarray | DecodeError:
        try:
            return read_small(path, task == "video", short_side)
        except DecodeError as error:
            return error

    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        # In portions: the pool would otherwise decode far ahead of the budget.
        portions = (paths[i : i + 4 * workers] for i in range(0, len(paths), 4 * workers))
        results = (result for portion in portions for result in pool.map(attempt, portion))
        for result in progress(results, f"reading {task}s", total=len(paths)):
            if isinstance(result, DecodeError):
                errors.append(result)
                frames.append(None)
                continue
            wanted = bool(keep[len(frames)])
            kept += result.nbytes * wanted
            if fits and kept > budget * GIB:
                fits = False
                frames = [None if array is None else NOT_KEPT for array in frames]
            frames.append(result if wanted and fits else NOT_KEPT)
    if errors:
        say(f"{len(errors)} of {len(paths)} files cannot be read and are left out, such as")
        say(f"  {errors[0]}")
    if not fits:
        say(f"the decoded {task}s do not fit into memory_budget={budget:g} GiB: they are read anew")
    return frames, errors

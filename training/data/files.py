"""Media files as examples: read once, kept in memory where they fit, read again where not."""

import dataclasses
import functools
import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, NamedTuple, Self

import numpy as np

from a2keras.console import progress, say
from a2keras.errors import counted
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.geometry import reduced_size
from a2keras.models.preprocessing.image import read_image, unwarned
from a2keras.models.preprocessing.video import decode_video
from a2keras.training.config import Recipe
from a2keras.training.data.contents import NO_HASH, FileList
from a2keras.training.data.listing import Listing
from a2keras.training.data.reading import Keeping, Kept, in_order, threads_for
from a2keras.training.data.source import Examples, Skipped

GIB = 1024**3
AT_ONCE = 16  # images that a thread reads one after the other


class MediaFile(NamedTuple):
    """A file, or of a video the part from `start` to `end` in seconds."""

    path: str
    start: float | None = None
    end: float | None = None

    @property
    def part(self) -> str:
        """`@2.5-7`, or "" of a whole file; to the end is `@2.5-end`."""
        if (self.start, self.end) == (None, None):
            return ""
        end = "end" if self.end is None else f"{self.end:.12g}"
        return f"@{self.start or 0:.12g}-{end}"


@dataclass(frozen=True, kw_only=True)
class FileListing(Listing):
    """Examples that are files.

    Attributes:
        files: where every example lies.
        listed: all files of the source, which tells what is in them.
        kept: decoded frames of every example; None where these are read anew.
    """

    files: tuple[MediaFile, ...]
    listed: FileList
    kept: Kept | None = None

    @property
    def fingerprint(self) -> str:
        return self.listed.fingerprint

    def contents(self) -> tuple[str, ...]:
        return self._contents

    @functools.cached_property
    def _contents(self) -> tuple[str, ...]:
        known = self.listed.contents
        return tuple(_content(file, known[file.path]) for file in self.files)

    def select(self, members: np.ndarray) -> Self:
        def some(values: tuple) -> tuple:
            return tuple(values[i] for i in members)

        return dataclasses.replace(
            super().select(members),
            files=some(self.files),
            kept=self.kept and self.kept.select(members),
        )

    def readable(self, recipe: Recipe) -> tuple[Self, tuple[Skipped, ...]]:
        """Reads every file once, so that what cannot be read is known before training starts."""
        short_side = training_side(recipe)
        kept, errors = read_all(self.files, self.task, short_side, recipe.memory_budget)
        skipped = tuple(Skipped(self.names[i], str(error)) for i, error in errors.items())
        good = np.setdiff1d(np.arange(len(self.files)), list(errors))
        return dataclasses.replace(self.select(good), kept=kept), skipped

    def examples(self, recipe: Recipe, in_memory: bool) -> "FileExamples":
        size = recipe.test_short_side or recipe.size
        return FileExamples(self, size, training_side(recipe), in_memory)


def _content(file: MediaFile, known: str) -> str:
    if known.startswith(NO_HASH):  # class folder, name and size, which a copy has as well
        described = f"{known}\t{'/'.join(PurePath(file.path).parts[-2:])}"
        known = hashlib.sha256(os.fsencode(described)).hexdigest()
    return known + file.part


def training_side(recipe: Recipe) -> int:
    """The short side that training needs, so that no crop has to be enlarged."""
    smallest = math.sqrt(recipe.crop_area) if recipe.crop == "area" else recipe.crop_scale
    return max(math.ceil(recipe.size / smallest), recipe.test_short_side)


class FileExamples(Examples):
    """Images or videos on disk.

    Args:
        listing: the files.
        size: short side that prediction reads videos with.
        short_side: short side that training needs.
        in_memory: use the frames that the listing has kept.
    """

    def __init__(self, listing: FileListing, size: int, short_side: int, in_memory: bool) -> None:
        self.files = listing.files
        self.contents = listing.contents
        self.names = listing.names
        self.labels = listing.labels
        self.is_video = listing.task == "video"
        self.size = size
        self.short_side = short_side
        self.kept = listing.kept if in_memory else None

    def frames(self, index: int) -> np.ndarray:
        file = self.files[index]
        return _read_video(file, self.size) if self.is_video else read_image(file.path)

    def identities(self) -> list[str]:
        return list(self.contents())

    def path(self, index: int) -> str:
        return self.files[index].path

    def training_frames(self, index: int) -> np.ndarray:
        if self.kept is not None:
            return self.kept[index]
        return read_small(self.files[index], self.is_video, self.short_side)

    def load(self, index: Any) -> Any:
        return Examples.load(self, index) if self.kept is None else self.kept.load(index)

    def stacked(self) -> tuple[Any, np.ndarray] | None:
        return None if self.kept is None or self.is_video else self.kept.stacked()


def _read_video(file: MediaFile, short_side: int) -> np.ndarray:
    return decode_video(file.path, short_side, file.start, file.end).steady()


def read_small(file: MediaFile, is_video: bool, short_side: int) -> np.ndarray:
    """Decodes a file to uint8 frames whose short side is at most `short_side`."""
    if is_video:
        return _read_video(file, short_side)
    return reduced(read_image(file.path), short_side)


def reduced(image: np.ndarray, short_side: int, interpolation: str = "bilinear") -> np.ndarray:
    """An image (H, W, 3) whose short side is at most `short_side`; 0: as it is."""
    height, width = image.shape[:2]
    if not 0 < short_side < min(height, width):
        return image
    from PIL import Image

    size = reduced_size(width, height, short_side)
    resampling = Image.Resampling[interpolation.upper()]
    return np.asarray(Image.fromarray(image).resize(size, resampling))


def read_all(
    files: Sequence[MediaFile], task: str, short_side: int, budget: float
) -> tuple[Kept | None, dict[int, DecodeError]]:
    """Reads every file once.

    Args:
        files: what to read.
        task: "image" or "video".
        short_side: of the frames to keep.
        budget: GiB of frames to keep; if they do not all fit, none is kept.

    Returns:
        the frames of those that can be read; and of those that cannot the numbers and the reasons.
    """
    errors: dict[int, DecodeError] = {}
    keeping = Keeping(budget * GIB)

    def attempt(file: MediaFile) -> np.ndarray | DecodeError:
        try:
            return read_small(file, task == "video", short_side)
        except DecodeError as error:
            return error

    threads = threads_for([file.path for file in files])
    results = in_order(attempt, files, threads, AT_ONCE if task == "image" else 1)
    with unwarned():
        for i, result in enumerate(progress(results, f"reading {task}s", total=len(files))):
            if isinstance(result, DecodeError):
                errors[i] = result
            else:
                keeping.add(result)
    if errors:
        are = "is" if len(errors) == 1 else "are"
        of = f"{len(errors)} of {counted(len(files), 'file')}"
        say(f"{of} cannot be read and {are} left out, such as")
        say(f"  {next(iter(errors.values()))}")
    if not keeping.fits:
        say(f"the decoded {task}s do not fit into memory_budget={budget:g} GiB: they are read anew")
    return keeping.done(), errors

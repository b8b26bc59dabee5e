"""What a network needs to know about its input, kept beside every saved model and artefact."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from a2keras.documents import RECORD, read_json, write_json
from a2keras.errors import UserError
from a2keras.models.preprocessing.geometry import FITS, INTERPOLATIONS, fit
from a2keras.models.preprocessing.image import read_image
from a2keras.models.preprocessing.pixels import Pixels
from a2keras.models.preprocessing.places import Path_
from a2keras.models.preprocessing.sampling import clip_indices, even_starts
from a2keras.models.preprocessing.video import decode_video

FILE_NAME = "preprocessing.json"
# What a model takes: RGB of 0 to 255, of 0 to 1, or what the modes of `keras.applications` make.
TAKES = ("raw", "unit", "tf", "torch", "caffe")
THRESHOLD = 0.5  # the probability from which on a multi-label model says a label
MOST = 2**16  # pixels of a side, frames of a clip: what a file says may be anything


@dataclass(frozen=True)
class Preprocessing:
    """From a file to the pixels that a network takes, and from its outputs to names.

    Attributes:
        labels: the name of every class, in the order of the network's outputs.
        size: side of the square input in pixels.
        frames: T, frames of a clip; None for networks that take images.
        stride: τ, distance between two frames of a clip.
        fit: "crop" or "letterbox", see `geometry.fit`.
        short_side: for "crop", see `geometry.fit`; None: `size`.
        interpolation: "bilinear" or "bicubic".
        mean, scale: what the first layer of the model does with RGB of 0 to 255, see `Pixels`: it
            is told here, and not to be done again.
        takes: one of `TAKES`. With another one than "raw" whoever loads the model puts in front of
            it what makes that of raw pixels, and `mean` and `scale` say nothing.
        multi_label: whether each output is the probability of its label by itself, as sigmoids
            give it; else they are those of classes of which one is true, and sum to 1.
    """

    __pydantic_config__: ClassVar = RECORD

    labels: tuple[str, ...]
    size: int
    frames: int | None = None
    stride: int = 1
    fit: str = "crop"
    short_side: int | None = None
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = Pixels().mean
    scale: tuple[float, ...] = Pixels().scale
    takes: str = "raw"
    multi_label: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        if not self.labels or not all(isinstance(label, str) for label in self.labels):
            raise ValueError(f"`labels` must be names, at least one. Received: {self.labels}")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"`labels` must differ from one another. Received: {self.labels}")
        given = ("frames", "short_side")
        for name in ("size", "stride", *(n for n in given if getattr(self, n) is not None)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"`{name}` must be an integer of at least 1. Received: {value!r}")
            if value > MOST:
                raise ValueError(f"`{name}` must be at most {MOST}. Received: {value!r}")
        if self.fit not in FITS:
            raise ValueError(f"`fit` must be one of {FITS}. Received: fit={self.fit!r}")
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"`interpolation` must be one of {INTERPOLATIONS}. "
                f"Received: interpolation={self.interpolation!r}"
            )
        if self.short_side is not None and (self.short_side < self.size or self.fit != "crop"):
            raise ValueError(
                "`short_side` must be at least `size`, and is for crops. Received: "
                f"short_side={self.short_side}, size={self.size}, fit={self.fit!r}"
            )
        for name in ("mean", "scale"):
            value = getattr(self, name)
            if (
                not isinstance(value, list | tuple)
                or len(value) != 3
                or not all(map(_finite, value))
            ):
                raise ValueError(f"`{name}` must be three numbers. Received: {name}={value!r}")
            object.__setattr__(self, name, tuple(map(float, value)))
        if self.takes not in TAKES:
            raise ValueError(f"`takes` must be one of {TAKES}. Received: takes={self.takes!r}")
        if self.takes != "raw" and self.pixels != Pixels():
            raise ValueError(
                "`mean` and `scale` are for models that take raw pixels. "
                f"Received: takes={self.takes!r}, mean={self.mean}, scale={self.scale}"
            )

    @property
    def pixels(self) -> Pixels:
        """How pixels become the numbers that the network's own layers take."""
        return Pixels(self.mean, self.scale)

    @property
    def is_video(self) -> bool:
        return self.frames is not None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """([T,] size, size, 3): the shape of one view."""
        square = (self.size, self.size, 3)
        return square if self.frames is None else (self.frames, *square)

    def check_shapes(
        self, path: str | Path, taken: tuple[int | None, ...], given: tuple[int | None, ...]
    ) -> None:
        """Whether a model takes what this makes, and gives what the labels name.

        Args:
            path: of the model, for the sentence.
            taken: shape of its input without the batch, given: of its output; open sizes are None.

        Raises:
            UserError: it does not.
        """
        made = self.input_shape
        if len(taken) != len(made) or any(
            size not in (None, other) for size, other in zip(taken, made, strict=True)
        ):
            raise UserError(
                f"{path} takes pixels of shape {taken}, but its preprocessing makes {made}"
            )
        labels = len(self.labels)
        if given not in ((labels,), (None,)):
            raise UserError(
                f"{path} gives outputs of shape {given}, but its preprocessing names {labels} "
                "classes"
            )

    def said(self, probabilities: np.ndarray) -> list[int]:
        """The labels that a multi-label model says of probabilities (classes,): the numbers of
        those from `THRESHOLD` on, the likeliest first."""
        order = np.argsort(-probabilities, kind="stable")
        return [int(i) for i in order if probabilities[i] >= THRESHOLD]

    def read(self, path: Path_) -> np.ndarray:
        """Decodes a file to uint8 (H, W, 3), or (total frames, H, W, 3) for a video network.

        Videos of variable frame rate are brought to a constant one, see `sampling.steady_indices`.

        Raises:
            DecodeError: the file is not of the kind that the network takes, or does not decode.
        """
        if not self.is_video:
            return read_image(path)
        return decode_video(path, self.short_side or self.size).steady()

    def view(self, frames: Any, start: Any = 0.5, offsets: Any = (0.5, 0.5)) -> Any:
        """One view of decoded frames: the clip that starts at `start`, cropped at `offsets`.

        The defaults are the middle clip and the centre crop of testing; training gives random
        numbers in [0, 1]. Works on NumPy arrays and within tf.data.

        Args:
            frames: uint8, as `read` returns them.
            start: see `sampling.clip_indices`; unused for images.
            offsets: see `geometry.fit`.

        Returns:
            uint8 of `input_shape`.
        """
        if self.is_video:
            if isinstance(frames, np.ndarray):
                frames = frames[self.indices(len(frames), start)]
            else:
                import tensorflow as tf

                total = tf.shape(frames, out_type="int64")[0]
                frames = tf.gather(frames, self.indices(total, start))
        return self.crop(frames, offsets)

    def indices(self, total: Any, start: Any = 0.5) -> Any:
        """The frames of a video of `total` frames that make the clip at `start`: int64 (T,)."""
        assert self.frames is not None
        return clip_indices(total, self.frames, self.stride, start)

    def crop(self, frames: Any, offsets: Any = (0.5, 0.5)) -> Any:
        """The square of an image, or of all frames of a clip: uint8 of `input_shape`."""
        return fit(frames, self.size, self.fit, offsets, self.short_side, self.interpolation)

    def views(self, path: Path_, clips: int = 1, crops: int = 1) -> np.ndarray:
        """The test views of a file, see `views_of`.

        Raises:
            DecodeError: as `read`.
        """
        return self.views_of(self.read(path), clips, crops)

    def views_of(self, frames: np.ndarray, clips: int = 1, crops: int = 1) -> np.ndarray:
        """The test views of decoded frames: evenly spaced clips × crops, crop by crop.

        Args:
            frames: uint8, as `read` returns them.
            clips: N evenly spaced clips, the middle one for 1; of an image there is one.
            crops: 1 for the centre, or 3 along the longer side: left, centre, right of a landscape,
                top, centre, bottom of a portrait.

        Returns:
            uint8 (clips · crops, *input_shape): the crops of the first clip, of the second, …

        Raises:
            ValueError: other numbers of crops, or 3 of what is letterboxed.
        """
        clips_of = [frames]
        if self.is_video:
            clips_of = [frames[self.indices(len(frames), start)] for start in even_starts(clips)]
        return np.concatenate([self.crops(each, crops) for each in clips_of])

    def crops(self, frames: np.ndarray, count: int = 1) -> np.ndarray:
        """The test crops of an image, or of all frames of a clip alike.

        Args:
            frames: uint8 ([T,] H, W, 3).
            count: see `views_of`.

        Returns:
            uint8 (count, *input_shape).

        Raises:
            ValueError: see `views_of`.
        """
        if count not in (1, 3) or (count == 3 and self.fit != "crop"):
            raise ValueError(
                "`crops` must be 1, or 3 where `fit` is 'crop'. "
                f"Received: crops={count}, fit={self.fit!r}"
            )
        height, width = frames.shape[-3:-1]
        along = [0.5] if count == 1 else [0.0, 0.5, 1.0]
        offsets = [(0.5, at) if width >= height else (at, 0.5) for at in along]
        return np.stack([self.crop(frames, at) for at in offsets])

    def save(self, directory: str | Path) -> Path:
        """Writes `preprocessing.json` into a directory that exists, and returns its path."""
        path = Path(directory) / FILE_NAME
        self.write(path)
        return path

    def write(self, path: str | Path) -> None:
        """Writes a file as `read_file` takes it.

        What takes raw pixels does not say so, nor does what is not multi-label, for earlier
        readers; what takes others has no `mean`.
        """
        document = asdict(self)
        for name in ("takes",) if self.takes == "raw" else ("mean", "scale"):
            del document[name]
        if not self.multi_label:
            del document["multi_label"]
        write_json(Path(path), document)

    @classmethod
    def load(cls, directory: str | Path) -> "Preprocessing":
        """Reads `preprocessing.json` of a run or an artefact.

        Raises:
            UserError: it is missing or does not hold what it must; names the path.
        """
        path = Path(directory) / FILE_NAME
        if not path.exists():
            raise UserError(
                f"{path} is missing: it tells how the model's input is made "
                "(`a2keras preprocessing` writes one)"
            )
        return cls.read_file(path)

    @classmethod
    def beside(cls, path: str | Path) -> "Preprocessing | None":
        """What lies beside a model's file and says what it takes, if anything does. Raises as
        `load`."""
        directory = Path(path).parent
        return cls.load(directory) if (directory / FILE_NAME).is_file() else None

    @classmethod
    def read_file(cls, path: str | Path) -> "Preprocessing":
        """Reads a file of this kind, whatever it is called. Raises as `load`."""
        spec: Preprocessing = read_json(path, cls, "a description of a model's input")
        return spec


def _finite(number: Any) -> bool:
    return isinstance(number, int | float) and math.isfinite(number)


def taken_by(path: str | Path) -> str:
    """One of `TAKES`: what a model's file takes, as the file beside it says; raw if there is none.

    Raises:
        UserError: as `Preprocessing.load`.
    """
    beside = Preprocessing.beside(path)
    return beside.takes if beside else "raw"

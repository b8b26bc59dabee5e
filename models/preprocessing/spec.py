"""What a network needs to know about its input, kept beside every saved model and artefact."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from a2keras.console import UserError, write_json
from a2keras.models.preprocessing.geometry import FITS, fit
from a2keras.models.preprocessing.image import read_image
from a2keras.models.preprocessing.places import Path_
from a2keras.models.preprocessing.sampling import clip_indices, even_starts
from a2keras.models.preprocessing.video import decode_video

FILE_NAME = "preprocessing.json"
# (x - mean) · scale, of 8-bit RGB: what the authors' sister code uses for images and videos.
MEAN = (124.0, 117.0, 104.0)
SCALE = 0.0167


def normalisation(name: str = "normalisation") -> Any:
    """The first layer of a trained model: (x - MEAN) · SCALE on raw pixels 0..255.

    It stays in float32 under mixed precision, where pixel values would lose digits.
    """
    import keras

    offset = [-mean * SCALE for mean in MEAN]
    return keras.layers.Rescaling(SCALE, offset, dtype="float32", name=name)


@dataclass(frozen=True)
class Preprocessing:
    """From a file to the pixels that a network takes, and from its outputs to names.

    Attributes:
        labels: the name of every class, in the order of the network's outputs.
        size: side of the square input in pixels.
        frames: T, frames of a clip; None for networks that take images.
        stride: τ, distance between two frames of a clip.
        fit: "crop" or "letterbox", see `geometry.fit`.
    """

    labels: tuple[str, ...]
    size: int
    frames: int | None = None
    stride: int = 1
    fit: str = "crop"

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        if not self.labels or not all(isinstance(label, str) for label in self.labels):
            raise ValueError(f"`labels` must be names, at least one. Received: {self.labels}")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"`labels` must differ from one another. Received: {self.labels}")
        for name in ("size", "stride") if self.frames is None else ("size", "stride", "frames"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"`{name}` must be an integer of at least 1. Received: {value!r}")
        if self.fit not in FITS:
            raise ValueError(f"`fit` must be one of {FITS}. Received: fit={self.fit!r}")

    @property
    def is_video(self) -> bool:
        return self.frames is not None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """([T,] size, size, 3): the shape of one view."""
        square = (self.size, self.size, 3)
        return square if self.frames is None else (self.frames, *square)

    def read(self, path: Path_) -> np.ndarray:
        """Decodes a file to uint8 (H, W, 3), or (total frames, H, W, 3) for a video network.

        Videos of variable frame rate are brought to a constant one, see `sampling.steady_indices`.

        Raises:
            DecodeError: the file is not of the kind that the network takes, or does not decode.
        """
        if not self.is_video:
            return read_image(path)
        return decode_video(path, short_side=self.size).steady()

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
        return fit(frames, self.size, self.fit, offsets)

    def views(self, path: Path_, count: int = 1) -> np.ndarray:
        """The test views of a file: `count` evenly spaced clips, or the one view of an image.

        Returns:
            uint8 (views, *input_shape).

        Raises:
            DecodeError: as `read`.
        """
        frames = self.read(path)
        starts = even_starts(count) if self.is_video else [0.5]
        return np.stack([self.view(frames, start) for start in starts])

    def save(self, directory: str | Path) -> Path:
        """Writes `preprocessing.json` into a directory that exists, and returns its path."""
        path = Path(directory) / FILE_NAME
        write_json(path, asdict(self))
        return path

    @classmethod
    def load(cls, directory: str | Path) -> "Preprocessing":
        """Reads `preprocessing.json` of a run or an artefact.

        Raises:
            UserError: it is missing or does not hold what it must; names the path.
        """
        path = Path(directory) / FILE_NAME
        try:
            document = json.loads(path.read_text())
            if not isinstance(document, dict) or not isinstance(document.get("labels"), list):
                raise ValueError("an object with a list of labels is expected")
            unknown = set(document) - {field.name for field in fields(cls)}
            if unknown:
                raise ValueError(f"unknown keys {sorted(unknown)}")
            return cls(**document)
        except FileNotFoundError:
            raise UserError(f"{path} is missing: it tells how the model's input is made") from None
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{path} cannot be used: {error}") from error

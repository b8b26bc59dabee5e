"""One face for every kind of model on disk: a file in, the probabilities of its classes out."""

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from a2keras.errors import UserError, reason_of
from a2keras.export.manifest import check_hashes
from a2keras.export.parity import Compute
from a2keras.export.reading.apart import load_apart
from a2keras.export.reading.loaders import load_model, locate
from a2keras.export.saved_model import version_of
from a2keras.models import keras_files
from a2keras.models.preprocessing.decode import VIDEO_SUFFIXES
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.places import Path_
from a2keras.models.preprocessing.spec import FILE_NAME, Preprocessing
from a2keras.models.preprocessing.windows import Plan, Window, Windows, even_clips


@dataclass(frozen=True)
class Artefact:
    """A model that was loaded from disk, with what it needs to know about its input.

    It may be in a process of its own, which ends when this is closed (a context manager does) or no
    longer referred to.

    Attributes:
        path: the file or directory that holds the model itself.
        kind: "keras", "saved_model", "tflite", "onnx" or "openvino".
        preprocessing: from a file to pixels, and the names of the classes.
        compute: pixels (B, *preprocessing.input_shape) → probabilities, float32 (B, classes).
        batch: examples that the model takes at once; None: any number.
        close: ends the process that the model is in.
    """

    path: Path
    kind: str
    preprocessing: Preprocessing
    compute: Compute
    batch: int | None = None
    close: Callable[[], None] = field(default=lambda: None, repr=False)

    def __enter__(self) -> "Artefact":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        """Class probabilities, float32 (B, classes), of pixels 0..255 (B, *input_shape).

        Raises:
            ValueError: pixels of another shape.
            UserError: the model does not run, gives NaN or infinity, or not a number for every
                class.
        """
        expected = self.preprocessing.input_shape
        if batch.ndim != len(expected) + 1 or batch.shape[1:] != expected:
            sizes = ", ".join(map(str, expected))
            raise ValueError(f"`batch` must have shape (B, {sizes}). Received: {batch.shape}")
        try:
            result = self.compute(batch)
        except Exception as error:  # a graph may load and yet not run; every runtime has its own
            raise UserError(f"{self.path} cannot be run: {reason_of(error)}") from error
        labels = len(self.preprocessing.labels)
        if result.shape != (len(batch), labels):
            raise UserError(
                f"{self.path} gives outputs of shape {result.shape[1:]}, but its "
                f"preprocessing names {labels} classes"
            )
        if not np.isfinite(result).all():
            raise UserError(f"{self.path} gives NaN or infinity instead of probabilities")
        return result

    def classify(self, file: Path_, clips: int = 1, crops: int = 1) -> np.ndarray:
        """The mean of the probabilities of a file's test views, float32 (classes,).

        The views are those of `Preprocessing.views`, but of a video only the clips are in memory.

        Args:
            file: an image, or a video for a network that takes clips.
            clips: of a video, evenly spaced.
            crops: of each, 1 or 3.

        Raises:
            DecodeError: the file is not of the kind that the network takes, or does not decode.
            ValueError: other crops than the preprocessing can make.
        """
        preprocessing = self.preprocessing
        if preprocessing.is_video:
            plan = even_clips(clips, preprocessing.frames or 1, preprocessing.stride)
            frames: Iterable[np.ndarray] = (each.frames for each in self.windows(file, plan))
        else:
            frames = [self._read_image(file)]
        views = [self.probabilities(preprocessing.crops(each, crops)) for each in frames]
        return np.concatenate(views).mean(axis=0)

    def windows(self, file: Path_, plan: Plan) -> Windows:
        """The clips of a video, in the size in which they are cropped."""
        short_side = self.preprocessing.short_side or self.preprocessing.size
        return Windows(file, plan, short_side if self.preprocessing.is_video else None)

    def over_time(self, windows: Iterable[Window], crops: int = 1) -> Iterator[np.ndarray]:
        """The mean of the probabilities of each clip's crops, float32 (classes,).

        For a network that takes images, clips are of one frame.
        """
        for window in windows:
            frames = window.frames if self.preprocessing.is_video else window.frames[0]
            yield self.probabilities(self.preprocessing.crops(frames, crops)).mean(axis=0)

    def _read_image(self, file: Path_) -> np.ndarray:
        try:
            return self.preprocessing.read(file)
        except DecodeError as error:
            suffix = Path(os.fsdecode(file)).suffix.lower()
            if suffix not in VIDEO_SUFFIXES or not Path(os.fsdecode(file)).is_file():
                raise
            reason = "is a video, but the network takes images: `timeline` classifies its frames"
            raise DecodeError(file, reason) from error


@dataclass(frozen=True)
class Found:
    """A model on disk that has not been loaded yet.

    Attributes:
        path, kind: see `Artefact`.
    """

    path: Path
    kind: str

    @property
    def description(self) -> Path:
        """The `preprocessing.json` in its directory or beside it, which may be missing.

        Of a SavedModel with versions, first that of the version which is loaded.
        """
        inside = [each / FILE_NAME for each in (version_of(self.path), self.path) if each]
        beside = self.path.absolute().parent / FILE_NAME
        return next((file for file in inside if file.is_file()), beside)

    @functools.cached_property
    def preprocessing(self) -> Preprocessing:
        """Read once. Raises `UserError` where it is missing or does not hold what it must."""
        return Preprocessing.load(self.description.parent)

    def load(self, threads: int | None = None, apart: bool = True) -> Artefact:
        """See `load`."""
        check_hashes(self.path)
        if apart and self.path.suffix == ".keras" and keras_files.needs_this_program(self.path):
            apart = False
        model = (load_apart if apart else load_model)(self.path, self.kind, threads)
        try:
            self.preprocessing.check_shapes(self.path, model.input_shape, model.output_shape)
        except BaseException:
            model.close()
            raise
        return Artefact(
            path=self.path,
            kind=self.kind,
            preprocessing=self.preprocessing,
            compute=self._from_raw(model.compute),
            batch=model.batch,
            close=model.close,
        )

    def _from_raw(self, compute: Compute) -> Compute:
        """For a file that takes something else than pixels; of a .keras file these are layers."""
        if self.kind == "keras" or self.preprocessing.takes == "raw":
            return compute
        from a2keras.models.preprocessing.entry import ENTRIES

        entry = ENTRIES[self.preprocessing.takes]()
        return lambda batch: compute(entry.of_array(batch))


def find(path: str | Path) -> Found:
    """Finds what `load` would load.

    Raises:
        UserError: there is no model; names the path.
    """
    return Found(*locate(Path(path)))


def load(path: str | Path, threads: int | None = None, apart: bool = True) -> Artefact:
    """Loads a run, an export, a SavedModel, a `.keras`, `.tflite`, `.onnx` or OpenVINO `.xml` file.

    Where a manifest lies beside the model or in the directory above, its bytes must be those that
    were exported. Nothing that a file brings along is run, see `safety` and `keras_files`.

    Args:
        path: any of these, or published weights by their title.
        threads: see `load_model`.
        apart: in a process of its own, so that a file at which a library crashes, hangs or fills
            the memory is an error like any other. A `.keras` file with classes that the caller's
            program has registered is loaded in this process, which alone knows them.

    Raises:
        UserError: it is none of these, or it is damaged; names the path.
    """
    return find(path).load(threads, apart)

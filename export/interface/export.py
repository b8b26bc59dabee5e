"""`a2keras.export`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from a2keras.console import say
from a2keras.errors import UserError, counted
from a2keras.export.exporting import export as write
from a2keras.export.formats import DEFAULT_FORMATS
from a2keras.models.preprocessing.decode import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.opening import check_there
from a2keras.models.preprocessing.places import Place, places_of
from a2keras.models.preprocessing.spec import Preprocessing

if TYPE_CHECKING:
    import keras


class Compared(TypedDict):
    """How far the outputs of an artefact are from its model's, see `parity.Parity`."""

    samples: int
    real_samples: int
    max_error: float
    mean_error: float
    top1_agreement: float | None
    real_top1_agreement: float | None


class Written(TypedDict):
    """An artefact; `path` lies in the output, `parity` is by signature."""

    path: str
    bytes: int
    sha256: dict[str, str]
    tolerance: dict[str, float | None]
    parity: dict[str, Compared]


class Manifest(TypedDict):
    """manifest.json: what was written, by format, and why the other formats were not."""

    versions: dict[str, str]
    model: dict[str, str | None]
    input: dict[str, Any]
    output: dict[str, Any]
    labels: list[str]
    preprocessing: dict[str, Any]
    artefacts: dict[str, Written]
    failed: dict[str, str]


def export(
    source: "Place | keras.Model",
    output: Place,
    formats: str | Sequence[str] = DEFAULT_FORMATS,
    samples: Place | Sequence[Place] = (),
    tolerance: float | None = None,
    preprocessing: Place | Preprocessing | None = None,
) -> Manifest:
    """Writes a trained model as artefacts that run without Keras, and compares each with it.

    Args:
        source: a run, a `.keras` file, published weights, or a model of this program: functional or
            Sequential, of one input and one output.
        output: the directory to write: new, empty or an earlier export, and not the current one.
        formats: "saved_model", "tflite_float32" and so on, see `export.formats.FORMATS`.
        samples: images or videos, or folders of them, to compare on besides random pixels and what
            the run has held out. Where no run has kept some, integers are calibrated on them, too.
        tolerance: how far a probability may be from the model's, in every format; None: each
            format's own.
        preprocessing: how files become the input, and the names of the classes, or a file of that;
            None: the preprocessing.json beside the model. A model of this program needs one.

    Returns:
        What manifest.json says. A format that did not compute what its model does, or could not be
        written, is in `failed` with its reason.

    Raises:
        UserError: a mistake, or none of the formats passed: then nothing is written.
    """
    chosen = [formats] if isinstance(formats, str) else formats
    files = _files([Path(each) for each in places_of(samples)])
    if isinstance(source, os.PathLike):
        source = os.fspath(source)
    if isinstance(preprocessing, os.PathLike):
        preprocessing = os.fspath(preprocessing)
    manifest: Manifest = write(  # type: ignore[assignment]
        source, os.fspath(output), chosen, files, tolerance, preprocessing
    )
    return manifest


def _files(samples: list[Path]) -> list[Path]:
    """The files themselves, and those under the directories that are images or videos."""
    files: list[Path] = []
    for sample in samples:
        # Path.is_dir raises an error where a name is too long; reading the file tells that.
        if not os.path.isdir(sample):  # noqa: PTH112
            try:
                check_there(sample)
            except DecodeError as error:
                raise UserError(f"a sample cannot be read: {error}") from error
            files.append(sample)
            continue
        media = IMAGE_SUFFIXES | VIDEO_SUFFIXES
        inside = sorted(path for path in sample.rglob("*") if path.is_file())
        found = [path for path in inside if path.suffix.lower() in media]
        if not found:
            raise UserError(f"`samples={sample}` holds no image and no video")
        if len(inside) > len(found):
            other = next(path for path in inside if path not in found)
            count = counted(len(inside) - len(found), "file")
            say(f"{sample}: {count} passed over, by the suffix no image or video: {other}")
        files += found
    return files

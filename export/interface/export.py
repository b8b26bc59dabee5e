"""`a2keras.export`."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from a2keras.console import say
from a2keras.errors import UserError, printable, system_reason
from a2keras.export.exporting import export as write
from a2keras.export.formats import DEFAULT_FORMATS
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.opening import check_there
from a2keras.models.preprocessing.places import Place, local, place_of, places_of
from a2keras.models.preprocessing.scanning import scan
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
    several = isinstance(formats, Iterable) and not isinstance(formats, str)
    chosen = [str(each) for each in (formats if several else [formats])]
    files = _files([Path(each) for each in places_of(samples)])
    if not hasattr(source, "layers"):
        source = place_of(source)
    if preprocessing is not None and not isinstance(preprocessing, Preprocessing):
        preprocessing = place_of(preprocessing)
    manifest: Manifest = write(  # type: ignore[assignment]
        source, local(place_of(output)), chosen, files, tolerance, preprocessing
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
        try:
            tree = scan(sample)
        except OSError as error:
            raise UserError(f"{sample} cannot be listed: {system_reason(error)}") from error
        if not tree.files:
            raise UserError(f"`samples={sample}` holds no image and no video")
        for remark in tree.remarks():
            say(f"{printable(sample)}: {remark}")
        files += [sample / file for file in tree.files]
    return files

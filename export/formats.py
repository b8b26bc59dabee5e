"""The kinds of artefact that `a2keras export` writes."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from a2keras.export import litert, onnx, saved_model, web
from a2keras.export.parity import Tolerance

if TYPE_CHECKING:  # it imports Keras, which `--help` does without
    from a2keras.export.classifier import Classifier


class Signature(NamedTuple):
    """One way to ask an artefact, beside the one that its format's loader gives.

    Both functions take pixels, uint8 (1, *input_shape), to an array (1, …).
    """

    actual: Callable[[np.ndarray], np.ndarray]  # what the artefact gives
    expected: Callable[[np.ndarray], np.ndarray]  # what its model gives
    classes: bool = True  # whether these are probabilities; other numbers have no top-1


class Format(NamedTuple):
    """A kind of artefact."""

    file_name: str  # below the export directory
    # Writes the file or directory, and returns what the manifest says of it besides.
    write: Callable[["Classifier", Path], dict[str, Any]]
    tolerance: Tolerance = Tolerance()
    # Of the artefact at a path: its further signatures, by name.
    signatures: Callable[["Classifier", Path], dict[str, Signature]] | None = None


def _saved_model(classifier: "Classifier", path: Path) -> dict[str, Any]:
    saved_model.write(classifier.model, path)
    return {}


def _tflite_float32(classifier: "Classifier", path: Path) -> dict[str, Any]:
    litert.write_float32(classifier.model, path)
    return {}


def _web_signatures(classifier: "Classifier", path: Path) -> dict[str, Signature]:
    """The attention maps that the page draws. Their errors count in units of the largest weight."""
    expected = web.maps_of_model(classifier.model)
    return {
        name: Signature(actual, expected[name], classes=False)
        for name, actual in web.maps_of(path).items()
    }


FORMATS = {
    "saved_model": Format("saved_model", _saved_model),
    "tflite_float32": Format("model_float32.tflite", _tflite_float32),
    "onnx": Format("model.onnx", onnx.write),
    "web": Format("web", web.write, signatures=_web_signatures),
}
DEFAULT_FORMATS = ("saved_model", "tflite_float32")

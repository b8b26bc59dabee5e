"""The kinds of artefact that `a2keras export` writes."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from a2keras.export import onnx, openvino
from a2keras.export.litert import convert, quantize
from a2keras.export.parity import Signature, Tolerance
from a2keras.export.web import static_page

if TYPE_CHECKING:  # it imports Keras, which `--help` does without
    from a2keras.export.classifier import Classifier


class Format(NamedTuple):
    """A kind of artefact."""

    file_name: str  # below the export directory
    # Writes the file or directory, and returns what the manifest says of it besides.
    write: Callable[["Classifier", Path], dict[str, Any]]
    tolerance: Tolerance = Tolerance()
    # Of the artefact at a path: its further signatures, by name.
    signatures: Callable[["Classifier", Path], dict[str, Signature]] | None = None


def _saved_model(classifier: "Classifier", path: Path) -> dict[str, Any]:
    from a2keras.export.serving import servable

    return servable.write(classifier, path)


def _serving_signatures(classifier: "Classifier", path: Path) -> dict[str, Signature]:
    from a2keras.export.serving import comparisons

    return comparisons.comparisons(classifier, path)


def _web_signatures(classifier: "Classifier", path: Path) -> dict[str, Signature]:
    """The attention maps that the page draws. Their errors count in units of the largest weight."""
    expected = static_page.maps_of_model(classifier.model)
    return {
        name: Signature(actual, expected[name], classes=False)
        for name, actual in static_page.maps_of(path).items()
    }


# Of halves and of integers, as docs/litert.md measures them: the largest error of integers was
# 0.053, and the mean 0.001, random pixels included, which may lie outside of the ranges that
# calibration has seen. Three of a run's 128 held-out examples may have another class: were it one,
# an artefact whose agreement is 99 % would fail by chance every third time.
_HALVES = Tolerance(max_error=0.05, mean_error=0.005)
_INTEGERS = Tolerance(max_error=0.3, mean_error=0.03, top1_agreement=0.97)

FORMATS = {
    "saved_model": Format("saved_model", _saved_model, signatures=_serving_signatures),
    "tflite_float32": Format("model_float32.tflite", convert.write_float32),
    "tflite_float16": Format("model_float16.tflite", convert.write_float16, _HALVES),
    "tflite_dynamic_int8": Format(
        "model_dynamic_int8.tflite", quantize.write_dynamic_int8, _INTEGERS
    ),
    "tflite_int8": Format("model_int8.tflite", quantize.write_int8, _INTEGERS),
    "tflite_int16x8": Format("model_int16x8.tflite", quantize.write_int16x8, _INTEGERS),
    "onnx": Format("model.onnx", onnx.write),
    "openvino": Format("model.xml", openvino.write),
    "web": Format("web", static_page.write, signatures=_web_signatures),
}
DEFAULT_FORMATS = ("saved_model", "tflite_float32")

"""The kinds of artefact that `a2keras export` writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from a2keras.export import litert, saved_model


class Format(NamedTuple):
    """The name of an artefact's file or directory, and what writes a Keras model there."""

    file_name: str
    write: Callable[[Any, Path], None]


FORMATS = {
    "saved_model": Format("saved_model", saved_model.write),
    "tflite_float32": Format("model_float32.tflite", litert.write_float32),
}

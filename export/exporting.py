"""The export directory: artefacts, their manifest, and the promise that they equal their model."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from a2keras import __version__
from a2keras.console import UserError, say, write_json
from a2keras.export import parity, predict, saved_model
from a2keras.export.formats import FORMATS
from a2keras.export.manifest import MANIFEST, hashes, read_manifest, sha256
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.spec import FILE_NAME, Preprocessing

RANDOM_SAMPLES = 8


def export(
    source: str | Path,
    output: str | Path,
    formats: Sequence[str] = tuple(FORMATS),
    samples: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Exports a trained model, and compares every artefact with it.

    The output appears whole or not at all: it is written beside its place and moved there once
    every artefact has passed. Exporting again replaces an earlier export, including the formats
    that it held beside the ones asked for now.

    Args:
        source: a run, or a `.keras` file with its preprocessing.json.
        output: the directory to write: new, empty or an earlier export.
        formats: keys of `FORMATS`.
        samples: images or videos to compare on, beside random pixels.

    Returns:
        The manifest.

    Raises:
        UserError: no such format or model, an output that is something else, a sample that cannot
            be read, or an artefact that does not compute what its model does.
    """
    output = Path(output)
    formats = _known_formats(formats, output)
    path, kind = predict.locate(Path(source))
    if kind != "keras":
        raise UserError(f"{source} is a {kind}: export starts from a run or a .keras file")
    model, preprocessing = _classifier(path)
    pixels = _sample_pixels(preprocessing, samples)
    partial = output.resolve().with_name(f".{output.resolve().name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        artefacts = {
            name: _write_one(name, model, partial, pixels, source, len(samples)) for name in formats
        }
        manifest = _manifest(path, model, preprocessing, artefacts)
        preprocessing.save(partial)
        write_json(partial / MANIFEST, manifest)
        _move_into_place(partial, output.resolve())
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _known_formats(formats: Sequence[str], output: Path) -> list[str]:
    """The formats to write, in the order of the table, after a look at what the output is now."""
    for name in formats:
        if name not in FORMATS:
            raise UserError(f"there is no format {name!r}: choose from {', '.join(FORMATS)}")
    if not formats:
        raise UserError(f"no formats are given: choose from {', '.join(FORMATS)}")
    present = _check_output(output)
    return [name for name in FORMATS if name in formats or name in present]


def _check_output(output: Path) -> set[str]:
    """The formats that an earlier export holds; `UserError` if something would be lost."""
    if (output.is_dir() and not any(output.iterdir())) or not output.exists():
        return set()
    if not (output / MANIFEST).is_file():
        raise UserError(f"{output} exists and is not an export of a2keras: choose another --output")
    earlier = read_manifest(output)["artefacts"]
    ours = {MANIFEST, FILE_NAME}.union(*(artefact["sha256"] for artefact in earlier.values()))
    for file in output.rglob("*"):
        if not file.is_dir() and file.relative_to(output).as_posix() not in ours:
            raise UserError(f"{file} is not part of the export in {output}: move it away first")
    return set(earlier)


def _classifier(path: Path) -> tuple[Any, Preprocessing]:
    import keras

    if keras.backend.backend() != "tensorflow":
        raise UserError(
            "export needs the TensorFlow backend of Keras, not "
            f"{keras.backend.backend()}: unset KERAS_BACKEND"
        )
    preprocessing = Preprocessing.load(path.parent)
    model = predict.load_keras(path)
    predict.check_shapes(path, predict.from_keras(model), preprocessing)
    return _in_float32(model), preprocessing


def _in_float32(model: Any) -> Any:
    """The model with all layers in float32: mixed precision is for training, not for artefacts.

    Its weights are float32 as they are; only what the layers compute in changes.
    """
    import keras

    def replaced(config: Any) -> Any:
        if isinstance(config, dict):
            if config.get("class_name") == "DTypePolicy":
                return {**config, "config": {"name": "float32"}}
            return {key: replaced(value) for key, value in config.items()}
        if isinstance(config, list | tuple):
            return type(config)(map(replaced, config))
        return config

    config = keras.saving.serialize_keras_object(model)
    if replaced(config) == config:
        return model
    copy = keras.saving.deserialize_keras_object(replaced(config))
    copy.set_weights(model.get_weights())
    return copy


def _sample_pixels(preprocessing: Preprocessing, files: Sequence[str | Path]) -> np.ndarray:
    """Random pixels, and the test view of every sample. uint8 (samples, *input_shape)."""
    random = parity.natural_pixels(preprocessing.input_shape, RANDOM_SAMPLES)
    try:
        return np.concatenate([random, *[preprocessing.views(file) for file in files]])
    except DecodeError as error:
        raise UserError(f"a sample cannot be read: {error}") from error


def _write_one(
    name: str, model: Any, directory: Path, pixels: np.ndarray, source: str | Path, real: int
) -> dict[str, Any]:
    """Writes one artefact, loads it again and compares; returns its entry of the manifest."""
    say(f"writing {name}")
    path = directory / FORMATS[name].file_name
    FORMATS[name].write(model, path)
    expected = parity.probabilities_of(predict.from_keras(model).compute, pixels)
    if not np.allclose(expected.sum(-1), 1, atol=1e-3) or expected.min() < 0:
        raise UserError(f"{source} does not give probabilities: export is for softmax classifiers")
    actual = parity.probabilities_of(predict.load_model(path).compute, pixels)
    result = parity.compare(expected, actual)
    if not result.passed:
        raise UserError(
            f"{name} does not compute what {source} does: the largest error of a probability is "
            f"{result.max_error:.3g} over {result.samples} samples, the tolerance "
            f"{result.tolerance:g}; nothing was written"
        )
    files = hashes(path)
    return {
        "path": path.name,
        "bytes": sum((directory / file).stat().st_size for file in files),
        "sha256": files,
        "parity": {**asdict(result), "real_samples": real},
    }


def _manifest(
    path: Path, model: Any, preprocessing: Preprocessing, artefacts: dict[str, Any]
) -> dict[str, Any]:
    import keras
    import tensorflow as tf

    return {
        "versions": {
            "a2keras": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
        "model": {"name": model.name, "sha256": sha256(path)},
        "input": {
            "name": saved_model.INPUT,
            "shape": [None, *preprocessing.input_shape],
            "dtype": "float32",
            "values": "RGB, 0 to 255",
        },
        "output": {
            "name": saved_model.OUTPUT,
            "shape": [None, len(preprocessing.labels)],
            "dtype": "float32",
        },
        "labels": list(preprocessing.labels),
        "preprocessing": asdict(preprocessing),
        "artefacts": artefacts,
    }


def _move_into_place(partial: Path, output: Path) -> None:
    """Swaps directories by renaming; a failure puts the earlier export back."""
    earlier = partial.with_suffix(".earlier")
    if output.exists():
        output.rename(earlier)
    try:
        partial.rename(output)
    except OSError:
        if earlier.exists():
            earlier.rename(output)
        raise
    shutil.rmtree(earlier, ignore_errors=True)

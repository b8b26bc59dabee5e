"""One face for every kind of model on disk: the pixels of a file in, class probabilities out."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from a2keras.console import UserError
from a2keras.export import litert, saved_model
from a2keras.export.manifest import MANIFEST, check_hashes, read_manifest
from a2keras.models.preprocessing.spec import FILE_NAME, Preprocessing

Compute = Callable[[np.ndarray], np.ndarray]


class Loaded(NamedTuple):
    """A model as its loader gives it; sizes that it leaves open are None."""

    compute: Compute  # float32 pixels (B, ...) → probabilities (B, classes)
    input_shape: tuple[int | None, ...]  # without the batch
    output_shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Artefact:
    """A model that was loaded from disk, with what it needs to know about its input.

    Attributes:
        path: the file or directory that holds the model itself.
        kind: "keras", "saved_model" or "tflite".
        preprocessing: from a file to pixels, and the names of the classes.
        compute: float32 pixels (B, *preprocessing.input_shape) → probabilities (B, classes).
    """

    path: Path
    kind: str
    preprocessing: Preprocessing
    compute: Compute

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        """Class probabilities, float32 (B, classes), of pixels 0..255 (B, *input_shape).

        Raises:
            ValueError: pixels of another shape.
            UserError: the model gives NaN or infinity.
        """
        expected = self.preprocessing.input_shape
        if batch.ndim != len(expected) + 1 or batch.shape[1:] != expected:
            sizes = ", ".join(map(str, expected))
            raise ValueError(f"`batch` must have shape (B, {sizes}). Received: {batch.shape}")
        result = self.compute(np.asarray(batch, np.float32))
        if not np.isfinite(result).all():
            raise UserError(f"{self.path} gives NaN or infinity instead of probabilities")
        return result


def load(path: str | Path) -> Artefact:
    """Loads a run, a `.keras` file, a SavedModel, a `.tflite` file or an export directory.

    Where a manifest lies beside the model, its bytes must be those that were exported. Nothing
    that a `.keras` file brings along is run: `safe_mode` stays on and Lambda layers are refused.

    Raises:
        UserError: it is none of these, or it is damaged; names the path.
    """
    path, kind = locate(Path(path))
    check_hashes(path)
    loaded = load_model(path, kind)
    inside = path.is_dir() and (path / FILE_NAME).is_file()
    preprocessing = Preprocessing.load(path if inside else path.absolute().parent)
    check_shapes(path, loaded, preprocessing)
    return Artefact(path, kind, preprocessing, loaded.compute)


def load_model(path: Path, kind: str | None = None) -> Loaded:
    """Loads the model of a file or directory, without its preprocessing. Raises `UserError`."""
    kind = kind or locate(path)[1]
    try:
        return _LOADERS[kind](path)
    except UserError:
        raise
    except Exception as error:  # foreign bytes: the loaders raise errors of a dozen types
        raise UserError(f"{path} cannot be loaded as {kind}: {_sentence(error)}") from error


def check_shapes(path: Path, loaded: Loaded, preprocessing: Preprocessing) -> None:
    """Whether a model takes what the preprocessing makes, and gives what its labels name."""
    wanted, made = loaded.input_shape, preprocessing.input_shape
    if len(wanted) != len(made) or any(
        size not in (None, other) for size, other in zip(wanted, made, strict=True)
    ):
        raise UserError(f"{path} takes pixels of shape {wanted}, but {FILE_NAME} makes {made}")
    labels = len(preprocessing.labels)
    if loaded.output_shape not in ((labels,), (None,)):
        raise UserError(
            f"{path} gives outputs of shape {loaded.output_shape}, but {FILE_NAME} names "
            f"{labels} classes"
        )


def locate(path: Path) -> tuple[Path, str]:
    """The file or directory of the model itself, and its kind."""
    if not path.exists():
        raise UserError(f"{path} does not exist")
    if path.is_file() and path.suffix in (".keras", ".tflite"):
        return path, path.suffix[1:]
    if (path / MANIFEST).is_file():
        return locate(path / next(iter(read_manifest(path)["artefacts"].values()))["path"])
    if (path / "model.keras").is_file():
        return path / "model.keras", "keras"
    if (path / "saved_model.pb").is_file():
        return path, "saved_model"
    if (path / "recipe.json").is_file():
        raise UserError(f"the run {path} holds no model.keras: its training has not finished")
    raise UserError(
        f"{path} is no model: expected a run, an export directory, a SavedModel, "
        "a .keras or a .tflite file"
    )


def load_keras(path: Path) -> Any:
    """The Keras model of a `.keras` file, without its optimizer.

    Raises:
        UserError: no whole `.keras` file, a Lambda layer, or not one input and one output.
    """
    _refuse_lambdas(path)
    import keras

    # Registers the layers of a2keras: the command does not import them all by itself.
    import a2keras.channel_groups
    import a2keras.double_attention
    import a2keras.non_local
    import a2keras.squeeze_excitation  # noqa: F401

    try:
        model = keras.models.load_model(path, compile=False)
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise ValueError("it must have one input and one output")
        # An input that was saved as a list of one would have to be given as one.
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    except Exception as error:  # whatever a damaged archive or a foreign layer gives rise to
        raise UserError(f"{path} cannot be loaded as keras: {_sentence(error)}") from error


def _refuse_lambdas(path: Path) -> None:
    def has_lambda(config: Any) -> bool:
        if isinstance(config, dict):
            named = config.get("class_name") in ("Lambda", "__lambda__")
            return named or any(map(has_lambda, config.values()))
        return isinstance(config, list) and any(map(has_lambda, config))

    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no whole .keras file: {_sentence(error)}") from error
    if has_lambda(config):
        raise UserError(f"{path} holds a Lambda layer, that is code of its own, which is not run")


def from_keras(model: Any) -> Loaded:
    """A Keras model of one input and one output, from NumPy to NumPy."""
    from keras import ops

    def compute(batch: np.ndarray) -> np.ndarray:
        return ops.convert_to_numpy(model(batch, training=False)).astype(np.float32)

    return Loaded(compute, tuple(model.input_shape[1:]), tuple(model.output_shape[1:]))


def from_saved_model(path: Path) -> Loaded:
    """The `serving_default` signature of a SavedModel that `saved_model.write` wrote."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    if "serving_default" not in loaded.signatures:
        raise ValueError("it has no serving_default signature")
    serve = loaded.signatures["serving_default"]
    inputs, outputs = serve.structured_input_signature[1], serve.structured_outputs
    if list(inputs) != [saved_model.INPUT] or list(outputs) != [saved_model.OUTPUT]:
        names = f"{', '.join(inputs)} → {', '.join(outputs)}"
        raise ValueError(f"its signature must be pixels → probabilities. Received: {names}")

    def compute(batch: np.ndarray) -> np.ndarray:
        _ = loaded  # holds the variables; the signature alone would let them go
        return serve(**{saved_model.INPUT: tf.constant(batch)})[saved_model.OUTPUT].numpy()

    shapes = inputs[saved_model.INPUT].shape, outputs[saved_model.OUTPUT].shape
    return Loaded(compute, *(tuple(shape.as_list()[1:]) for shape in shapes))


def from_tflite(path: Path) -> Loaded:
    """A `.tflite` file of one float32 input and one output, with a batch of one."""
    model = litert.interpreter(path)
    inputs, outputs = model.get_input_details(), model.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0]["dtype"] != np.float32:
        raise ValueError("it must have one float32 input and one output")

    def one(sample: np.ndarray) -> np.ndarray:
        model.set_tensor(inputs[0]["index"], sample[None])
        model.invoke()
        return model.get_tensor(outputs[0]["index"])[0]

    def compute(batch: np.ndarray) -> np.ndarray:
        return np.stack([one(sample) for sample in batch])

    return Loaded(compute, *(tuple(map(int, x[0]["shape"][1:])) for x in (inputs, outputs)))


_LOADERS: dict[str, Callable[[Path], Loaded]] = {
    "keras": lambda path: from_keras(load_keras(path)),
    "saved_model": from_saved_model,
    "tflite": from_tflite,
}


def _sentence(error: Exception) -> str:
    """The first line of what a library says, which may be pages."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]

"""Models on disk, of every kind, as functions from pixels to probabilities."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from a2keras.errors import UserError, did_you_mean, nearest, reason_of
from a2keras.export import onnx, openvino, safety
from a2keras.export.litert import convert
from a2keras.export.manifest import MANIFEST, read_manifest
from a2keras.export.parity import Compute
from a2keras.export.saved_model import INPUT, OUTPUT, version_of
from a2keras.models import keras_files
from a2keras.models.preprocessing.spec import FILE_NAME, Preprocessing
from a2keras.models.weights import fetching, published


class Loaded(NamedTuple):
    """A model as its loader gives it; sizes that it leaves open are None."""

    compute: Compute  # pixels (B, ...) of any type → probabilities, float32 (B, classes)
    input_shape: tuple[int | None, ...]  # without the batch
    output_shape: tuple[int | None, ...]
    batch: int | None = None  # examples that it takes at once; None: any number
    close: Callable[[], None] = lambda: None  # of what is in a process of its own


def load_model(path: Path, kind: str | None = None, threads: int | None = None) -> Loaded:
    """Loads the model of a file or directory, without its preprocessing.

    Args:
        path: the model itself, see `locate`.
        kind: what `locate` says of it.
        threads: of LiteRT, ONNX and OpenVINO; None: what the library takes by itself. TensorFlow
            has one setting for the whole process.

    Raises:
        UserError: it cannot be loaded; names the path.
    """
    if kind is None:
        path, kind = locate(path)
    try:
        return _LOADERS[kind](path, threads)
    except UserError:
        raise
    except Exception as error:  # foreign bytes: the loaders raise errors of a dozen types
        raise UserError(f"{path} cannot be loaded as {kind}: {reason_of(error)}") from error


def locate(path: Path) -> tuple[Path, str]:
    """The file or directory of the model itself, and its kind."""
    try:
        there = path.exists()
    except OSError as error:  # a name that is too long, a folder that nobody may look into
        raise UserError(f"{path} cannot be opened: {error.strerror}") from error
    if not there:
        if record := published.find(str(path)):
            return fetching.weights_of(record), "keras"
        near = nearest(str(path), published.TITLES)
        listed = f", and published weights are {', '.join(published.TITLES)}"
        hint = f": {did_you_mean(near, '')}" if near else listed if ":" in path.name else ""
        raise UserError(f"{path} does not exist{hint}")
    if path.is_file() and path.suffix in _KINDS:
        return path, _KINDS[path.suffix]
    if (path / MANIFEST).is_file():
        return locate(path / next(iter(read_manifest(path)["artefacts"].values()))["path"])
    if (path / "model.keras").is_file():
        return path / "model.keras", "keras"
    if version_of(path) is not None:
        return path, "saved_model"
    if (path / "model.onnx").is_file():  # a page for the browser
        return path / "model.onnx", "onnx"
    if (path / "recipe.json").is_file():
        raise UserError(f"the run {path} holds no model.keras: its training has not finished")
    raise UserError(
        f"{path} is no model: expected a run, an export directory, a SavedModel, "
        "a .keras, .tflite or .onnx file, or an OpenVINO .xml file"
    )


def load_keras(path: Path, preprocessing: Preprocessing | None = None) -> Any:
    """The Keras model of a `.keras` file, of raw pixels, or of published weights.

    Of what the model itself takes a preprocessing.json beside it may tell, which is read here where
    it is not passed.

    Raises:
        UserError: it cannot be loaded, or has not one input and one output.
    """
    if record := fetching.record_of(path):
        from a2keras.models.weights import start

        return start.classifier(record)
    if preprocessing is None and not (path.parent / FILE_NAME).is_file():
        return keras_files.load_single(path)
    beside = preprocessing or Preprocessing.load(path.parent)
    return keras_files.load_classifier(path, beside)


def from_keras(model: Any) -> Loaded:
    """A Keras model of one input and one output, from NumPy to NumPy."""
    from keras import ops

    def compute(batch: np.ndarray) -> np.ndarray:
        pixels = np.asarray(batch, np.float32)
        return ops.convert_to_numpy(model(pixels, training=False)).astype(np.float32)

    return Loaded(compute, tuple(model.input_shape[1:]), tuple(model.output_shape[1:]))


def from_saved_model(path: Path) -> Loaded:
    """The `serving_default` signature of a SavedModel that `saved_model.write` wrote."""
    import tensorflow as tf

    path = version_of(path) or path
    with safety.checked_saved_model(path) as checked:
        loaded = tf.saved_model.load(str(checked))
    if "serving_default" not in loaded.signatures:
        raise ValueError("it has no serving_default signature")
    serve = loaded.signatures["serving_default"]
    inputs, outputs = serve.structured_input_signature[1], serve.structured_outputs
    _check_ends(inputs, outputs)
    pixels, probabilities = inputs[INPUT], outputs[OUTPUT]
    if pixels.shape.rank is None or probabilities.shape.rank is None:
        raise ValueError("its signature leaves open how many axes there are")

    def compute(batch: np.ndarray) -> np.ndarray:
        _ = loaded  # holds the variables; the signature alone would let them go
        return serve(**{INPUT: tf.cast(batch, pixels.dtype)})[OUTPUT].numpy()

    count = pixels.shape[0]
    in_batches = compute if count is None else _in_batches(compute, count)
    input_shape, output_shape = (
        tuple(each.shape.as_list()[1:]) for each in (pixels, probabilities)
    )
    return Loaded(in_batches, input_shape, output_shape, count)


def from_tflite(path: Path, threads: int | None = None) -> Loaded:
    """A `.tflite` file of one input and one output, with a fixed batch.

    Integers are the file's own numbers: the scale and the zero point of its input and output, with
    which they stand for pixels and probabilities, are applied here.
    """
    model = convert.interpreter(path, threads)
    inputs, outputs = model.get_input_details(), model.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError("it must have one input and one output")
    (pixels,), (probabilities,) = inputs, outputs
    if len(pixels["shape"]) == 0 or pixels["shape"][0] < 1:
        raise ValueError("its input has no batch")
    count = int(pixels["shape"][0])

    def compute(batch: np.ndarray) -> np.ndarray:
        model.set_tensor(pixels["index"], _quantized(batch, pixels))
        model.invoke()
        return _real(model.get_tensor(probabilities["index"]), probabilities)

    input_shape, output_shape = (
        tuple(map(int, each["shape"][1:])) for each in (pixels, probabilities)
    )
    return Loaded(_in_batches(compute, count), input_shape, output_shape, count)


def from_onnx(path: Path, threads: int | None = None) -> Loaded:
    """An `.onnx` file that `onnx.write` wrote, with the maps or without."""
    session = onnx.session(path, threads)
    inputs = {each.name: each for each in session.get_inputs()}
    outputs = {each.name: each for each in session.get_outputs()}
    _check_ends(inputs, outputs)

    def compute(batch: np.ndarray) -> np.ndarray:
        return session.run([OUTPUT], {INPUT: np.asarray(batch, np.float32)})[0]

    def sizes(end: Any) -> tuple[int | None, ...]:
        # An open size has a name where a fixed one has a number.
        return tuple(size if isinstance(size, int) else None for size in end.shape[1:])

    return Loaded(compute, sizes(inputs[INPUT]), sizes(outputs[OUTPUT]))


def from_openvino(path: Path, threads: int | None = None) -> Loaded:
    """An OpenVINO `.xml` file that `openvino.write` wrote, with the `.bin` of its weights."""
    model = openvino.compiled(path, threads)
    inputs, outputs = (
        {name: each.partial_shape for each in ends for name in each.names}
        for ends in (model.inputs, model.outputs)
    )
    _check_ends(inputs, outputs)

    def compute(batch: np.ndarray) -> np.ndarray:
        return model({INPUT: np.asarray(batch, np.float32)})[OUTPUT]

    (count, *pixels), (_, *classes) = (
        [None if size.is_dynamic else size.get_length() for size in shape]
        for shape in (inputs[INPUT], outputs[OUTPUT])
    )
    in_batches = compute if count is None else _in_batches(compute, count)
    return Loaded(in_batches, tuple(pixels), tuple(classes), count)


def _check_ends(inputs: Collection[str], outputs: Collection[str]) -> None:
    """Refuses other inputs and outputs than those of the files that `export` writes.

    Raises:
        ValueError: that.
    """
    if list(inputs) != [INPUT] or OUTPUT not in outputs:
        names = f"{', '.join(inputs)} → {', '.join(outputs)}"
        raise ValueError(f"it must take pixels and give probabilities. Received: {names}")


def _quantized(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Values as a tensor of LiteRT holds them."""
    dtype = details["dtype"]
    if not np.issubdtype(dtype, np.integer):
        return values.astype(dtype)
    scale, zero = details["quantization"]
    limits = np.iinfo(dtype)
    numbers = values if scale == 0 else np.round(values / scale) + zero  # 0: not quantised
    return np.clip(np.round(numbers), limits.min, limits.max).astype(dtype)


def _real(numbers: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """What a tensor of LiteRT stands for, as float32."""
    scale, zero = details["quantization"]
    if not np.issubdtype(details["dtype"], np.integer) or scale == 0:
        return numbers.astype(np.float32)
    return ((numbers.astype(np.float32) - zero) * scale).astype(np.float32)


def _in_batches(compute: Compute, size: int) -> Compute:
    """For a model of a fixed batch: any number of examples; what is missing is the last again."""

    def padded(batch: np.ndarray) -> np.ndarray:
        missing = size - len(batch)
        return batch if missing == 0 else np.concatenate([batch, *[batch[-1:]] * missing])

    def all_of(batch: np.ndarray) -> np.ndarray:
        starts = range(0, len(batch), size)
        outputs = [compute(padded(batch[start : start + size])) for start in starts]
        return np.concatenate(outputs)[: len(batch)]

    return all_of


# By suffix: the kinds that are files.
_KINDS = {".keras": "keras", ".onnx": "onnx", ".tflite": "tflite", ".xml": "openvino"}
_LOADERS: dict[str, Callable[[Path, int | None], Loaded]] = {
    "keras": lambda path, threads: from_keras(load_keras(path)),
    "onnx": from_onnx,
    "openvino": from_openvino,
    "saved_model": lambda path, threads: from_saved_model(path),
    "tflite": from_tflite,
}

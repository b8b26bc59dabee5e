"""OpenVINO: a `.xml` file with the `.bin` of its weights beside it, for Intel's runtime."""

import importlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from a2keras import files
from a2keras.console import quiet_native_stderr
from a2keras.errors import UserError, printable
from a2keras.export.manifest import WEIGHTS
from a2keras.export.saved_model import INPUT, OUTPUT

if TYPE_CHECKING:  # it imports Keras, which `--help` does without
    from a2keras.export.classifier import Classifier

# By itself the runtime takes bfloat16 on processors that have it: errors of 0.01 instead of 1e-6.
FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32"}


def write(classifier: "Classifier", path: Path) -> dict[str, Any]:
    """Writes a classifier by Keras's own export: `pixels`, float32 (batch, *input_shape), to
    `probabilities`. The batch is open, and so are sizes that the model leaves open.

    Args:
        classifier: the model.
        path: the `.xml` file to write; the `.bin` gets its name.

    Returns:
        The version of OpenVINO that has written it.

    Raises:
        UserError: OpenVINO is not installed.
    """
    import keras

    openvino = library()
    model = classifier.model
    pixels = keras.Input(model.input_shape[1:], name=INPUT)
    named = keras.Model(pixels, {OUTPUT: model(pixels)})
    signature = keras.InputSpec(shape=pixels.shape, dtype="float32", name=INPUT)
    with quiet_native_stderr():
        named.export(str(path), format="openvino", verbose=False, input_signature=[signature])
    return {"openvino": openvino.get_version()}


def compiled(path: Path, threads: int | None = None) -> Any:
    """A file's model, compiled for the CPU in float32; by itself it takes all cores.

    The file is read as what it must be: `Core.read_model` would let the readers of TensorFlow's,
    PyTorch's and other files try whatever is in it.

    Raises:
        UserError: OpenVINO is not installed.
        ValueError: the file is damaged or no OpenVINO model, its weights are missing, or it cannot
            be compiled.
        OSError: one of the two cannot be read.
    """
    openvino = library()
    weights = path.with_suffix(WEIGHTS)
    files.open_file(path).close()  # refuses what is no file
    if not weights.exists():
        raise ValueError(f"{weights.name}, which holds its weights, is missing")
    files.open_file(weights).close()
    reader = openvino.frontend.FrontEndManager().load_by_framework("ir")
    with quiet_native_stderr():
        try:
            model = reader.convert(reader.load(str(path)))
        except Exception as error:  # by lines of OpenVINO's sources
            raise ValueError(
                f"it or {weights.name} is damaged, cut off or no OpenVINO model"
            ) from error
        settings = FLOAT32 if threads is None else FLOAT32 | {"INFERENCE_NUM_THREADS": threads}
        try:
            # The thread that compiles gets a stack for signals from OpenVINO, which frees it and
            # leaves it in place: the next signal would end the process. So this thread ends.
            with ThreadPoolExecutor(1) as thread:
                return thread.submit(openvino.Core().compile_model, model, "CPU", settings).result()
        except Exception as error:  # by lines of OpenVINO's sources, and what was wrong at last
            reason = str(error).strip().splitlines()[-1]
            raise ValueError(f"it cannot be compiled: {printable(reason[:200])}") from error


def library() -> Any:
    """The package, without its telemetry.

    Importing it and every conversion would send an event to its makers, unless its user has opted
    out by a file in the home directory. Where the package for that is not to be had, OpenVINO has
    functions that do nothing in its place.

    Raises:
        UserError: it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise UserError(
            f"the format needs {error.name}, which is not installed: "
            "pip install 'a2keras[openvino]'"
        ) from error

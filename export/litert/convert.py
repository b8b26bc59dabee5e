"""LiteRT (TFLite): one file for phones and small devices, with its built-in operations only."""

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from a2keras.console import quiet_native_stderr
from a2keras.errors import UserError, reason_of
from a2keras.export import saved_model
from a2keras.export.litert.report import report
from a2keras.export.litert.tables import check_tflite
from a2keras.files import read_bytes, write_bytes

if TYPE_CHECKING:  # it imports Keras, which `--help` does without
    from a2keras.export.classifier import Classifier


def write_float32(classifier: "Classifier", path: Path) -> dict[str, Any]:
    """Writes a float32 `.tflite` with a batch of one, and says which operations are in it.

    Raises:
        UserError: the network needs operations that are not built in.
    """
    model, shape = classifier.model, classifier.preprocessing.input_shape
    return save(convert(model, shape), path)


def write_float16(classifier: "Classifier", path: Path) -> dict[str, Any]:
    """Writes a `.tflite` whose weights are float16; it computes in float32, or in float16 on a GPU.

    Raises:
        UserError: the network needs operations that are not built in.
    """
    model, shape = classifier.model, classifier.preprocessing.input_shape
    return save(convert(model, shape, float16=True), path)


def save(content: bytes, path: Path) -> dict[str, Any]:
    """Writes the file; returns what the manifest says of it."""
    write_bytes(path, content)
    return report(content)


def convert(model: Any, input_shape: tuple[int, ...], float16: bool = False) -> bytes:
    """The float file of a model, after the rewriting of `litert.rewrite`.

    The batch is fixed because an open one adds shape arithmetic to every reshape. The way leads
    over a SavedModel: converting a Keras model's concrete function loses its variables and gives
    a file that loads, runs and computes garbage.

    Args:
        model: of one input and one output.
        input_shape: ([T,] H, W, 3), all known.
        float16: for the weights.

    Raises:
        UserError: the network needs operations that are not built in.
    """
    import tensorflow as tf

    from a2keras.export.litert.rewrite import rewritten

    made = rewritten(model, input_shape)
    with tempfile.TemporaryDirectory() as scratch, quiet_native_stderr():
        saved_model.write(made, Path(scratch), batch_size=1)
        converter = tf.lite.TFLiteConverter.from_saved_model(scratch)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if float16:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        failure = None
        try:
            content = converter.convert()
        except Exception as error:  # ConverterError has no public name
            failure = error
    if failure is not None:
        missing = sorted(set(re.findall(r"'(tf\.\w+)' op is neither", str(failure))))
        reason = (
            f"lack {', '.join(missing)}" if missing else f"do not suffice: {reason_of(failure)}"
        )
        raise UserError(f"no .tflite of {model.name}: LiteRT's built-in operations {reason}")
    return content


def interpreter(path: Path, threads: int | None = None) -> Any:
    """A LiteRT interpreter with its tensors allocated.

    Args:
        path: the file.
        threads: None: as many as it takes by itself, which is one.

    Raises:
        ValueError, RuntimeError: the file is no LiteRT model, or a damaged one.
    """
    from ai_edge_litert.interpreter import Interpreter

    content = read_bytes(path)
    check_tflite(content)
    with quiet_native_stderr():
        made = Interpreter(model_content=content, num_threads=threads)
        made.allocate_tensors()
    return made

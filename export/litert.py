"""LiteRT (TFLite): one file for phones and small devices, with its built-in operations only."""

import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

from a2keras.console import UserError, quiet_native_stderr
from a2keras.export import saved_model


def write_float32(model: Any, path: Path) -> None:
    """Writes a classifier as float32 `.tflite` with a batch of one.

    The batch is fixed because an open one adds shape arithmetic to every reshape. The way leads
    over a SavedModel: converting a Keras model's concrete function loses its variables and gives
    a file that loads, runs and computes garbage.

    Raises:
        UserError: the network needs operations that are not built in, such as 3D pooling.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as scratch, quiet_native_stderr():
        saved_model.write(model, Path(scratch), batch_size=1)
        converter = tf.lite.TFLiteConverter.from_saved_model(scratch)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        failure = None
        try:
            content = converter.convert()
        except Exception as error:  # ConverterError has no public name
            failure = error
    if failure is not None:
        missing = sorted(set(re.findall(r"'(tf\.\w+)' op is neither", str(failure))))
        reason = f"lack {', '.join(missing)}" if missing else f"do not suffice: {failure}"
        raise UserError(f"no .tflite of {model.name}: LiteRT's built-in operations {reason}")
    path.write_bytes(content)


def interpreter(path: Path, threads: int | None = None) -> Any:
    """A LiteRT interpreter with its tensors allocated.

    Args:
        path: the file.
        threads: None: as many as it takes by itself, which is one.

    Raises:
        ValueError, RuntimeError: the file is no LiteRT model, or a damaged one.
    """
    import tensorflow as tf

    content = path.read_bytes()
    _check_whole(content)
    with warnings.catch_warnings(), quiet_native_stderr():
        # It is announced for deletion; its successor is a separate package.
        warnings.filterwarnings("ignore", message=r"\s*Warning: tf\.lite\.Interpreter is deprec")
        made = tf.lite.Interpreter(model_content=content, num_threads=threads)
        made.allocate_tensors()
    return made


def _check_whole(content: bytes) -> None:
    """Reads every table of the file: the interpreter itself may crash on one that is cut off."""
    from tensorflow.lite.python import schema_py_generated as schema

    try:
        schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    except Exception as error:  # offsets into nowhere: errors of struct, NumPy and Python
        raise ValueError("it is damaged, cut off or no LiteRT model") from error

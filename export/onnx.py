"""ONNX: one file for onnxruntime, on servers, in many languages and in the browser."""

import logging
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from a2keras.console import quiet_native_stderr
from a2keras.errors import UserError
from a2keras.export import saved_model
from a2keras.export.safety import check_onnx
from a2keras.files import write_bytes

if TYPE_CHECKING:  # it imports Keras, which `--help` does without
    from a2keras.export.classifier import Classifier

OPSET = 18  # the newest one that tf2onnx writes
GATHER, DISTRIBUTION = "gather_{}", "distribution_{}"


def write(classifier: "Classifier", path: Path, maps: bool = False) -> dict[str, Any]:
    """Writes a classifier as `.onnx`: `pixels`, float32 (batch, *input_shape), to `probabilities`.

    The batch is open. tf2onnx reads TensorFlow's graph, which is the one that has been trained;
    the other ways lead through another backend of Keras.

    Args:
        classifier: the model.
        path: the file to write.
        maps: also give the maps of every double attention layer, as outputs `gather_0`,
            `distribution_0`, `gather_1`, …, each (batch, *spatial, descriptors).

    Returns:
        The opset and the number of operations of each kind; with `maps`, the names of the layers
        in the order of these outputs.

    Raises:
        UserError: a package is missing, or the network has an operation that ONNX lacks.
    """
    model = classifier.model
    tf2onnx, onnx = packages("tf2onnx", "onnx")
    import tensorflow as tf

    from a2keras.attention_maps import call_with_maps

    layers: list[str] = []

    def serve(pixels: Any) -> dict[str, Any]:
        probabilities, named = call_with_maps(model, pixels)
        outputs = {saved_model.OUTPUT: tf.cast(probabilities, tf.float32)}
        if maps:
            named = double_attention_only(named)
            layers[:] = named
            for number, (gather, distribution) in enumerate(named.values()):
                outputs |= {GATHER.format(number): gather}
                outputs |= {DISTRIBUTION.format(number): distribution}
        return outputs

    signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name=saved_model.INPUT)
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    with quiet_native_stderr():
        made, _ = tf2onnx.convert.from_function(_frozen(serve, signature), [signature], opset=OPSET)
    operations = Counter(node.op_type for node in made.graph.node)
    # What it cannot convert, tf2onnx leaves in the file under TensorFlow's name.
    if missing := sorted(name for name in operations if not onnx.defs.has(name, OPSET)):
        raise UserError(f"no .onnx of {model.name}: ONNX lacks {', '.join(missing)}")
    for value in [*made.graph.input, *made.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(made, full_check=True)
    write_bytes(path, made.SerializeToString())
    report = {"opset": OPSET, "operations": dict(sorted(operations.items()))}
    return report | {"attention": layers} if maps else report


def _frozen(serve: Callable[[Any], dict[str, Any]], signature: Any) -> Any:
    """The function with all that it refers to as constants.

    tf2onnx would take tensors that are no variables, such as the statistics of a `Normalization`,
    for further inputs. What it freezes functions with itself is not public in TensorFlow.
    """
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants

    traced = tf.function(serve, autograph=False).get_concrete_function(signature)
    frozen = convert_to_constants.convert_variables_to_constants_v2(
        traced, lower_control_flow=False, aggressive_inlining=True
    )
    names = sorted(traced.structured_outputs)  # the order in which TensorFlow flattens them
    return tf.function(
        lambda pixels: dict(zip(names, frozen(pixels), strict=True)), autograph=False
    )


def double_attention_only(maps: dict[str, tuple]) -> dict[str, tuple]:
    """Those of `attention_maps` that are pairs of gather and distribution maps."""
    return {name: pair for name, pair in maps.items() if len(pair) == 2}


def session(path: Path, threads: int | None = None) -> Any:
    """An onnxruntime session on the CPU; by itself it takes all cores.

    Raises:
        UserError: onnxruntime or onnx is not installed.
        ValueError: the file is refused, see `safety.check_onnx`.
        Exception: one of onnxruntime's own, if the file is no model, or a damaged one.
    """
    onnxruntime, _ = packages("onnxruntime", "onnx")
    check_onnx(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        str(path),  # its weights may lie in files beside it
        options,
        providers=["CPUExecutionProvider"],
        enable_fallback=0,  # it would print, and try the same once more
    )


def packages(*names: str) -> list[Any]:
    """The modules of these names; `UserError` where one is not installed."""
    import importlib

    # Read while it is imported: it would write a device id and a log of events into the user's
    # cache, and send them where it can.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        return [importlib.import_module(name) for name in names]
    except ImportError as error:
        raise UserError(
            f"ONNX needs {error.name}, which is not installed: pip install 'a2keras[onnx]'"
        ) from error

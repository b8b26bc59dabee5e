"""LiteRT with integers: weights of int8, and activations of int8 or int16.

Double attention does not survive the naive way. A gather map is a softmax over all positions: its
weights are small, and the few steps of an int8 make most of them nothing; logits that are rounded
to 256 steps move them by a factor; and a softmax in int8 has a fixed step of 1/256. So the layers
that attend, and recurrent ones, compute in float. Their weights are int8 all the same, and so are
the products with them: LiteRT then takes the range of every row of activations as it comes
(dynamic range), so that no logit is cut off. Everything else is int8, by ranges from calibration.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from a2keras.console import quiet_native_stderr, say
from a2keras.errors import UserError
from a2keras.export.litert.convert import convert, save
from a2keras.export.litert.report import floats_in

if TYPE_CHECKING:
    from a2keras.export.classifier import Classifier

CALIBRATION_VIEWS = 64  # more change no range: they were drawn by seed, all kinds of views early


def write_dynamic_int8(classifier: "Classifier", path: Path) -> dict[str, Any]:
    """Writes int8 weights; activations are float32, and int8 inside of products.

    Raises:
        UserError: the network needs operations that are not built in.
    """
    quantizer = _quantizer(_converted(classifier))
    quantizer.add_dynamic_config(regex=".*", operation_name="*", num_bits=8)
    return _save(quantizer, {}, path, "int8")


def write_int8(classifier: "Classifier", path: Path) -> dict[str, Any]:
    """Writes int8 weights and activations, attention excepted.

    Raises:
        UserError: there is nothing to calibrate on, or the network needs operations that are not
            built in.
    """
    return _write_static(classifier, path, 8)


def write_int16x8(classifier: "Classifier", path: Path) -> dict[str, Any]:
    """Writes int8 weights and int16 activations, attention excepted. Raises as `write_int8`."""
    return _write_static(classifier, path, 16)


def _write_static(classifier: "Classifier", path: Path, bits: int) -> dict[str, Any]:
    from litert_quantizer import algorithm_manager

    views = classifier.calibration[:CALIBRATION_VIEWS]
    if len(views) == 0:
        raise UserError(
            f"{path.name} needs views of training examples to calibrate on, and there are none "
            "beside the model: export a run of a2keras train, which keeps them in samples.npz, "
            "give `samples`, or take tflite_dynamic_int8, which needs none"
        )
    content = _converted(classifier)
    quantizer = _quantizer(content)

    def leave(regex: str, operation: str) -> None:
        off = algorithm_manager.AlgorithmName.NO_QUANTIZE
        quantizer.update_quantization_recipe(regex, operation, algorithm_key=off)

    quantizer.add_static_config(
        regex=".*", operation_name="*", activation_num_bits=bits, weight_num_bits=8
    )
    for operation in ("INPUT", "OUTPUT", "SOFTMAX"):  # pixels and probabilities are float32
        leave(".*", operation)
    if names := sorted(_float_layers(classifier.model)):
        inside = f"(^|[/;])({'|'.join(map(re.escape, names))})(_[0-9]+)?/"
        leave(inside, "*")
        quantizer.add_dynamic_config(regex=inside, operation_name="FULLY_CONNECTED", num_bits=8)
    with _quietly():
        ranges = _ranges(content, quantizer.get_quantization_recipe(), views)
    return _save(quantizer, ranges, path, f"int{bits}")


def _converted(classifier: "Classifier") -> bytes:
    return convert(classifier.model, classifier.preprocessing.input_shape)


def _quantizer(content: bytes) -> Any:
    from litert_quantizer import quantizer

    return quantizer.Quantizer(content)


def _ranges(content: bytes, recipe: Any, views: np.ndarray) -> dict[str, Any]:
    """The smallest and the largest value of every tensor over all views.

    `Quantizer.calibrate` has a moving average instead, in which the first view weighs most and
    whatever is beyond it is cut off.
    """
    from litert_quantizer import calibrator, recipe_manager
    from litert_quantizer.utils import qsv_utils

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(recipe)
    counting = calibrator.Calibrator(
        content, num_threads=2, qsv_update_func=qsv_utils.min_max_update
    )
    pixels = [{"pixels": view[None].astype(np.float32)} for view in views]
    counting.calibrate({"serving_default": pixels}, manager)
    ranges: dict[str, Any] = counting.get_model_qsvs()
    return ranges


def _float_layers(model: Any) -> Iterator[str]:
    """Names of the layers inside which activations stay float."""
    import keras

    from a2keras.position_attention import PositionAttention

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _float_layers(layer)
        elif isinstance(layer, PositionAttention | keras.layers.RNN):
            yield layer.name


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """The quantiser draws bars, and its interpreter warns of the tensors that calibration keeps."""
    with (
        quiet_native_stderr(),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def _save(quantizer: Any, ranges: dict[str, Any], path: Path, exact: str) -> dict[str, Any]:
    """Writes what is quantised by these ranges, none where only weights are."""
    with _quietly():
        result = quantizer.quantize(ranges or None, enable_progress_report=False)
    found = save(bytes(result.quantized_model), path)
    for sentence in floats_in(found, exact):
        say(f"{path.name}: {sentence}")
    return found

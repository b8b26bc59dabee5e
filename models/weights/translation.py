"""A checkpoint's arrays as ours: by the rules of its layout, in Keras's order of axes.

PyTorch and Caffe2 store (out, in, *window) and (out, in), Keras and Flax (*window, in, out) and
(in, out).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from a2keras.models.weights.layouts import Layout

_COUNTER = ".num_batches_tracked"


def translate(
    layout: Layout, arrays: Mapping[str, np.ndarray], variables: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], list[tuple[str, str]]]:
    """A checkpoint's arrays as ours.

    Args:
        layout: of the checkpoint.
        arrays: {key: array}.
        variables: {name: variable} of our model.

    Returns:
        {name of a variable: array in Keras's order of axes}, and (key, reason) of every array that
        has no place in the model.

    Raises:
        ValueError: two arrays have the same place.
    """
    starts = _starts(layout, arrays)
    found: dict[str, np.ndarray] = {}
    skipped = []
    for key, array in arrays.items():
        candidates = _names(layout, key, starts)
        name = next((each for each in candidates if each in variables), None)
        if name in found:
            raise ValueError(f"the checkpoint has two arrays for {name!r}, one of them {key!r}")
        if name is not None:
            found[name] = _turned(layout, array, tuple(variables[name].shape))
        elif key.endswith(_COUNTER):
            skipped.append((key, "a count of batches, for which Keras has no use"))
        else:
            skipped.append((key, "not in the model" if candidates else "not in the layout"))
    for name, variable in variables.items():
        value = layout.constants.get(name.rsplit("/", 1)[-1])
        # Of the layers that the checkpoint has: not of blocks, which it knows nothing of.
        if value is not None and name not in found and _sibling(name, found):
            found[name] = np.full(tuple(variable.shape), value, "float32")
    return found, skipped


def _sibling(name: str, found: Mapping[str, np.ndarray]) -> bool:
    layer = name.rsplit("/", 1)[0] + "/"
    return any(each.startswith(layer) for each in found)


def _starts(layout: Layout, keys: Iterable[str]) -> list[int]:
    if not isinstance(layout.starts, str):
        return list(layout.starts)
    return sorted(int(m[1]) for key in keys if (m := re.fullmatch(layout.starts, key)))


def _names(layout: Layout, key: str, starts: list[int]) -> list[str]:
    """What the variable of a key may be called in our model; nothing if no rule knows the key."""
    for end, variables in layout.ends.items():
        module = key.removesuffix(end)
        if module == key:
            continue
        for pattern, layer in layout.rules:
            if match := re.fullmatch(pattern, module):
                groups: dict[str, Any] = {
                    group: layout.words.get(group, {}).get(value, value)
                    for group, value in match.groupdict().items()
                }
                layer = layer.format(**groups | _place(layout, groups, starts))
                return [f"{layer}/{variable}" for variable in variables]
    return []


def _place(layout: Layout, groups: Mapping[str, str], starts: list[int]) -> dict[str, int]:
    """Our numbers of the stage (from 2) and the unit (from 1)."""
    if "index" in groups:
        index = int(groups["index"])
        before = [0, *(start for start in starts if start <= index)]
        return {"stage": len(before) + 1, "unit": index - before[-1] + 1}
    if "stage" not in groups:
        return {}
    stage, unit = layout.first
    return {"stage": int(groups["stage"]) - stage + 2, "unit": int(groups["unit"]) - unit + 1}


def _turned(layout: Layout, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An array in Keras's order of axes; outer ones of size 1 that `shape` has not go."""
    if layout.order == "pytorch":
        return in_keras_order(array, shape)
    outer = array.ndim - len(shape)
    return array.reshape(array.shape[outer:]) if set(array.shape[:outer]) == {1} else array


def in_keras_order(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(out, in, *window) → (*window, in, out); of a 1×1 window, (in, out) for a `shape` of two.

    A depthwise kernel, (channels, 1, *window), becomes (*window, channels, 1) for such a `shape`.
    """
    if array.ndim < 2:
        return array
    if len(shape) == 2 and array.ndim > 2 and set(array.shape[2:]) == {1}:
        array = array.reshape(array.shape[:2])
    turned = np.transpose(array, (*range(2, array.ndim), 1, 0))
    depthwise = np.swapaxes(turned, -1, -2)
    return depthwise if turned.shape != shape == depthwise.shape else turned


def classes_of(layout: Layout, arrays: Mapping[str, np.ndarray]) -> int | None:
    """The number of classes of a checkpoint; None if it has no classifier."""
    for key, array in arrays.items():
        if "predictions/bias" in _names(layout, key, []):
            return len(array)
    return None


def differences(layout: Layout, model: keras.Model) -> list[str]:
    """In which options a model is not built as the checkpoint's network was, in sentences."""
    built = {"padding": _padding, "stride_on": _stride_on}
    return [
        f"the model is built with {option}={value!r}, the checkpoint's network with {wanted!r}: "
        "their outputs differ"
        for option, wanted in layout.options.items()
        if (value := built[option](model)) != wanted
    ]


def _padding(model: keras.Model) -> str:
    kinds = (keras.layers.ZeroPadding2D, keras.layers.ZeroPadding3D)
    return "symmetric" if any(isinstance(layer, kinds) for layer in model.layers) else "same"


def _stride_on(model: keras.Model) -> str:
    strides = {layer.name: layer.strides for layer in model.layers if hasattr(layer, "strides")}
    return "3x3" if max(strides.get("conv3_1_2_conv", (1,))) > 1 else "1x1"

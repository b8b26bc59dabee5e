"""The attention maps of a model for one input: what each block gathers and distributes."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import keras
import numpy as np

_recorder: ContextVar[list | None] = ContextVar("a2keras_attention_maps", default=None)


def is_recording() -> bool:
    return _recorder.get() is not None


def record(layer: keras.layers.Layer, maps: tuple) -> None:
    """Called by the attention layers: keeps their maps while somebody listens."""
    if (recorder := _recorder.get()) is not None:
        recorder.append((layer.name, maps))


@contextlib.contextmanager
def _recording() -> Iterator[list]:
    recorded: list = []
    token = _recorder.set(recorded)
    try:
        yield recorded
    finally:
        _recorder.reset(token)


def attention_maps(model: keras.Model, x: Any) -> dict[str, tuple[np.ndarray, ...]]:
    """The maps of every attention layer of a model, in the order in which they compute.

    Works on any Keras model — functional, `Sequential`, subclassed, nested — since it runs the
    model once, eagerly and in inference mode.

    Args:
        model: the model.
        x: one batch of its inputs.

    Returns:
        {layer name: maps}: for `DoubleAttention` the gather maps and the distribution maps, both
        (B, *spatial, n); for `NonLocal` its one map (B, *spatial, L); for `SqueezeExcitation` its
        gates (B, C). A layer that is used more than once has `name`, `name_2`, …

    Raises:
        ValueError: the model has no attention layer of a2keras.
    """
    with _recording() as recorded:
        model(x, training=False)
    if not recorded:
        raise ValueError(
            "attention_maps needs a model with an attention layer of a2keras. "
            f"Received: model={model.name!r} without one"
        )
    maps: dict[str, tuple[np.ndarray, ...]] = {}
    for name, arrays in recorded:
        uses = sum(
            key == name or (key.startswith(f"{name}_") and key[len(name) + 1 :].isdigit())
            for key in maps
        )
        key = name if name not in maps else f"{name}_{uses + 1}"
        maps[key] = tuple(keras.ops.convert_to_numpy(array) for array in arrays)
    return maps

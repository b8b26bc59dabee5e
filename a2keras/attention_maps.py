"""The attention maps of a model for one input: what each block gathers and distributes."""

import contextlib
import functools
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import keras
import numpy as np

from a2keras.graphs import layers_of

_recorder: ContextVar[list | None] = ContextVar("a2keras_attention_maps", default=None)
# Of all contexts, so that layers ask for their own only while somebody listens: torch.compile knows
# no context variables, and would cut its graph in two at every layer.
_listening: set[int] = set()


def is_recording() -> bool:
    return bool(_listening) and _recorder.get() is not None


def record(layer: keras.layers.Layer, maps: tuple) -> None:
    """Called by the attention layers: keeps their maps while somebody listens."""
    if _listening and (recorder := _recorder.get()) is not None:
        recorder.append((layer, maps))


@contextlib.contextmanager
def _recording() -> Iterator[list]:
    recorded: list = []
    token = _recorder.set(recorded)
    _listening.add(id(recorded))
    try:
        yield recorded
    finally:
        _listening.discard(id(recorded))
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
        gates (B, C). A layer that is used more than once has `name`, `name_2`, …; of one within
        `TimeDistributed`, which calls it for every step, the second axis are the steps.

    Raises:
        ValueError: the model has no attention layer of a2keras.
    """
    with _eagerly():
        if not model.built:  # Keras may build it by a call with symbols in place of numbers
            model(x, training=False)
        _, maps = call_with_maps(model, x)
    if not maps:
        raise ValueError(
            "attention_maps needs a model with an attention layer of a2keras. "
            f"Received: model={model.name!r} without one"
        )
    to_numpy = keras.ops.convert_to_numpy
    return {name: tuple(map(to_numpy, tensors)) for name, tensors in maps.items()}


@contextlib.contextmanager
def _eagerly() -> Iterator[None]:
    """Lets TensorFlow run a `call` that is a `tf.function` as plain Python."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def call_with_maps(model: keras.Model, x: Any) -> tuple[Any, dict[str, tuple]]:
    """The outputs of a model and the maps of `attention_maps`, as tensors: also in a traced graph.

    Returns:
        (outputs, {layer name: maps}); the dictionary is empty for a model without attention layers.
    """
    with _recording() as recorded, _steps_as_one(model, recorded):
        outputs = model(x, training=False)
    maps: dict[str, tuple] = {}
    for layer, tensors in recorded:
        name = layer.name
        uses = sum(
            key == name or (key.startswith(f"{name}_") and key[len(name) + 1 :].isdigit())
            for key in maps
        )
        maps[name if name not in maps else f"{name}_{uses + 1}"] = tuple(tensors)
    return outputs, maps


@contextlib.contextmanager
def _steps_as_one(model: keras.Model, recorded: list) -> Iterator[None]:
    """Makes one record of those of all steps, within each call of a `TimeDistributed`."""
    layers = (model, *layers_of(model))
    wrappers = [each for each in layers if isinstance(each, keras.layers.TimeDistributed)]

    def noting(call: Any) -> Any:
        @functools.wraps(call)
        def noted(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            first = len(recorded)
            outputs = call(inputs, *args, **kwargs)
            recorded[first:] = _stacked(recorded[first:], inputs.shape[1])
            return outputs

        return noted

    for wrapper in wrappers:
        wrapper.call = noting(wrapper.call)
    try:
        yield
    finally:
        for wrapper in wrappers:
            del wrapper.call


def _stacked(records: list, steps: int | None) -> list:
    """(layer, maps) of so many steps, one after the other, with the steps as the second axis."""
    found = []
    of_layers: dict[int, list] = {}
    for layer, maps in records:
        of_layers.setdefault(id(layer), []).append((layer, maps))
    for own in of_layers.values():
        uses = len(own) // (steps or len(own))
        for use in range(uses):
            maps = zip(*(maps for _, maps in own[use::uses]), strict=True)
            found.append((own[0][0], tuple(keras.ops.stack(each, axis=1) for each in maps)))
    return found

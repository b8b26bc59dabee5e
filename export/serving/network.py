"""The network as it is served: its features beside its probabilities, its sizes open."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from a2keras.export import parity

# How far the trial sizes are from the network's own, in pixels and frames. Odd, so that what
# halves has to round.
_MORE_PIXELS, _MORE_FRAMES = 13, 3
_TOLERANCE = 1e-4


def with_open_sizes(model: Any) -> Any:
    """A copy of a classifier whose input has as many open axes as the network allows.

    An axis is open if the copy gives, at another size, what a copy for just that size gives. A
    dense layer behind a `Flatten` does not allow it, nor does a layer that reshapes to fixed sizes.

    Args:
        model: a functional model, float32, one input (B, [T,] H, W, 3), one output.

    Returns:
        The copy, or `model` itself where no further axis can be open. Compare `input_shape`.
    """
    for shape in _shapes(tuple(model.input_shape[1:])):
        other = _other_size(shape, tuple(model.input_shape[1:]))
        resizable, fixed = copy_at(model, shape), copy_at(model, other)
        if resizable is None or fixed is None:
            continue
        if _alike(resizable, fixed, parity.natural_pixels(other, 1).astype(np.float32)):
            return resizable
    return model


def _alike(first: Any, second: Any, pixels: np.ndarray) -> bool:
    """Whether two networks give the same, their features as well: those are never flat."""
    with parity.full_float32():
        outputs = [with_features(each)(pixels, training=False) for each in (first, second)]
    return all(
        tuple(a.shape) == tuple(b.shape) and np.abs(a - b).max() <= _TOLERANCE * np.abs(b).max()
        for a, b in zip(*outputs, strict=True)
    )


def with_features(model: Any) -> Any:
    """A model of the same layers that gives (probabilities, features).

    The features are what the classifier takes: the input of the last layer that has weights, within
    a model that is a layer as well. Of most networks these are the pooled feature maps,
    (B, channels).
    """
    import keras

    from a2keras.graphs import as_graph

    classifier = [layer for layer in model.layers if layer.weights][-1]
    if (inner := as_graph(classifier)) is None:
        return keras.Model(model.inputs[0], [model.outputs[0], classifier.input], name=model.name)
    features: list[Any] = []

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer is not classifier:
            return layer(*args, **kwargs)
        outputs, taken = with_features(inner)(*args)
        features.append(taken)
        return outputs

    made = keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)
    return keras.Model(made.inputs[0], [made.outputs[0], *features], name=model.name)


def copy_at(model: Any, shape: tuple[int | None, ...]) -> Any:
    """The same layers and weights on an input of another shape; None where they do not fit it."""
    import keras

    from a2keras.copying import copy_state

    pixels = keras.Input(shape, name=model.inputs[0].name)
    try:
        copy = keras.models.clone_model(model, input_tensors=pixels)
        copy_state(model, copy, {})
    except Exception:  # layers refuse shapes by errors of many types
        return None
    return copy


def _shapes(shape: tuple[int | None, ...]) -> Iterator[tuple[int | None, ...]]:
    """Input shapes with more axes open, the most open first."""
    *frames, height, width, channels = shape
    open_frames = [None] * len(frames)
    tried = [shape]
    for candidate in (
        (*open_frames, None, None, channels),
        (*frames, None, None, channels),
        (*open_frames, height, width, channels),
    ):
        if candidate not in tried:
            tried.append(candidate)
            yield candidate


def _other_size(
    open_shape: tuple[int | None, ...], shape: tuple[int | None, ...]
) -> tuple[int, ...]:
    """A size to try: another one along the axes that would be open."""
    more = [_MORE_FRAMES] * (len(shape) - 3) + [_MORE_PIXELS] * 2 + [0]
    usual = [16] * (len(shape) - 3) + [224, 224, 3]  # of an axis that the model leaves open
    return tuple(
        (own or other) + (step if size is None else 0)
        for size, own, other, step in zip(open_shape, shape, usual, more, strict=True)
    )

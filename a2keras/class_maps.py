"""Class activation maps of any network: where in its last feature maps the evidence for a class is.

Grad-CAM (Selvaraju et al., ICCV 2017): the maps' channels are weighted by the mean gradient of the
class's score over all positions, summed, and what speaks against the class is set to zero. Where
global average pooling and one dense layer follow the maps, this is the class activation mapping of
Zhou et al. (CVPR 2016) divided by the number of positions. Of a clip, time is one more axis.
"""

import functools
import re
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from a2keras.copying import copy_operation
from a2keras.graphs import Call, as_graph, flattened, layers_of, passes_by

# What only makes maps smaller or larger, or prepares the input: the maps are those before it.
_NO_MAPS = re.compile(
    r"InputLayer|(Average|Max)Pooling\dD|(ZeroPadding|Cropping)\dD|(Spatial)?Dropout(\dD)?"
    r"|Rescaling|Normalization"
)
_SQUASHING = ("softmax", "sigmoid")


# Keras's layers remember every graph that they have become part of: one of each model is enough, as
# long as the model is what it was then.
_of_models: "weakref.WeakKeyDictionary[keras.Model, tuple[list, ClassMaps]]" = (
    weakref.WeakKeyDictionary()
)


class NoMaps(ValueError):
    """A model that has no class activation maps, in one sentence."""


class ClassMaps:
    """The class activation maps of a model, which keeps its weights and its layers.

    Args:
        model: a functional or built `Sequential` model of one input (B, *spatial, channels), or
            channels first where that is Keras's format, and one output (B, classes); others may be
            nested in it.

    Attributes:
        layer: the name of the layer whose maps are looked at: the last one with the input's axes,
            more than one position, and nothing that goes past it to the output.

    Raises:
        NoMaps: another model, or one without such a layer.
    """

    def __init__(self, model: keras.Model) -> None:
        graph = as_graph(model)
        if graph is None or len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise NoMaps(
                "class maps need a functional model of one input and one output. "
                f"Received: model={model!r}"
            )
        graph, calls = flattened(graph)
        scores, self._copied = _scores(graph, calls)
        self._trunk, self._head, self.layer = _split(graph, calls, scores, model.name)
        self._axis = -1 if keras.config.image_data_format() == "channels_last" else 1

    def __call__(self, x: Any, classes: Sequence[int] | int) -> np.ndarray:
        """The maps for one batch.

        Args:
            x: (B, *spatial, channels).
            classes: numbers of the outputs to explain, or one.

        Returns:
            float32 (B, *positions, n), at least 0: n classes at the positions of the last maps.
            Scores are what the model's last softmax or sigmoid takes.

        Raises:
            ValueError: `classes` has something else in it.
        """
        count = self._head.output_shape[-1]
        is_one = not isinstance(classes, Iterable) or getattr(classes, "ndim", 1) == 0
        numbers: list[Any] = [classes] if is_one else [*classes]  # type: ignore[misc]
        wrong = [each for each in numbers if each not in range(count)]
        if wrong:  # JAX would take the last class for one that is not there
            raise ValueError(
                f"`classes` must be numbers of the model's outputs, 0 to {count - 1}. "
                f"Received: {wrong[0]!r}"
            )
        for operation, copy in self._copied:  # it may have learned meanwhile
            copy.set_weights(operation.get_weights())
        features = self._trunk(ops.convert_to_tensor(x), training=False)
        positions = [i for i in range(1, len(features.shape)) if i != self._axis % features.ndim]
        # As many times the slopes, or float16 has no numbers for those behind a mean of thousands.
        scale = 2.0 ** min(int(np.log2(np.prod([features.shape[i] for i in positions]))), 12)
        maps = []
        for number in map(int, numbers):
            score = functools.partial(self._score, number=number, scale=scale)
            slopes = ops.cast(_gradient(score, features), "float32") / scale
            weights = ops.mean(slopes, axis=positions, keepdims=True)
            products = ops.cast(features, "float32") * weights
            maps.append(ops.relu(ops.sum(products, axis=self._axis)))
        return np.asarray(ops.convert_to_numpy(ops.stack(maps, axis=-1)), "float32")

    def _score(self, features: Any, number: int, scale: float) -> Any:
        # Of all examples together: none depends on another one's maps.
        scores = ops.cast(self._head(features, training=False)[..., number], "float32")
        return scale * ops.sum(scores)


def class_activation_maps(model: keras.Model, x: Any, classes: Sequence[int] | int) -> np.ndarray:
    """Where a model sees evidence for classes; see `ClassMaps`.

        maps = a2keras.class_activation_maps(model, images, classes=[207, 281])

    Returns:
        float32 (B, *positions, n) of n classes, at least 0.

    Raises:
        ValueError: `NoMaps`, as `ClassMaps`; or `classes` that the model does not have.
    """
    state = [
        *map(id, layers_of(model)),
        *(getattr(layer, "activation", None) for layer in layers_of(model)),
        *(tuple(weight.shape) for weight in model.weights),
    ]
    before, maps = _of_models.get(model, (None, None))
    if maps is None or before != state:
        maps = ClassMaps(model)
        _of_models[model] = state, maps
    return maps(x, classes)


def _split(
    graph: keras.Model, calls: list[Call], scores: Any, name: str
) -> tuple[keras.Model, keras.Model, str]:
    """(input → last maps, last maps → scores, the name of the maps' layer)."""
    rank = len(graph.inputs[0].shape)
    for operation, _, maps in reversed(calls):
        if not isinstance(maps, keras.KerasTensor) or len(maps.shape) != rank:
            continue
        channels_last = keras.config.image_data_format() == "channels_last"
        sizes = maps.shape[1:-1] if channels_last else maps.shape[2:]
        if all(size == 1 for size in sizes) or _NO_MAPS.fullmatch(type(operation).__name__):
            continue
        if passes_by(maps, scores, calls):
            continue
        return keras.Model(graph.inputs[0], maps), keras.Model(maps, scores), operation.name
    raise NoMaps(
        f"class maps need feature maps, and a layer that all of them go through. Received: model "
        f"{name!r} without"
    )


def _scores(graph: keras.Model, calls: list[Call]) -> tuple[Any, list[tuple[Any, Any]]]:
    """What the last softmax or sigmoid takes, or the output where there is none.

    Also a layer and its copy without the softmax, where it takes one to have it.
    """
    (output,) = graph.outputs
    operation, arguments = next((o, a[0]) for o, a, outputs in calls if outputs is output)
    kind, squashes = type(operation).__name__, getattr(operation, "activation", None)
    if kind.lower() in _SQUASHING:
        return arguments[0], []
    if getattr(squashes, "__name__", "") not in _SQUASHING:
        return output, []
    if kind == "Activation":
        return arguments[0], []
    linear = copy_operation(operation, activation="linear")  # Dense or a convolution
    scores = linear(*arguments)
    calls.append((linear, (arguments, {}), scores))
    return scores, [(operation, linear)]


def _gradient(function: Callable[[Any], Any], x: Any) -> Any:
    """∂ function(x) / ∂ x, for a function of one number; Keras has no word for it."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            result = function(x)
        return tape.gradient(result, x)
    if backend == "jax":
        import jax

        return jax.grad(function)(x)
    import torch

    x = x.detach().requires_grad_()
    return torch.autograd.grad(function(x), x)[0].detach()

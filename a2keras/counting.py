"""What a model costs, by arithmetic on its shapes: parameters, multiply-adds, activation bytes.

Multiply-adds are those of convolutions, dense layers and matrix products; normalisations,
activations, pooling, biases and additions are free, as the paper counts. One multiply-add is one
multiplication and one addition: half a "FLOP" where a FLOP is either of the two.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
from keras import layers

Shape = tuple[int | None, ...]


class LayerCount(NamedTuple):
    """The costs of one call of a layer, for one example."""

    name: str
    kind: str
    output_shape: Shape
    parameters: int
    multiply_adds: int
    planned_multiply_adds: int
    activation_bytes: int


@dataclasses.dataclass(frozen=True)
class Count:
    """The costs of a model; multiply-adds and bytes are for one example.

    Attributes:
        parameters: all numbers, as `model.count_params()`, moving statistics included.
        trainable_parameters: those that an optimiser changes.
        multiply_adds: as the paper counts: double attention in the order of Eq. 6, unless its
            `association` asks for another.
        planned_multiply_adds: in the order in which double attention really multiplies.
        activation_bytes: of all layers' outputs, in their own compute types.
        by_layer: a `LayerCount` for every call of a layer, in the model's order.
    """

    parameters: int
    trainable_parameters: int
    multiply_adds: int
    planned_multiply_adds: int
    activation_bytes: int
    by_layer: tuple[LayerCount, ...]


def count(model: keras.Model) -> Count:
    """Counts a model's parameters, multiply-adds and activation bytes, without running it.

    Args:
        model: a functional or `Sequential` model whose shapes are known but for the batch.

    Raises:
        ValueError: a layer of an unknown kind (it is never counted as zero), a subclassed model, or
            a layer whose shapes are not known.
    """
    by_layer = tuple(_counts(model))
    return Count(
        parameters=model.count_params(),
        trainable_parameters=sum(math.prod(w.shape) for w in model.trainable_weights),
        multiply_adds=sum(each.multiply_adds for each in by_layer),
        planned_multiply_adds=sum(each.planned_multiply_adds for each in by_layer),
        activation_bytes=sum(each.activation_bytes for each in by_layer),
        by_layer=by_layer,
    )


def _counts(model: keras.Model) -> Iterator[LayerCount]:
    counted: set[int] = set()
    for layer, inputs, outputs in _calls(model):
        if isinstance(layer, keras.Model):
            yield from _counts(layer)
            continue
        first = inputs[0] if inputs else outputs[0]
        shape = tuple(outputs[0].shape)
        if None in shape[1:]:
            raise ValueError(
                "count needs shapes that are known but for the batch. "
                f"Received: layer {layer.name!r} with output shape {shape}"
            )
        paper, planned = multiply_adds(layer, tuple(first.shape), shape)
        size = keras.backend.standardize_dtype(layer.compute_dtype)
        yield LayerCount(
            name=layer.name,
            kind=type(layer).__name__,
            output_shape=shape,
            # The weights of a layer that is called twice are there once.
            parameters=0 if id(layer) in counted else layer.count_params(),
            multiply_adds=paper,
            planned_multiply_adds=planned,
            activation_bytes=_BYTES[size] * sum(math.prod(o.shape[1:]) for o in outputs),
        )
        counted.add(id(layer))


def _calls(model: keras.Model) -> Iterator[tuple[Any, list, list]]:
    """Every call of a layer in a model's graph, with its symbolic inputs and outputs.

    Keras has no public view of the calls of a shared layer: `layer.input` refuses it, since the
    layer may have been called elsewhere too. `_nodes` are those of this model alone.
    """
    functional = model._functional if isinstance(model, keras.Sequential) else model
    if not hasattr(functional, "_nodes"):
        raise ValueError(
            "count needs a functional or a built Sequential model: the layers of a subclassed one "
            f"have no known shapes. Received: {type(model).__name__} {model.name!r}"
        )
    for depth in sorted(functional._nodes_by_depth, reverse=True):
        for node in functional._nodes_by_depth[depth]:
            yield node.operation, node.input_tensors, node.output_tensors


def multiply_adds(layer: Any, inputs: Shape, outputs: Shape) -> tuple[int, int]:
    """Multiply-adds of one call of a layer for one example: as the paper counts, and as planned.

    A layer may count itself, with a method `multiply_adds(input_shape)`, and one with an order to
    choose with `multiply_adds(input_shape, planned=True)` too.
    """
    if hasattr(layer, "multiply_adds"):
        paper = layer.multiply_adds(inputs)
        has_plan = hasattr(layer, "association")
        return paper, layer.multiply_adds(inputs, planned=True) if has_plan else paper
    for kinds, rule in _RULES:
        if isinstance(layer, kinds):
            return (rule(layer, inputs, outputs),) * 2
    raise ValueError(
        f"count does not know what a layer of kind {type(layer).__name__} costs "
        f"(layer {layer.name!r}). Give it a method `multiply_adds(input_shape)`."
    )


def _convolution(layer: Any, inputs: Shape, outputs: Shape) -> int:
    # The kernel is (*window, input channels / groups, filters).
    return _positions(layer, outputs) * math.prod(layer.kernel.shape)


def _transposed(layer: Any, inputs: Shape, outputs: Shape) -> int:
    return _positions(layer, inputs) * math.prod(layer.kernel.shape)


def _depthwise(layer: Any, inputs: Shape, outputs: Shape) -> int:
    return _positions(layer, outputs) * math.prod(layer.kernel.shape)


def _separable(layer: Any, inputs: Shape, outputs: Shape) -> int:
    kernels = math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape)
    return _positions(layer, outputs) * kernels


def _dense(layer: Any, inputs: Shape, outputs: Shape) -> int:
    return math.prod(_known(inputs[1:])) * layer.units


def _free(layer: Any, inputs: Shape, outputs: Shape) -> int:
    return 0


def _positions(layer: Any, shape: Shape) -> int:
    spatial = shape[1:-1] if layer.data_format == "channels_last" else shape[2:]
    return math.prod(_known(spatial))


def _known(shape: Shape) -> tuple[int, ...]:
    if None in shape:
        raise ValueError(f"multiply-adds need known sizes. Received: shape={shape}")
    return tuple(size for size in shape if size is not None)


# The first kind that fits decides, so that a subclass comes before the class that it extends.
_RULES: list[tuple[tuple[type, ...], Callable[[Any, Shape, Shape], int]]] = [
    ((layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose), _transposed),
    ((layers.DepthwiseConv1D, layers.DepthwiseConv2D), _depthwise),
    ((layers.SeparableConv1D, layers.SeparableConv2D), _separable),
    ((layers.Conv1D, layers.Conv2D, layers.Conv3D), _convolution),
    ((layers.Dense,), _dense),
    (
        (
            layers.InputLayer, layers.Rescaling, layers.Normalization, layers.BatchNormalization,
            layers.LayerNormalization, layers.Activation, layers.ReLU, layers.Softmax,
            layers.Add, layers.Multiply, layers.Concatenate, layers.Average, layers.Maximum,
            layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D,
            layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D,
            layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D,
            layers.GlobalAveragePooling3D, layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D,
            layers.GlobalMaxPooling3D, layers.ZeroPadding1D, layers.ZeroPadding2D,
            layers.ZeroPadding3D, layers.Cropping2D, layers.Cropping3D, layers.UpSampling2D,
            layers.Dropout, layers.SpatialDropout2D, layers.SpatialDropout3D, layers.Flatten,
            layers.Reshape, layers.Permute, layers.Identity,
        ),
        _free,
    ),
]  # fmt: skip
_BYTES = {
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "uint8": 1,
    "int32": 4,
    "int64": 8,
}

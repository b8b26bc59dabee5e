"""What a model costs, by arithmetic on its shapes: parameters, multiply-adds, activation bytes.

Multiply-adds are those of convolutions, dense and recurrent layers and matrix products at
inference; normalisations, activations, pooling, biases, additions and products element by element
are free, as the paper counts. One multiply-add is one multiplication and one addition: half a
"FLOP" where a FLOP is either of the two.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

from a2keras.counting_layers import multiply_adds, step
from a2keras.counting_operations import Call
from a2keras.wiring import graph_of, nodes_of

Shape = tuple[int | None, ...]


class LayerCount(NamedTuple):
    """The costs of one call of a layer or of an operation of `keras.ops`, for one example.

    `output_shape` is that of the first output, with None for the batch.
    """

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
        activation_bytes: of the outputs of all calls, in their own dtypes.
        by_layer: a `LayerCount` for every call of a layer or an operation, in the model's order.
    """

    parameters: int
    trainable_parameters: int
    multiply_adds: int
    planned_multiply_adds: int
    activation_bytes: int
    by_layer: tuple[LayerCount, ...]

    def __str__(self) -> str:
        return (
            f"{self.parameters:,} parameters ({self.trainable_parameters:,} trainable), "
            f"{self.multiply_adds:,} multiply-adds ({self.planned_multiply_adds:,} as planned), "
            f"{self.activation_bytes:,} bytes of activations, {len(self.by_layer)} calls"
        )


def count(model: keras.Model) -> Count:
    """Counts a model's parameters, multiply-adds and activation bytes, without running it.

    Args:
        model: a functional or `Sequential` model whose shapes are known but for the batch.

    Raises:
        ValueError: a layer or an operation of an unknown kind (it is never counted as zero), a
            subclassed model, or a layer whose shapes are not known.
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
    for call in _calls_of_model(model):
        # The weights of a layer that is called twice are there once.
        weights = [w for w in getattr(call.operation, "weights", ()) if id(w) not in counted]
        counted |= {id(weight) for weight in weights}
        yield LayerCount(
            name=call.operation.name,
            kind=type(call.operation).__name__,
            output_shape=(None, *call.output[1:]) if call.output else (),
            parameters=sum(math.prod(weight.shape) for weight in weights),
            multiply_adds=multiply_adds(call),
            planned_multiply_adds=multiply_adds(call, planned=True),
            activation_bytes=sum(_bytes(tensor, call.operation) for tensor in call.outputs),
        )


def _calls_of_model(model: keras.Model) -> list[Call]:
    graph = graph_of(model)
    if graph is None:
        raise ValueError(
            "count needs a functional or a built Sequential model: the layers of a subclassed one "
            f"have no known shapes. Received: {type(model).__name__} {model.name!r}"
        )
    inputs = [each for each in graph.operations if isinstance(each, keras.layers.InputLayer)]
    calls = [_input(layer) for layer in inputs]
    given = {id(call.operation.output): call.outputs[0] for call in calls}
    return calls + _run(graph, [given[id(each)] for each in graph.inputs])[0]


def _input(layer: keras.layers.InputLayer) -> Call:
    shape, dtype = layer.output.shape, layer.output.dtype
    _check_shape(layer, shape, shape[1:])
    # A batch of one example: whatever a reshape folds into the batch then has a size.
    return Call(layer, (), {}, [keras.KerasTensor((1, *shape[1:]), dtype)])


def _run(graph: Any, inputs: list) -> tuple[list[Call], list]:
    """The calls of layers and operations in a graph for these inputs, and its outputs."""
    tensors = dict(zip(map(id, graph.inputs), inputs, strict=True))
    calls = []

    def known(each: Any) -> Any:
        return tensors.get(id(each), each)

    for node in nodes_of(graph):
        args = keras.tree.map_structure(known, node.arguments.args)
        kwargs = keras.tree.map_structure(known, node.arguments.kwargs)
        inner, outputs = _called(node.operation, args, kwargs)
        calls += inner
        tensors |= zip(map(id, node.outputs), outputs, strict=True)
    return calls, [tensors[id(each)] for each in graph.outputs]


def _called(operation: Any, args: tuple, kwargs: dict) -> tuple[list[Call], list]:
    """The calls that one node of a graph stands for, those of a model in it too; its outputs."""
    call = Call(operation, args, kwargs, [])
    graph = None if hasattr(operation, "multiply_adds") else graph_of(operation)
    if graph is not None:
        return _run(graph, _inputs_of(graph, call.first))
    outputs = keras.tree.flatten(operation.compute_output_spec(*args, **kwargs))
    if any(None in tensor.shape for tensor in outputs):
        # Some layers are told their shape, `EinsumDense` for one. Then their `call` is traced.
        spec = keras.Operation.compute_output_spec(operation, *args, **kwargs)
        outputs = keras.tree.flatten(spec)
    for tensor in outputs:
        _check_shape(operation, tensor.shape, tensor.shape)
    if isinstance(operation, keras.layers.TimeDistributed):
        graph = graph_of(operation.layer)
        if graph is not None:
            return _run(graph, [step(call)])[0], outputs
    return [call._replace(outputs=outputs)], outputs


def _inputs_of(graph: Any, given: Any) -> list:
    if isinstance(given, dict) and {each.name for each in graph.inputs} <= set(given):
        return [given[each.name] for each in graph.inputs]
    return keras.tree.flatten(given)


def _check_shape(operation: Any, shape: Shape, known: Shape) -> None:
    if None in known:
        raise ValueError(
            "count needs shapes that are known but for the batch. "
            f"Received: layer {operation.name!r} with output shape {tuple(shape)}"
        )


def _bytes(tensor: Any, operation: Any) -> int:
    size = _BYTES.get(tensor.dtype)
    if size is None:
        raise ValueError(
            f"count does not know how many bytes a {tensor.dtype} takes. "
            f"Received: an output of {operation.name!r}"
        )
    return size * math.prod(tensor.shape)


_BYTES = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "uint32": 4,
    "int64": 8,
    "uint64": 8,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "complex64": 8,
    "complex128": 16,
}

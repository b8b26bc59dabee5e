"""How the layers of a model follow one another, those of nested models too."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

from a2keras.graphs import has_own_call


class Place(NamedTuple):
    """One call of a layer or of an operation.

    Attributes:
        operation: what is called.
        inputs: for each of its tensors, the indices of the places that it comes from.
        positions: of its first output: the product of all its axes but batch and channels; None
            where one of them is unknown.
    """

    operation: Any
    inputs: tuple[frozenset[int], ...]
    positions: int | None

    @property
    def follows(self) -> frozenset[int]:
        """The indices of all places whose outputs it takes."""
        return frozenset().union(*self.inputs)


def places_of(model: keras.Model) -> list[Place]:
    """Every call of a functional or `Sequential` model and of those nested in it, in order.

    Raises:
        ValueError: a model that has no graph.
    """
    graph = graph_of(model)
    if graph is None:
        raise ValueError(
            "a functional or a built Sequential model is needed: others do not show how their "
            f"layers follow one another. Received: {type(model).__name__} {model.name!r}"
        )
    found: list[Place] = []
    _walk(graph, frozenset(), found)
    return found


def _walk(graph: Any, sources: frozenset[int], found: list[Place]) -> frozenset[int]:
    """Appends the places of a graph, and returns those that its outputs come from."""
    producers = {id(tensor): sources for tensor in graph.inputs}
    for node in nodes_of(graph):
        taken = tuple(producers.get(id(each), frozenset()) for each in node.input_tensors)
        inner = graph_of(node.operation)
        if inner is not None:
            made = _walk(inner, frozenset().union(*taken), found)
        else:
            found.append(Place(node.operation, taken, _positions(node)))
            made = frozenset({len(found) - 1})
        producers |= {id(each): made for each in node.outputs}
    return frozenset().union(*(producers[id(each)] for each in graph.outputs))


def _positions(node: Any) -> int | None:
    shape = tuple(node.outputs[0].shape)[1:]
    data_format = getattr(node.operation, "data_format", None) or keras.config.image_data_format()
    sizes = shape[1:] if data_format == "channels_first" else shape[:-1]
    return None if None in sizes else math.prod(sizes)


def nodes_of(graph: Any) -> Iterator[Any]:
    """The calls in a graph, each after those whose outputs it takes; inputs are none.

    Keras has no public view of the calls of a shared layer: `layer.input` is that of the first
    one, which may be in another model. The nodes of a graph are its own.
    """
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        yield from (node for node in graph._nodes_by_depth[depth] if not node.is_input)


def graph_of(operation: Any) -> Any:
    """The functional graph of a model or a `keras.Function`; None where its `call` is its own."""
    graph = operation._functional if isinstance(operation, keras.Sequential) else operation
    return graph if hasattr(graph, "_nodes_by_depth") and not has_own_call(operation) else None

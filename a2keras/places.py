"""Places in a model: its layers and operations, those of nested models too, by name."""

import re
from collections.abc import Iterator
from typing import Any

import keras

from a2keras.errors import did_you_mean, nearest
from a2keras.graphs import as_graph


def operation_paths(graph: keras.Model, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every operation of a model and of those nested in it, with its path."""
    for operation in graph.operations:
        path = f"{prefix}{operation.name}"
        yield path, operation
        if (nested := as_graph(operation)) is not None:
            yield from operation_paths(nested, f"{path}/")


def chosen_operations(paths: list[tuple[str, Any]], after: Any) -> set[int]:
    """The ids of the operations that `after` chooses."""
    if callable(after):
        layers = {id(op): op for _, op in paths if isinstance(op, keras.layers.Layer)}
        layers = {key: layer for key, layer in layers.items() if not _is_input(layer)}
        chosen = {key for key, layer in layers.items() if after(layer)}
        if not chosen:
            raise ValueError(
                f"`after` chooses none of the model's {len(layers)} layers. Received: {after!r}"
            )
        return chosen
    names = list(after) if isinstance(after, list | tuple | set | frozenset) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(
            "`after` must be a list of layer names, or a predicate over layers. "
            f"Received: after={after!r}"
        )
    return {id(_named(paths, name)) for name in names}


def _named(paths: list[tuple[str, Any]], name: str) -> Any:
    full = [(f"/{path}", op) for path, op in paths]
    wanted = name if name.startswith("/") else f"/{name}"
    found = [(path, op) for path, op in full if path.endswith(wanted)]
    if name.startswith("/"):
        found = [(path, op) for path, op in found if path == name]
    if not found:
        known = sorted({each for path, op in paths for each in (path, op.name)})
        hint = did_you_mean(nearest(name, known), "`model.summary(expand_nested=True)` lists them")
        raise ValueError(f"`after` names a layer that the model does not have: {name!r}: {hint}")
    if len({id(op) for _, op in found}) > 1:
        raise ValueError(
            f"`after` names a layer that stands in several of the nested models: {name!r}. "
            f"Say which: {', '.join(repr(path) for path, _ in found)}"
        )
    operation = found[0][1]
    if _is_input(operation):
        raise ValueError(f"`after` names an input, which no block can follow: {name!r}")
    return operation


def in_snake_case(name: str) -> str:
    """Of a class, as Keras names its layers: DepthwiseConv2D → depthwise_conv2d."""
    return re.sub(r"(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _is_input(operation: Any) -> bool:
    return isinstance(operation, keras.layers.InputLayer)

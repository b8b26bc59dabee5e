"""Models as graphs of layers: as a plain functional model, and all layers inside."""

from typing import Any

import keras

# An operation, its positional and its named arguments, and its outputs.
Call = tuple[Any, tuple, Any]


def as_graph(layer: Any) -> keras.Model | None:
    """A functional or built `Sequential` model as a plain functional model over the same layers.

    None for everything else: a model whose `call` is its own computes what its graph does not show.
    """
    if isinstance(layer, keras.Sequential):
        # Keras has no public word for a Sequential that knows no input yet but the missing one.
        if not hasattr(layer, "inputs"):
            return None
        ends = [each[0] if len(each) == 1 else each for each in (layer.inputs, layer.outputs)]
    elif isinstance(layer, keras.Model) and isinstance(layer, keras.Function):
        ends = [layer.input, layer.output]
    else:
        return None
    return None if has_own_call(layer) else keras.Model(*ends, name=layer.name)


def has_own_call(model: Any) -> bool:
    """Whether a class of its own overrides the `call` that runs a model's graph.

    Args:
        model: a functional or `Sequential` model, or a `keras.Function`.
    """
    kinds = [e for e in (keras.Sequential, keras.Model, keras.Function) if isinstance(model, e)]
    # Keras's class of functional models has no public name: it is the first that is of both kinds.
    lineage = reversed(type(model).__mro__)
    of_keras: Any = next(each for each in lineage if all(issubclass(each, kind) for kind in kinds))
    return type(model).call is not of_keras.call


def flattened(graph: keras.Model) -> tuple[keras.Model, list[Call]]:
    """The graph over the same layers without models in models, and its calls in order."""
    while True:
        calls: list[Call] = []

        def call(operation: Any, *args: Any, calls: list = calls, **kwargs: Any) -> Any:
            nested = as_graph(operation)
            outputs = operation(*args, **kwargs) if nested is None else nested.call(*args)
            calls.append((operation, (args, kwargs), outputs))
            return outputs

        graph = keras.models.clone_model(
            graph, clone_function=lambda operation: operation, call_function=call
        )
        if not any(as_graph(operation) for operation, _, _ in calls):
            return graph, calls


def passes_by(maps: Any, scores: Any, calls: list[Call]) -> bool:
    """Whether something of the input reaches the scores but by the maps."""
    made_from = {
        id(made): args for _, args, outputs in calls for made in keras.tree.flatten(outputs)
    }
    pending, seen = [scores], {id(maps)}
    while pending:
        tensor = pending.pop()
        if id(tensor) in seen or not isinstance(tensor, keras.KerasTensor):
            continue
        seen.add(id(tensor))
        if id(tensor) not in made_from:  # an input
            return True
        pending += keras.tree.flatten(made_from[id(tensor)])
    return False


def layers_of(model: keras.layers.Layer, recursive: bool = True) -> list[keras.layers.Layer]:
    """All layers of a model or layer, those inside others and their lists included.

    The walk is not public in Keras, but nothing that is reaches the layers that a composite layer
    keeps in a list: not `model.layers`, not `tf.train.TrackableView`.

    Args:
        model: whose layers; it is not one of them.
        recursive: whether those inside its layers count, too.
    """
    return list(model._flatten_layers(include_self=False, recursive=recursive))

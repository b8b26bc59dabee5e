"""Copies of a model's layers and operations that share no state with what they were made from."""

import tempfile
from typing import Any

import keras
import numpy as np
from keras import ops

from a2keras.graphs import layers_of


def copy_inputs(graph: keras.Model) -> Any:
    """New input tensors like those of a functional model, in their structure."""
    layers = {
        id(layer.output): layer
        for layer in graph.operations
        if isinstance(layer, keras.layers.InputLayer)
    }

    def copied(tensor: Any) -> Any:
        layer = layers[id(tensor)]
        return keras.layers.InputLayer.from_config(layer.get_config()).output

    return keras.tree.map_structure(copied, graph.input)


def copy_operation(operation: Any, **changes: Any) -> Any:
    """A new layer or operation of the same configuration, those of its entries changed that it has.

    Raises:
        ValueError: the configuration does not give such a layer again.
    """
    kind = type(operation)
    try:
        config = operation.get_config()
        config |= {key: value for key, value in changes.items() if key in config}
        if isinstance(operation, keras.layers.Lambda):
            return _copy_lambda(operation, config)
        with keras.saving.custom_object_scope(_objects(operation)):
            copy = kind.from_config(config)
    except Exception as error:  # whatever a layer's own get_config and from_config may raise
        raise ValueError(
            f"Layer {operation.name!r} cannot be copied: {kind.__name__} needs a get_config() from "
            f"which from_config() makes it again ({type(error).__name__}: {shortened(error)})"
        ) from error
    # A layer whose __init__ takes no name or policy has none in its configuration.
    copy.name = changes.get("name", operation.name)
    if isinstance(copy, keras.layers.Layer) and "dtype" not in config:
        copy.dtype_policy = changes.get("dtype", operation.dtype_policy)
    if hasattr(operation, "save_assets"):  # vocabularies, which a layer needs before it is called
        with tempfile.TemporaryDirectory() as folder:
            operation.save_assets(folder)
            copy.load_assets(folder)
    return copy


def shortened(error: Exception, length: int = 200) -> str:
    """The beginning of an error's message, on one line."""
    message = " ".join(str(error).split())
    return message if len(message) <= length else message[:length].rstrip() + " …"


def _copy_lambda(layer: Any, config: dict) -> Any:
    # Not from its configuration, which holds marshalled code without the names that the code uses.
    own = {"function": layer.function, "mask": layer.mask, "arguments": layer.arguments}
    if "output_shape" in config:
        own["output_shape"] = layer._output_shape
    return type(layer)(**{key: config[key] for key in ("name", "trainable", "dtype")}, **own)


def _objects(layer: Any) -> dict[str, Any]:
    """The classes and functions that a layer's configuration may refer to, by name.

    The model is at hand, so that they need not be registered as for a file.
    """
    if not isinstance(layer, keras.layers.Layer):
        return {}
    found = {}
    for each in (layer, *layers_of(layer)):
        found[type(each).__name__] = type(each)
        for value in vars(each).values():
            if hasattr(value, "__name__"):
                found[value.__name__] = value
            elif hasattr(value, "get_config"):
                found[type(value).__name__] = type(value)
    return found


def copy_state(original: keras.layers.Layer, copy: keras.layers.Layer, copied: dict) -> None:
    """Gives a built copy the weights and the other state of its original.

    Args:
        copied: {id of a variable: its copy}, of all layers so far; extended.

    Raises:
        ValueError: the copy has other variables, or the original shares one with another layer.
    """
    shapes = [[tuple(v.shape) for v in layer.variables] for layer in (original, copy)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"Layer {original.name!r} cannot be copied: its configuration gives a layer with "
            f"weights of shapes {shapes[1]}, and it has {shapes[0]}"
        )
    for old, new in _layer_pairs(original, copy):  # for what they derive from their variables
        store: dict[str, Any] = {}
        old.save_own_variables(store)
        new.load_own_variables({key: _array(value) for key, value in store.items()})
    for old, new in zip(original.variables, copy.variables, strict=True):  # to the bit, with seeds
        if copied.setdefault(id(old), new) is not new:
            raise ValueError(
                f"Layer {original.name!r} cannot be copied: it shares the variable {old.path!r} "
                "with another layer, and the copies of the two would not."
            )
        # JAX would share the array itself, and give it away in the first compiled step of either.
        new.assign(ops.copy(old))


def copy_trainable(original: keras.layers.Layer, copy: keras.layers.Layer) -> None:
    """Gives a built copy the trainable flags of its original, its sub-layers and its variables."""
    for old, new in _layer_pairs(
        original, copy
    ):  # a layer before those inside, which it overwrites
        new.trainable = old.trainable
    for old, new in zip(original.variables, copy.variables, strict=True):
        new.trainable = old.trainable


def _layer_pairs(original: keras.layers.Layer, copy: keras.layers.Layer) -> Any:
    return zip((original, *layers_of(original)), (copy, *layers_of(copy)), strict=True)


def _array(value: Any) -> Any:
    return value if isinstance(value, np.ndarray) else ops.convert_to_numpy(value)

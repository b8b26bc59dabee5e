"""Models as graphs of layers: as a plain functional model, and all layers inside."""

from typing import Any

import keras


def as_graph(layer: Any) -> keras.Model | None:
    """A functional or built `Sequential` model as a plain functional model over the same layers.

    None for everything else: a model whose `call` is its own computes what its graph does not show.
    """
    if isinstance(layer, keras.Sequential):
        # Keras has no public word for a Sequential that knows no input yet but the missing one.
        if type(layer).call is not keras.Sequential.call or not hasattr(layer, "inputs"):
            return None
        ends = [each[0] if len(each) == 1 else each for each in (layer.inputs, layer.outputs)]
    elif isinstance(layer, keras.Model) and isinstance(layer, keras.Function):
        ends = [layer.input, layer.output]
    else:
        return None
    plain = keras.Model(*ends, name=layer.name)
    own_call = type(layer).call is not type(plain).call and not isinstance(layer, keras.Sequential)
    return None if own_call else plain


def layers_of(model: keras.layers.Layer, recursive: bool = True) -> list[keras.layers.Layer]:
    """All layers of a model or layer, those inside others and their lists included.

    The walk is not public in Keras, but nothing that is reaches the layers that a composite layer
    keeps in a list: not `model.layers`, not `tf.train.TrackableView`.

    Args:
        model: whose layers; it is not one of them.
        recursive: whether those inside its layers count, too.
    """
    return list(model._flatten_layers(include_self=False, recursive=recursive))

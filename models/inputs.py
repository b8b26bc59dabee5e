"""Where every network begins and ends: its input and its head."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

HEAD = ("avg_pool", "predictions", "probabilities")  # layers of `classifier` and `network_model`

# From the last feature maps and the number of classes to the logits (B, classes).
Top = Callable[[Any, int], Any]


def classifier(x: Any, classes: int, dropout: float = 0.0) -> Any:
    """Global average pooling, dropout if any, and a dense layer: the top of most networks."""
    x = global_pooling(x, "avg")
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    return layers.Dense(classes, name="predictions")(x)


def global_pooling(x: Any, kind: str) -> Any:
    """(B, *spatial, C) → (B, C), by "avg" or "max"."""
    pooling = {"avg": "GlobalAveragePooling", "max": "GlobalMaxPooling"}[kind]
    return getattr(layers, f"{pooling}{len(x.shape) - 2}D")(name=f"{kind}_pool")(x)


def input_shape_of(size: tuple[int, ...]) -> tuple[int, ...]:
    """Of RGB of a size, (*size, 3), or (3, *size) where Keras is set to channels first."""
    last = keras.config.image_data_format() == "channels_last"
    return (*size, 3) if last else (3, *size)


def network_input(
    input_tensor: Any, input_shape: tuple[int | None, ...] | None, size: tuple[int, ...]
) -> Any:
    """The tensor that a network is built on.

    Args:
        input_tensor: a Keras tensor, or None for a new input.
        input_shape: shape of the new input without its batch; default `size` with 3 channels.
        size: the network's usual (frames, height, width) or (height, width).

    Raises:
        ValueError: a shape of another rank, or with unknown channels.
    """
    last = keras.config.image_data_format() == "channels_last"
    if input_tensor is not None:
        shape = tuple(input_tensor.shape)[1:]
        argument = f"input_tensor.shape={tuple(input_tensor.shape)}"
    else:
        shape = input_shape or input_shape_of(size)
        argument = f"input_shape={shape}"
    if len(shape) != len(size) + 1 or shape[-1 if last else 0] is None:
        axes = ["frames", "height", "width"][-len(size) :]
        names = [*axes, "channels"] if last else ["channels", *axes]
        raise ValueError(
            f"this network's input is ({', '.join(names)}) with known channels. "
            f"Received: {argument}"
        )
    if any(side is not None and side < 1 for side in shape):
        raise ValueError(f"an input's sizes must be at least 1. Received: {argument}")
    return keras.Input(shape) if input_tensor is None else input_tensor


def network_model(
    inputs: Any,
    x: Any,
    top: Top,
    include_top: bool,
    pooling: str | None,
    classes: int,
    classifier_activation: str | Callable[[Any], Any] | None,
    name: str,
) -> keras.Model:
    """Puts the head on feature maps and makes the model, from the sources of `inputs` on.

    Raises:
        ValueError: an unknown pooling, classes < 1.
    """
    if pooling not in (None, "avg", "max"):
        raise ValueError(f"`pooling` must be None, 'avg' or 'max'. Received: pooling={pooling!r}")
    if include_top and classes < 1:
        raise ValueError(f"`classes` must be at least 1. Received: classes={classes}")
    if include_top:
        x = top(x, classes)
        # float32 also under mixed precision: probabilities of a thousand classes need it.
        x = layers.Activation(classifier_activation, dtype="float32", name="probabilities")(x)
    elif pooling is not None:
        x = global_pooling(x, pooling)
    sources = keras.utils.get_source_inputs(inputs)
    # One input is not a list of one: such a model would want its input in a list too.
    return keras.Model(sources[0] if len(sources) == 1 else sources, x, name=name)

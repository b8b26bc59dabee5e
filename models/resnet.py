"""Pre-activation residual networks for images and videos, with attention blocks where asked.

The backbone of all the paper's networks (Table 1): BN → ReLU → convolution throughout, stride on
the middle convolution, blocks between units on the raw sum.
"""

import difflib
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from a2keras.double_attention import DoubleAttention
from a2keras.models.inputs import network_input, network_model
from a2keras.models.variants import RESNETS, ResNet, Stage
from a2keras.non_local import NonLocal
from a2keras.pre_activation import BATCH_NORMALIZATION, pre_activation

BLOCKS = {"a2": DoubleAttention, "non_local": NonLocal}


def convolution(x: Any, channels: int, kernel: tuple, strides: tuple, name: str) -> Any:
    """A convolution of rank 2 or 3, as the input's, without bias; rank 2 leaves the time away."""
    rank = len(x.shape) - 2
    kind = {2: layers.Conv2D, 3: layers.Conv3D}[rank]
    return kind(
        channels, kernel[-rank:], strides[-rank:], padding="same", use_bias=False, name=name
    )(x)


def unit(x: Any, stage: Stage, number: int, name: str) -> Any:
    """1×1×1, t×3×3 and 1×1×1 convolutions, each after BN–ReLU, plus the shortcut; no ReLU after."""
    strides = stage.strides if number == 1 else (1, 1, 1)
    time = stage.temporal[(number - 1) % len(stage.temporal)]
    one = (1, 1, 1)

    def brc(x: Any, channels: int, kernel: tuple, strides: tuple, part: str) -> Any:
        x = pre_activation(x, f"{name}_{part}", channel_axis())
        return convolution(x, channels, kernel, strides, f"{name}_{part}_conv")

    shortcut = brc(x, stage.channels, one, strides, "0") if number == 1 else x
    x = brc(x, stage.middle, one, one, "1")
    x = brc(x, stage.middle, (time, 3, 3), strides, "2")
    x = brc(x, stage.channels, one, one, "3")
    return layers.Add(name=f"{name}_out")([shortcut, x])


def resnet(
    variant: ResNet,
    include_top: bool,
    weights: str | None,
    input_tensor: Any,
    input_shape: tuple | None,
    pooling: str | None,
    classes: int,
    classifier_activation: str | None,
    name: str | None,
    attention: str | None,
    positions: tuple[str, ...],
) -> keras.Model:
    """Builds a record of `variants.py`; the arguments are those of its builder."""
    names = [f"conv{s}_{u + 1}" for s, t in enumerate(variant.stages, 2) for u in range(t.units)]
    check_blocks(attention, positions, names)
    size = variant.input_size[-variant.rank :]
    inputs = network_input(input_tensor, input_shape, size)

    x = convolution(inputs, variant.stem, (3, 5, 5), (1, 2, 2), "conv1_conv")
    x = layers.BatchNormalization(axis=channel_axis(), name="conv1_bn", **BATCH_NORMALIZATION)(x)
    x = layers.ReLU(name="conv1_relu")(x)
    if variant.stem_pool:
        pool = {2: layers.MaxPooling2D, 3: layers.MaxPooling3D}[variant.rank]
        window, strides = (1, 3, 3)[-variant.rank :], (1, 2, 2)[-variant.rank :]
        x = pool(window, strides, padding="same", name="conv1_pool")(x)
    for number, stage in enumerate(variant.stages, 2):
        for each in range(1, stage.units + 1):
            x = unit(x, stage, each, place := f"conv{number}_{each}")
            if attention is not None and place in positions:
                x = BLOCKS[attention](
                    stage.channels // variant.reduction,
                    pre_activation=True,
                    name=f"{place}_attention",
                )(x)
    x = pre_activation(x, "final", channel_axis())
    return network_model(
        inputs,
        x,
        include_top=include_top,
        weights=weights,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        name=name or variant.name,
    )


def channel_axis() -> int:
    return -1 if keras.config.image_data_format() == "channels_last" else 1


def check_blocks(attention: str | None, positions: tuple[str, ...], units: list[str]) -> None:
    """Raises a `ValueError` for an unknown kind of attention or a unit that is not there."""
    if attention is not None and attention not in BLOCKS:
        raise ValueError(
            f"`attention` must be None, {' or '.join(map(repr, BLOCKS))}. "
            f"Received: attention={attention!r}"
        )
    if isinstance(positions, str):
        raise ValueError(
            f"`positions` must be a tuple of unit names. Received: positions={positions!r}"
        )
    for position in positions:
        if position not in units:
            near = difflib.get_close_matches(position, units, n=3) or units
            raise ValueError(
                f"`positions` must name units of the network, such as {', '.join(near)}. "
                f"Received: {position!r}"
            )


def builder_of(variant: ResNet) -> Callable[..., keras.Model]:
    """The builder of a record, with the signature of `keras.applications`."""

    def build(
        include_top: bool = True,
        weights: str | None = None,
        input_tensor: Any = None,
        input_shape: tuple | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: str | None = "softmax",
        name: str | None = None,
        *,
        attention: str | None = variant.attention,
        positions: tuple[str, ...] = variant.positions,
    ) -> keras.Model:
        return resnet(
            variant,
            include_top,
            weights,
            input_tensor,
            input_shape,
            pooling,
            classes,
            classifier_activation,
            name,
            attention,
            positions,
        )

    build.__name__ = build.__qualname__ = variant.builder
    build.__doc__ = _DOCUMENTATION.format(
        variant=variant,
        default=(*variant.input_size[-variant.rank :], 3),
        axes="(time, height, width" if variant.rank == 3 else "(height, width",
    )
    return build


_DOCUMENTATION = """A pre-activation residual network ({variant.source}).

Args:
    include_top: whether the dense classifier stands on top.
    weights: None, or the path of a `.weights.h5` or `.keras` file.
    input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
    input_shape: {axes}, channels), channels last unless Keras is set otherwise, with None for
        an unknown size; default {default}.
    pooling: without the top: None (the feature maps), "avg" or "max" (B, channels).
    classes: outputs of the classifier.
    classifier_activation: activation of the classifier; None for logits.
    name: of the model; default "{variant.name}".
    attention: "a2" (DoubleAttention), "non_local" or None; default {variant.attention!r}.
    positions: the residual units that a block follows; default {variant.positions}.

Returns:
    A functional `keras.Model`.

Raises:
    ValueError: an unknown attention or position, classes < 1, an unknown pooling, an input shape
        of another rank, a weights file that does not exist.
"""

BUILDERS = {variant.name: builder_of(variant) for variant in RESNETS}

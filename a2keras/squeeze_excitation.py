"""Squeeze-and-excitation (Hu et al., 2018): the paper's second rival."""

from typing import Any, Unpack

import keras
from keras import ops

from a2keras.attention_maps import record
from a2keras.position_layer import KerasObject, LayerArguments, PositionLayer
from a2keras.positions import (
    at_least_float32,
    channel_axis,
    check_positive,
    flatten_mask,
    flatten_positions,
    unflatten_positions,
    without_garbage,
)


@keras.saving.register_keras_serializable("a2keras")
class SqueezeExcitation(PositionLayer):
    """Scales every channel by a gate computed from the average over all positions.

    Global average pooling → dense C // ratio with ReLU → dense C with sigmoid → scale.

    Args:
        ratio: reduction ratio r; the first dense layer has max(1, C // r) units.
        data_format: "channels_last" or "channels_first"; default Keras's own.
        kernel_initializer, bias_initializer: of both dense layers, as for `keras.layers.Dense`.
        kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint: likewise.

    Call arguments:
        inputs: (B, *spatial, C) or (B, C, *spatial); one or more spatial axes.
        mask: (B, *spatial); positions where it is False do not enter the average. Numbers are True
            unless they are 0: 0.5 and NaN are.
        return_attention_scores: also return the gates.

    Returns:
        outputs of the shape of the inputs, or (outputs, gates), the gates (B, C).

    Raises:
        ValueError: a ratio that is no whole number of at least 1; else as for `DoubleAttention`.
    """

    def __init__(
        self,
        ratio: int = 16,
        *,
        data_format: str | None = None,
        kernel_initializer: KerasObject = "glorot_uniform",
        bias_initializer: KerasObject = "zeros",
        kernel_regularizer: KerasObject = None,
        bias_regularizer: KerasObject = None,
        kernel_constraint: KerasObject = None,
        bias_constraint: KerasObject = None,
        **kwargs: Unpack[LayerArguments],
    ):
        super().__init__(
            data_format=data_format,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.ratio = check_positive("ratio", ratio)

    def build(self, input_shape: tuple) -> None:
        channels, _ = self.sizes(input_shape)
        squeezed = self.units(channels)
        self.squeeze = self.projection("squeeze", squeezed, use_bias=True)
        self.squeeze.build((input_shape[0], channels))
        self.excite = self.projection("excite", channels, use_bias=True)
        self.excite.build((input_shape[0], squeezed))
        self.require_channels(channels)

    def units(self, channels: int) -> int:
        """Units of the first dense layer."""
        return max(1, channels // self.ratio)

    def call(self, inputs: Any, mask: Any = None, return_attention_scores: bool = False) -> Any:
        inputs = self.checked(inputs)
        x = self.channels_last(inputs)  # (B, *spatial, C)
        mask = None if mask is None else flatten_mask(mask, x)  # (B, L)
        flat = without_garbage(flatten_positions(x), mask)  # (B, L, C)
        if mask is not None:
            inputs = self.as_inputs(unflatten_positions(flat, x))
        average = ops.cast(self._average(flat, mask), self.compute_dtype)  # (B, C)
        gates = ops.sigmoid(self.excite(ops.relu(self.squeeze(average))))  # (B, C)
        record(self, (gates,))
        first = 1 if self.data_format == "channels_last" else 2
        spatial = tuple(range(first, first + len(x.shape) - 2))
        outputs = inputs * ops.expand_dims(gates, spatial)
        return (outputs, gates) if return_attention_scores else outputs

    def _average(self, flat: Any, mask: Any) -> Any:
        """Over the positions of (B, L, C), in float32 or wider: half precision ends at 65504."""
        flat = at_least_float32(flat)
        if mask is None:
            return ops.mean(flat, axis=1)
        keep = ops.expand_dims(mask, -1)
        count = ops.sum(ops.cast(keep, flat.dtype), axis=1)
        return ops.sum(ops.where(keep, flat, 0.0), axis=1) / ops.maximum(count, 1.0)

    def map_shapes(self, input_shape: tuple) -> tuple[tuple, ...]:
        return ((input_shape[0], input_shape[channel_axis(self.data_format)]),)

    def multiply_adds(self, input_shape: tuple) -> int:
        """Multiply-adds of the two dense layers for one example (the scaling is not counted)."""
        channels, _ = self.sizes(input_shape)
        return 2 * channels * self.units(channels)

    def get_config(self) -> dict:
        return {**super().get_config(), "ratio": self.ratio}

"""Squeeze-and-excitation (Hu et al., 2018): the paper's second rival."""

from typing import Any

import keras
from keras import ops

from a2keras.attention_maps import record
from a2keras.positions import (
    MaskedLayer,
    at_least_float32,
    channel_axis,
    channels_and_positions,
    check_data_format,
    check_dense,
    check_mask_shape,
    check_positive,
    flatten_mask,
    flatten_positions,
    mask_array,
    unflatten_positions,
    without_garbage,
)
from a2keras.pre_activation import Projection, clone_initializer


@keras.saving.register_keras_serializable("a2keras")
class SqueezeExcitation(MaskedLayer):
    """Scales every channel by a gate computed from the average over all positions.

    Global average pooling → dense C // ratio with ReLU → dense C with sigmoid → scale.

    Args:
        ratio: reduction ratio r; the first dense layer has max(1, C // r) units.
        data_format: "channels_last" or "channels_first"; default Keras's own.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            kernel_constraint, bias_constraint: of both dense layers, as for `keras.layers.Dense`.

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
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.ratio = check_positive("ratio", ratio)
        self.data_format = check_data_format(data_format)
        self.dense_arguments = {
            "kernel_initializer": keras.initializers.get(kernel_initializer),
            "bias_initializer": keras.initializers.get(bias_initializer),
            "kernel_regularizer": keras.regularizers.get(kernel_regularizer),
            "bias_regularizer": keras.regularizers.get(bias_regularizer),
            "kernel_constraint": keras.constraints.get(kernel_constraint),
            "bias_constraint": keras.constraints.get(bias_constraint),
        }
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        channels, _ = self.sizes(input_shape)
        squeezed = self.units(channels)
        self.squeeze = self._projection("squeeze", squeezed)
        self.squeeze.build((input_shape[0], channels))
        self.excite = self._projection("excite", channels)
        self.excite.build((input_shape[0], squeezed))
        axis = channel_axis(self.data_format)
        self.input_spec = keras.InputSpec(min_ndim=3, axes={axis: channels})

    def _projection(self, name: str, units: int) -> Projection:
        arguments = dict(self.dense_arguments)
        for each in ("kernel_initializer", "bias_initializer"):
            arguments[each] = clone_initializer(arguments[each])
        block = f"{type(self).__name__} {self.name!r}"
        return Projection(
            units, block=block, use_bias=True, name=name, dtype=self.dtype_policy, **arguments
        )

    def units(self, channels: int) -> int:
        """Units of the first dense layer."""
        return max(1, channels // self.ratio)

    def sizes(self, input_shape: tuple) -> tuple[int, int | None]:
        """Channels c and positions L (None if unknown) of an input shape, which it checks."""
        return channels_and_positions(input_shape, self.data_format, type(self).__name__)

    def call(self, inputs: Any, mask: Any = None, return_attention_scores: bool = False) -> Any:
        check_dense(type(self).__name__, inputs)
        last = self.data_format == "channels_last"
        inputs = ops.cast(inputs, self.compute_dtype)  # integers; Keras casts floats itself
        x = inputs if last else ops.moveaxis(inputs, 1, -1)  # (B, *spatial, C)
        mask = None if mask is None else flatten_mask(mask, x)  # (B, L)
        flat = without_garbage(flatten_positions(x), mask)  # (B, L, C)
        if mask is not None:
            x = unflatten_positions(flat, x)
            inputs = x if last else ops.moveaxis(x, -1, 1)
        average = ops.cast(self._average(flat, mask), self.compute_dtype)  # (B, C)
        gates = ops.sigmoid(self.excite(ops.relu(self.squeeze(average))))  # (B, C)
        record(self, (gates,))
        axes = tuple(range(1, len(x.shape) - 1))
        outputs = inputs * ops.expand_dims(gates, axes if last else tuple(a + 1 for a in axes))
        return (outputs, gates) if return_attention_scores else outputs

    def _average(self, flat: Any, mask: Any) -> Any:
        """Over the positions of (B, L, C), in float32 or wider: half precision ends at 65504."""
        flat = at_least_float32(flat)
        if mask is None:
            return ops.mean(flat, axis=1)
        keep = ops.expand_dims(mask, -1)
        count = ops.sum(ops.cast(keep, flat.dtype), axis=1)
        return ops.sum(ops.where(keep, flat, 0.0), axis=1) / ops.maximum(count, 1.0)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tuple(input_shape)

    def compute_output_spec(
        self, inputs: Any, mask: Any = None, return_attention_scores: bool = False
    ) -> Any:
        check_dense(type(self).__name__, inputs)
        channels = inputs.shape[channel_axis(self.data_format)]
        spatial = inputs.shape[1:-1] if self.data_format == "channels_last" else inputs.shape[2:]
        if mask is not None:
            check_mask_shape(mask_array(mask).shape, (inputs.shape[0], *spatial))
        outputs = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        gates = keras.KerasTensor((inputs.shape[0], channels), dtype=self.compute_dtype)
        return (outputs, gates) if return_attention_scores else outputs

    def multiply_adds(self, input_shape: tuple) -> int:
        """Multiply-adds of the two dense layers for one example (the scaling is not counted)."""
        channels, _ = self.sizes(input_shape)
        return 2 * channels * self.units(channels)

    def get_config(self) -> dict:
        kinds = {
            "initializer": keras.initializers,
            "regularizer": keras.regularizers,
            "constraint": keras.constraints,
        }
        return {
            **super().get_config(),
            "ratio": self.ratio,
            "data_format": self.data_format,
            **{
                name: kinds[name.split("_")[1]].serialize(value)
                for name, value in self.dense_arguments.items()
            },
        }

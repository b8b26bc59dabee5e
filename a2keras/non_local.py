"""The non-local block (Wang et al., 2018), embedded Gaussian: the paper's main rival."""

from typing import Any, Unpack

import keras
from keras import ops

from a2keras.normalization import BatchStatistics
from a2keras.position_attention import PositionAttention
from a2keras.position_layer import KerasObject, LayerArguments
from a2keras.positions import check_positive, only_kept
from a2keras.pre_activation import BATCH_NORMALIZATION
from a2keras.softmaxes import masked_softmax


@keras.saving.register_keras_serializable("a2keras")
class NonLocal(PositionAttention):
    """Every position attends to every other: softmax over j of theta(x_i)ᵀ phi(x_j), times g(x_j).

    The same form as `DoubleAttention`, so that the paper's Tables 2 and 3 compare like with like:
    four projections, named theta (queries), phi (keys), g (values) and output as in its own paper,
    BN–ReLU before each with `pre_activation`, no sub-sampling and no scale. Time and memory grow
    with the square of the number of positions.

    Args:
        value_channels: channels of theta, phi and g; default C // 4, as in Tables 2 and 3.
        pre_activation, residual, data_format, use_bias: as for `DoubleAttention`.
        bn_momentum, bn_epsilon, bn_trainable, synchronized: as for `DoubleAttention`; so are the
            initialisers, regularisers and constraints.

    Call arguments:
        inputs: (B, *spatial, C) or (B, C, *spatial).
        mask: (B, *spatial); positions where it is False are attended to by none. They may
            hold NaN or infinity, which stays there: with `residual` it is in their own outputs.
            Numbers are True unless they are 0: 0.5 and NaN are.
        return_attention_scores: also return the attention map.

    Returns:
        outputs of the shape of the inputs, or (outputs, attention_map), the map (B, *spatial, L):
        for every position its weights over all L positions, which sum to 1.

    Raises:
        ValueError: as for `DoubleAttention`.
    """

    def __init__(
        self,
        value_channels: int | None = None,
        *,
        pre_activation: bool = False,
        residual: bool = True,
        data_format: str | None = None,
        use_bias: bool = False,
        kernel_initializer: KerasObject = "glorot_uniform",
        output_initializer: KerasObject = None,
        bias_initializer: KerasObject = "zeros",
        kernel_regularizer: KerasObject = None,
        bias_regularizer: KerasObject = None,
        kernel_constraint: KerasObject = None,
        bias_constraint: KerasObject = None,
        bn_momentum: float = BATCH_NORMALIZATION["momentum"],
        bn_epsilon: float = BATCH_NORMALIZATION["epsilon"],
        bn_trainable: bool = True,
        synchronized: bool = False,
        **kwargs: Unpack[LayerArguments],
    ):
        super().__init__(
            pre_activation=pre_activation,
            residual=residual,
            data_format=data_format,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            output_initializer=output_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            bn_momentum=bn_momentum,
            bn_epsilon=bn_epsilon,
            bn_trainable=bn_trainable,
            synchronized=synchronized,
            **kwargs,
        )
        self.value_channels = check_positive("value_channels", value_channels, optional=True)

    def channels_of(self, channels: int) -> dict[str, int]:
        m = self.value_channels or max(1, channels // 4)
        return {"theta": m, "phi": m, "g": m}

    def map_columns(self, input_shape: tuple) -> tuple:
        return (self.sizes(input_shape)[1],)

    def attend(
        self, features: Any, mask: Any, training: bool | None, with_maps: bool
    ) -> tuple[Any, tuple]:
        names = ("theta", "phi", "g")
        statistics = BatchStatistics(features, mask)
        queries, keys, values = self.project(names, features, mask, training, statistics)
        if keras.backend.standardize_dtype(features.dtype) == "float16":
            # Their products go beyond 65504; bfloat16 reaches as far as float32.
            queries, keys = ops.cast(queries, "float32"), ops.cast(keys, "float32")
        values = only_kept(values, mask)
        logits = ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))  # (B, L, L)
        keep = None if mask is None else ops.expand_dims(mask, 1)  # (B, 1, L)
        weights = ops.cast(masked_softmax(logits, keep, axis=-1), features.dtype)
        z = self.output_projection(ops.matmul(weights, values), training=training, mask=mask)
        return z, (weights,)

    def multiply_adds(self, input_shape: tuple) -> int:
        """Multiply-adds for one example of this input shape: 4cmL + 2mL²."""
        channels, positions = self.known_sizes(input_shape)
        m = self.channels_of(channels)["g"]
        return 4 * channels * m * positions + 2 * m * positions**2

    def get_config(self) -> dict:
        return {**super().get_config(), "value_channels": self.value_channels}

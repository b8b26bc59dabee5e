"""BN → ReLU → convolution, the order of the paper's networks: as layers, and inside blocks."""

from typing import Any

import keras
from keras import ops

from a2keras.normalization import (
    BatchStatistics,
    BlockBatchNormalization,
    refuse_quantization,
)

# Both values are those of the author's public code of the same year (facebookresearch/GloRe).
BATCH_NORMALIZATION = {"momentum": 0.9, "epsilon": 1e-4}


def clone_initializer(initializer: Any) -> Any:
    """A fresh initialiser: one and the same gives the same numbers at every call."""
    if isinstance(initializer, keras.initializers.Initializer):
        return initializer.clone()
    return initializer


def pre_activation(x: Any, name: str, axis: int = -1, **normalization: float) -> Any:
    """BN → ReLU as two layers, `NAME_bn` and `NAME_relu`; BN as the paper's, or as told."""
    normalization = {**BATCH_NORMALIZATION, **normalization}
    x = keras.layers.BatchNormalization(axis=axis, name=f"{name}_bn", **normalization)(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


class Projection(keras.layers.Layer):
    """A 1×1(×1) convolution of any rank, after BN–ReLU if asked: a product over the channels.

    Attention blocks use it with their positions flattened, (B, L, c) → (B, L, channels).

    Args:
        channels: output channels.
        block: words for the block that it belongs to, for messages.
        normalization: arguments of the batch normalisation of BN → ReLU before the kernel, as in
            the paper's networks; None: no BN → ReLU.
        use_bias: add a bias per output channel.
    """

    def __init__(
        self,
        channels: int,
        *,
        block: str,
        normalization: dict[str, Any] | None = None,
        use_bias: bool = False,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.channels = channels
        self.block = block
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.normalization = None
        if normalization is not None:
            self.normalization = BlockBatchNormalization(
                block=block, name="normalization", dtype=self.dtype_policy, **normalization
            )
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        if self.normalization is not None:
            self.normalization.build(input_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.channels),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.channels,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def activate(
        self,
        inputs: Any,
        training: bool | None = None,
        mask: Any = None,
        statistics: BatchStatistics | None = None,
    ) -> Any:
        """What the kernel multiplies: the inputs, after BN–ReLU where that comes first."""
        if self.normalization is None:
            return inputs
        return ops.relu(
            self.normalization(inputs, training=training, mask=mask, statistics=statistics)
        )

    def add_bias(self, outputs: Any) -> Any:
        return outputs if self.bias is None else ops.add(outputs, self.bias)

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        mask: Any = None,
        statistics: BatchStatistics | None = None,
    ) -> Any:
        activated = self.activate(inputs, training, mask, statistics)
        return self.add_bias(ops.matmul(activated, self.kernel))

    def quantize(self, mode: Any = None, **_: Any) -> None:
        refuse_quantization(self.block)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], self.channels)

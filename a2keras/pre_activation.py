"""BN → ReLU → convolution, the order of the paper's networks: as layers, and inside blocks."""

import zlib
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


def clone_initializer(initializer: Any, name: str) -> Any:
    """A fresh initialiser: one and the same gives the same numbers at every call.

    One with a seed gives them to its clones as well: the seed becomes one of this name.
    """
    if not isinstance(initializer, keras.initializers.Initializer):
        return initializer
    config = initializer.get_config()
    seed = config.get("seed")
    if isinstance(seed, dict):  # of a `SeedGenerator`, whose copy begins anew
        seed = seed["config"]["seed"]
    if not isinstance(seed, int):
        return initializer.clone()
    own = zlib.crc32(f"{seed} {name}".encode())
    return type(initializer).from_config({**config, "seed": own})


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
        kernel: initializer, regularizer and constraint of the kernel, as `add_weight` takes them.
        bias: those of a bias per output channel; None: no bias.
        normalization: arguments of the batch normalisation of BN → ReLU before the kernel, as in
            the paper's networks; None: no BN → ReLU.
    """

    def __init__(
        self,
        channels: int,
        *,
        block: str,
        kernel: dict[str, Any],
        bias: dict[str, Any] | None = None,
        normalization: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.channels = channels
        self.block = block
        self._kernel, self._bias = kernel, bias
        self.normalization = None
        if normalization is not None:
            self.normalization = BlockBatchNormalization(
                block=block, name="normalization", dtype=self.dtype_policy, **normalization
            )
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        if self.normalization is not None:
            self.normalization.build(input_shape)
        shape = (input_shape[-1], self.channels)
        self.kernel = self.add_weight(name="kernel", shape=shape, **self._kernel)
        self.bias = None
        if self._bias is not None:
            self.bias = self.add_weight(name="bias", shape=(self.channels,), **self._bias)

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

"""Batch normalisation wherever it stands: in a network, or inside its blocks."""

from typing import Any

import keras
from keras import ops

from a2keras.graphs import layers_of
from a2keras.positions import at_least_float32


def batch_normalizations(model: keras.layers.Layer) -> list[keras.layers.BatchNormalization]:
    """Every batch normalisation of a model: in nested models, wrappers and blocks too."""
    return [e for e in layers_of(model) if isinstance(e, keras.layers.BatchNormalization)]


def derive_normalizations(model: keras.layers.Layer) -> None:
    """Has every `keras.layers.Normalization` compute with the weights that were assigned to it.

    It computes with constants that it derives from them when it is adapted, or loads them itself.
    """
    for layer in layers_of(model):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def freeze_batch_normalization(model: keras.layers.Layer) -> int:
    """Freezes every batch normalisation of a model, those inside blocks too.

    The loop over `model.layers` that does this elsewhere misses those of nested models, wrappers
    and attention blocks. Frozen, a batch normalisation computes in inference mode, so that training
    changes neither its moving statistics nor its gamma and beta. Files, `clone_model` and
    `insert_blocks` keep it. Compile the model after it, or once more.

        a2keras.freeze_batch_normalization(model)
        model.compile(…)

    Args:
        model: a built model, or a layer.

    Returns:
        How many batch normalisations there are.
    """
    found = batch_normalizations(model)
    for layer in found:
        layer.trainable = False
    return len(found)


def check_synchronized(synchronized: bool) -> bool:
    """Returns it; raises a `ValueError` where the backend does not know replicas."""
    backend = keras.backend.backend()
    if synchronized and backend != "tensorflow":
        raise ValueError(
            "`synchronized` must be False but on TensorFlow: JAX computes the statistics of the "
            "whole batch in any case, Keras's PyTorch has no replicas. "
            f"Received: synchronized={synchronized!r}, KERAS_BACKEND={backend}"
        )
    return bool(synchronized)


class BatchStatistics:
    """Mean and variance of what enters a block, (B, L, c): once for all its normalisations.

    Computed when first asked for, at least in float32, over the positions where the mask is True.
    """

    def __init__(self, inputs: Any, mask: Any = None):
        self._inputs, self._mask = inputs, mask
        self._moments: dict[bool, tuple[Any, Any]] = {}

    def moments(self, synchronized: bool) -> tuple[Any, Any]:
        """Mean and variance, (c,) each; of all replicas' batches where they are synchronised."""
        if synchronized not in self._moments:
            x = at_least_float32(self._inputs)
            if self._mask is None:
                moments = ops.moments(x, axes=(0, 1), synchronized=synchronized)
                # Keras squeezes those of a single channel to scalars, which fail on PyTorch.
                self._moments[synchronized] = tuple(ops.reshape(e, (-1,)) for e in moments)
            else:
                masked = _synchronized_moments if synchronized else _masked_moments
                self._moments[synchronized] = masked(x, ops.expand_dims(self._mask, -1))
        return self._moments[synchronized]


def _masked_moments(x: Any, keep: Any) -> tuple[Any, Any]:
    """As `keras.layers.BatchNormalization` computes them with a mask."""
    count = ops.sum(ops.cast(keep, x.dtype), axis=(0, 1)) + keras.backend.epsilon()
    mean = ops.sum(ops.where(keep, x, 0), axis=(0, 1)) / count
    return mean, ops.sum(ops.square(ops.where(keep, x - mean, 0)), axis=(0, 1)) / count


def _synchronized_moments(x: Any, keep: Any) -> tuple[Any, Any]:
    """Of all replicas; Keras synchronises without a mask alone."""
    # Moments over all positions, masked ones as zeros, and of the mask, whose mean is the share of
    # positions that count.
    columns = ops.concatenate([ops.where(keep, x, 0), ops.cast(keep, x.dtype)], -1)
    mean, variance = ops.moments(columns, axes=(0, 1), synchronized=True)
    share = ops.maximum(mean[-1], keras.backend.epsilon())
    square = (variance + ops.square(mean))[:-1] / share
    mean = mean[:-1] / share
    return mean, ops.maximum(square - ops.square(mean), 0)


class BlockBatchNormalization(keras.layers.BatchNormalization):
    """Keras's, of an attention block, which may be given the statistics of its input.

    Args:
        block: words for the block, for messages.
    """

    def __init__(self, *, block: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.block = block

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        mask: Any = None,
        statistics: BatchStatistics | None = None,
    ) -> Any:
        x = at_least_float32(inputs)
        moving = [self.moving_mean, self.moving_variance]
        moments = tuple(ops.cast(each, x.dtype) for each in moving)
        if training and self.trainable:
            before = moments
            moments = (statistics or BatchStatistics(inputs, mask)).moments(self.synchronized)
            for variable, old, new in zip(moving, before, moments, strict=True):
                variable.assign(old * self.momentum + new * (1 - self.momentum))
        outputs = ops.batch_normalization(
            x, *moments, axis=-1, epsilon=self.epsilon,
            offset=ops.cast(self.beta, x.dtype), scale=ops.cast(self.gamma, x.dtype),
        )  # fmt: skip
        return ops.cast(outputs, self.compute_dtype)

    def quantize(self, mode: Any = None, **_: Any) -> None:
        refuse_quantization(self.block)


def refuse_quantization(block: str) -> None:
    """What `model.quantize` makes a warning of; the layers inside have names no user ever wrote."""
    raise NotImplementedError(f"{block} is not quantised: it keeps its float weights.")

"""Batch normalisation wherever it stands: in a network, or inside its blocks."""

from typing import Any

import keras
from keras import ops


def layers_of(model: keras.layers.Layer) -> list[keras.layers.Layer]:
    """All layers of a model or layer, those inside others and their lists included.

    The walk is not public in Keras, but nothing that is reaches the layers that a composite layer
    keeps in a list: not `model.layers`, not `tf.train.TrackableView`.
    """
    return list(model._flatten_layers(include_self=False, recursive=True))


def batch_normalizations(model: keras.layers.Layer) -> list[keras.layers.BatchNormalization]:
    """Every batch normalisation of a model: in nested models, wrappers and blocks too."""
    return [e for e in layers_of(model) if isinstance(e, keras.layers.BatchNormalization)]


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


class BlockBatchNormalization(keras.layers.BatchNormalization):
    """Keras's, of an attention block: with a mask its statistics are synchronised too.

    Args:
        block: words for the block, for messages.
    """

    def __init__(self, *, block: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.block = block

    def _moments(self, inputs: Any, mask: Any) -> tuple[Any, Any]:
        # Private in Keras, which synchronises without a mask alone; nothing public comes between
        # the statistics and their use.
        if mask is None or not self.synchronized:
            # Keras squeezes those of a single channel to scalars, which fail on PyTorch.
            mean, variance = super()._moments(inputs, mask)
            return ops.reshape(mean, (-1,)), ops.reshape(variance, (-1,))
        keep = ops.expand_dims(mask, -1)
        # Moments over all positions, masked ones as zeros, and of the mask, whose mean is the
        # share of positions that count.
        columns = [ops.where(keep, inputs, 0), ops.cast(keep, inputs.dtype)]
        mean, variance = ops.moments(
            ops.concatenate(columns, -1), axes=self._reduction_axes, synchronized=True
        )
        share = ops.maximum(mean[-1], keras.backend.epsilon())
        square = (variance + ops.square(mean))[:-1] / share
        mean = mean[:-1] / share
        return mean, ops.maximum(square - ops.square(mean), 0)

    def quantize(self, mode: Any = None, **_: Any) -> None:
        refuse_quantization(self.block)


def refuse_quantization(block: str) -> None:
    """What `model.quantize` makes a warning of; the layers inside have names no user ever wrote."""
    raise NotImplementedError(f"{block} is not quantised: it keeps its float weights.")

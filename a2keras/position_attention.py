"""What blocks share in which all positions meet: projections, BN–ReLU, residual, maps."""

import itertools
from typing import Any

import keras
from keras import ops

from a2keras.attention_maps import is_recording, record
from a2keras.normalization import BatchStatistics, batch_normalizations, check_synchronized
from a2keras.position_layer import KerasObject, PositionLayer
from a2keras.positions import (
    check_flag,
    check_fraction,
    flatten_mask,
    flatten_positions,
    unflatten_positions,
    without_garbage,
)
from a2keras.pre_activation import BATCH_NORMALIZATION, Projection


def _of_the_normalizations(name: str) -> property:
    """An argument of the block's batch normalisations, which can be set on them by hand too."""

    def get(block: Any) -> Any:
        inside = batch_normalizations(block)
        return getattr(inside[0], name) if inside else block._normalization[name]

    def set_all(block: Any, value: Any) -> None:
        block._normalization[name] = value
        for each in batch_normalizations(block):
            setattr(each, name, value)

    return property(get, set_all)


def on_processor() -> bool:
    """Whether JAX has no other device than processors."""
    return all(each.startswith("cpu") for each in keras.distribution.list_devices())


class PositionAttention(PositionLayer):
    """Base of the blocks that relate all positions of (B, *spatial, C) or (B, C, *spatial).

    A subclass says which projections it has and of how many channels, and implements `attend` with
    them; the base has the output projection, the residual, the layouts and the maps.
    """

    bn_momentum = _of_the_normalizations("momentum")
    bn_epsilon = _of_the_normalizations("epsilon")
    bn_trainable = _of_the_normalizations("trainable")
    synchronized = _of_the_normalizations("synchronized")

    def __init__(
        self,
        *,
        pre_activation: bool = False,
        residual: bool = True,
        use_bias: bool = False,
        output_initializer: KerasObject = None,
        bn_momentum: float = BATCH_NORMALIZATION["momentum"],
        bn_epsilon: float = BATCH_NORMALIZATION["epsilon"],
        bn_trainable: bool = True,
        synchronized: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.pre_activation = check_flag("pre_activation", pre_activation)
        self.residual = check_flag("residual", residual)
        self.use_bias = check_flag("use_bias", use_bias)
        if pre_activation and use_bias:
            raise ValueError(
                "`use_bias` must be False with pre_activation=True: the paper's convolutions after "
                f"BN–ReLU have no biases. Received: use_bias={use_bias}"
            )
        self.output_initializer = keras.initializers.get(output_initializer)
        self._normalization = {
            "momentum": check_fraction("bn_momentum", bn_momentum),
            "epsilon": check_fraction("bn_epsilon", bn_epsilon),
            "trainable": check_flag("bn_trainable", bn_trainable),
            "synchronized": check_synchronized(check_flag("synchronized", synchronized)),
        }

    def channels_of(self, channels: int) -> dict[str, int]:
        """Names and channels of the projections of the input, that of the values last."""
        raise NotImplementedError

    def map_columns(self, input_shape: tuple) -> tuple:
        """Columns n of each map (B, *spatial, n) that `attend` returns; None where unknown."""
        raise NotImplementedError

    def attend(
        self, features: Any, mask: Any, training: bool | None, with_maps: bool
    ) -> tuple[Any, tuple]:
        """From flat features (B, L, C) to the block's output (B, L, C) and its maps (B, L, n).

        The maps are used only `with_maps`; without, they may be anything.
        """
        raise NotImplementedError

    def side_by_side(self, training: bool | None = None) -> bool:
        """Whether projections are one product with their kernels side by side, which reads X once.

        On TensorFlow taking it apart copies, which costs as much as is saved. On PyTorch that is a
        view, and XLA fuses it into what follows; but on a processor, whose libraries multiply and
        exponentiate at once for JAX, only the gradients gain by it. BN–ReLU gives each projection
        its own input.
        """
        backend = keras.backend.backend()
        if self.pre_activation or backend == "tensorflow":
            return False
        return backend != "jax" or bool(training) or not on_processor()

    def project(
        self,
        names: tuple[str, ...],
        features: Any,
        mask: Any,
        training: bool | None,
        statistics: BatchStatistics,
    ) -> list[Any]:
        """The projections of these names of the features, (B, L, channels) each."""
        projections = [getattr(self, name) for name in names]
        if not self.side_by_side(training):
            return [
                each(features, training=training, mask=mask, statistics=statistics)
                for each in projections
            ]
        kernels = ops.concatenate([each.kernel for each in projections], axis=-1)
        together = ops.matmul(features, kernels)
        ends = itertools.accumulate(each.channels for each in projections)
        # Not `ops.split`, which on PyTorch puts the ends on the GPU and waits for them.
        return [
            each.add_bias(together[..., end - each.channels : end])
            for each, end in zip(projections, ends, strict=True)
        ]

    def build(self, input_shape: tuple) -> None:
        channels, positions = self.sizes(input_shape)
        sizes = self.channels_of(channels)
        for name, size in sizes.items():
            projection = self._own_projection(name, size)
            projection.build((input_shape[0], positions, channels))
            setattr(self, name, projection)
        # With a residual a fresh block is the identity; without, zeros would stop the signal.
        initializer = self.output_initializer or ("zeros" if self.residual else None)
        # Not `self.output`, which Keras has for the symbolic output of a layer.
        self.output_projection = self._own_projection("output", channels, initializer)
        self.output_projection.build((input_shape[0], positions, list(sizes.values())[-1]))
        self.require_channels(channels)

    def _own_projection(
        self, name: str, channels: int, kernel_initializer: Any = None
    ) -> Projection:
        normalization = dict(self._normalization)
        normalization["trainable"] &= self.trainable
        return self.projection(
            name,
            channels,
            use_bias=self.use_bias,
            kernel_initializer=kernel_initializer,
            normalization=normalization if self.pre_activation else None,
        )

    def known_sizes(self, input_shape: tuple) -> tuple[int, int]:
        """Channels c and positions L; raises a `ValueError` where L is unknown."""
        channels, positions = self.sizes(input_shape)
        if positions is None:
            raise ValueError(
                "multiply-adds need known sizes but for the batch. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        return channels, positions

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        x = self.channels_last(self.checked(inputs))  # (B, *spatial, C)
        mask = None if mask is None else flatten_mask(mask, x)  # (B, L)
        flat = flatten_positions(x)  # (B, L, C)
        with_maps = return_attention_scores or is_recording()
        outputs, maps = self.attend(without_garbage(flat, mask), mask, training, with_maps)
        # Not `ops.add`, which takes an empty batch of one position for a bias on TensorFlow.
        outputs = flat + outputs if self.residual else outputs
        # Keras's products of float64 are float32 on PyTorch.
        outputs = unflatten_positions(ops.cast(outputs, self.compute_dtype), x)
        if with_maps:
            maps = tuple(
                ops.cast(unflatten_positions(each, x), self.compute_dtype) for each in maps
            )
            record(self, maps)
        outputs = self.as_inputs(outputs)
        return (outputs, *maps) if return_attention_scores else outputs

    def map_shapes(self, input_shape: tuple) -> tuple[tuple, ...]:
        positions = self.positions_of(input_shape)
        return tuple((*positions, columns) for columns in self.map_columns(input_shape))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "pre_activation": self.pre_activation,
            "residual": self.residual,
            "use_bias": self.use_bias,
            "output_initializer": keras.initializers.serialize(self.output_initializer),
            "bn_momentum": self.bn_momentum,
            "bn_epsilon": self.bn_epsilon,
            "bn_trainable": self.bn_trainable,
            "synchronized": self.synchronized,
        }

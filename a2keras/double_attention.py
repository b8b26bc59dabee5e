"""Double attention (Chen et al., "A²-Nets: Double Attention Networks", NeurIPS 2018).

Letters, as in the paper: B examples, L positions (d·h·w), c channels, m value channels and n
descriptors. Positions are rows here, so that every product is the transpose of the paper's.
"""

from typing import Any, Unpack

import keras

from a2keras.association import (
    Order,
    check_association,
    multiply,
    multiply_adds,
    plan,
    products_of,
)
from a2keras.normalization import BatchStatistics
from a2keras.position_attention import PositionAttention
from a2keras.position_layer import KerasObject, LayerArguments
from a2keras.positions import check_positive, flatten_positions, only_kept, unflatten_positions
from a2keras.pre_activation import BATCH_NORMALIZATION
from a2keras.softmaxes import distribution_softmax, gather_exponentials, gather_softmax


def double_attention(
    values: Any, gather_maps: Any, distribution_maps: Any, association: str = "auto"
) -> Any:
    """Z = A Bᵀ V (Eq. 6 and 7): gathers descriptors from all positions and distributes them.

    Args:
        values: A, (B, *spatial, m).
        gather_maps: B after its softmax over positions, (B, *spatial, n).
        distribution_maps: V after its softmax over descriptors, (B, *spatial, n). Its positions may
            be others than those that are gathered from.
        association: "left" (Eq. 6), "right" (Eq. 7), or "auto", the cheaper one for these sizes.

    Returns:
        Z, (B, *spatial, m), with the positions of `distribution_maps`.

    Raises:
        ValueError: an unknown association.
    """
    check_association(association)
    matrices = {
        "distribution": flatten_positions(distribution_maps),  # (B, L, n)
        "gather": flatten_positions(gather_maps),  # (B, L, n), turned
        "features": flatten_positions(values),  # (B, L, m)
    }
    sizes = {name: (matrix.shape[1], matrix.shape[2]) for name, matrix in matrices.items()}
    sizes["gather"] = sizes["gather"][::-1]
    return unflatten_positions(multiply(plan(association, sizes), matrices), distribution_maps)


@keras.saving.register_keras_serializable("a2keras")
class DoubleAttention(PositionAttention):
    """The double attention block of Figure 2, for sequences, images, video and beyond.

    Gathers n descriptors from all positions with one softmax attention (Eq. 4) and distributes them
    to every position with a second (Eq. 5), at a cost that is linear in the number of positions:

        outputs = inputs + W_output · [phi(X) softmax(theta(X))ᵀ] softmax(rho(X))        (Eq. 6)

    Args:
        value_channels: m, channels of each gathered descriptor; default C // 4.
        descriptors: n, number of descriptors (attention maps); default `value_channels`.
        pre_activation: BN → ReLU before each of the four projections, as in the paper's networks.
        residual: add the inputs (Figure 2). The output projection then starts at zero, so a fresh
            block is the identity.
        association: "left" (Eq. 6), "right" (Eq. 7), or "auto", the cheapest order of the matrix
            products (`a2keras.association`); the result is the same.
        data_format: "channels_last" or "channels_first"; default Keras's own.
        use_bias: biases in the four projections (the paper's equations have none).
        kernel_initializer: of theta, rho and phi.
        output_initializer: of the output projection; default zeros with `residual`, else
            `kernel_initializer`.
        bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint:
            as for Keras's own layers, for all four projections.
        bn_momentum, bn_epsilon: of the batch normalisations of `pre_activation`.
        bn_trainable: False freezes them, as `a2keras.freeze_batch_normalization` does.
        synchronized: their statistics are those of all replicas' batches (TensorFlow), masked
            positions left out, as for `keras.layers.BatchNormalization`.

    Call arguments:
        inputs: (B, *spatial, C) or (B, C, *spatial); one or more spatial axes, of any known or
            unknown size.
        mask: (B, *spatial), also as a nested list; positions where it is False are not gathered
            from, nor do they enter the statistics of the batch normalisations. They may hold NaN or
            infinity, which stays there: with `residual` it is in their own outputs. A mask of
            numbers is True where they are not 0, as where Keras casts: 0.5 and NaN are True.
        return_attention_scores: also return the gather maps and the distribution maps.

    Returns:
        outputs of the shape of the inputs, or (outputs, gather_maps, distribution_maps), both maps
        (B, *spatial, n) in either data format: gather maps sum to 1 over the positions,
        distribution maps to 1 over the descriptors.

    Raises:
        ValueError: value_channels or descriptors that are no whole number of at least 1, an unknown
            association or data format, inputs of rank < 3, with unknown channels or others than
            those the block was built for, ragged or sparse inputs, a mask whose shape is not
            (B, *spatial).
    """

    def __init__(
        self,
        value_channels: int | None = None,
        descriptors: int | None = None,
        *,
        pre_activation: bool = False,
        residual: bool = True,
        association: str = "auto",
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
        self.descriptors = check_positive("descriptors", descriptors, optional=True)
        self.association = check_association(association)

    def channels_of(self, channels: int) -> dict[str, int]:
        m = self.value_channels or max(1, channels // 4)
        n = self.descriptors or m
        return {"theta": n, "rho": n, "phi": m}

    def map_columns(self, input_shape: tuple) -> tuple:
        n = self.channels_of(self.sizes(input_shape)[0])["theta"]
        return n, n

    def chain(
        self, channels: int, positions: int | None
    ) -> dict[str, tuple[int | None, int | None]]:
        """Rows and columns of the matrices whose products may be re-ordered."""
        m, n = (self.channels_of(channels)[name] for name in ("phi", "theta"))
        chain: dict[str, tuple[int | None, int | None]] = {
            "distribution": (positions, n),
            "gather": (n, positions),
        }
        # A bias of phi is added before the gathering, BN–ReLU before the output projection.
        if self.use_bias:
            chain |= {"features": (positions, m)}
        else:
            chain |= {"features": (positions, channels), "phi": (channels, m)}
        return chain if self.pre_activation else chain | {"output": (m, channels)}

    def order(self, channels: int, positions: int | None, training: bool | None = None) -> Order:
        """In which order the block multiplies, in training or else in inference."""
        beside = self.side_by_side(training)
        return plan(self.association, self.chain(channels, positions), beside)

    def attend(
        self, features: Any, mask: Any, training: bool | None, with_maps: bool
    ) -> tuple[Any, tuple]:
        order = self.order(features.shape[-1], features.shape[1], training)
        values_first = self.use_bias or ("features", "phi") in products_of(order)
        names = ("theta", "rho", "phi") if values_first else ("theta", "rho")
        statistics = BatchStatistics(features, mask)
        logits, distribution, *values = self.project(names, features, mask, training, statistics)
        if training and not with_maps and self.may_defer(order):
            gather, sums = gather_exponentials(logits, mask)
        else:
            gather, sums = gather_softmax(logits, mask), None
        distribution = distribution_softmax(distribution)
        matrices: dict[Order, Any] = {
            "distribution": distribution,  # (B, L, n)
            "gather": gather,  # (B, L, n), turned
            "phi": self.phi.kernel,  # (c, m)
            "output": self.output_projection.kernel,  # (m, c)
        }
        if values_first:
            name: Order = "features" if self.use_bias else ("features", "phi")
            matrices[name] = only_kept(values[0], mask)  # (B, L, m)
        else:
            activated = self.phi.activate(features, training, mask, statistics)
            matrices["features"] = only_kept(activated, mask)  # (B, L, c)
        z = multiply(order, matrices, sums)
        if self.pre_activation:
            z = self.output_projection(z, training=training, mask=mask)
        else:
            z = self.output_projection.add_bias(z)
        return z, (gather, distribution)

    def may_defer(self, order: Order) -> bool:
        """Whether descriptors may be divided by the sums of the gather maps' weights.

        They are there before anything is distributed, and float16 has room for sums over positions.
        """
        gathered = any(left == "gather" for left, _ in products_of(order))
        return gathered and self.compute_dtype != "float16"

    def multiply_adds(self, input_shape: tuple, planned: bool = False) -> int:
        """Multiply-adds for one example; the size of the batch axis of `input_shape` is not used.

        As the paper counts: in the order of Eq. 6, or of Eq. 7 with association="right". With
        `planned`, in the order in which the block really multiplies in inference.
        """
        channels, positions = self.known_sizes(input_shape)
        chain = self.chain(channels, positions)
        association = "left" if self.association == "auto" and not planned else self.association
        m, n = (self.channels_of(channels)[name] for name in ("phi", "theta"))
        outside = 2 * channels * n  # theta and rho, and whatever stands outside the chain
        outside += channels * m * (("phi" not in chain) + ("output" not in chain))
        order = plan(association, chain, self.side_by_side())
        return positions * outside + multiply_adds(order, chain)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "value_channels": self.value_channels,
            "descriptors": self.descriptors,
            "association": self.association,
        }

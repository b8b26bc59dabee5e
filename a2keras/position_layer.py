"""What every layer over positions shares: its arguments, its layouts, its mask, its projections."""

from collections.abc import Callable
from typing import Any, Literal, TypedDict, Unpack, overload

import keras
from keras import ops

from a2keras.positions import (
    channel_axis,
    channels_and_positions,
    check_data_format,
    check_dense,
    check_mask_shape,
    mask_array,
)
from a2keras.pre_activation import Projection, clone_initializer

# An initializer, a regularizer or a constraint, as Keras takes it: by name, as its configuration,
# or itself.
KerasObject = str | dict[str, Any] | Callable[..., Any] | None


class LayerArguments(TypedDict, total=False):
    """What every Keras layer takes besides its own arguments."""

    name: str | None
    dtype: Any  # its name, a `keras.DTypePolicy`, or the configuration of one
    trainable: bool
    autocast: bool
    activity_regularizer: KerasObject


class PositionLayer(keras.layers.Layer):
    """Base of the layers over all positions of (B, *spatial, C) or (B, C, *spatial).

    A subclass makes each of its products over the channels by `projection`, and says which maps it
    has besides its outputs, which are of the shape of the inputs.
    """

    def __init__(
        self,
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
        super().__init__(**kwargs)
        self.data_format = check_data_format(data_format)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.supports_masking = True

    def map_shapes(self, input_shape: tuple) -> tuple[tuple, ...]:
        """The shapes of the maps that `call` returns with `return_attention_scores`."""
        raise NotImplementedError

    def projection(
        self,
        name: str,
        channels: int,
        *,
        use_bias: bool,
        kernel_initializer: Any = None,
        normalization: dict[str, Any] | None = None,
    ) -> Projection:
        """A projection whose kernel and bias are as the layer's arguments say.

        Args:
            name, channels, normalization: as for `Projection`.
            use_bias: add a bias per output channel.
            kernel_initializer: another than the layer's.
        """
        initializer = kernel_initializer or self.kernel_initializer
        kernel = {
            "initializer": clone_initializer(initializer, name),
            "regularizer": self.kernel_regularizer,
            "constraint": self.kernel_constraint,
        }
        bias = {
            "initializer": clone_initializer(self.bias_initializer, f"{name} bias"),
            "regularizer": self.bias_regularizer,
            "constraint": self.bias_constraint,
        }
        return Projection(
            channels,
            block=f"{type(self).__name__} {self.name!r}",
            kernel=kernel,
            bias=bias if use_bias else None,
            normalization=normalization,
            name=name,
            dtype=self.dtype_policy,
        )

    def sizes(self, input_shape: tuple) -> tuple[int, int | None]:
        """Channels c and positions L (None if unknown) of an input shape, which it checks."""
        return channels_and_positions(input_shape, self.data_format, type(self).__name__)

    def require_channels(self, channels: int) -> None:
        """Lets the layer refuse inputs with other channels than those it is built for."""
        axis = channel_axis(self.data_format)
        self.input_spec = keras.InputSpec(min_ndim=3, axes={axis: channels})

    # Of every layer's `call`, and `training`, which Keras keeps for those within a layer. Tensors
    # are the backend's.
    @overload
    def __call__(
        self,
        inputs: Any,
        mask: Any = None,
        *,
        return_attention_scores: Literal[True],
        training: bool | None = None,
    ) -> tuple[Any, ...]: ...

    @overload
    def __call__(
        self,
        inputs: Any,
        mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As of every layer, with the mask checked before Keras makes a tensor of it.

        A mask of numbers is True where they are not 0: that is found out before Keras casts them to
        the layer's own type, in which small ones would be 0.
        """
        if len(args) > 1:
            args = (args[0], _as_booleans(args[1]), *args[2:])
        if "mask" in kwargs:
            kwargs["mask"] = _as_booleans(kwargs["mask"])
        return super().__call__(*args, **kwargs)

    def checked(self, inputs: Any) -> Any:
        """The inputs in the layer's own precision; a `ValueError` where they are not dense."""
        check_dense(type(self).__name__, inputs)
        return ops.cast(inputs, self.compute_dtype)  # integers; Keras casts floats itself

    def channels_last(self, inputs: Any) -> Any:
        """The inputs, or anything in their layout, as (B, *spatial, C)."""
        return inputs if self.data_format == "channels_last" else ops.moveaxis(inputs, 1, -1)

    def as_inputs(self, x: Any) -> Any:
        """(B, *spatial, C) in the layout of the inputs."""
        return x if self.data_format == "channels_last" else ops.moveaxis(x, -1, 1)

    def positions_of(self, input_shape: tuple) -> tuple:
        """(B, *spatial) of the inputs' shape."""
        last = self.data_format == "channels_last"
        return input_shape[:-1] if last else (input_shape[0], *input_shape[2:])

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tuple(input_shape)

    def compute_output_spec(
        self,
        inputs: Any,
        mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        check_dense(type(self).__name__, inputs)
        if mask is not None:
            check_mask_shape(mask_array(mask).shape, self.positions_of(inputs.shape))
        shapes = self.map_shapes(inputs.shape) if return_attention_scores else ()
        outputs, *maps = (
            keras.KerasTensor(shape, dtype=self.compute_dtype) for shape in (inputs.shape, *shapes)
        )
        return (outputs, *maps) if return_attention_scores else outputs

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "data_format": self.data_format,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
        }


def _as_booleans(mask: Any) -> Any:
    mask = None if mask is None else mask_array(mask)
    return mask if mask is None or isinstance(mask, keras.KerasTensor) else ops.cast(mask, "bool")

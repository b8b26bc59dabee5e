"""Layers over groups of channels: grouped convolutions that run everywhere, and channel shuffle."""

from typing import Any

import keras
from keras import ops

from a2keras.positions import channel_axis, check_data_format, check_dense, check_positive


class _Groups:
    """Convolves every group by itself where Keras would compile the whole with XLA.

    On TensorFlow Keras has XLA compile every grouped convolution. On CPU that is 13 to 40 times
    slower than the convolutions of the groups one by one (3D ones of MF-Net, two cores), and LiteRT
    converts no grouped 3D convolution. Kernel, configuration and costs are those of Keras's
    layer with `groups`; on JAX and PyTorch, so is the computation. Videos with channels first are
    compiled in any case, so that they are left whole.
    """

    groups: int
    rank: int
    data_format: str

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        convolve = super().convolution_op  # type: ignore[misc]
        last = self.data_format == "channels_last"
        compiled = self.rank == 3 and not last
        if keras.backend.backend() != "tensorflow" or compiled:
            return convolve(inputs, kernel)
        axis = -1 if last else 1
        groups = zip(
            ops.split(inputs, self.groups, axis), ops.split(kernel, self.groups, -1), strict=True
        )
        return ops.concatenate([convolve(*group) for group in groups], axis)


@keras.saving.register_keras_serializable("a2keras")
class GroupedConv2D(_Groups, keras.layers.Conv2D):
    """`keras.layers.Conv2D` with `groups`, without XLA on TensorFlow."""


@keras.saving.register_keras_serializable("a2keras")
class GroupedConv3D(_Groups, keras.layers.Conv3D):
    """`keras.layers.Conv3D` with `groups`, without XLA on TensorFlow where that is possible."""


@keras.saving.register_keras_serializable("a2keras")
class ChannelShuffle(keras.layers.Layer):
    """Deals the channels of g groups out in turns: 0, c/g, 2c/g, …, 1, c/g + 1, … (ShuffleNet).

    Transposing a (g, c/g) view is 3 to 6 times faster than gathering the channels by index, on
    TensorFlow and LiteRT alike.

    Args:
        groups: g, a divisor of the channels c.
        data_format: "channels_last" or "channels_first"; default Keras's.

    Input and output: (B, *spatial, C) or (B, C, *spatial), any spatial size unknown.

    Raises:
        ValueError: groups < 1; channels that are unknown or not divisible by the groups.
    """

    def __init__(self, groups: int = 2, *, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.groups = check_positive("groups", groups)
        self.data_format = check_data_format(data_format)

    def build(self, input_shape: tuple) -> None:
        axis = channel_axis(self.data_format)
        channels = input_shape[axis]
        if channels is None or channels % self.groups:
            raise ValueError(
                "ChannelShuffle needs channels that are known and divisible by `groups`. "
                f"Received: groups={self.groups}, input_shape={tuple(input_shape)}"
            )
        self.group_channels = channels // self.groups
        self.input_spec = keras.InputSpec(min_ndim=2, axes={axis: channels})

    def call(self, inputs: Any) -> Any:
        check_dense(type(self).__name__, inputs)
        shape = ops.shape(inputs)
        behind = () if self.data_format == "channels_last" else shape[2:]
        x = ops.reshape(inputs, (-1, self.groups, self.group_channels, *behind))
        return ops.reshape(ops.swapaxes(x, 1, 2), (-1, *shape[1:]))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tuple(input_shape)

    def multiply_adds(self, input_shape: tuple) -> int:
        return 0

    def get_config(self) -> dict[str, Any]:
        own = {"groups": self.groups, "data_format": self.data_format}
        return {**super().get_config(), **own}

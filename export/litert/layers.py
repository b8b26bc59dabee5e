"""Layers over the frames of one clip, (T, H, W, C), in the place of Keras's layers over videos."""

from typing import Any

import keras
from keras import ops


class ToFrames(keras.layers.Layer):
    """(1, T, H, W, C) → (T, H, W, C)."""

    def call(self, clip: Any) -> Any:
        return ops.reshape(clip, clip.shape[1:])


class ToClip(keras.layers.Layer):
    """(T, H, W, C) → (1, T, H, W, C)."""

    def call(self, frames: Any) -> Any:
        return ops.reshape(frames, (1, *frames.shape))


class _Frames(keras.layers.Layer):
    """Base: takes its arguments from the layer that it stands for.

    Args:
        like: that layer, not built, with channels last.
    """

    def __init__(self, like: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.like = like

    def build(self, input_shape: tuple) -> None:
        self.like.build((1, *input_shape))


class FramesConvolution(_Frames):
    """`keras.layers.Conv3D` or `GroupedConv3D`: its variables, its arithmetic on frames."""

    def call(self, frames: Any) -> Any:
        groups, kernel = self.like.groups, self.like.kernel
        if groups == 1:
            x = self._convolve(frames, kernel)
        else:
            parts = zip(ops.split(frames, groups, -1), ops.split(kernel, groups, -1), strict=True)
            x = ops.concatenate([self._convolve(*part) for part in parts], -1)
        if self.like.use_bias:
            x = ops.add(x, self.like.bias)
        return x if self.like.activation is None else self.like.activation(x)

    def _convolve(self, frames: Any, kernel: Any) -> Any:
        time, *space = self.like.kernel_size
        if time == 1:
            step = self.like.strides[0]
            return self._over_space(frames[::step] if step > 1 else frames, kernel[0])
        if set(space) == {1}:
            return self._over_time(frames, kernel)
        frames = self._side_by_side(frames)
        kernel = ops.transpose(kernel, (1, 2, 0, 3, 4))  # (kh, kw, kt, C, O)
        height, width, _, channels, outputs = kernel.shape
        kernel = ops.reshape(kernel, (height, width, time * channels, outputs))
        return self._over_space(frames, kernel)

    def _over_space(self, frames: Any, kernel: Any) -> Any:
        return ops.conv(
            frames,
            kernel,
            self.like.strides[1:],
            self.like.padding,
            data_format="channels_last",
            dilation_rate=self.like.dilation_rate[1:],
        )

    def _over_time(self, frames: Any, kernel: Any) -> Any:
        """A (k, 1, 1) kernel: the rows of an image whose columns are the positions of a frame."""
        like = self.like
        _, high, wide = like.strides
        if max(high, wide) > 1:
            frames = frames[:, ::high, ::wide]
        return _as_rows(
            frames,
            lambda rows: ops.conv(
                rows,
                kernel[:, 0],
                (like.strides[0], 1),
                like.padding,
                data_format="channels_last",
                dilation_rate=(like.dilation_rate[0], 1),
            ),
        )

    def _side_by_side(self, frames: Any) -> Any:
        """(T, H, W, C) → (T', H, W, kt · C): the frames under each place of the kernel."""
        size, step = self.like.kernel_size[0], self.like.strides[0]
        apart = self.like.dilation_rate[0]
        length, window = frames.shape[0], (size - 1) * apart + 1
        if self.like.padding == "same":
            missing = max((-(-length // step) - 1) * step + window - length, 0)
            zeros = [(missing // 2, missing - missing // 2), (0, 0), (0, 0), (0, 0)]
            frames = ops.pad(frames, zeros) if missing else frames
            length += missing
        last = (length - window) // step * step
        shifted = [frames[at * apart : at * apart + last + 1 : step] for at in range(size)]
        return ops.concatenate(shifted, -1)


class FramesPooling(_Frames):
    """`keras.layers.MaxPooling3D` or `AveragePooling3D`: over space, then over time.

    The maximum of maxima is that of all, and so is the mean of means, padding left out: what is
    padded over time is the same at every place of a frame.
    """

    def call(self, frames: Any) -> Any:
        (time, *space), (step, *steps) = self.like.pool_size, self.like.strides
        if max(*space, *steps) > 1:
            frames = self._pool(frames, tuple(space), tuple(steps))
        if max(time, step) > 1:
            frames = _as_rows(frames, lambda rows: self._pool(rows, (time, 1), (step, 1)))
        return frames

    def _pool(self, x: Any, window: tuple, strides: tuple) -> Any:
        pool = (
            ops.max_pool if isinstance(self.like, keras.layers.MaxPooling3D) else ops.average_pool
        )
        return pool(x, window, strides, self.like.padding, data_format="channels_last")


class FramesGlobalPooling(_Frames):
    """`keras.layers.GlobalAveragePooling3D` or `GlobalMaxPooling3D`: frames → (1, C)."""

    def call(self, frames: Any) -> Any:
        time, height, width, channels = frames.shape
        x = ops.reshape(frames, (1, time * height, width, channels))
        maximum = isinstance(self.like, keras.layers.GlobalMaxPooling3D)
        x = (ops.max if maximum else ops.mean)(x, axis=(1, 2), keepdims=self.like.keepdims)
        return ops.expand_dims(x, 1) if self.like.keepdims else x


class FramesPadding(_Frames):
    """`keras.layers.ZeroPadding3D`."""

    def call(self, frames: Any) -> Any:
        return ops.pad(frames, (*self.like.padding, (0, 0)))


def _as_rows(frames: Any, operation: Any) -> Any:
    """Applies an image's operation to (1, T, H·W, C), and gives frames again."""
    time, height, width, channels = frames.shape
    rows = operation(ops.reshape(frames, (1, time, height * width, channels)))
    return ops.reshape(rows, (rows.shape[1], height, width, rows.shape[-1]))

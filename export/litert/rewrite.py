"""A model as LiteRT runs it best: videos frame by frame, with the operations of images alone.

LiteRT has no 3D pooling among its built-in operations, no grouped 3D convolution, and a CONV_3D
that stays float in an int8 file. Here the frames (T, H, W, C) of the one clip take the place of the
batch from the first convolution on: what extends over space alone is the operation for images, what
extends over time alone is one over (1, T, H·W, C), and a kernel over both sees the frames of its
window side by side as channels. In float that is faster, too: 0.6 to 0.75 of CONV_3D's time on one
core, and CONV_3D gains nothing from a second. Shapes are static, as in every artefact.
"""

from typing import Any

import keras
from keras import layers

from a2keras.channel_groups import GroupedConv2D, GroupedConv3D
from a2keras.copying import copy_operation, copy_state
from a2keras.export.litert.layers import (
    FramesConvolution,
    FramesGlobalPooling,
    FramesPadding,
    FramesPooling,
    ToClip,
    ToFrames,
)
from a2keras.graphs import as_graph

_FRAMES: dict[type, type] = {
    layers.Conv3D: FramesConvolution,
    GroupedConv3D: FramesConvolution,
    layers.MaxPooling3D: FramesPooling,
    layers.AveragePooling3D: FramesPooling,
    layers.GlobalAveragePooling3D: FramesGlobalPooling,
    layers.GlobalMaxPooling3D: FramesGlobalPooling,
    layers.ZeroPadding3D: FramesPadding,
}
# They compute at every position by itself, so that frames are as good to them as a clip.
_POINTWISE = (layers.Activation, layers.Add, layers.Dropout, layers.ReLU)
_OVER_CHANNELS = (layers.BatchNormalization, layers.Concatenate)


def rewritten(model: keras.Model, input_shape: tuple[int, ...]) -> keras.Model:
    """The same computation for one example of a fixed size, in operations that LiteRT has.

    Args:
        model: of one input and one output.
        input_shape: ([T,] H, W, 3), all known.

    Returns:
        A model with the same weights, for inputs (1, *input_shape). A model that is no graph of
        layers, whose `call` is its own, is given back as it is.
    """
    graph = as_graph(model)
    if graph is None:
        return model
    pixels = keras.Input(batch_shape=(1, *input_shape), dtype=model.input.dtype, name="pixels")
    rewriting = _Rewriting()
    copy = keras.models.clone_model(
        graph, pixels, clone_function=rewriting.replace, call_function=rewriting.call
    )
    for old, new in rewriting.replaced:
        if type(new) is type(old):
            copy_state(old, new, {})
        else:
            new.set_weights(old.get_weights())
    if id(copy.output) in rewriting.frames:
        copy = keras.Model(copy.input, ToClip(name="litert_output")(copy.output), name=copy.name)
    return copy


def _replacement(operation: Any) -> Any:
    """A new layer in the place of a layer, with variables of the same shapes in the same order."""
    kind = type(operation)
    if kind in _FRAMES and operation.data_format == "channels_last":
        return _FRAMES[kind](copy_operation(operation), name=operation.name)
    if kind is layers.Conv2D and operation.groups > 1:
        return GroupedConv2D.from_config(operation.get_config())
    if isinstance(operation, layers.RNN):
        return copy_operation(operation, unroll=True)  # a loop needs lists of tensors
    if isinstance(operation, _OVER_CHANNELS) and operation.axis == 4:
        return copy_operation(operation, axis=-1)
    return copy_operation(operation)


class _Rewriting:
    """Makes and calls the new layers, and knows which tensors are frames (T, H, W, C) of a clip."""

    def __init__(self) -> None:
        self.frames: dict[int, Any] = {}
        self.replaced: list[tuple[Any, Any]] = []
        self.reshapes = 0

    def replace(self, operation: Any) -> Any:
        if isinstance(operation, keras.Model):
            return operation  # until it is called, and its sizes are known
        new = _replacement(operation)
        if isinstance(operation, layers.Layer):
            self.replaced.append((operation, new))
        return new

    def call(self, layer: Any, *args: Any, **kwargs: Any) -> Any:
        inputs = keras.tree.flatten((args, kwargs))
        folded = isinstance(layer, tuple(_FRAMES.values())) or (
            _is_framewise(layer) and any(self._is_video(each) for each in inputs)
        )
        change = self._fold if folded else self._unfold
        args, kwargs = keras.tree.map_structure(change, (args, kwargs))
        if isinstance(layer, keras.Model) and len(args) == 1 and hasattr(args[0], "shape"):
            layer = rewritten(layer, args[0].shape[1:])
        outputs = layer(*args, **kwargs)
        if folded and not isinstance(layer, FramesGlobalPooling):
            self.frames[id(outputs)] = outputs
        return outputs

    def _is_video(self, tensor: Any) -> bool:
        return id(tensor) in self.frames or _is_clip(tensor)

    def _fold(self, tensor: Any) -> Any:
        return ToFrames(name=self._name())(tensor) if _is_clip(tensor) else tensor

    def _unfold(self, tensor: Any) -> Any:
        return ToClip(name=self._name())(tensor) if id(tensor) in self.frames else tensor

    def _name(self) -> str:
        self.reshapes += 1
        return f"litert_reshape_{self.reshapes}"


def _is_clip(tensor: Any) -> bool:
    return isinstance(tensor, keras.KerasTensor) and len(tensor.shape) == 5


def _is_framewise(layer: Any) -> bool:
    return isinstance(layer, _POINTWISE) or (isinstance(layer, _OVER_CHANNELS) and layer.axis == -1)

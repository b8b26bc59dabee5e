"""Every layer over frames computes what Keras's layer over videos does."""

import keras
import numpy as np
import pytest
from keras import layers

from a2keras.channel_groups import GroupedConv2D, GroupedConv3D
from a2keras.export.litert.layers import FramesConvolution
from a2keras.export.litert.rewrite import rewritten

CLIP = (7, 11, 13, 6)
# All kernels and strides of the zoo, and some that it has not: (kernel, strides).
CONVOLUTIONS = [
    ((1, 1, 1), (1, 1, 1)),
    ((1, 1, 1), (1, 2, 2)),
    ((1, 1, 1), (2, 1, 1)),
    ((1, 1, 1), (2, 2, 2)),
    ((1, 3, 3), (1, 1, 1)),
    ((1, 7, 7), (1, 2, 2)),
    ((3, 1, 1), (1, 1, 1)),
    ((3, 1, 1), (2, 1, 1)),
    ((3, 1, 1), (1, 2, 2)),
    ((3, 3, 3), (1, 1, 1)),
    ((3, 3, 3), (2, 1, 1)),
    ((3, 3, 3), (2, 2, 2)),
    ((3, 5, 5), (1, 2, 2)),
    ((7, 7, 7), (2, 2, 2)),
    ((2, 3, 3), (3, 1, 1)),
]
POOLINGS = [
    ((1, 2, 2), (1, 2, 2)),
    ((1, 3, 3), (1, 1, 1)),
    ((1, 3, 3), (1, 2, 2)),
    ((2, 2, 2), (2, 2, 2)),
    ((3, 3, 3), (1, 1, 1)),
    ((3, 3, 3), (2, 2, 2)),
    ((2, 1, 1), (3, 1, 1)),
]


def check(layer: keras.layers.Layer, shape: tuple = CLIP) -> keras.Model:
    """The layer and its place-taker on the same clip; returns the model that was made."""
    pixels = keras.Input(shape)
    model = keras.Model(pixels, layer(pixels))
    generator = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(np.abs(generator.normal(0, 0.5, weight.shape)) + 0.1)
    clip = generator.normal(0, 1, (1, *shape)).astype(np.float32)
    expected = model(clip, training=False).numpy()
    made = rewritten(model, shape)
    actual = made(clip, training=False).numpy()
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    return made


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("kernel", "strides"), CONVOLUTIONS)
def test_convolutions(kernel, strides, padding):
    made = check(layers.Conv3D(5, kernel, strides, padding, use_bias=kernel[0] != 3))
    assert any(isinstance(layer, FramesConvolution) for layer in made.layers)


@pytest.mark.parametrize(("kernel", "dilation"), [((3, 3, 3), (2, 1, 1)), ((3, 1, 1), (2, 1, 1))])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_dilated_convolutions(kernel, dilation, padding):
    check(layers.Conv3D(5, kernel, padding=padding, dilation_rate=dilation, activation="relu"))


@pytest.mark.parametrize("kernel", [(1, 3, 3), (3, 3, 3), (3, 1, 1)])
def test_grouped_convolutions(kernel):
    check(GroupedConv3D(9, kernel, padding="same", groups=3))


def test_grouped_convolutions_of_images():
    made = check(layers.Conv2D(9, 3, groups=3), (11, 13, 6))
    assert any(type(layer) is GroupedConv2D for layer in made.layers)


@pytest.mark.parametrize("kind", [layers.MaxPooling3D, layers.AveragePooling3D])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("window", "strides"), POOLINGS)
def test_pooling(kind, window, strides, padding):
    check(kind(window, strides, padding))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("kind", [layers.GlobalMaxPooling3D, layers.GlobalAveragePooling3D])
def test_global_pooling(kind, keepdims):
    check(kind(keepdims=keepdims))


def test_padding():
    check(layers.ZeroPadding3D(((1, 2), (3, 0), (0, 5))))


def test_videos_of_unknown_size_with_all_kinds_of_layers():
    """Frames pass through what is pointwise, and are a clip again for everything else."""
    pixels = keras.Input((None, None, None, 3), name="litert_reshape_1")
    x = layers.Rescaling(0.5)(pixels)
    x = layers.Conv3D(8, 3, padding="same")(x)
    x = layers.BatchNormalization(axis=4)(x)
    left = layers.ReLU()(x)
    right = layers.Permute((2, 1, 3, 4))(layers.Permute((2, 1, 3, 4))(left))  # needs clips
    x = layers.Add()([left, layers.Activation("tanh")(right)])
    x = layers.Concatenate(axis=-1)([x, layers.MaxPooling3D(3, 1, "same")(right)])
    x = layers.TimeDistributed(layers.GlobalAveragePooling2D())(x)
    x = layers.LSTM(5)(x)
    model = keras.Model(pixels, layers.Dense(3, "softmax")(x))
    clip = np.random.default_rng(5).normal(0, 1, (1, *CLIP[:3], 3)).astype(np.float32)
    made = rewritten(model, clip.shape[1:])
    assert made.input_shape == clip.shape
    np.testing.assert_allclose(made(clip), model(clip), atol=1e-6)
    assert not {type(layer) for layer in made.layers} & {layers.Conv3D, layers.MaxPooling3D}
    again = rewritten(model, clip.shape[1:])  # the first has not touched the model
    np.testing.assert_array_equal(again(clip), made(clip))


def test_nested_models():
    inner_pixels = keras.Input(CLIP)
    inner = keras.Model(inner_pixels, layers.Conv3D(5, 3, name="inner_conv")(inner_pixels))
    pixels = keras.Input(CLIP)
    x = layers.GlobalAveragePooling3D()(inner(layers.Conv3D(6, 1)(pixels)))
    model = keras.Model(pixels, x)
    clip = np.random.default_rng(7).normal(0, 1, (1, *CLIP)).astype(np.float32)
    made = rewritten(model, CLIP)
    np.testing.assert_allclose(made(clip), model(clip), atol=1e-6)
    kinds = [type(each) for layer in made.layers for each in getattr(layer, "layers", [layer])]
    assert kinds.count(FramesConvolution) == 2

"""attention_maps on every kind of model."""

import keras
import numpy as np
import pytest

import a2keras
from a2keras import DoubleAttention, NonLocal, SqueezeExcitation, attention_maps

X = np.random.default_rng(0).normal(size=(2, 5, 7, 11)).astype("float32")


def test_maps_are_those_of_the_layers(oracle):
    first, second = DoubleAttention(3, 13, name="first"), NonLocal(3, name="second")
    third = SqueezeExcitation(name="third")
    inputs = keras.Input((5, 7, 11))
    hidden = first(inputs)
    model = keras.Model(inputs, third(second(hidden)))
    oracle.randomise(first)
    maps = attention_maps(model, X)
    assert list(maps) == ["first", "second", "third"]
    hidden, *want = first(X, return_attention_scores=True)
    for got, array in zip(maps["first"], want, strict=True):
        assert isinstance(got, np.ndarray)
        assert got.shape == (2, 5, 7, 13)
        assert np.array_equal(got, keras.ops.convert_to_numpy(array))
    assert maps["second"][0].shape == (2, 5, 7, 35)
    assert maps["third"][0].shape == (2, 11)


def test_nested_sequential_subclassed_and_repeated():
    block = DoubleAttention(name="block")
    inner = keras.Sequential([keras.Input((5, 7, 11)), block])

    class Outer(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def call(self, x):
            return self.inner(self.inner(self.inner(x)))

    assert list(attention_maps(Outer(), X)) == ["block", "block_2", "block_3"]


def test_the_steps_of_a_time_distributed_are_one_axis(oracle):
    """Also of a block in a model, beside one that sees all steps."""
    block, whole = DoubleAttention(3, 13, name="block"), NonLocal(3, name="whole")
    inner = keras.Sequential([keras.Input((5, 7, 11)), block])
    inputs = keras.Input((3, 5, 7, 11))
    model = keras.Model(inputs, whole(keras.layers.TimeDistributed(inner)(inputs)))
    oracle.randomise(block)
    clips = np.random.default_rng(1).normal(size=(2, 3, 5, 7, 11)).astype("float32")
    maps = attention_maps(model, clips)
    assert list(maps) == ["block", "whole"]
    _, *want = block(clips.reshape(6, 5, 7, 11), return_attention_scores=True)
    for got, array in zip(maps["block"], want, strict=True):
        array = keras.ops.convert_to_numpy(array).reshape(2, 3, 5, 7, 13)
        np.testing.assert_allclose(got, array, rtol=1e-5, atol=1e-7)
    assert maps["whole"][0].shape == (2, 3, 5, 7, 3 * 5 * 7)


def test_every_use_of_a_time_distributed_has_maps_of_its_own(oracle):
    """Of a block that stands twice in its model, on clips of other lengths, and by itself."""
    block = DoubleAttention(3, 13, name="block")
    inner = keras.Sequential([keras.Input((5, 7, 11)), block, block])
    each = keras.layers.TimeDistributed(inner)
    short, long = keras.Input((2, 5, 7, 11)), keras.Input((3, 5, 7, 11))
    x = keras.layers.Concatenate(axis=1)([each(short), each(long)])
    model = keras.Model([short, long], [x, block(long[:, 1])])
    oracle.randomise(block)
    random = np.random.default_rng(1)
    clips = [random.normal(size=(1, n, 5, 7, 11)).astype("float32") for n in (2, 3)]
    maps = attention_maps(model, clips)
    shapes = [gathered.shape for gathered, _ in maps.values()]
    assert sorted(shapes) == [
        (1, 2, 5, 7, 13), (1, 2, 5, 7, 13), (1, 3, 5, 7, 13), (1, 3, 5, 7, 13), (1, 5, 7, 13)
    ]  # fmt: skip
    for clip in clips:
        out, first, _ = block(clip[0], return_attention_scores=True)
        _, second, _ = block(out, return_attention_scores=True)
        ours = [each for each, _ in maps.values() if each.shape[:2] == clip.shape[:2]]
        for got, want in zip(ours, (first, second), strict=True):
            want = keras.ops.convert_to_numpy(want)
            np.testing.assert_allclose(got[0], want, rtol=1e-4, atol=1e-6)
    assert "call" not in vars(each)


def test_recording_ends_with_the_call():
    model = keras.Sequential([keras.Input((5, 7, 11)), DoubleAttention()])
    attention_maps(model, X)
    assert not a2keras.attention_maps.__globals__["is_recording"]()


def test_a_model_without_attention_is_refused():
    model = keras.Sequential([keras.Input((5, 7, 11)), keras.layers.ReLU()], name="plain")
    with pytest.raises(ValueError, match=r"needs a model with an attention layer.*'plain' without"):
        attention_maps(model, X)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a function of TensorFlow")
def test_a_model_whose_call_is_compiled():
    import tensorflow as tf

    class Compiled(keras.Model):
        def __init__(self):
            super().__init__()
            self.block = DoubleAttention(3, 13)

        @tf.function
        def call(self, x):
            return self.block(x)

    model = Compiled()
    (got,) = attention_maps(model, X).values()
    _, *want = model.block(X, return_attention_scores=True)
    for found, array in zip(got, want, strict=True):
        np.testing.assert_allclose(found, array, rtol=1e-6)
    assert not tf.config.functions_run_eagerly()

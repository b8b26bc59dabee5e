"""ConvNet+LSTM is Inception-v1 on every frame and an LSTM over them, at the published cost."""

import keras
import numpy as np
import pytest

import a2keras
from a2keras import models
from a2keras.models import weights
from a2keras.models.convnet_lstm import recurrent_top


def numbers(x):
    return keras.ops.convert_to_numpy(x)


def pixels(*size, seed=0):
    return np.random.default_rng(seed).normal(size=(2, *size, 3)).astype("float32")


@pytest.mark.parametrize(("frames", "giga"), [(25, 37.518), (50, 75.035)])
def test_convnet_lstm_of_table_5(frames, giga):
    counted = a2keras.count(models.ConvNetLSTM(classes=400, input_shape=(frames, 224, 224, 3)))
    assert round(counted.parameters / 1e6, 4) == 8.9674
    assert round(counted.multiply_adds / 1e9, 3) == giga
    # The classifier runs at every step; LSTM: four gates from 1024 inputs and 512 states.
    costs = {each.name: each.multiply_adds for each in counted.by_layer}
    assert costs["predictions"] == frames * 512 * 400
    assert costs["lstm"] == frames * 4 * 512 * (1024 + 512)


def test_stages_are_per_frame():
    model = models.ConvNetLSTM()
    shapes = {name: x.shape[1:] for name, x in models.features(model).output.items()}
    assert shapes == {
        "conv1": (25, 112, 112, 64),
        "conv2": (25, 56, 56, 192),
        "conv3": (25, 28, 28, 480),
        "conv4": (25, 14, 14, 832),
        "conv5": (25, 7, 7, 1024),
    }
    maps = models.ConvNetLSTM(include_top=False)
    assert maps.output.shape == (None, 25, 7, 7, 1024)
    assert all(k.shape[0] == 1 for k in maps.weights if k.name == "kernel")


@pytest.mark.parametrize("padding", ["same", "symmetric"])
def test_every_frame_gives_the_image_networks_features(padding, plain_layers):
    image = models.InceptionV1(False, input_shape=(38, 46, 3), padding=padding)
    video = models.ConvNetLSTM(False, input_shape=(None, None, None, 3), padding=padding)
    plain_layers(image)  # gives the normalisations values
    report = weights.inflate(image, video)
    assert len(report.loaded) == len(video.weights) == len(image.weights)
    x = pixels(3, 38, 46)
    frames = numbers(image(x.reshape(6, 38, 46, 3)))
    expected = frames.reshape(2, 3, *frames.shape[1:])
    assert np.allclose(numbers(video(x)), expected, atol=1e-5 * np.abs(expected).max())


def recurrent(plain, x, units):
    """An LSTM by its equations (Hochreiter and Schmidhuber, 1997, with forget gates)."""
    kernel, recurrent_kernel, bias = plain.weights("lstm")
    state = memory = np.zeros((len(x), units))
    steps = []
    for step in range(x.shape[1]):
        gates = x[:, step] @ kernel + state @ recurrent_kernel + bias
        into, forget, candidate, out = np.split(gates, 4, axis=-1)
        into, forget, out = (1 / (1 + np.exp(-gate)) for gate in (into, forget, out))
        memory = forget * memory + into * np.tanh(candidate)
        state = out * np.tanh(memory)
        steps.append(state)
    return np.stack(steps, axis=1)


def test_the_top_by_plain_loops(plain_layers):
    inputs = keras.Input((5, 2, 3, 7))
    last = keras.Model(inputs, recurrent_top(inputs, 11))
    steps = keras.Model(inputs, recurrent_top(inputs, 11, all_steps=True))
    plain = plain_layers(steps)
    last.set_weights(steps.get_weights())
    x = np.random.default_rng(1).normal(size=(2, 5, 2, 3, 7)).astype("float32")
    expected = plain.dense(recurrent(plain, x.mean((2, 3)), 512), "predictions")
    assert np.allclose(numbers(steps(x)), expected, atol=1e-5)
    assert np.allclose(numbers(last(x)), expected[:, -1], atol=1e-5)


def test_all_steps_are_the_last_ones_of_the_clip_so_far():
    build = {"input_shape": (None, 19, 23, 3), "classes": 5}
    last = models.ConvNetLSTM(**build)
    steps = models.ConvNetLSTM(all_steps=True, **build)
    assert (last.output.shape, steps.output.shape) == ((None, 5), (None, None, 5))
    steps.set_weights(last.get_weights())
    x = pixels(4, 19, 23)
    so_far = [numbers(last(x[:, : t + 1])) for t in range(4)]
    assert np.allclose(numbers(steps(x)), np.stack(so_far, axis=1), atol=1e-6)
    assert not np.allclose(so_far[0], so_far[3], atol=1e-4)


def test_a_block_sees_all_frames():
    model = models.ConvNetLSTM(
        False, attention="a2", positions=("conv5_2",), input_shape=(3, 19, 23, 3)
    )
    block = model.get_layer("conv5_2_attention")
    assert block.input is model.get_layer("conv5_2_out").output
    x = pixels(3, 19, 23)
    # A fresh block adds zeros: give its output projection values.
    block.set_weights([w.numpy() + 0.1 for w in block.weights])
    other = x.copy()
    other[:, 2] += 1
    change = np.abs(numbers(model(other)) - numbers(model(x))).max(axis=(0, 2, 3, 4))
    assert change.min() > 1e-4


def test_it_can_be_trained_on_all_steps():
    keras.utils.set_random_seed(0)
    model = models.ConvNetLSTM(all_steps=True, input_shape=(3, 19, 23, 3), classes=5)
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(0.01), loss, run_eagerly=True)  # quicker than tracing
    before = [w.numpy() for w in model.trainable_weights]
    loss = model.train_on_batch(pixels(3, 19, 23), np.array([[0] * 3, [1] * 3]))
    assert np.isfinite(loss)
    moved = [
        w.path
        for w, old in zip(model.trainable_weights, before, strict=True)
        if not np.array_equal(w.numpy(), old)
    ]
    assert len(moved) > 0.9 * len(before)

"""Networks by plain loops, in float64, from the weights of a model that are found by name."""

import itertools

import numpy as np
import pytest

# What an untrained network has as 0 or 1, so that a wrong place, order or epsilon would not show.
RANGES = {
    "gamma": (0.1, 0.5),
    "beta": (-0.5, 0.5),
    "moving_mean": (-0.5, 0.5),
    "moving_variance": (0.05, 0.2),
    "bias": (-0.5, 0.5),
}


class PlainLayers:
    """The layers of `model` in NumPy, channels last, with PyTorch's padding.

    The model's normalisations and biases are given values first, those of `RANGES`.
    """

    def __init__(self, model, seed=0):
        self.model = model
        rng = np.random.default_rng(seed)
        for weight in model.weights:
            if weight.name in RANGES:
                weight.assign(rng.uniform(*RANGES[weight.name], weight.shape))

    def weights(self, name):
        """The weights of a layer, as Keras lists them."""
        return [w.astype("float64") for w in self.model.get_layer(name).get_weights()]

    def convolution(self, x, name, strides):
        """Of any rank, with k // 2 zeros on both sides of an axis; with its bias if it has one."""
        kernel, *bias = self.weights(name)
        window = kernel.shape[:-2]
        x = np.pad(x, [(0, 0), *((k // 2, k // 2) for k in window), (0, 0)])
        sizes = [(n - k) // s + 1 for n, k, s in zip(x.shape[1:-1], window, strides, strict=True)]
        result = 0.0
        for offset in itertools.product(*map(range, window)):
            reach = [
                slice(o, o + (n - 1) * s + 1, s)
                for o, n, s in zip(offset, sizes, strides, strict=True)
            ]
            result = result + x[(slice(None), *reach)] @ kernel[offset]
        return result + sum(bias)

    def normalization(self, x, name, epsilon):
        gamma, beta, mean, variance = self.weights(name)
        return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta

    def dense(self, x, name):
        kernel, bias = self.weights(name)
        return x @ kernel + bias


@pytest.fixture
def plain_layers():
    return PlainLayers

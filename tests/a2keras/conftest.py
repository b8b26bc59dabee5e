"""Oracles written from the papers' equations with plain loops, in float64."""

import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest


def softmax(logits):
    top = max(logits)
    weights = [math.exp(each - top) for each in logits]
    return [each / sum(weights) for each in weights]


def brc(x, projection, training):
    """BN → ReLU → kernel over the last axis of (B, L, c), as the paper's Figure 2 has it."""
    if "gamma" in projection:
        mean, variance = projection["mean"], projection["variance"]
        if training:
            mean, variance = x.mean((0, 1)), x.var((0, 1))
        x = (x - mean) / np.sqrt(variance + 1e-4) * projection["gamma"] + projection["beta"]
        x = np.maximum(x, 0)
    return x @ projection["kernel"] + projection.get("bias", 0)


def double_attention(x, weights, mask=None, residual=True, training=False):
    """Eq. 4, 5 and 6 by loops over descriptors i and positions j; x is (B, L, c)."""
    a, b, v = (brc(x, weights[name], training) for name in ("phi", "theta", "rho"))
    batch, positions, n = b.shape
    z = np.zeros((batch, positions, a.shape[-1]))
    gather, distribution = np.zeros_like(b), np.zeros_like(b)
    for example in range(batch):
        kept = [j for j in range(positions) if mask is None or mask[example, j]]
        descriptors = []
        for i in range(n):
            attention = softmax([b[example, j, i] for j in kept])
            gather[example, kept, i] = attention
            descriptors.append(sum(w * a[example, j] for w, j in zip(attention, kept, strict=True)))
        for j in range(positions):
            attention = softmax(list(v[example, j]))
            distribution[example, j] = attention
            z[example, j] = sum(w * g for w, g in zip(attention, descriptors, strict=True))
    outputs = brc(z, weights["output"], training)
    return (x + outputs if residual else outputs), gather, distribution


def non_local(x, weights, mask=None, residual=True, training=False):
    """Softmax over keys of the embedded Gaussian, position by position."""
    queries, keys, values = (brc(x, weights[name], training) for name in ("theta", "phi", "g"))
    batch, positions, _ = x.shape
    z, maps = np.zeros_like(values), np.zeros((batch, positions, positions))
    for example in range(batch):
        kept = [j for j in range(positions) if mask is None or mask[example, j]]
        for i in range(positions):
            maps[example, i, kept] = softmax([queries[example, i] @ keys[example, j] for j in kept])
            z[example, i] = sum(maps[example, i, j] * values[example, j] for j in kept)
    outputs = brc(z, weights["output"], training)
    return (x + outputs if residual else outputs), maps


def squeeze_excitation(x, weights, mask=None):
    outputs, gates = np.zeros_like(x), np.zeros((x.shape[0], x.shape[-1]))
    for example in range(x.shape[0]):
        kept = x[example] if mask is None else x[example][mask[example]]
        squeezed = np.maximum(sum(kept) / len(kept) @ weights["squeeze"]["kernel"], 0)
        logits = squeezed @ weights["excite"]["kernel"]
        gates[example] = [1 / (1 + math.exp(-each)) for each in logits]
        outputs[example] = x[example] * gates[example]
    return outputs, gates


def randomise(layer, seed=0):
    """Gives every weight a random value; returns {projection: {name: float64 array}}."""
    random = np.random.default_rng(seed)
    weights: dict = {}
    short = {"moving_mean": "mean", "moving_variance": "variance"}
    for variable in layer.weights:
        value = random.normal(size=variable.shape).astype("float32")
        if "variance" in variable.path:
            value = np.abs(value) + 0.5
        variable.assign(value)
        projection = next(p for p in variable.path.split("/") if p in PROJECTIONS)
        name = short.get(variable.name, variable.name)
        weights.setdefault(projection, {})[name] = value.astype("float64")
    return weights


def gradients(layer, x, **arguments):
    """d sum(outputs²) / d (trainable weights), by each backend's own differentiation."""

    def loss_of(outputs):
        outputs = outputs[0] if isinstance(outputs, tuple) else outputs
        return keras.ops.sum(keras.ops.square(keras.ops.cast(outputs, "float32")))

    backend = keras.backend.backend()
    weights = [w.value for w in layer.trainable_weights]
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = loss_of(layer(x, **arguments))
        return tape.gradient(loss, weights)
    if backend == "jax":
        import jax

        fixed = [w.value for w in layer.non_trainable_variables]
        return jax.grad(lambda w: loss_of(layer.stateless_call(w, fixed, x, **arguments)[0]))(
            weights
        )
    for weight in weights:
        weight.grad = None
    loss_of(layer(keras.ops.convert_to_tensor(x), **arguments)).backward()
    return [weight.grad for weight in weights]


PROJECTIONS = {"theta", "rho", "phi", "g", "output", "squeeze", "excite"}


@pytest.fixture(scope="session")
def oracle():
    return SimpleNamespace(
        double_attention=double_attention,
        non_local=non_local,
        squeeze_excitation=squeeze_excitation,
        randomise=randomise,
        gradients=gradients,
        to_numpy=lambda x: np.asarray(keras.ops.convert_to_numpy(x), "float64"),
        relative_error=lambda a, b: float(np.abs(a - b).max() / np.abs(b).max()),
    )


@pytest.fixture
def zero_weights(monkeypatch):
    """For tests of costs, which weights do not change: JAX compiles every shape of every one."""

    def zeros(self, shape, dtype=None, **_):
        return np.zeros(shape, dtype)

    for name in (
        "Ones",
        "Orthogonal",
        "RandomUniform",
        "TruncatedNormal",
        "VarianceScaling",
        "Zeros",
    ):
        monkeypatch.setattr(getattr(keras.initializers, name), "__call__", zeros)

"""Extreme inputs in every precision, against the equations in float64: nothing overflows."""

import keras
import numpy as np
import pytest

from a2keras import DoubleAttention, NonLocal, SqueezeExcitation

POLICIES = pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
# Of the largest output: a rounding of the inputs alone may change it by as much.
TOLERANCE = {"float32": 2e-5, "mixed_float16": 5e-3, "mixed_bfloat16": 4e-2}
HALF = {"float32": "float32", "mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


def numbers(x):
    return keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")).astype("float64")


def rounded(x, policy):
    """As the layer sees it, as float64."""
    return numbers(keras.ops.cast(x, HALF[policy]))


def normal(shape, deviation, seed=1):
    return np.random.default_rng(seed).normal(0, deviation, shape).astype("float32")


def softmax(logits, axis):
    weights = np.exp(logits - logits.max(axis, keepdims=True))
    return weights / weights.sum(axis, keepdims=True)


def error(got, want):
    assert np.isfinite(got).all()
    return np.abs(got - want).max() / np.abs(want).max()


def inputs_of(deviation, positions, channels=8):
    """A mean of half a deviation besides, so that averages are no noise; and a mask."""
    x = normal((1, positions, channels), deviation) + deviation / 2
    return x, np.arange(positions)[None] % 7 != 3


@POLICIES
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("deviation", "positions"), [(50, 12_544), (1000, 12_544), (1000, 49)])
def test_squeeze_excitation(policy, masked, deviation, positions):
    x, mask = inputs_of(deviation, positions)
    layer = SqueezeExcitation(2, dtype=policy)
    layer.build(x.shape)
    layer.squeeze.kernel.assign(np.abs(normal((8, 4), 0.5 / deviation)))
    layer.excite.kernel.assign(normal((4, 8), 0.5, seed=3))
    got, gates = layer(x, mask=mask if masked else None, return_attention_scores=True)
    kept = rounded(x, policy)[:, mask[0]] if masked else rounded(x, policy)
    weights = [rounded(each.kernel, policy) for each in (layer.squeeze, layer.excite)]
    logits = np.maximum(kept.mean(1) @ weights[0], 0) @ weights[1]
    want = 1 / (1 + np.exp(-logits))
    assert 0.01 < want.min() < 0.5 < want.max() < 0.99  # gates that are neither 0 nor 1
    assert error(numbers(gates), want) < TOLERANCE[policy]
    assert error(numbers(got), rounded(x, policy) * want[:, None]) < 2 * TOLERANCE[policy]


def test_the_mask_of_an_image_of_112_by_112():
    x = normal((1, 112, 112, 8), 1)
    layer = SqueezeExcitation(2, dtype="mixed_float16")
    want = numbers(layer(x))
    assert error(numbers(layer(x, mask=np.ones((1, 112, 112), bool))), want) < 2e-3


@POLICIES
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("deviation", "positions"), [(50, 12_544), (1000, 12_544), (1000, 49)])
def test_double_attention(policy, masked, deviation, positions):
    """With maps that are spread widely: each sum is over all positions."""
    x, mask = inputs_of(deviation, positions)
    layer = DoubleAttention(8, 4, dtype=policy, residual=False)
    layer.build(x.shape)
    for each in (layer.theta, layer.rho):
        each.kernel.assign(normal((8, 4), 0.3 / deviation, seed=7))
    got, gather, _ = layer(x, mask=mask if masked else None, return_attention_scores=True)
    in_training = layer(x, mask=mask if masked else None, training=True)  # divided afterwards
    theta, rho, phi, output = (
        rounded(each.kernel, policy)
        for each in (layer.theta, layer.rho, layer.phi, layer.output_projection)
    )
    x = rounded(x, policy)
    logits = np.where(mask[..., None] | (not masked), x @ theta, -np.inf)
    want_gather = softmax(logits, 1)
    descriptors = np.swapaxes(want_gather, 1, 2) @ x
    want = softmax(x @ rho, 2) @ descriptors @ phi @ output
    assert error(numbers(gather), want_gather) < 2 * TOLERANCE[policy]
    assert error(numbers(got), want) < 3 * TOLERANCE[policy]
    assert error(numbers(in_training), want) < 3 * TOLERANCE[policy]


@POLICIES
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("deviation", "positions"), [(50, 784), (1000, 196)])
def test_non_local(policy, masked, deviation, positions):
    """Logits of up to 1e7, whose products go beyond float16: the largest one takes it all."""
    x, mask = inputs_of(deviation, positions)
    layer = NonLocal(8, dtype=policy, residual=False)
    layer.build(x.shape)
    got, maps = layer(x, mask=mask if masked else None, return_attention_scores=True)
    maps = numbers(maps)[0]
    assert np.isfinite(numbers(got)).all()
    assert np.allclose(maps.sum(-1), 1, atol=1e-2)
    assert not masked or np.all(maps[:, ~mask[0]] == 0)
    x = rounded(x, policy)
    theta, phi = (rounded(numbers(each(x)), policy) for each in (layer.theta, layer.phi))
    logits = (theta @ np.swapaxes(phi, 1, 2))[0]
    if masked:
        logits[:, ~mask[0]] = -np.inf
    # Where the first is far before the second, rounding decides nothing.
    ordered = np.sort(logits)
    size = np.abs(np.where(np.isfinite(logits), logits, 0)).max(-1)
    clear = ordered[:, -1] - ordered[:, -2] > 20 + TOLERANCE[policy] * size
    assert clear.sum() > 10
    assert np.array_equal(maps.argmax(-1)[clear], logits.argmax(-1)[clear])
    assert np.allclose(maps.max(-1)[clear], 1, atol=1e-3)
    layer.theta.kernel.assign(normal((8, 8), 1e-3 / deviation))  # and with maps that are spread
    layer.phi.kernel.assign(normal((8, 8), 1 / deviation, seed=5))
    maps = numbers(layer(x, return_attention_scores=True)[1])
    theta, phi = (x @ rounded(each.kernel, policy) for each in (layer.theta, layer.phi))
    want = softmax(theta @ np.swapaxes(phi, 1, 2), -1)
    assert error(maps, want) < 3 * TOLERANCE[policy]


@pytest.mark.parametrize("kind", [DoubleAttention, NonLocal])
@POLICIES
def test_statistics_with_a_mask(kind, policy):
    """Of the positions that are kept, over 12,544 of them, in float32 whatever the policy."""
    positions = 12_544 if kind is DoubleAttention else 784
    x, mask = inputs_of(1000, positions)
    layer = kind(2, dtype=policy, pre_activation=True, bn_momentum=0)
    outputs = layer(x, mask=mask, training=True)
    assert np.isfinite(numbers(outputs)).all()
    kept = rounded(x, policy)[0, mask[0]]
    normalization = layer.theta.normalization
    assert error(numbers(normalization.moving_mean), kept.mean(0)) < 1e-5
    assert error(numbers(normalization.moving_variance), kept.var(0)) < 1e-4


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="JAX's float64 is for all or none, Keras's products on PyTorch are float32",
)
@pytest.mark.parametrize("masked", [False, True])
def test_float64_stays_so(masked):
    x, mask = inputs_of(1, 12_544)
    x = x.astype("float64")
    layer = SqueezeExcitation(2, dtype="float64")
    _, gates = layer(x, mask=mask if masked else None, return_attention_scores=True)
    kept = x[:, mask[0]] if masked else x
    squeeze, excite = (keras.ops.convert_to_numpy(e.kernel) for e in (layer.squeeze, layer.excite))
    want = 1 / (1 + np.exp(-np.maximum(kept.mean(1) @ squeeze, 0) @ excite))
    assert np.abs(keras.ops.convert_to_numpy(gates) - want).max() < 1e-13

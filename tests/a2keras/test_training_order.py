"""How the layers compute in training: other orders than in inference, the same numbers."""

import keras
import numpy as np
import pytest

from a2keras import DoubleAttention, NonLocal
from a2keras.association import products_of

FORMS = pytest.mark.parametrize(
    "form", [{}, {"use_bias": True}, {"pre_activation": True}, {"residual": False}], ids=str
)
ASSOCIATIONS = pytest.mark.parametrize("association", ["auto", "left", "right"])
MASKED = pytest.mark.parametrize("masked", [False, True])
SHAPE = (3, 5, 7, 11)


def normal(shape=SHAPE, seed=1, deviation=1.0):
    return np.random.default_rng(seed).normal(0, deviation, shape).astype("float32")


def a_mask():
    """Of the last example no position is kept."""
    mask = normal(SHAPE[:-1], seed=4) > -0.5
    mask[-1] = False
    return mask


@FORMS
@ASSOCIATIONS
@MASKED
def test_training_equals_the_equations(oracle, form, association, masked):
    """13 values and 17 descriptors of 11 channels, and 2 and 3, which are planned otherwise."""
    x, mask = normal(), a_mask() if masked else None
    flat = x.reshape(3, -1, 11).astype("float64")
    flat_mask = None if mask is None else mask.reshape(3, -1)
    for m, n in ((13, 17), (2, 3)):
        layer = DoubleAttention(m, n, association=association, **form)
        layer.build(x.shape)
        weights = oracle.randomise(layer)
        if masked and "pre_activation" in form:
            continue  # the oracle knows no masked statistics: test_statistics_with_a_mask
        got = oracle.to_numpy(layer(x, mask=mask, training=True))
        training = "pre_activation" in form
        residual = form.get("residual", True)
        if masked:
            flat_mask = flat_mask.copy()
            flat_mask[-1, 0] = True  # the oracle's softmax needs one; that example is not compared
        want, *_ = oracle.double_attention(flat, weights, flat_mask, residual, training)
        some = slice(0, 2) if masked else slice(None)
        want = want.reshape(x.shape)[some]
        assert oracle.relative_error(got[some], want) < 3e-5
        if masked:  # nothing gathered: the bias of the output projection alone, or nothing
            nothing = weights["output"].get("bias", 0) + (x[-1] if residual else 0)
            assert np.allclose(got[-1], nothing, atol=1e-6)


@pytest.mark.parametrize("kind", [DoubleAttention, NonLocal])
@FORMS
@MASKED
@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_gradients_are_those_of_the_plain_path(oracle, kind, form, masked, policy):
    """With the maps asked for, they are divided before they gather, as in inference."""
    layer = kind(7, dtype=policy, output_initializer="glorot_uniform", **form)
    layer.build(SHAPE)
    exact = kind(7, output_initializer="glorot_uniform", **form)
    exact.build(SHAPE)
    exact.set_weights(layer.get_weights())
    arguments = {"mask": a_mask() if masked else None, "training": True}

    def gradients(layer, **more):
        found = oracle.gradients(layer, normal(), **arguments, **more)
        return [oracle.to_numpy(keras.ops.cast(each, "float32")) for each in found]

    want = gradients(exact, return_attention_scores=True)
    # Of the largest gradient: that of a bias of theta is nothing but rounding.
    scale = max(np.abs(each).max() for each in want)

    def error(found):
        assert all(np.isfinite(each).all() for each in found)
        return max(np.abs(a - b).max() for a, b in zip(found, want, strict=True)) / scale

    # A batch normalisation of maps that hardly differ magnifies the rounding of half precision.
    plain = error(gradients(layer, return_attention_scores=True))
    assert error(gradients(layer)) < 3e-5 + 2 * plain


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@MASKED
def test_logits_of_ten_thousand_stay_finite_in_training(oracle, policy, masked):
    """The largest weight takes it all: each descriptor is the values of one position."""
    x = normal((1, 31, 5))
    layer = DoubleAttention(3, 2, dtype=policy, residual=False)
    layer.build(x.shape)
    layer.theta.kernel.assign(1e4 * normal((5, 2), seed=2))
    mask = np.arange(31)[None] % 7 != 3
    arguments = {"mask": mask if masked else None, "training": True}
    got = oracle.to_numpy(keras.ops.cast(layer(x, **arguments), "float32"))
    logits = x[0].astype("float64") @ normal((5, 2), seed=2)
    logits[~mask[0] & masked] = -np.inf
    descriptors = x[0][logits.argmax(0)]
    rho, phi, output = (
        oracle.to_numpy(each.kernel) for each in (layer.rho, layer.phi, layer.output_projection)
    )
    distribution = np.exp(x[0] @ rho)
    distribution /= distribution.sum(-1, keepdims=True)
    want = distribution @ descriptors @ phi @ output
    assert oracle.relative_error(got[0], want) < (1e-5 if policy == "float32" else 5e-2)
    gradients = oracle.gradients(layer, x, **arguments)
    assert all(np.isfinite(oracle.to_numpy(keras.ops.cast(g, "float32"))).all() for g in gradients)


def test_sums_over_25_thousand_positions_are_no_matter_for_float16():
    """All weights 1, values of 4: their sum would be beyond 65504."""
    x = np.full((1, 25_088, 2), 4, "float32")
    layer = DoubleAttention(2, 3, dtype="mixed_float16", residual=False)
    layer.build(x.shape)
    for each in (layer.theta, layer.rho):
        each.kernel.assign(np.zeros((2, 3)))
    for each in (layer.phi, layer.output_projection):
        each.kernel.assign(np.eye(2))
    got = keras.ops.convert_to_numpy(layer(x, training=True))
    assert np.allclose(got, 4, rtol=0.02)


def test_which_orders_let_the_division_wait():
    """Where positions are related to positions first, nothing is gathered by itself."""
    gathered = DoubleAttention(2, 3)
    assert gathered.may_defer(gathered.order(11, 35))
    related = DoubleAttention(2, 3, association="right")
    assert ("distribution", "gather") in products_of(related.order(11, 35))
    assert not related.may_defer(related.order(11, 35))
    half = DoubleAttention(2, 3, dtype="mixed_float16")
    assert not half.may_defer(half.order(11, 35))


@pytest.mark.parametrize("kind", [DoubleAttention, NonLocal])
@MASKED
def test_shared_statistics_are_those_of_every_normalization_by_itself(oracle, kind, masked):
    """Keras's own layers with the same weights, momenta and masks; one frozen by hand."""
    x, mask = normal(deviation=3), a_mask() if masked else None
    layer = kind(3, pre_activation=True, bn_momentum=0.75)
    layer.build(x.shape)
    oracle.randomise(layer)
    names = ("theta", "rho", "phi") if kind is DoubleAttention else ("theta", "g", "phi")
    layer.theta.normalization.momentum = 0.5
    getattr(layer, names[1]).normalization.trainable = False
    flat = x.reshape(3, -1, 11)
    flat_mask = None if mask is None else mask.reshape(3, -1)
    own = {}
    for name in names:
        ours = getattr(layer, name).normalization
        own[name] = keras.layers.BatchNormalization(
            momentum=ours.momentum, epsilon=ours.epsilon, trainable=ours.trainable
        )
        own[name].build(flat.shape)
        own[name].set_weights(ours.get_weights())
        want = own[name](flat, training=True, mask=flat_mask)
        alone = type(ours)(block="", **{k: getattr(ours, k) for k in ("momentum", "epsilon")})
        alone.trainable = ours.trainable
        alone.build(flat.shape)
        alone.set_weights(ours.get_weights())
        got = alone(keras.ops.convert_to_tensor(flat), training=True, mask=flat_mask)
        assert np.allclose(oracle.to_numpy(got), oracle.to_numpy(want), atol=1e-5)
    layer(x, mask=mask, training=True)
    for name in names:
        for ours, theirs in zip(
            getattr(layer, name).normalization.weights, own[name].weights, strict=True
        ):
            assert np.allclose(oracle.to_numpy(ours), oracle.to_numpy(theirs), atol=1e-6), name

"""DoubleAttention against the paper's equations, and the invariants that follow from them."""

import itertools

import keras
import numpy as np
import pytest

import a2keras
from a2keras import DoubleAttention

# Every axis a prime of its own: a mistaken axis cannot pass.
SHAPES = {"1D": (2, 7, 11), "2D": (2, 5, 7, 11), "3D": (2, 3, 5, 7, 11)}
M, N = 13, 17


def normal(shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def built(oracle, x, **arguments):
    layer = DoubleAttention(M, N, **arguments)
    layer.build(x.shape)
    return layer, oracle.randomise(layer)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("association", ["auto", "left", "right"])
@pytest.mark.parametrize(
    "form", [{}, {"use_bias": True}, {"pre_activation": True}, {"residual": False}], ids=str
)
def test_equals_the_equations(oracle, shape, association, form):
    x = normal(shape)
    layer, weights = built(oracle, x, association=association, **form)
    outputs, gather, distribution = layer(x, return_attention_scores=True)
    flat = x.reshape(2, -1, 11).astype("float64")
    expected = oracle.double_attention(flat, weights, residual=form.get("residual", True))
    maps_shape = (*shape[:-1], N)
    for got, want, want_shape in zip(
        (outputs, gather, distribution), expected, (shape, maps_shape, maps_shape), strict=True
    ):
        assert got.shape == want_shape
        assert oracle.relative_error(oracle.to_numpy(got), want.reshape(want_shape)) < 1e-5


def test_training_uses_the_statistics_of_the_batch(oracle):
    x = normal((2, 5, 7, 11))
    layer, weights = built(oracle, x, pre_activation=True)
    got = oracle.to_numpy(layer(x, training=True))
    flat = x.reshape(2, -1, 11).astype("float64")
    want, *_ = oracle.double_attention(flat, weights, training=True)
    assert oracle.relative_error(got, want.reshape(x.shape)) < 1e-5
    # Momentum 0.9, and the statistics of the three input normalisations are the input's own.
    mean = 0.9 * weights["theta"]["mean"] + 0.1 * flat.mean((0, 1))
    assert np.allclose(oracle.to_numpy(layer.theta.normalization.moving_mean), mean, atol=1e-6)


def test_channels_first_is_channels_last_transposed(oracle):
    x = normal((2, 3, 5, 7, 11))
    last, _ = built(oracle, x, pre_activation=True, data_format="channels_last")
    first = DoubleAttention(M, N, pre_activation=True, data_format="channels_first")
    first.build((2, 11, 3, 5, 7))
    first.set_weights(last.get_weights())
    mask = normal((2, 3, 5, 7), seed=3) > 0
    want = last(x, mask=mask, training=True, return_attention_scores=True)
    moved = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    got = first(moved, mask=mask, training=True, return_attention_scores=True)
    assert got[0].shape == (2, 11, 3, 5, 7)
    outputs = np.moveaxis(oracle.to_numpy(got[0]), 1, -1)
    assert oracle.relative_error(outputs, oracle.to_numpy(want[0])) < 1e-5
    for a, b in zip(got[1:], want[1:], strict=True):  # the maps are (B, *spatial, n) in both
        assert np.allclose(oracle.to_numpy(a), oracle.to_numpy(b), atol=1e-6)


def test_each_example_is_computed_alone(oracle):
    x = normal((3, 5, 7, 11))
    layer, _ = built(oracle, x)
    whole = oracle.to_numpy(layer(x))
    assert np.allclose(whole[:1], oracle.to_numpy(layer(x[:1])), atol=1e-5)


def test_an_empty_batch_stays_empty():
    assert DoubleAttention()(np.zeros((0, 5, 7, 11), "float32")).shape == (0, 5, 7, 11)


def test_a_permutation_of_positions_permutes_the_outputs(oracle):
    x = normal((2, 35, 11))
    layer, _ = built(oracle, x, pre_activation=True)
    order = np.random.default_rng(5).permutation(35)
    outputs, *maps = (oracle.to_numpy(y) for y in layer(x, return_attention_scores=True))
    permuted, *permuted_maps = (
        oracle.to_numpy(y) for y in layer(x[:, order], return_attention_scores=True)
    )
    assert np.allclose(permuted, outputs[:, order], atol=1e-5)
    for a, b in zip(permuted_maps, maps, strict=True):
        assert np.allclose(a, b[:, order], atol=1e-6)


def test_the_maps_are_distributions(oracle):
    x = normal((2, 3, 5, 7, 11))
    layer, _ = built(oracle, x)
    _, gather, distribution = layer(x, return_attention_scores=True)
    assert np.allclose(oracle.to_numpy(gather).sum((1, 2, 3)), 1, atol=1e-5)
    assert np.allclose(oracle.to_numpy(distribution).sum(-1), 1, atol=1e-5)
    assert oracle.to_numpy(gather).min() >= 0


def test_a_fresh_block_is_the_identity_to_the_bit():
    x = normal((2, 5, 7, 11))
    for form in ({}, {"pre_activation": True}, {"use_bias": True}):
        assert np.array_equal(keras.ops.convert_to_numpy(DoubleAttention(**form)(x)), x)


def test_a_fresh_block_without_residual_lets_a_signal_through():
    y = keras.ops.convert_to_numpy(DoubleAttention(residual=False)(normal((2, 5, 7, 11))))
    assert y.std() > 1e-3


def test_the_projections_start_with_numbers_of_their_own():
    layer = DoubleAttention(5, 5, kernel_initializer="glorot_uniform")
    layer.build((None, 7, 11))
    theta, rho, phi = (
        keras.ops.convert_to_numpy(p.kernel) for p in (layer.theta, layer.rho, layer.phi)
    )
    assert not np.allclose(theta, rho)
    assert not np.allclose(theta, phi)


@pytest.mark.parametrize("initializer", ["GlorotUniform", "HeNormal", "Orthogonal"])
@pytest.mark.parametrize("of", [int, keras.random.SeedGenerator])
def test_a_seed_gives_each_projection_numbers_of_its_own(initializer, of):
    def built(seed):
        made = getattr(keras.initializers, initializer)(seed=of(seed))
        layer = DoubleAttention(5, 5, kernel_initializer=made, output_initializer=made)
        layer.build((None, 7, 5))
        kept = layer.get_config()["kernel_initializer"]["config"]["seed"]
        assert (kept if of is int else kept["config"]["seed"]) == seed
        projections = (layer.theta, layer.rho, layer.phi, layer.output_projection)
        return [keras.ops.convert_to_numpy(each.kernel) for each in projections]

    first, again, other = built(3), built(3), built(4)
    for a, b in itertools.combinations([*first, *other], 2):
        assert not np.allclose(a, b)
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a, b)


def test_default_sizes_are_a_quarter_of_the_channels():
    layer = DoubleAttention()
    layer.build((None, 7, 20))
    assert [tuple(p.kernel.shape) for p in (layer.theta, layer.rho, layer.phi)] == [(20, 5)] * 3
    assert DoubleAttention(value_channels=7).channels_of(20) == {"theta": 7, "rho": 7, "phi": 7}
    assert DoubleAttention().channels_of(3) == {"theta": 1, "rho": 1, "phi": 1}


@pytest.mark.parametrize(("channels", "parameters"), [(128, 18_048), (256, 68_864), (512, 268_800)])
def test_parameters_are_those_of_table_2(channels, parameters):
    layer = DoubleAttention(pre_activation=True)
    layer.build((None, None, None, None, channels))
    assert layer.count_params() == parameters
    names = {"/".join(w.path.split("/")[1:]) for w in layer.weights}
    assert {"theta/kernel", "rho/kernel", "phi/kernel", "output/kernel"} <= names
    assert sum(name.endswith("gamma") for name in names) == 4
    assert not any(name.endswith("bias") for name in names)


@pytest.mark.parametrize("association", ["auto", "left", "right"])
def test_the_bare_maths(oracle, association):
    values, logits = normal((2, 5, 7, 3)), normal((2, 5, 7, 13), seed=2)
    gather = np.exp(logits) / np.exp(logits).sum((1, 2), keepdims=True)
    # It may distribute to other positions than it gathers from.
    distribution = np.abs(normal((2, 11, 13), seed=3))
    z = a2keras.double_attention(values, gather, distribution, association=association)
    want = np.zeros((2, 11, 3))
    for b in range(2):
        for n in range(13):
            descriptor = sum(
                gather[b, i, j, n] * values[b, i, j] for i in range(5) for j in range(7)
            )
            want[b] += distribution[b, :, n, None] * descriptor
    assert z.shape == (2, 11, 3)
    assert oracle.relative_error(oracle.to_numpy(z), want) < 1e-5


@pytest.mark.parametrize("form", [{}, {"pre_activation": True}, {"use_bias": True}], ids=str)
def test_masked_positions_are_not_gathered_from(oracle, form):
    x = normal((2, 5, 7, 11))
    mask = normal((2, 5, 7), seed=4) > -0.5
    layer, weights = built(oracle, x, **form)
    got, gather, _ = layer(x, mask=mask, return_attention_scores=True)
    flat = x.reshape(2, -1, 11).astype("float64")
    want, want_gather, _ = oracle.double_attention(flat, weights, mask=mask.reshape(2, -1))
    assert oracle.relative_error(oracle.to_numpy(got), want.reshape(x.shape)) < 1e-5
    assert np.all(oracle.to_numpy(gather)[~mask] == 0)
    assert np.allclose(oracle.to_numpy(gather).reshape(2, -1, N), want_gather, atol=1e-6)


def test_what_a_masked_position_holds_changes_no_other_even_in_training(oracle):
    x = normal((2, 35, 11))
    mask = np.ones((2, 35), bool)
    mask[0, 20:] = False
    other = np.where(mask[..., None], x, 1e4).astype("float32")
    results = []
    for each in (x, other):
        layer, _ = built(oracle, x, pre_activation=True)
        results.append(oracle.to_numpy(layer(each, mask=mask, training=True))[mask])
        results.append(oracle.to_numpy(layer.phi.normalization.moving_mean))
    assert np.allclose(results[0], results[2], atol=1e-5)
    assert np.allclose(results[1], results[3], atol=1e-6)


def test_where_everything_is_masked_nothing_is_gathered(oracle):
    x = normal((2, 7, 11))
    layer, _ = built(oracle, x)
    mask = np.array([[True] * 7, [False] * 7])
    outputs, gather, _ = layer(x, mask=mask, return_attention_scores=True)
    assert np.array_equal(oracle.to_numpy(outputs)[1], x[1])
    assert np.all(oracle.to_numpy(gather)[1] == 0)


def test_a_mask_flows_from_masking_layers_and_on(oracle):
    inputs = keras.Input((7, 11))
    hidden = keras.layers.Masking()(inputs)
    layer = DoubleAttention(M, N)
    model = keras.Model(inputs, layer(hidden))
    oracle.randomise(layer)
    x = normal((2, 7, 11))
    x[1, 4:] = 0
    got = oracle.to_numpy(model(x))
    assert np.allclose(got[1, :4], oracle.to_numpy(layer(x[1:, :4]))[0], atol=1e-5)


@pytest.mark.parametrize("association", ["auto", "left", "right"])
@pytest.mark.parametrize("form", [{}, {"use_bias": True}], ids=str)
@pytest.mark.parametrize("training", [False, True])
def test_gradients_agree_with_finite_differences_of_the_equations(
    oracle, association, form, training
):
    x = normal((2, 7, 5))
    layer = DoubleAttention(2, 3, association=association, **form)
    layer.build(x.shape)
    weights = oracle.randomise(layer)
    exact = oracle.gradients(layer, x, training=training)
    flat = x.astype("float64")
    step = 1e-5
    for variable, gradient in zip(layer.trainable_weights, exact, strict=True):
        projection, name = variable.path.split("/")[-2:]
        array = weights[projection][name]
        numeric = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            losses = []
            for sign in (1, -1):
                array[index] += sign * step
                losses.append((oracle.double_attention(flat, weights)[0] ** 2).sum())
                array[index] -= sign * step
            numeric[index] = (losses[0] - losses[1]) / (2 * step)
        scale = max(1.0, np.abs(numeric).max())
        assert np.abs(oracle.to_numpy(gradient) - numeric).max() / scale < 2e-4, variable.path

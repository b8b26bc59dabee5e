"""What holds for the layers and for `insert_blocks` whatever the shape, mask, format and policy.

Hypothesis draws the cases, the same ones in every run.
"""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import a2keras
from a2keras import DoubleAttention, NonLocal, SqueezeExcitation

BACKEND = keras.backend.backend()
POLICIES = ["float32", "mixed_float16", "mixed_bfloat16", "bfloat16", "float16"]
POLICIES += [] if BACKEND == "jax" else ["float64"]  # which JAX has for all or none
# Keras multiplies float64 as float32 on PyTorch.
ROUNDING = {
    "float64": 1e-9 if BACKEND == "tensorflow" else 2e-4,
    "float32": 2e-4,
    "float16": 3e-2,
    "bfloat16": 2e-1,
}
DTYPES = ["float32", "float64", "float16", "int32", "uint8", "bool"]
# JAX compiles every new shape of every operation.
EXAMPLES = 8 if BACKEND == "jax" else 25


def examples(count):
    return settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),  # a failing case is as small as it is
    )


@st.composite
def layers(draw):
    kind = draw(st.sampled_from([DoubleAttention, NonLocal, SqueezeExcitation]))
    arguments = {
        "dtype": draw(st.sampled_from(POLICIES)),
        "data_format": draw(st.sampled_from(["channels_last", "channels_first"])),
        "kernel_initializer": keras.initializers.RandomUniform(-0.5, 0.5, seed=3),
    }
    if kind is SqueezeExcitation:
        return kind(draw(st.integers(1, 9)), **arguments)
    arguments["residual"] = draw(st.booleans())
    arguments["pre_activation"] = draw(st.booleans())
    arguments["use_bias"] = not arguments["pre_activation"] and draw(st.booleans())
    arguments["output_initializer"] = keras.initializers.RandomUniform(-0.5, 0.5, seed=5)
    sizes = [draw(st.none() | st.integers(1, 5))]
    if kind is DoubleAttention:
        sizes.append(draw(st.none() | st.integers(1, 5)))
        arguments["association"] = draw(st.sampled_from(["auto", "left", "right"]))
    return kind(*sizes, **arguments)


@st.composite
def batches(draw):
    """(B, *spatial, C) of any rank, values and dtype, with a mask of some of its positions."""
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=3, max_size=5)))
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    scale = draw(st.sampled_from([0.01, 1.0, 60.0]))
    x = generator.normal(0, scale, shape)
    x = np.abs(x) if (dtype := draw(st.sampled_from(DTYPES))) in ("uint8", "bool") else x
    share = draw(st.sampled_from([0.0, 0.3, 1.0]))
    return x.astype(dtype), generator.random(shape[:-1]) < share


def moved(x, layer):
    return (
        x if layer.data_format == "channels_last" else np.ascontiguousarray(np.moveaxis(x, -1, 1))
    )


def numbers(x):
    return keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")).astype("float64")


def outputs_of(layer, x, mask=None, **arguments):
    """Outputs with channels last, and maps."""
    x = moved(x, layer)
    outputs, *maps = layer(x, mask=mask, return_attention_scores=True, **arguments)
    assert tuple(outputs.shape) == x.shape
    assert keras.backend.standardize_dtype(outputs.dtype) == layer.compute_dtype
    symbolic = layer.compute_output_spec(keras.KerasTensor(x.shape), return_attention_scores=True)
    for one, other in zip(symbolic, (outputs, *maps), strict=True):
        assert tuple(one.shape) == tuple(other.shape)
        assert one.dtype == keras.backend.standardize_dtype(other.dtype)
    outputs = numbers(outputs)
    last = layer.data_format == "channels_last"
    return outputs if last else np.moveaxis(outputs, 1, -1), [numbers(each) for each in maps]


def close(layer, one, other):
    scale = max(1.0, np.abs(other).max(initial=0))
    assert np.isfinite(one).all()
    assert np.abs(one - other).max(initial=0) <= ROUNDING[layer.compute_dtype] * scale


@given(layers(), batches())
@examples(EXAMPLES)
def test_every_position_alone_every_example_alone(layer, batch):
    """Examples do not meet, the order of positions does not matter, masked ones are not seen."""
    x, mask = batch
    outputs, maps = outputs_of(layer, x, mask)
    alone, _ = outputs_of(layer, x[:1], mask[:1])
    close(layer, alone, outputs[:1])
    order = np.random.default_rng(0).permutation(x.shape[1])
    turned, _ = outputs_of(layer, x[:, order], mask[:, order])
    close(layer, turned, outputs[:, order])
    other = np.where(mask[..., None], x, np.ones_like(x))
    unseen, _ = outputs_of(layer, other, mask)
    close(layer, unseen[mask], outputs[mask])
    check_maps(layer, maps, mask)
    everything = np.ones_like(mask)
    close(layer, outputs_of(layer, x, everything)[0], outputs_of(layer, x)[0])


def check_maps(layer, maps, mask):
    rounding = 2 * ROUNDING[layer.compute_dtype]
    flat = [each.reshape(mask.shape[0], -1, each.shape[-1]) for each in maps]
    keep = mask.reshape(mask.shape[0], -1)
    some = keep.any(1)[:, None]
    if isinstance(layer, DoubleAttention):
        assert np.allclose(flat[0].sum(1), some, atol=rounding)
        assert np.all(flat[0][~keep] == 0)
        assert np.allclose(flat[1].sum(-1), 1, atol=rounding)
    elif isinstance(layer, NonLocal):
        assert np.allclose(flat[0].sum(-1), some, atol=rounding)
        assert np.all(np.swapaxes(flat[0], 1, 2)[~keep] == 0)
    else:
        assert np.all((maps[0] >= 0) & (maps[0] <= 1))


@given(layers(), batches(), st.booleans())
@examples(EXAMPLES)
def test_a_config_and_the_weights_are_all_there_is(layer, batch, training):
    x, mask = batch
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    again.build(moved(x, layer).shape)
    layer.build(moved(x, layer).shape)
    again.set_weights(layer.get_weights())
    arguments = {} if isinstance(layer, SqueezeExcitation) else {"training": training}
    want, _ = outputs_of(layer, x, mask, **arguments)
    got, _ = outputs_of(again, x, mask, **arguments)
    assert np.array_equal(got, want, equal_nan=False)


@given(layers(), st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(1, 5))
@examples(EXAMPLES)
def test_an_empty_batch_stays_empty(layer, spatial, channels):
    outputs, _ = outputs_of(layer, np.zeros((0, *spatial, channels), "float32"))
    assert outputs.shape == (0, *spatial, channels)


@st.composite
def hosts(draw):
    """A model of random units, nested or not, and some of its layers to put blocks behind."""
    x = inputs = keras.Input((9, 7, draw(st.integers(1, 4))))
    names = []
    for i in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["conv", "bn", "relu", "add", "pool", "nested"]))
        name = f"{kind}_{i}"
        names.append(name)
        if kind == "conv":
            x = keras.layers.Conv2D(draw(st.integers(1, 5)), 3, padding="same", name=name)(x)
        elif kind == "bn":
            x = keras.layers.BatchNormalization(name=name)(x)
        elif kind == "relu":
            x = keras.layers.ReLU(name=name, dtype=draw(st.sampled_from(["float32", "bfloat16"])))(
                x
            )
        elif kind == "add":
            x = keras.layers.Add(name=name)([x, keras.layers.ReLU(name=f"{name}_branch")(x)])
        elif kind == "pool":
            x = keras.layers.MaxPooling2D(2, padding="same", name=name)(x)
        else:
            inner = keras.Input(x.shape[1:])
            y = keras.layers.Conv2D(3, 1, name=f"{name}_conv")(inner)
            x = keras.Model(inner, y, name=name)(x)
            names.append(f"{name}_conv")
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="pool")(x))
    after = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    return model, after


@given(hosts(), st.sampled_from([DoubleAttention, NonLocal]), st.booleans())
@examples(6 if BACKEND == "jax" else 15)
@pytest.mark.filterwarnings("ignore:.*softmax over axis")
def test_inserted_blocks_change_nothing_and_stand_where_they_were_asked_for(host, kind, form):
    model, after = host
    x = np.random.default_rng(1).uniform(0, 1, (2, *model.input.shape[1:])).astype("float32")
    before = [numbers(each) for each in model.weights]
    want = numbers(model(x))
    copy = a2keras.insert_blocks(model, after, lambda: kind(pre_activation=form))
    assert np.array_equal(numbers(copy(x)), want)
    assert all(np.array_equal(a, numbers(b)) for a, b in zip(before, model.weights, strict=True))
    assert not {id(v) for v in model.variables} & {id(v) for v in copy.variables}
    blocks = {each.name for each in a2keras.graphs.layers_of(copy) if isinstance(each, kind)}
    kind_name = {DoubleAttention: "double_attention", NonLocal: "non_local"}[kind]
    assert blocks == {f"{name}_{kind_name}" for name in after}
    again = keras.models.clone_model(copy)
    again.set_weights(copy.get_weights())
    assert np.array_equal(numbers(again(x)), want)

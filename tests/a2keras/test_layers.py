"""The contract that every attention layer keeps: shapes, configs, files, precision, messages."""

import inspect
import json

import keras
import numpy as np
import pytest
from keras import ops

from a2keras import DoubleAttention, NonLocal, SqueezeExcitation
from a2keras.position_layer import LayerArguments, PositionLayer

# Each with no argument at its default, so that a config which forgets one cannot pass.
FAMILIES = {
    "kernel_initializer": "he_normal",
    "bias_initializer": "ones",
    "kernel_regularizer": keras.regularizers.L2(0.125),
    "bias_regularizer": keras.regularizers.L1(0.25),
    "kernel_constraint": keras.constraints.MaxNorm(3),
    "bias_constraint": keras.constraints.NonNeg(),
}
TENSORFLOW = keras.backend.backend() == "tensorflow"
POSITIONAL = {
    "bn_momentum": 0.75,
    "bn_epsilon": 0.125,
    "bn_trainable": False,
    "synchronized": TENSORFLOW,  # elsewhere an error
    "residual": False,
    "output_initializer": "he_uniform",
    "data_format": "channels_first",
}
ARGUMENTS = {
    DoubleAttention: {
        "value_channels": 3,
        "descriptors": 5,
        "association": "right",
        "use_bias": True,
        **POSITIONAL,
        **FAMILIES,
    },
    NonLocal: {"value_channels": 3, "use_bias": True, **POSITIONAL, **FAMILIES},
    SqueezeExcitation: {"ratio": 3, "data_format": "channels_first", **FAMILIES},
}
LAYERS = pytest.mark.parametrize("kind", ARGUMENTS, ids=lambda kind: kind.__name__)
SHAPE = (2, 5, 7, 11)


def normal(shape=SHAPE, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@LAYERS
def test_the_config_covers_every_argument(kind):
    signature = inspect.signature(kind.__init__).parameters
    own = {name for name, p in signature.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    if kind is not SqueezeExcitation:
        own |= set(inspect.signature(kind.__mro__[1].__init__).parameters) - {"args", "kwargs"}
    own -= {"self", "kwargs"}
    config = kind().get_config()
    assert own <= set(config)
    tested = set(ARGUMENTS[kind]) | {"pre_activation"}
    assert own <= tested, "an argument that no test gives a value of its own"


@LAYERS
def test_every_argument_is_listed_with_the_default_of_its_base(kind):
    """So that editors and type checkers know it."""
    signature = inspect.signature(kind.__init__).parameters
    config = kind().get_config()
    assert signature.keys() - {"self", "kwargs"} == config.keys() - LayerArguments.__annotations__
    bases = [base for base in kind.__mro__[1:] if issubclass(base, PositionLayer)]
    for base in bases:
        for name, parameter in inspect.signature(base.__init__).parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY:
                assert signature[name] == parameter
    assert bases[-1] is PositionLayer


def test_what_every_layer_takes_is_what_keras_says():
    signature = inspect.signature(keras.layers.Layer.__init__).parameters
    assert LayerArguments.__annotations__.keys() == signature.keys() - {"self", "kwargs"}


@LAYERS
def test_a_config_brings_back_the_same_layer(kind):
    layer = kind(**ARGUMENTS[kind], name="block", dtype="mixed_bfloat16")
    config = layer.get_config()
    layer.build((2, 11, 5, 7))
    assert layer.get_config() == config, "building must not change a config"
    again = kind.from_config(config)
    assert again.get_config() == config
    for name, value in ARGUMENTS[kind].items():
        if isinstance(value, (int, float, str, bool)) and "initializer" not in name:
            assert config[name] == value
            assert getattr(again, name) == value
        else:
            assert config[name] is not None


def test_pre_activation_survives_its_config():
    for kind in (DoubleAttention, NonLocal):
        layer = kind.from_config(kind(pre_activation=True).get_config())
        layer.build((2, 7, 11))
        assert len(layer.weights) == 4 * 5


@pytest.mark.parametrize(
    ("kind", "form"),
    [(kind, {}) for kind in ARGUMENTS]
    + [(kind, {"pre_activation": True}) for kind in (DoubleAttention, NonLocal)],
)
def test_files_bring_back_the_same_outputs(kind, form, oracle, tmp_path):
    inputs = keras.Input(SHAPE[1:])
    model = keras.Model(inputs, kind(**form)(inputs))
    oracle.randomise(model.layers[-1])
    want = oracle.to_numpy(model(normal()))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(oracle.to_numpy(loaded(normal())), want)
    model.save_weights(tmp_path / "model.weights.h5")
    fresh = keras.Model(inputs, kind(**form)(inputs))
    fresh.load_weights(tmp_path / "model.weights.h5")
    assert np.array_equal(oracle.to_numpy(fresh(normal())), want)


@pytest.mark.skipif(not TENSORFLOW, reason="SavedModel is TensorFlow's")
@LAYERS
def test_a_saved_model_computes_the_same(kind, oracle, tmp_path):
    import tensorflow as tf

    inputs = keras.Input((None, None, 11))
    model = keras.Model(inputs, kind()(inputs))
    oracle.randomise(model.layers[-1])
    model.export(tmp_path / "saved", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved"))
    assert np.allclose(served.serve(normal()), oracle.to_numpy(model(normal())), atol=1e-5)


@LAYERS
def test_sequential_functional_and_subclassed_models(kind, oracle):
    sequential = keras.Sequential()
    sequential.add(kind())
    x = normal()
    assert sequential(x).shape == SHAPE
    inputs = keras.Input(SHAPE[1:])
    functional = keras.Model(inputs, kind()(inputs))
    functional.set_weights(sequential.get_weights())

    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.block = kind()

        def call(self, inputs):
            return self.block(inputs)

    subclassed = Subclassed()
    subclassed(x)
    subclassed.set_weights(sequential.get_weights())
    want = oracle.to_numpy(sequential(x))
    assert np.allclose(oracle.to_numpy(functional(x)), want)
    assert np.allclose(oracle.to_numpy(subclassed(x)), want)


@LAYERS
@pytest.mark.parametrize(
    "unknown", [(None, None, None, 11), (2, None, None, 11), (None, 5, None, 11)], ids=str
)
def test_unknown_sizes(kind, unknown, oracle):
    inputs = keras.Input(batch_shape=unknown)
    layer = kind()
    outputs, *maps = layer(inputs, return_attention_scores=True)
    assert outputs.shape == unknown
    model = keras.Model(inputs, [outputs, *maps])
    oracle.randomise(layer)
    for shape in ((2, 5, 7, 11), (2, 5, 13, 11)):
        x = normal(shape)
        got = [oracle.to_numpy(each) for each in model.predict(x, verbose=0)]
        want = [oracle.to_numpy(each) for each in layer(x, return_attention_scores=True)]
        for a, b in zip(got, want, strict=True):
            assert a.shape == b.shape
            assert np.allclose(a, b, atol=1e-4)


@LAYERS
@pytest.mark.parametrize("shape", [(2, 7, 11), (2, 3, 5, 7, 11), (2, 3, 2, 5, 7, 11)], ids=str)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_symbolic_and_computed_shapes_agree(kind, shape, data_format):
    if data_format == "channels_first":
        shape = (shape[0], shape[-1], *shape[1:-1])
    layer = kind(data_format=data_format)
    symbolic = layer(keras.Input(batch_shape=shape), return_attention_scores=True)
    computed = layer(normal(shape), return_attention_scores=True)
    assert [tuple(each.shape) for each in symbolic] == [tuple(each.shape) for each in computed]
    assert layer.compute_output_shape(shape) == shape == tuple(computed[0].shape)


@pytest.mark.parametrize("kind", [DoubleAttention, NonLocal])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_precision_policies(kind, policy, oracle):
    if policy == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless it is switched on for the whole process")
    layer = kind(3, dtype=policy, pre_activation=True)
    layer.build(SHAPE)
    weights = oracle.randomise(layer)
    x = normal()
    outputs, *maps = layer(x, return_attention_scores=True)
    half = policy != "float64"
    assert keras.backend.standardize_dtype(outputs.dtype) == layer.compute_dtype
    assert keras.backend.standardize_dtype(layer.theta.kernel.dtype) == layer.variable_dtype
    flat = x.reshape(2, -1, 11).astype("float64")
    name = {DoubleAttention: "double_attention", NonLocal: "non_local"}[kind]
    want, *want_maps = getattr(oracle, name)(flat, weights)
    tolerance = {"mixed_float16": 1e-2, "mixed_bfloat16": 8e-2, "float64": 1e-6}[policy]
    assert oracle.relative_error(oracle.to_numpy(outputs), want.reshape(SHAPE)) < tolerance
    assert (
        half
        or oracle.relative_error(oracle.to_numpy(maps[0]).reshape(want_maps[0].shape), want_maps[0])
        < 1e-6
    )


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("kind", [DoubleAttention, NonLocal])
def test_logits_of_ten_thousand_stay_finite(kind, policy, oracle):
    layer = kind(1, dtype=policy, residual=False)
    layer.build((1, 7, 1))
    for weight in layer.weights:
        weight.assign(np.ones(weight.shape))
    layer.theta.kernel.assign([[1e4]])
    x = np.array([-1, -0.5, 0, 0.25, 0.5, 0.75, 1], "float32").reshape(1, 7, 1)
    outputs, *maps = (oracle.to_numpy(y) for y in layer(x, return_attention_scores=True))
    assert np.isfinite(outputs).all()
    assert all(np.isfinite(each).all() for each in maps)
    # The largest logit takes it all: position 6, and for the non-local block the extreme keys.
    if kind is DoubleAttention:
        assert np.allclose(maps[0][0, :, 0], [0, 0, 0, 0, 0, 0, 1])
    else:
        assert np.allclose(maps[0][0, 0], [1, 0, 0, 0, 0, 0, 0])
        assert np.allclose(maps[0][0, 6], [0, 0, 0, 0, 0, 0, 1])


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_a_hundred_thousand_positions(policy, oracle):
    """Each weight is near 1e-5, below the smallest normal number of half precision."""
    layer = DoubleAttention(3, 2, dtype=policy, residual=False)
    layer.build((1, 100_000, 5))
    oracle.randomise(layer)
    layer.theta.kernel.assign(np.zeros((5, 2)))
    x = np.abs(normal((1, 100_000, 5)))
    outputs, gather, _ = (oracle.to_numpy(y) for y in layer(x, return_attention_scores=True))
    assert np.isfinite(outputs).all()
    tolerance = {"float32": 1e-5, "mixed_float16": 3e-3, "mixed_bfloat16": 1e-2}[policy]
    assert np.allclose(gather.sum(1), 1, atol=tolerance)
    phi, output = (oracle.to_numpy(p.kernel) for p in (layer.phi, layer.output_projection))
    want = x.astype("float64").mean((0, 1)) @ phi @ output
    assert np.abs(outputs - want).max() / np.abs(want).max() < 10 * tolerance


@pytest.mark.parametrize("form", [{}, {"pre_activation": True}, {"use_bias": True}], ids=str)
def test_non_local_equals_its_equations(form, oracle):
    layer = NonLocal(3, **form)
    layer.build(SHAPE)
    weights = oracle.randomise(layer)
    x, mask = normal(), normal(SHAPE[:3], seed=2) > -0.5
    flat = x.reshape(2, -1, 11).astype("float64")
    for m in (None, mask):
        got, maps = layer(x, mask=m, return_attention_scores=True)
        flat_mask = None if m is None else m.reshape(2, -1)
        want, want_maps = oracle.non_local(flat, weights, mask=flat_mask)
        assert oracle.relative_error(oracle.to_numpy(got), want.reshape(SHAPE)) < 1e-5
        assert maps.shape == (2, 5, 7, 35)
        assert np.allclose(oracle.to_numpy(maps).reshape(want_maps.shape), want_maps, atol=1e-5)
    assert layer.multiply_adds(SHAPE) == 4 * 11 * 3 * 35 + 2 * 3 * 35 * 35


def test_non_local_has_the_parameters_of_double_attention():
    for channels, parameters in ((128, 18_048), (256, 68_864), (512, 268_800)):
        layer = NonLocal(pre_activation=True)
        layer.build((None, 7, channels))
        assert layer.count_params() == parameters


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_squeeze_excitation_equals_its_definition(data_format, oracle):
    layer = SqueezeExcitation(3, data_format=data_format, bias_initializer="zeros")
    x, mask = normal(), normal(SHAPE[:3], seed=2) > -0.5
    last = data_format == "channels_last"
    moved = x if last else np.ascontiguousarray(np.moveaxis(x, -1, 1))
    layer.build(moved.shape)
    oracle.randomise(layer)
    weights = {
        name: {"kernel": oracle.to_numpy(dense.kernel)}
        for name, dense in (("squeeze", layer.squeeze), ("excite", layer.excite))
    }
    for dense in (layer.squeeze, layer.excite):
        dense.bias.assign(np.zeros(dense.bias.shape))
    flat = x.reshape(2, -1, 11).astype("float64")
    for m in (None, mask):
        got, gates = (
            oracle.to_numpy(y) for y in layer(moved, mask=m, return_attention_scores=True)
        )
        flat_mask = None if m is None else m.reshape(2, -1)
        want, want_gates = oracle.squeeze_excitation(flat, weights, mask=flat_mask)
        got = got if last else np.moveaxis(got, 1, -1)
        assert np.allclose(got, want.reshape(SHAPE), atol=1e-5)
        assert np.allclose(gates, want_gates, atol=1e-6)
    assert layer.count_params() == 11 * 3 + 3 + 3 * 11 + 11
    assert layer.multiply_adds(moved.shape) == 2 * 11 * 3


def test_memory_grows_linearly_with_positions():
    """At 200,000 positions one (positions × positions) array alone would take 149 GiB."""
    layer = DoubleAttention(2, 2)
    assert layer(np.zeros((1, 400, 500, 4), "float32")).shape == (1, 400, 500, 4)


X = normal()


@pytest.mark.parametrize("kind", [DoubleAttention, NonLocal, SqueezeExcitation])
def test_a_mask_may_stand_in_its_place(kind):
    layer = kind(dtype="mixed_float16")
    mask = np.array([[1e-9, 1, 0, 0, 1]] * 2)  # the first is 0 in float16
    x = normal((2, 5, 12))
    layer.build(x.shape)
    for variable in layer.trainable_variables:
        variable.assign(normal(variable.shape))
    want = ops.convert_to_numpy(layer(x, mask=mask))
    others = ops.convert_to_numpy(layer(x, mask=mask > 0.5))
    assert not np.array_equal(want, others)
    for same in (mask, mask.tolist()):
        assert np.array_equal(ops.convert_to_numpy(layer(x, same)), want)
    with pytest.raises(TypeError):
        layer(x, mask, mask=mask)


def mask(*shape):
    return np.ones(shape, bool)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DoubleAttention(0),
         r"`value_channels` must be None or a whole number of at least 1. "
         r"Received: value_channels=0"),
        (lambda: DoubleAttention(3, -1), r"`descriptors` must be .* Received: descriptors=-1"),
        (lambda: DoubleAttention(2.5), r"`value_channels` must .* Received: value_channels=2.5"),
        (lambda: NonLocal(0), r"`value_channels` must be .* Received: value_channels=0"),
        (lambda: DoubleAttention(4, 4.0), r"`descriptors` must be .* Received: descriptors=4.0"),
        (lambda: NonLocal(True), r"`value_channels` must be .* Received: value_channels=True"),
        (lambda: NonLocal("4"), r"`value_channels` must be .* Received: value_channels='4'"),
        (lambda: SqueezeExcitation(0),
         r"`ratio` must be a whole number of at least 1. Received: ratio=0"),
        (lambda: SqueezeExcitation(None), r"`ratio` must be .* Received: ratio=None"),
        (lambda: DoubleAttention(bn_momentum=2),
         r"`bn_momentum` must be a number from 0 to 1. Received: bn_momentum=2"),
        (lambda: NonLocal(bn_epsilon="1e-3"), r"`bn_epsilon` must be .* bn_epsilon='1e-3'"),
        (lambda: DoubleAttention(association="middle"),
         r"`association` must be one of 'auto', 'left', 'right'. Received: association='middle'"),
        (lambda: DoubleAttention(data_format="last"),
         r"`data_format` must be None, 'channels_last' or 'channels_first'. "
         r"Received: data_format='last'"),
        (lambda: SqueezeExcitation(data_format="last"), r"`data_format` must .* Received: .*last"),
        (lambda: DoubleAttention(pre_activation=True, use_bias=True),
         r"`use_bias` must be False with pre_activation=True.* Received: use_bias=True"),
        (lambda: DoubleAttention().build((2, 3)),
         r"DoubleAttention needs inputs of rank 3 or more, \(B, \*spatial, C\) or "
         r"\(B, C, \*spatial\). Received: input_shape=\(2, 3\)"),
        (lambda: NonLocal().build((2, 3)), r"NonLocal needs inputs of rank 3 or more.*\(2, 3\)"),
        (lambda: DoubleAttention().build((2, 3, None)),
         r"DoubleAttention needs a known number of channels \(data_format='channels_last'\). "
         r"Received: input_shape=\(2, 3, None\)"),
        (lambda: DoubleAttention()(X, mask=mask(2, 7, 5)),
         r"`mask` must have the shape \(B, \*spatial\) of the inputs, \(2, 5, 7\). "
         r"Received: mask.shape=\(2, 7, 5\)"),
        (lambda: DoubleAttention()(X, mask=mask(2, 35)), r"Received: mask.shape=\(2, 35\)"),
        (lambda: DoubleAttention().multiply_adds((None, None, 7, 11)),
         r"multiply-adds need known sizes but for the batch. "
         r"Received: input_shape=\(None, None, 7, 11\)"),
        (lambda: NonLocal().multiply_adds((2, None, 11)), r"known sizes .*\(2, None, 11\)"),
        (lambda: SqueezeExcitation()(X, mask=mask(2, 5)), r"Received: mask.shape=\(2, 5\)"),
        (lambda: DoubleAttention()(X, mask=[[True] * 5] * 2),
         r"`mask` must have the shape .* Received: mask.shape=\(2, 5\)"),
        (lambda: NonLocal()(X[:, 0], mask=[[True], [True, False]]),
         r"`mask` must be a tensor, an array or a list of the shape \(B, \*spatial\), of "
         r"booleans or numbers. Received: mask=\[\["),
        (lambda: DoubleAttention()(keras.Input((5, 7, 2)), mask=keras.Input((7, 5), dtype="bool")),
         r"`mask` must .* \(None, 5, 7\). Received: mask.shape=\(None, 7, 5\)"),
    ],
)  # fmt: skip
def test_bad_input_is_told_by_rule_and_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@LAYERS
def test_other_channels_than_the_layer_was_built_for_are_refused(kind, tmp_path):
    for data_format, shape in (("channels_last", (5, 7, 13)), ("channels_first", (13, 5, 7))):
        last = data_format == "channels_last"
        inputs = keras.Input((None, None, 11) if last else (11, None, None))
        layer = kind(data_format=data_format, name="block")
        model = keras.Model(inputs, layer(inputs))
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras").get_layer("block")
        axis = -1 if last else 1
        message = f"of layer .block. is incompatible.* expected axis {axis} of input shape to"
        for each in (layer, loaded):
            for x in (keras.Input(shape), np.zeros((2, *shape), "float32")):
                with pytest.raises(ValueError, match=message):
                    each(x)
            with pytest.raises(ValueError, match="expected min_ndim=3, found ndim=2"):
                each(np.zeros((2, 11), "float32"))
            unknown = keras.Input((None, None, None))
            assert tuple(each(unknown).shape) == (None, None, None, None)


@LAYERS
def test_whole_numbers_of_numpy_become_ints(kind):
    layer = kind(np.int64(4))
    assert type(next(v for v in layer.get_config().values() if v == 4 and v is not True)) is int
    json.dumps(layer.get_config())


def loss_and_gradients(layer, x, mask):
    """The mean square of the outputs that count, and its gradients with respect to the weights."""
    keep = ops.convert_to_tensor(mask[..., None])

    def loss():
        outputs = layer(ops.convert_to_tensor(x), mask=ops.convert_to_tensor(mask), training=True)
        return ops.mean(ops.square(ops.where(keep, outputs, 0)))

    weights = layer.trainable_weights
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = loss()
        return value, tape.gradient(value, [w.value for w in weights])
    if keras.backend.backend() == "torch":
        layer.zero_grad()
        value = loss()
        value.backward()
        return value, [w.value.grad for w in weights]
    import jax

    def pure(values):
        with keras.StatelessScope(list(zip(weights, values, strict=True))):
            return loss()

    return jax.value_and_grad(pure)([w.value for w in weights])


@pytest.mark.parametrize("form", [{}, {"pre_activation": True}, {"use_bias": True}], ids=str)
@pytest.mark.parametrize("kind", [DoubleAttention, NonLocal, SqueezeExcitation])
def test_garbage_at_masked_positions_stays_there(kind, form, oracle):
    layer = kind(4, **({} if kind is SqueezeExcitation else form))
    layer.build(SHAPE)
    oracle.randomise(layer)
    x, mask = normal(), normal(SHAPE[:3], seed=2) > -0.5
    clean = np.where(mask[..., None], x, 0).astype("float32")
    want, want_gradients = loss_and_gradients(layer, clean, mask)
    for garbage in (np.nan, np.inf, -np.inf):
        dirty = np.where(mask[..., None], x, garbage).astype("float32")
        got, gradients = loss_and_gradients(layer, dirty, mask)
        assert np.allclose(oracle.to_numpy(got), oracle.to_numpy(want), rtol=1e-5)
        for a, b in zip(gradients, want_gradients, strict=True):
            assert np.allclose(oracle.to_numpy(a), oracle.to_numpy(b), rtol=1e-4, atol=1e-6)


FLAGS = ("residual", "pre_activation", "use_bias", "bn_trainable", "synchronized")


@pytest.mark.parametrize("kind", [DoubleAttention, NonLocal])
@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("value", ["False", "no", 3, 0, None])
def test_flags_are_booleans(kind, name, value):
    with pytest.raises(ValueError) as caught:
        kind(4, **{name: value})
    assert str(caught.value) == f"`{name}` must be True or False. Received: {name}={value!r}"
    assert kind(4, **{name: np.bool_(False)}).get_config()[name] is False


@LAYERS
@pytest.mark.parametrize(
    "odd",
    [
        np.full(SHAPE[:3], "a"),
        np.full(SHAPE[:3], "a").tolist(),
        np.full(SHAPE[:3], None),
        np.ones(SHAPE[:3], complex),
        [[["a", 1, None]]],
    ],
    ids=["texts", "list", "objects", "complex", "mixed"],
)
def test_masks_that_are_no_numbers(kind, odd):
    for x in (normal(), keras.Input(SHAPE[1:])):
        with pytest.raises(ValueError, match=r"`mask` must be .* of booleans or numbers. Received"):
            kind()(x, mask=odd)


@pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow's own tensors")
@LAYERS
def test_masks_that_are_not_dense(kind):
    import tensorflow as tf

    dense = tf.ones(SHAPE[:3], tf.int32)
    for name, odd in (
        ("sparse", tf.sparse.from_dense(dense)),
        ("ragged", tf.RaggedTensor.from_tensor(dense)),
    ):
        with pytest.raises(ValueError, match=f"`mask` needs a dense tensor.*a {name} tensor of"):
            kind()(normal(), mask=odd)
    with pytest.raises(ValueError, match="of booleans or numbers"):
        kind()(normal(), mask=tf.fill(SHAPE[:3], "a"))


@LAYERS
def test_a_mask_may_be_a_list(kind, oracle):
    layer = kind()
    x, mask = normal(), normal(SHAPE[:3], seed=2) > -0.5
    layer.build(SHAPE)
    oracle.randomise(layer)
    want = oracle.to_numpy(layer(x, mask=mask))
    assert np.array_equal(oracle.to_numpy(layer(x, mask=mask.tolist())), want)
    inputs = keras.Input(batch_shape=SHAPE)
    model = keras.Model(inputs, layer(inputs, mask=mask.tolist()))
    assert np.allclose(oracle.to_numpy(model(x)), want, atol=1e-5)


@LAYERS
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_a_mask_of_numbers_is_true_where_they_are_not_zero(kind, policy, oracle):
    layer = kind(dtype=policy)
    layer.build(SHAPE)
    oracle.randomise(layer)
    x, mask = normal(), normal(SHAPE[:3], seed=2) > -0.5
    numbers = np.resize(np.float32([1, 0.5, np.nan, -2, np.inf, 1e-9, 3e38]), mask.shape) * 1.0
    numbers[~mask] = 0
    want = oracle.to_numpy(layer(x, mask=mask))
    assert not np.array_equal(oracle.to_numpy(layer(x)), want)
    inputs = keras.Input(batch_shape=SHAPE), keras.Input(batch_shape=mask.shape)
    model = keras.Model(inputs, layer(inputs[0], mask=inputs[1]))
    for given in (numbers, numbers.tolist(), ops.convert_to_tensor(numbers)):
        assert np.array_equal(oracle.to_numpy(layer(x, mask=given)), want)
    assert np.array_equal(oracle.to_numpy(model([x, numbers])), want)


@LAYERS
def test_integers_are_taken_as_numbers(kind, oracle):
    layer = kind()
    x = (10 * normal()).astype("int32")
    layer.build(SHAPE)
    oracle.randomise(layer)
    want = oracle.to_numpy(layer(x.astype("float32")))
    assert np.allclose(oracle.to_numpy(layer(x)), want, atol=1e-4)


@LAYERS
def test_ragged_and_sparse_inputs_are_refused(kind):
    name = kind.__name__
    message = f"{name} needs a dense tensor; pad what is ragged.* Received: a %s tensor of shape"
    cases = []
    if TENSORFLOW:
        import tensorflow as tf

        ragged = tf.RaggedTensor.from_row_lengths(normal((7, 11)), [3, 4])
        cases += [("ragged", ragged), ("sparse", tf.sparse.from_dense(normal((2, 7, 11))))]
        cases += [("ragged", keras.Input((None, 11), ragged=True))]
    if keras.backend.backend() == "torch":
        import torch

        rows = [torch.zeros(3, 11), torch.zeros(4, 11)]
        cases += [("sparse", torch.zeros(2, 7, 11).to_sparse())]
        cases += [("nested", torch.nested.nested_tensor(rows, layout=torch.jagged))]
    else:
        cases += [("sparse", keras.Input((7, 11), sparse=True))]
    for kind_of_tensor, x in cases:
        with pytest.raises(ValueError, match=message % kind_of_tensor):
            kind()(x)


@pytest.mark.parametrize(
    ("kind", "form"),
    [(kind, {}) for kind in ARGUMENTS]
    + [(kind, {"pre_activation": True}) for kind in (DoubleAttention, NonLocal)],
)
def test_quantization_leaves_the_blocks_in_float_and_says_so(kind, form, oracle, tmp_path):
    x = inputs = keras.Input((5, 7, 11))
    x = keras.layers.Dense(64)(x)
    x = kind(**form, name="mine")(x)
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))
    oracle.randomise(model.get_layer("mine"))
    values = normal((4, 5, 7, 11))
    want = oracle.to_numpy(model(values))
    block = [oracle.to_numpy(w) for w in model.get_layer("mine").weights]
    with pytest.warns(UserWarning) as warned:
        model.quantize("int8")
    texts = {str(w.message) for w in warned if "quanti" in str(w.message)}
    assert f"{kind.__name__} 'mine' is not quantised: it keeps its float weights." in texts
    assert not any("Projection" in text or "BatchNormalization" in text for text in texts)
    assert {w.dtype for w in model.get_layer("mine").weights} == {"float32"}
    for a, b in zip(block, model.get_layer("mine").weights, strict=True):
        assert np.array_equal(a, oracle.to_numpy(b))
    kernels = [w for w in model.weights if w.path.endswith("kernel") and "mine" not in w.path]
    assert {w.dtype for w in kernels} == {"int8"}
    got = oracle.to_numpy(model(values))
    assert oracle.relative_error(got, want) < 0.1  # of random weights
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert np.allclose(oracle.to_numpy(loaded(values)), got, atol=1e-5)

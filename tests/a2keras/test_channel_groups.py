"""Grouped convolutions are Keras's, group by group; the shuffle deals channels out in turns."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import a2keras
from a2keras.channel_groups import ChannelShuffle, GroupedConv2D, GroupedConv3D

TENSORFLOW = keras.backend.backend() == "tensorflow"
KINDS = {2: GroupedConv2D, 3: GroupedConv3D}
SIZES = (5, 7, 11)
FORMATS = pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
RANKS = pytest.mark.parametrize("rank", KINDS)


def normal(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def numbers(x):
    return keras.ops.convert_to_numpy(x)


def by_hand(x, kernel, groups, strides):
    """Zeros on both sides, and one sum over the window and the group per output; channels last."""
    rank = x.ndim - 2
    window = kernel.shape[:rank]
    sizes = x.shape[1:-1]
    out = [-(-size // s) for size, s in zip(sizes, strides, strict=True)]
    totals = [
        max(0, (o - 1) * s + w - size)
        for o, s, w, size in zip(out, strides, window, sizes, strict=True)
    ]
    x = np.pad(x, [(0, 0), *((total // 2, total - total // 2) for total in totals), (0, 0)])
    wide, filters = kernel.shape[-2:]
    y = np.zeros((x.shape[0], *out, filters))
    for at in np.ndindex(*out):
        cut = tuple(slice(a * s, a * s + w) for a, s, w in zip(at, strides, window, strict=True))
        patch = x[(slice(None), *cut)]
        for each in range(filters):
            group = each // (filters // groups)
            part = patch[..., group * wide : (group + 1) * wide]
            y[(slice(None), *at, each)] = (part * kernel[..., each]).sum(tuple(range(1, rank + 2)))
    return y


@RANKS
@FORMATS
@pytest.mark.parametrize("stride", [1, 2])
def test_a_grouped_convolution_sums_over_its_group(rank, data_format, stride):
    window, strides = (3, 1, 5)[-rank:], (1, 2, 2)[-rank:] if stride == 2 else (1,) * rank
    layer = KINDS[rank](
        6, window, strides, "same", data_format=data_format, groups=3, bias_initializer="ones"
    )
    x = normal(2, *SIZES[-rank:], 9)
    y = numbers(layer(x if data_format == "channels_last" else np.moveaxis(x, -1, 1)))
    y = y if data_format == "channels_last" else np.moveaxis(y, 1, -1)
    assert layer.kernel.shape == (*window, 3, 6)
    assert np.allclose(y, by_hand(x, numbers(layer.kernel), 3, strides) + 1, atol=1e-5)


@RANKS
def test_a_grouped_convolution_is_keras_own_in_everything_but_its_class(rank, tmp_path):
    keras_own = getattr(keras.layers, f"Conv{rank}D")(
        6, 3, 2, "valid", groups=3, activation="relu", kernel_regularizer=keras.regularizers.L2(2.0)
    )
    layer = KINDS[rank].from_config({**keras_own.get_config(), "name": "mine"})
    assert layer.get_config() == {**keras_own.get_config(), "name": "mine"}
    models = [keras.Sequential([keras.Input((*SIZES[-rank:], 9)), e]) for e in (keras_own, layer)]
    layer.set_weights(keras_own.get_weights())
    x = normal(2, *SIZES[-rank:], 9)
    want = numbers(models[0](x))
    assert np.allclose(numbers(models[1](x)), want, atol=1e-5)
    # The kernel is 3^rank × 3 × 6, and it is applied at every position of the output.
    positions = np.prod(want.shape[1:-1])
    assert [a2keras.count(model).multiply_adds for model in models] == [
        positions * 3**rank * 18
    ] * 2
    models[1].save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[-1], KINDS[rank])
    assert np.array_equal(numbers(loaded(x)), numbers(models[1](x)))


@pytest.mark.skipif(not TENSORFLOW, reason="the gradients of TensorFlow")
@RANKS
def test_gradients_are_those_of_the_compiled_convolution(rank):
    import tensorflow as tf

    keras_own = getattr(keras.layers, f"Conv{rank}D")(6, 3, padding="same", groups=3)
    layer = KINDS[rank](6, 3, padding="same", groups=3)
    x = tf.constant(normal(2, *SIZES[-rank:], 9))
    found = []
    for each in (keras_own, layer):
        each.build(x.shape)
        each.set_weights(keras_own.get_weights())
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(each(x) ** 2)
        found.append(tape.gradient(loss, [x, *each.trainable_variables]))
    for one, other in zip(*found, strict=True):
        assert np.allclose(one, other, rtol=1e-4, atol=1e-3)


@pytest.mark.skipif(not TENSORFLOW, reason="LiteRT converts TensorFlow")
@RANKS
def test_litert_converts_a_grouped_convolution_with_its_own_operations(rank, tmp_path):
    import tensorflow as tf

    from a2keras.export import saved_model
    from a2keras.export.litert.convert import interpreter

    inputs = keras.Input((*SIZES[-rank:], 9))
    model = keras.Model(inputs, KINDS[rank](6, 3, padding="same", groups=3)(inputs))
    x = normal(1, *SIZES[-rank:], 9)
    saved_model.write(model, tmp_path / "saved", batch_size=1)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    (tmp_path / "model.tflite").write_bytes(converter.convert())
    lite = interpreter(tmp_path / "model.tflite")
    lite.set_tensor(lite.get_input_details()[0]["index"], x)
    lite.invoke()
    assert np.allclose(
        lite.get_tensor(lite.get_output_details()[0]["index"]), numbers(model(x)), atol=1e-5
    )


@FORMATS
@pytest.mark.parametrize(
    ("groups", "order"), [(1, [0, 1, 2, 3, 4, 5]), (2, [0, 3, 1, 4, 2, 5]), (3, [0, 2, 4, 1, 3, 5])]
)
def test_shuffle_deals_channels_out_in_turns(groups, order, data_format):
    last = data_format == "channels_last"
    for sizes in (SIZES[:1], SIZES[:2], SIZES):
        x = normal(2, *sizes, 6)
        want = x[..., order]
        layer = ChannelShuffle(groups, data_format=data_format)
        y = numbers(layer(x if last else np.moveaxis(x, -1, 1)))
        assert np.array_equal(y if last else np.moveaxis(y, 1, -1), want)


@FORMATS
def test_shuffle_of_unknown_sizes_survives_its_file(data_format, tmp_path):
    last = data_format == "channels_last"
    inputs = keras.Input((None, None, 6) if last else (6, None, None))
    layer = ChannelShuffle(3, data_format=data_format, name="mixed", dtype="float32")
    model = keras.Model(inputs, layer(inputs))
    assert model.output.shape == inputs.shape
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[-1].get_config() == layer.get_config()
    x = normal(2, *((5, 7, 6) if last else (6, 5, 7)))
    want = x[..., [0, 2, 4, 1, 3, 5]] if last else x[:, [0, 2, 4, 1, 3, 5]]
    assert np.array_equal(numbers(loaded(x)), want)


@pytest.mark.slow
def test_a_plain_import_is_enough_to_load_the_layers(tmp_path):
    inputs = keras.Input((5, 7, 6))
    x = ChannelShuffle()(GroupedConv2D(4, 1, groups=2)(inputs))
    keras.Model(inputs, x).save(path := tmp_path / "model.keras")
    code = f"import keras, a2keras; keras.models.load_model({str(path)!r}); print('loaded')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "loaded", done.stderr


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ChannelShuffle(0),
         r"`groups` must be a whole number of at least 1. Received: groups=0"),
        (lambda: ChannelShuffle(2.0), r"`groups` must be a whole number .* Received: groups=2.0"),
        (lambda: ChannelShuffle(4)(normal(2, 5, 7, 6)),
         r"divisible by `groups`. Received: groups=4, input_shape=\(2, 5, 7, 6\)"),
        (lambda: ChannelShuffle(2)(keras.Input((5, 7, None))),
         r"channels that are known .*groups=2, input_shape=\(None, 5, 7, None\)"),
    ],
)  # fmt: skip
def test_bad_arguments_are_told_by_rule_and_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()

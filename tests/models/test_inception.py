"""Inception-v1 and I3D have the published sizes, and compute what plain loops do."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers

import a2keras
from a2keras import models
from a2keras.models import weights
from a2keras.models.inception import MIXED, clip_top


def numbers(x):
    return keras.ops.convert_to_numpy(x)


def pixels(*size, seed=0):
    return np.random.default_rng(seed).normal(size=(2, *size, 3)).astype("float32")


@pytest.fixture(scope="module")
def i3d():
    return models.I3D(classes=400)


@pytest.mark.parametrize(
    ("classes", "arguments", "millions", "giga"),
    [
        (400, {}, 12.7118, 111.153),
        (400, {"branch_2": "1x1x1"}, 12.0928, 107.897),
        (101, {}, 12.4053, 111.151),
    ],
)
def test_i3d_of_tables_5_and_6(classes, arguments, millions, giga):
    counted = a2keras.count(models.I3D(classes=classes, **arguments))
    assert round(counted.parameters / 1e6, 4) == millions
    assert round(counted.multiply_adds / 1e9, 3) == giga


def test_weights_and_normalised_channels(i3d):
    """7,280 channels are normalised; Xie et al. (2018) print 12.06 M weights for the variant."""
    channels = sum(w.shape[0] for w in i3d.weights if w.name == "gamma")
    assert channels == 7280
    variant = models.I3D(classes=400, branch_2="1x1x1")
    assert round((variant.count_params() - 4 * channels) / 1e6, 3) == 12.064


def test_a_frame_of_the_image_network_costs_1_4974_g():
    image = a2keras.count(models.InceptionV1(include_top=False))
    assert round(image.multiply_adds / 1e9, 4) == 1.4974
    # Of the same table: 5.6 M, 1024 numbers into the classifier.
    assert image.parameters == 5_614_464
    assert models.InceptionV1(classes=7).count_params() == 5_614_464 + 1024 * 7 + 7


def test_stages_of_i3d(i3d):
    shapes = {name: x.shape[1:] for name, x in models.features(i3d).output.items()}
    assert shapes == {
        "conv1": (32, 112, 112, 64),
        "conv2": (32, 56, 56, 192),
        "conv3": (32, 28, 28, 480),
        "conv4": (16, 14, 14, 832),
        "conv5": (8, 7, 7, 1024),
    }


def test_kernels_and_strides(i3d):
    def kernels(model, *names):
        return [model.get_layer(f"{name}_conv").kernel_size for name in names]

    names = ("conv1_1", "conv2_1", "conv2_2", "conv4_3_b1", "conv4_3_b2", "conv4_3_b2_reduce")
    seven, one, three = (7, 7, 7), (1, 1, 1), (3, 3, 3)
    assert kernels(i3d, *names) == [seven, one, three, three, three, one]
    variant = models.I3D(classes=2, branch_2="1x1x1")
    assert kernels(variant, *names) == [seven, one, three, three, one, one]
    pools = {n: i3d.get_layer(f"conv{n}_pool") for n in (2, 3, 4, 5)}
    assert {n: (pool.pool_size, pool.strides) for n, pool in pools.items()} == {
        2: ((1, 3, 3), (1, 2, 2)),
        3: ((1, 3, 3), (1, 2, 2)),
        4: ((3, 3, 3), (2, 2, 2)),
        5: ((2, 2, 2), (2, 2, 2)),
    }
    assert i3d.get_layer("conv1_1_conv").strides == (2, 2, 2)
    assert i3d.get_layer("conv1_1_bn").epsilon == 1e-3


@pytest.mark.parametrize("frames", [2, 3, 8])
def test_the_top_is_the_published_average_pooling(frames):
    """2×7×7 average pooling of stride 1, a 1×1×1 convolution, the mean of its steps."""
    inputs = keras.Input((frames, 7, 7, 13))
    model = keras.Model(inputs, clip_top(inputs, 5))
    pooled = layers.AveragePooling3D((2, 7, 7), 1, "valid")(inputs)
    convolution = layers.Conv3D(5, 1)
    published = layers.GlobalAveragePooling3D()(convolution(pooled))
    kernel, bias = model.get_layer("predictions").get_weights()
    bias = bias + np.arange(5)
    model.get_layer("predictions").set_weights([kernel, bias])
    convolution.set_weights([kernel[None, None, None], bias])
    x = np.random.default_rng(0).normal(size=(3, frames, 7, 7, 13)).astype("float32")
    expected = numbers(keras.Model(inputs, published)(x))
    assert np.allclose(numbers(model(x)), expected, atol=1e-6)
    order = [each.name for each in model.layers]
    assert order.index("pairs") < order.index("dropout") < order.index("predictions")
    assert model.get_layer("dropout").rate == 0.5


def test_the_top_takes_a_single_step():
    inputs = keras.Input((None, 3, 5, 13))
    model = keras.Model(inputs, clip_top(inputs, 5))
    x = np.random.default_rng(0).normal(size=(3, 1, 3, 5, 13)).astype("float32")
    kernel, bias = model.get_layer("predictions").get_weights()
    assert np.allclose(numbers(model(x)), x.mean((1, 2, 3)) @ kernel + bias, atol=1e-6)


def max_pooling(x, window, strides):
    """With (w - 1) // 2 of padding on both sides, as PyTorch has it."""
    x = np.pad(x, [(0, 0), *(((w - 1) // 2,) * 2 for w in window), (0, 0)], constant_values=-np.inf)
    sizes = [(n - w) // s + 1 for n, w, s in zip(x.shape[1:-1], window, strides, strict=True)]
    parts = []
    for offset in itertools.product(*map(range, window)):
        reach = [
            slice(o, o + (n - 1) * s + 1, s) for o, n, s in zip(offset, sizes, strides, strict=True)
        ]
        parts.append(x[(slice(None), *reach)])
    return np.max(parts, axis=0)


def feature_maps(plain, x):
    """I3D up to its last feature maps, by plain loops."""

    def unit(x, name, stride=1):
        x = plain.convolution(x, f"{name}_conv", (stride,) * 3)
        return np.maximum(plain.normalization(x, f"{name}_bn", 1e-3), 0)

    x = max_pooling(unit(x, "conv1_1", 2), (1, 3, 3), (1, 2, 2))
    x = unit(unit(x, "conv2_1"), "conv2_2")
    pools = {3: ((1, 3, 3), (1, 2, 2)), 4: ((3, 3, 3), (2, 2, 2)), 5: ((2, 2, 2), (2, 2, 2))}
    for stage, pool in pools.items():
        x = max_pooling(x, *pool)
        for number in range(1, len(MIXED[stage]) + 1):
            name = f"conv{stage}_{number}"
            branches = [
                unit(x, f"{name}_b0"),
                unit(unit(x, f"{name}_b1_reduce"), f"{name}_b1"),
                unit(unit(x, f"{name}_b2_reduce"), f"{name}_b2"),
                unit(max_pooling(x, (3, 3, 3), (1, 1, 1)), f"{name}_b3"),
            ]
            x = np.concatenate(branches, axis=-1)
    return x


def test_i3d_by_plain_loops(plain_layers):
    """With symmetric padding, on even sizes, where "same" gives other numbers."""
    size = (18, 34, 38)
    build = {"include_top": False, "input_shape": (None, None, None, 3)}
    model = models.I3D(padding="symmetric", **build)
    plain = plain_layers(model)
    x = pixels(*size, seed=1)
    expected = feature_maps(plain, x)
    assert expected.shape == (2, 2, 1, 1, 1024)
    scale = np.abs(expected).max()
    assert np.abs(numbers(model(x)) - expected).max() < 1e-4 * scale
    same = models.I3D(include_top=False, input_shape=(*size, 3))
    same.set_weights(model.get_weights())
    assert same.output.shape[1:] == (3, 2, 2, 1024)


def test_any_size_and_number_of_frames():
    unknown = models.I3D(classes=5, input_shape=(None, None, None, 3))
    for size in ((1, 23, 29), (17, 35, 37)):
        known = models.I3D(classes=5, input_shape=(*size, 3))
        known.set_weights(unknown.get_weights())
        x = pixels(*size)
        assert np.allclose(numbers(unknown(x)), numbers(known(x)), atol=1e-6)


def test_weights_of_the_image_network_inflate_into_i3d():
    image = models.InceptionV1(classes=5)
    video = models.I3D(classes=5, input_shape=(3, 19, 23, 3))
    report = weights.inflate(image, video)
    assert len(report.loaded) == len(video.weights)
    assert (report.skipped, report.new) == ((), ())
    kernel, inflated = (m.get_layer("conv5_2_b1_conv").get_weights()[0] for m in (image, video))
    assert np.allclose(inflated.sum(0), kernel, atol=1e-6)
    assert models.InceptionV1(classes=5).get_layer("dropout").rate == 0.4


def test_blocks_stand_behind_units_and_change_nothing_at_first():
    model = models.I3D(attention="a2", classes=5, input_shape=(3, 19, 23, 3))
    blocks = [each for each in model.layers if isinstance(each, a2keras.DoubleAttention)]
    places = ("conv3_1", "conv3_2", "conv4_1", "conv4_3", "conv4_5")
    assert [each.name for each in blocks] == [f"{place}_attention" for place in places]
    assert [each.value_channels for each in blocks] == [128, 240, 256, 256, 416]
    assert blocks[1].output is model.get_layer("conv4_pool").input
    early = models.InceptionV1(
        attention="non_local", positions=("conv1_1", "conv2_2"), input_shape=(19, 23, 3)
    )
    assert early.get_layer("conv1_1_attention").input is early.get_layer("conv1_1_relu").output
    assert early.get_layer("conv2_2_attention").output is early.get_layer("conv3_pool").input
    plain = models.I3D(classes=5, input_shape=(3, 19, 23, 3))
    plain.set_weights([w.numpy() for w in model.weights if "attention" not in w.path])
    x = pixels(3, 19, 23)
    assert np.array_equal(numbers(plain(x)), numbers(model(x)))


def test_branch_2_is_checked():
    message = r"`branch_2` must be '3x3x3' or '1x1x1'\. Received: branch_2='3x3'"
    with pytest.raises(ValueError, match=message):
        models.I3D(branch_2="3x3")

"""R(2+1)D and Res3D have the published sizes, and compute what PyTorch's arithmetic gives."""

import dataclasses

import keras
import numpy as np
import pytest

import a2keras
from a2keras import models
from a2keras.models.builders import builder_of
from a2keras.models.r2plus1d import middle_channels, video_resnet

R2PLUS1D_34, R2PLUS1D_18, RES3D_18 = (
    models.builder(name).network for name in ("r2plus1d_34", "r2plus1d_18", "res3d_18")
)


def variant(network, **changes):
    return builder_of(dataclasses.replace(network, **changes), video_resnet)


@pytest.fixture(scope="module")
def r2plus1d_34():
    return models.R2Plus1D34(classes=400)


def test_r2plus1d_34_of_tables_5_and_6(r2plus1d_34):
    counted = a2keras.count(r2plus1d_34)
    assert round(counted.parameters / 1e6, 4) == 63.7475
    assert round(counted.multiply_adds / 1e9, 3) == 152.356
    # VMZ prints 63.6 M: the kernels and the classifier, without the normalisations' numbers.
    assert round((2 * counted.trainable_parameters - counted.parameters) / 1e6, 1) == 63.6
    shapes = {name: each.shape[1:] for name, each in models.features(r2plus1d_34).output.items()}
    assert shapes == {
        "conv1": (32, 56, 56, 64),
        "conv2": (32, 56, 56, 64),
        "conv3": (16, 28, 28, 128),
        "conv4": (8, 14, 14, 256),
        "conv5": (4, 7, 7, 512),
    }


def test_res3d_18_of_table_6():
    counted = a2keras.count(models.Res3D18(classes=101))
    assert round(counted.parameters / 1e6, 4) == 33.2320
    # The paper prints 19.3 G, which no reading of the architecture gives.
    assert round(counted.multiply_adds / 1e9, 3) == 20.451


def test_r2plus1d_18_is_torchvisions():
    counted = a2keras.count(models.R2Plus1D18(classes=400))
    assert counted.trainable_parameters == 31_505_325
    assert round(counted.multiply_adds / 1e9, 2) == 40.52


@pytest.mark.parametrize(
    ("build", "size", "giga"),
    [
        # For 8 frames it prints 49.8, a quarter of 199.0; to the digit it is 49.749.
        (models.R2Plus1D34, (32, 128, 128), 199.0),
        (variant(R2PLUS1D_18, shared_middle=False), (8, 112, 112), 20.7),
        (variant(R2PLUS1D_18, shared_middle=False), (16, 112, 112), 41.5),
        (variant(RES3D_18, projects_conv2=False), (8, 112, 112), 20.3),
    ],
)
def test_the_sizes_that_vmz_publishes(build, size, giga):
    counted = a2keras.count(build(input_shape=(*size, 3), classes=400))
    assert round(counted.multiply_adds / 1e9, 1) == giga


def test_the_size_of_torchvisions_r3d_18():
    counted = a2keras.count(variant(RES3D_18, projects_conv2=False)(classes=400))
    assert counted.trainable_parameters == 33_371_472


def test_middle_channels(r2plus1d_34):
    pairs = [(64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    published = [144, 230, 288, 460, 576, 921, 1152]
    assert [middle_channels(*pair) for pair in pairs] == published
    names = ["conv2_1_1", "conv3_1_1", "conv3_1_2", "conv4_1_1", "conv4_6_2", "conv5_1_1"]
    names += ["conv5_1_2"]
    found = [r2plus1d_34.get_layer(f"{name}_spatial_conv").filters for name in names]
    assert found == published
    assert r2plus1d_34.get_layer("conv1_spatial_conv").filters == 45
    # torchvision takes the first convolution's M for the second one too.
    shared = models.R2Plus1D18(include_top=False, input_shape=(2, 7, 11, 3))
    found = [shared.get_layer(f"conv5_1_{part}_spatial_conv").filters for part in (1, 2)]
    assert found == [921, 921]


def test_strides_and_blocks():
    model = models.R2Plus1D34(attention="non_local", input_shape=(8, 23, 29, 3), classes=5)
    strides = {
        part: model.get_layer(f"conv3_1_{part}_conv").strides
        for part in ("0", "1_spatial", "1_temporal", "2_spatial", "2_temporal")
    }
    assert strides == {
        "0": (2, 2, 2),
        "1_spatial": (1, 2, 2),
        "1_temporal": (2, 1, 1),
        "2_spatial": (1, 1, 1),
        "2_temporal": (1, 1, 1),
    }
    names = {each.name for each in model.layers}
    assert "conv2_1_0_conv" not in names
    places = ["conv3_1", "conv3_3", "conv4_1", "conv4_3", "conv4_5"]
    blocks = [each for each in model.layers if isinstance(each, a2keras.NonLocal)]
    assert [each.name for each in blocks] == [f"{place}_attention" for place in places]
    assert blocks[0].input is model.get_layer("conv3_1_out").output
    assert models.Res3D18(input_shape=(8, 23, 29, 3)).get_layer("conv2_1_0_conv").strides == (
        1, 1, 1,
    )  # fmt: skip


def test_kernels_start_by_he_et_al():
    model = models.R2Plus1D18(input_shape=(2, 7, 11, 3), classes=5)
    # From 64 to 144 channels by 1×3×3: outgoing connections count, √(2 / (9 · 144)).
    kernel = np.asarray(model.get_layer("conv2_1_1_spatial_conv").get_weights()[0])
    assert kernel.std() == pytest.approx((2 / (9 * 144)) ** 0.5, rel=0.03)


def logits(plain, x, network):
    """A network of the units (1, 2, 1, 1), by plain loops."""

    def conv_bn(x, name, strides, factored=network.factored):
        if factored:
            x = plain.convolution(x, f"{name}_spatial_conv", (1, *strides[1:]))
            x = np.maximum(plain.normalization(x, f"{name}_spatial_bn", network.epsilon), 0)
            x = plain.convolution(x, f"{name}_temporal_conv", (strides[0], 1, 1))
        else:
            x = plain.convolution(x, f"{name}_conv", strides)
        return plain.normalization(x, f"{name}_bn", network.epsilon)

    x = np.maximum(conv_bn(x, "conv1", (1, 2, 2)), 0)
    for unit in ("conv2_1", "conv3_1", "conv3_2", "conv4_1", "conv5_1"):
        strides = (2, 2, 2) if unit in ("conv3_1", "conv4_1", "conv5_1") else (1, 1, 1)
        branch = np.maximum(conv_bn(x, f"{unit}_1", strides), 0)
        branch = conv_bn(branch, f"{unit}_2", (1, 1, 1))
        identity = unit == "conv3_2" or (unit == "conv2_1" and network.name != "res3d_18")
        shortcut = x if identity else conv_bn(x, f"{unit}_0", strides, factored=False)
        x = np.maximum(shortcut + branch, 0)
    return plain.dense(x.mean((1, 2, 3)), "predictions")


@pytest.mark.parametrize(
    ("network", "epsilon"), [(R2PLUS1D_34, 1e-3), (R2PLUS1D_18, 1e-5), (RES3D_18, 1e-5)]
)
def test_symmetric_padding_is_pytorchs_arithmetic(plain_layers, network, epsilon):
    """An even size at every kind of strided window: there, padding "same" gives other numbers."""
    assert network.epsilon == epsilon
    build = variant(network, units=(1, 2, 1, 1), positions=())
    arguments = {"classes": 5, "classifier_activation": None}
    model = build(input_shape=(None, None, None, 3), padding="symmetric", **arguments)
    plain = plain_layers(model)
    x = np.random.default_rng(1).normal(size=(2, 6, 18, 23, 3)).astype("float32")
    expected = logits(plain, x, network)
    scale = np.abs(expected).max()
    ours = keras.ops.convert_to_numpy(model(x))
    assert np.abs(ours - expected).max() < 1e-4 * scale
    same = build(input_shape=(6, 18, 23, 3), **arguments)
    same.set_weights(model.get_weights())
    assert np.abs(keras.ops.convert_to_numpy(same(x)) - expected).max() > 1e-2 * scale

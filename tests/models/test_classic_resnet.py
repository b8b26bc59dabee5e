"""Table 4's comparators have the published sizes, and compute what PyTorch's arithmetic gives."""

import dataclasses

import keras
import numpy as np
import pytest

import a2keras
from a2keras import models
from a2keras.models import classic_resnet
from a2keras.models.builders import STEM, builder_of

# Published by torchvision (ResNet-50, -152) and timm (SE-ResNet-50): trainable parameters.
# Multiply-adds in G as published, stride on the first convolution, and as torchvision has it.
TABLE = [
    ("resnet50", 25_557_032, 25.6102, 3.858, 4.089),
    ("resnet152", 60_192_808, 60.3442, 11.282, 11.514),
    ("se_resnet50", 28_088_024, 28.1411, 3.8605, 4.092),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "trainable", "millions", "first", "second"), TABLE)
def test_table_4(name, trainable, millions, first, second):
    counted = a2keras.count(models.build(name))
    assert counted.trainable_parameters == trainable
    assert round(counted.parameters / 1e6, 4) == millions
    assert counted.multiply_adds / 1e9 == pytest.approx(first, abs=5e-5 if name[0] == "s" else 5e-4)
    counted = a2keras.count(models.build(name, stride_on="3x3"))
    assert counted.trainable_parameters == trainable
    assert counted.multiply_adds / 1e9 == pytest.approx(second, abs=5e-4)


def test_se_resnet50_adds_two_dense_layers_per_unit():
    plain, gated = (a2keras.count(models.build(name)) for name in ("resnet50", "se_resnet50"))
    units = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3
    assert gated.multiply_adds - plain.multiply_adds == sum(2 * c * c // 16 for c in units)
    biases = sum(c // 16 + c for c in units)
    assert gated.parameters - plain.parameters == sum(2 * c * c // 16 for c in units) + biases


def test_stages_strides_and_blocks():
    model = models.SEResNet50(attention="a2")
    stages = models.features(model).output
    assert {name: each.shape[1:] for name, each in stages.items()} == {
        "conv1": (56, 56, 64),
        "conv2": (56, 56, 256),
        "conv3": (28, 28, 512),
        "conv4": (14, 14, 1024),
        "conv5": (7, 7, 2048),
    }
    assert model.get_layer("conv3_1_1_conv").strides == (2, 2)
    assert model.get_layer("conv3_1_2_conv").strides == (1, 1)
    blocks = [each for each in model.layers if isinstance(each, a2keras.DoubleAttention)]
    places = ["conv3_1", "conv3_3", "conv4_1", "conv4_3", "conv4_5"]
    assert [each.name for each in blocks] == [f"{place}_attention" for place in places]
    assert [each.value_channels for each in blocks] == [256, 256, 512, 512, 512]
    assert blocks[0].input is model.get_layer("conv3_1_out").output
    # The gate scales the branch, not the sum.
    add = model.get_layer("conv3_1_add")
    assert [each._keras_history.operation.name for each in add.input] == [
        "conv3_1_0_bn",
        "conv3_1_se",
    ]


def test_kernels_start_by_he_et_al_each_its_own():
    model = models.ResNet50()
    # From 64 to 256 channels: outgoing connections count, so that the deviation is √(2 / 256).
    kernels = [np.asarray(model.get_layer(f"conv2_{u}_3_conv").get_weights()[0]) for u in (1, 2)]
    assert kernels[0].std() == pytest.approx((2 / 256) ** 0.5, rel=0.03)
    assert not np.array_equal(*kernels)


def small(**changes):
    """A builder of the same family with five units."""
    changes = {"units": (1, 2, 1, 1), "positions": (), **changes}
    network = dataclasses.replace(models.builder("resnet50").network, **changes)
    options = {"stride_on": classic_resnet._STRIDE_ON, "stem": STEM}
    return builder_of(network, classic_resnet.classic_resnet, **options)


def logits(plain, x, stride_on, gates):
    """The small network, by plain loops."""

    def conv_bn(x, name, stride=1):
        x = plain.convolution(x, f"{name}_conv", (stride, stride))
        return plain.normalization(x, f"{name}_bn", 1e-5)

    x = np.maximum(conv_bn(x, "conv1", 2), 0)
    edged = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(edged, (3, 3), (1, 2))[:, ::2, ::2]
    x = windows.max((-2, -1))
    for unit in ("conv2_1", "conv3_1", "conv3_2", "conv4_1", "conv5_1"):
        stride = 2 if unit in ("conv3_1", "conv4_1", "conv5_1") else 1
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
        branch = np.maximum(conv_bn(x, f"{unit}_1", first), 0)
        branch = np.maximum(conv_bn(branch, f"{unit}_2", second), 0)
        branch = conv_bn(branch, f"{unit}_3")
        if gates:
            down, down_bias, up, up_bias = plain.weights(f"{unit}_se")
            squeezed = np.maximum(branch.mean((1, 2)) @ down + down_bias, 0)
            gate = 1 / (1 + np.exp(-(squeezed @ up + up_bias)))
            branch = branch * gate[:, None, None]
        shortcut = x if unit == "conv3_2" else conv_bn(x, f"{unit}_0", stride)
        x = np.maximum(shortcut + branch, 0)
    return plain.dense(x.mean((1, 2)), "predictions")


@pytest.mark.parametrize(("stride_on", "gates"), [("1x1", True), ("3x3", False)])
def test_symmetric_padding_is_pytorchs_arithmetic(plain_layers, stride_on, gates):
    """An even size at every kind of strided window: there, padding "same" gives other numbers."""
    build = small(gates=gates)
    arguments = {"classes": 5, "classifier_activation": None, "stride_on": stride_on}
    model = build(input_shape=(None, None, 3), padding="symmetric", **arguments)
    plain = plain_layers(model)
    x = np.random.default_rng(1).normal(size=(2, 38, 53, 3)).astype("float32")
    expected = logits(plain, x, stride_on, gates)
    scale = np.abs(expected).max()
    ours = keras.ops.convert_to_numpy(model(x))
    assert np.abs(ours - expected).max() < 1e-4 * scale
    same = build(input_shape=(38, 53, 3), **arguments)
    same.set_weights(model.get_weights())
    assert np.abs(keras.ops.convert_to_numpy(same(x)) - expected).max() > 1e-2 * scale


def test_an_unknown_place_of_the_stride_is_told():
    with pytest.raises(ValueError, match=r"`stride_on` must be '1x1' or '3x3'. .*stride_on='7x7'"):
        models.ResNet50(stride_on="7x7")

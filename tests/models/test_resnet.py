"""The networks' parameters, multiply-adds and shapes are the paper's (Tables 1–5), to the digit."""

import keras
import numpy as np
import pytest

import a2keras
from a2keras import DoubleAttention, NonLocal, models

A2, NL = "a2", "non_local"
FOUR = ("conv3_1", "conv3_2", "conv4_1", "conv4_2")
# name, attention, positions, classes, parameters in M as the paper counts (without the final
# normalisation and the classifier's biases), multiply-adds in G.
TABLE = [
    ("resnet26_video", None, (), 400, 7.0433, 8.2734),
    ("resnet29_video", None, (), 400, 7.6198, 9.1726),
    ("resnet26_video", NL, ("conv2_2",), 400, 7.0613, 48.967),
    ("resnet26_video", NL, ("conv3_2",), 400, 7.1121, 13.720),
    ("resnet26_video", NL, ("conv4_2",), 400, 7.3121, 9.314),
    ("resnet26_video", A2, ("conv2_2",), 400, 7.0613, 8.7359),
    ("resnet26_video", A2, ("conv3_2",), 400, 7.1121, 8.7359),
    ("resnet26_video", A2, ("conv4_2",), 400, 7.3121, 8.7359),
    ("resnet26_video", NL, ("conv4_1", "conv4_2"), 400, 7.5809, 10.354),
    ("resnet26_video", A2, ("conv4_1", "conv4_2"), 400, 7.5809, 9.198),
    ("resnet26_video", NL, FOUR, 400, 7.7186, 21.247),
    ("resnet26_video", A2, FOUR, 400, 7.7186, 10.123),
    ("resnet50_video", None, (), 400, 33.4202, 30.524),
    ("a2_resnet50", A2, None, 1000, 32.9730, 6.538),
]


def digits(number, text):
    """The number rounded to as many decimals as the table prints."""
    return round(number, len(str(text).split(".")[1]))


@pytest.mark.parametrize(("name", "attention", "positions", "classes", "params", "giga"), TABLE)
def test_tables_1_to_4(name, attention, positions, classes, params, giga):
    arguments = {} if positions is None else {"attention": attention, "positions": positions}
    model = models.build(name, classes=classes, **arguments)
    counted = a2keras.count(model)
    final = model.get_layer("final_bn").gamma.shape[0]
    assert digits((counted.parameters - 4 * final - classes) / 1e6, params) == params
    assert digits(counted.multiply_adds / 1e9, giga) == giga
    kind = {A2: DoubleAttention, NL: NonLocal}.get(attention, ())
    assert sum(isinstance(each, kind) for each in model.layers) == (
        5 if positions is None else len(positions)
    )


@pytest.mark.parametrize(
    ("classes", "params", "giga"), [(400, 40.8262, 40.800), (101, 40.2135, 40.799)]
)
def test_a2_resnet50_video_of_tables_5_and_6(classes, params, giga):
    counted = a2keras.count(models.build("a2_resnet50_video", classes=classes))
    assert digits(counted.parameters / 1e6, params) == params
    assert digits(counted.multiply_adds / 1e9, giga) == giga


def test_exact_numbers():
    """Sums that the specification gives to the unit: what a block adds, what five add."""
    plain = a2keras.count(models.build("resnet50_video", classes=400))
    five = a2keras.count(models.build("a2_resnet50_video", classes=400))
    assert five.parameters - plain.parameters == 7_397_376
    bare = a2keras.count(models.ResNet26Video(classes=400))
    one = a2keras.count(models.ResNet26Video(classes=400, attention="a2"))
    assert bare.parameters == 7_043_280 + 4 * 1024 + 400
    assert one.parameters - bare.parameters == 268_800
    # 4cmL + 2m²L at c = 512, m = 128, L = 8 · 14 · 14.
    assert one.multiply_adds - bare.multiply_adds == 1568 * (4 * 512 * 128 + 2 * 128 * 128)


def test_stage_shapes_are_table_1s():
    model = models.ResNet26Video()
    shapes = [model.get_layer(f"conv{n}_2_out").output.shape[1:-1] for n in (2, 3, 4, 5)]
    assert shapes == [(8, 56, 56), (8, 28, 28), (8, 14, 14), (8, 7, 7)]
    assert model.get_layer("conv1_relu").output.shape[1:] == (16, 56, 56, 16)
    model = models.ResNet50Video()
    last = {2: 3, 3: 4, 4: 6, 5: 3}
    shapes = [model.get_layer(f"conv{n}_{u}_out").output.shape[1:-1] for n, u in last.items()]
    assert shapes == [(8, 56, 56), (4, 28, 28), (4, 14, 14), (4, 7, 7)]
    kernels = {
        n: [model.get_layer(f"conv{n}_{u + 1}_2_conv").kernel.shape[0] for u in range(units)]
        for n, units in last.items()
    }
    assert kernels == {2: [3, 3, 3], 3: [3, 1, 3, 1], 4: [3, 1, 3, 1, 3, 1], 5: [1, 3, 1]}


def test_stride_is_on_the_middle_convolution_and_blocks_take_the_raw_sum():
    model = models.A2ResNet50()
    assert model.get_layer("conv3_1_1_conv").strides == (1, 1)
    assert model.get_layer("conv3_1_2_conv").strides == (2, 2)
    assert model.get_layer("conv3_1_0_conv").strides == (2, 2)
    block = model.get_layer("conv3_1_attention")
    assert block.input is model.get_layer("conv3_1_out").output
    assert block.pre_activation
    assert (block.value_channels, block.descriptors) == (256, None)


@pytest.mark.parametrize("name", ["a2_resnet11", "a2_resnet11_video"])
def test_small_networks_run_and_their_fresh_blocks_change_nothing(name):
    shape = (7, 19, 23, 3)[-4 if models.is_video(name) else -3 :]
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    model = models.build(name, classes=5, input_shape=shape)
    probabilities = keras.ops.convert_to_numpy(model(x))
    assert probabilities.shape == (2, 5)
    assert np.allclose(probabilities.sum(-1), 1, atol=1e-6)
    plain = models.build(name, classes=5, input_shape=shape, attention=None)
    blocks = {w.path for w in model.weights if "attention" in w.path}
    assert len(blocks) == 2 * 4 * 5
    plain.set_weights([w for w in model.weights if w.path not in blocks])
    assert np.array_equal(keras.ops.convert_to_numpy(plain(x)), probabilities)


def test_unknown_sizes_no_top_pooling_and_logits():
    x = np.zeros((2, 19, 23, 3), "float32")
    features = models.A2ResNet11(include_top=False, input_shape=(None, None, 3))
    assert features(x).shape == (2, 3, 3, 256)
    for pooling in ("avg", "max"):
        pooled = models.A2ResNet11(False, pooling=pooling, input_shape=(None, None, 3))
        assert pooled(x).shape == (2, 256)
    logits = models.A2ResNet11(classes=5, classifier_activation=None)
    assert logits.layers[-1].activation is keras.activations.linear
    assert models.A2ResNet11(name="mine").name == "mine"


def test_an_input_tensor_makes_one_flat_model():
    inputs = keras.Input((19, 23, 3), name="pixels")
    model = models.A2ResNet11(input_tensor=keras.layers.Rescaling(2.0)(inputs), classes=5)
    assert model.input is inputs
    kinds = [type(each).__name__ for each in model.layers[:3]]
    assert kinds == ["InputLayer", "Rescaling", "Conv2D"]


def test_weights_files(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 19, 23, 3)).astype("float32")
    model = models.A2ResNet11(classes=5, input_shape=(19, 23, 3))
    model.save_weights(path := str(tmp_path / "net.weights.h5"))
    again = models.A2ResNet11(classes=5, input_shape=(19, 23, 3), weights=path)
    assert np.array_equal(*(keras.ops.convert_to_numpy(m(x)) for m in (model, again)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: models.build("a2_resnet5"), r"`name` must be a network such as .*Received: 'a2_"),
        (lambda: models.A2ResNet11(attention="cbam"),
         r"`attention` must be None, 'a2', 'non_local', 'se'. Received: attention='cbam'"),
        (lambda: models.A2ResNet11(positions=("conv3_2",)),
         r"`positions` must name units of the network, such as conv.*Received: 'conv3_2'"),
        (lambda: models.A2ResNet11(positions="conv3_1"),
         r"`positions` must be a tuple of unit names. Received: positions='conv3_1'"),
        (lambda: models.A2ResNet11(pooling="sum"), r"`pooling` must be .*Received: pooling='sum'"),
        (lambda: models.A2ResNet11(classes=0), r"`classes` must be at least 1. .*classes=0"),
        (lambda: models.A2ResNet11(weights="imagenet"),
         r"`weights` must be None or the path .*Received: weights='imagenet', which is no file"),
        (lambda: models.A2ResNet11Video(input_shape=(19, 23, 3)),
         r"input is \(frames, height, width, channels\) .*Received: input_shape=\(19, 23, 3\)"),
        (lambda: models.A2ResNet11(input_tensor=keras.Input((7, 19, 23, 3))),
         r"input is \(height, width, channels\) .*input_tensor.shape=\(None, 7, 19, 23, 3\)"),
    ],
)  # fmt: skip
def test_bad_arguments_are_told_by_rule_and_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()

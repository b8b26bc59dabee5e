"""C3D has the published size, and computes what Caffe's network and its ports to PyTorch do."""

import dataclasses

import keras
import numpy as np
import pytest

import a2keras
from a2keras import models
from a2keras.models import c3d
from a2keras.models.builders import builder_of


def numbers(x):
    return keras.ops.convert_to_numpy(x)


def pixels(*size, seed=0):
    return np.random.default_rng(seed).normal(size=(2, *size, 3)).astype("float32")


def narrow(**arguments):
    """The network with a few channels."""
    network = dataclasses.replace(
        models.builder("c3d").network, stages=((2,), (3,), (2, 5), (3, 2), (5, 7)), positions=()
    )
    return builder_of(network, c3d.c3d, c3d.dense_top)(**arguments)


@pytest.fixture(scope="module")
def ucf101():
    return models.C3D(classes=101)


def test_c3d_of_table_6(ucf101):
    counted = a2keras.count(ucf101)
    assert round(counted.parameters / 1e6, 4) == 78.4096
    assert round(counted.multiply_adds / 1e9, 3) == 38.547
    convolutions = [each for each in counted.by_layer if each.kind == "Conv3D"]
    assert round(sum(each.multiply_adds for each in convolutions) / 1e9, 3) == 38.497
    dense = [each.parameters for each in counted.by_layer if each.kind == "Dense"]
    assert dense == [8192 * 4096 + 4096, 4096 * 4096 + 4096, 4096 * 101 + 101]


def test_its_own_paper_has_487_classes(ucf101):
    # Too large to build twice: 386 more rows of the classifier.
    assert ucf101.count_params() + 386 * 4097 == 79_991_015


def test_stages(ucf101):
    shapes = {name: x.shape[1:] for name, x in models.features(ucf101).output.items()}
    assert shapes == {
        "conv1": (16, 56, 56, 64),
        "conv2": (8, 28, 28, 128),
        "conv3": (4, 14, 14, 256),
        "conv4": (2, 7, 7, 512),
        "conv5": (1, 4, 4, 512),
    }


def test_it_starts_as_in_the_released_prototxt(ucf101):
    kernels = {w.path.split("/")[-2]: w for w in ucf101.weights if w.name == "kernel"}
    deviations = dict.fromkeys(kernels, 0.01) | {"fc6": 0.005, "fc7": 0.005}
    for name, kernel in kernels.items():
        sample = kernel.numpy().reshape(-1)[:100_000]
        error = 4 / np.sqrt(2 * len(sample))
        assert sample.std() == pytest.approx(deviations[name], rel=error)
    biases = {w.path.split("/")[-2]: set(w.numpy()) for w in ucf101.weights if w.name == "bias"}
    zeros = {"conv1_1_conv": {0.0}, "predictions": {0.0}}
    assert biases == {name: {1.0} for name in kernels} | zeros
    first, second = (kernels[name].numpy() for name in ("conv5_1_conv", "conv5_2_conv"))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("padding", "rows"),
    [("same", [(0, 1), (2, 3), (4, 5), (6,)]), ("symmetric", [(0,), (1, 2), (3, 4), (5, 6)])],
)
def test_the_rows_that_the_last_pooling_takes_together(padding, rows):
    model = narrow(include_top=False, padding=padding)
    model = keras.Model(model.input, [model.get_layer("conv5_2_relu").output, model.output])
    before, after = map(numbers, model(10 * pixels(16, 112, 112)))
    assert before.shape == (2, 2, 7, 7, 7)
    expected = [
        [before[:, :, list(h)][:, :, :, list(w)].max(axis=(1, 2, 3)) for w in rows] for h in rows
    ]
    assert np.array_equal(after[:, 0], np.transpose(expected, (2, 0, 1, 3)))
    assert len(np.unique(after)) > 20


def feature_maps(plain, x):
    """The ports to PyTorch, by plain loops: poolings round down, the last one pads (0, 1, 1)."""

    def pool(x, time, padding=0):
        x = np.pad(x, [(0, 0), (0, 0), (padding,) * 2, (padding,) * 2, (0, 0)])
        batch, frames, height, width, channels = x.shape
        x = x[:, : frames - frames % time, : height - height % 2, : width - width % 2]
        shape = (batch, frames // time, time, height // 2, 2, width // 2, 2, channels)
        return x.reshape(shape).max(axis=(2, 4, 6))

    for stage, units in enumerate([1, 1, 2, 2, 2], 1):
        for number in range(1, units + 1):
            x = np.maximum(plain.convolution(x, f"conv{stage}_{number}_conv", (1, 1, 1)), 0)
        x = pool(x, 1 if stage == 1 else 2, padding=int(stage == 5))
    return x


def test_symmetric_padding_is_that_of_the_ports(plain_layers):
    size = (19, 53, 70)
    model = narrow(
        classes=5, classifier_activation=None, input_shape=(*size, 3), padding="symmetric"
    )
    plain = plain_layers(model)
    x = pixels(*size, seed=1)
    # PyTorch's and Caffe's fc6 takes channels, frames, rows, columns flattened.
    maps = np.moveaxis(feature_maps(plain, x), -1, 1)
    assert maps.shape == (2, 7, 1, 2, 3)
    theirs = np.random.default_rng(2).normal(0, 0.1, (4096, 42))
    ours = theirs.reshape(4096, *maps.shape[1:]).transpose(2, 3, 4, 1, 0).reshape(42, 4096)
    bias = plain.weights("fc6")[1]
    model.get_layer("fc6").set_weights([ours, bias])
    hidden = np.maximum(maps.reshape(2, 42) @ theirs.T + bias, 0)
    expected = plain.dense(np.maximum(plain.dense(hidden, "fc7"), 0), "predictions")
    scale = np.abs(expected).max()
    assert np.abs(numbers(model(x)) - expected).max() < 1e-4 * scale


def test_the_order_of_the_dense_layers(ucf101):
    names = [each.name for each in ucf101.layers]
    end = names[names.index("flatten") :]
    assert end == ["flatten", "fc6", "fc6_relu", "fc6_dropout", "fc7", "fc7_relu", "fc7_dropout",
                   "predictions", "probabilities"]  # fmt: skip
    assert [ucf101.get_layer(f"fc{n}_dropout").rate for n in (6, 7)] == [0.5, 0.5]


def test_blocks_stand_behind_units(ucf101):
    model = models.C3D(include_top=False, attention="a2", input_shape=(4, 19, 23, 3))
    blocks = [each for each in model.layers if isinstance(each, a2keras.DoubleAttention)]
    places = ("conv3_1", "conv3_2", "conv4_1", "conv4_2")
    assert [each.name for each in blocks] == [f"{place}_attention" for place in places]
    assert [each.value_channels for each in blocks] == [128, 128, 256, 256]
    assert blocks[1].output is model.get_layer("conv3_pool").input


def test_unknown_sizes_without_the_top():
    unknown = narrow(include_top=False, pooling="avg", input_shape=(None, None, None, 3))
    known = narrow(include_top=False, pooling="avg", input_shape=(5, 19, 23, 3))
    known.set_weights(unknown.get_weights())
    x = pixels(5, 19, 23)
    assert np.allclose(numbers(unknown(x)), numbers(known(x)), atol=1e-6)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_dense_layers_need_known_sizes(place):
    shape = [16, 112, 112, 3]
    shape[place] = None
    received = str(tuple(shape)).replace("(", r"\(").replace(")", r"\)")
    message = (
        r"with `include_top=True` all sizes of `input_shape` must be known: .*"
        rf"Received: input_shape={received}"
    )
    with pytest.raises(ValueError, match=message):
        models.C3D(input_shape=tuple(shape))

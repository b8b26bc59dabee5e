"""MobileNetV2 is that of keras.applications, to the number; its blocks cost what they should."""

import keras
import numpy as np
import pytest

import a2keras
from a2keras import models

# Their block_i, and our units; a unit without a sum ends with its last normalisation.
BLOCKS = {
    "block_3_project_BN": "conv4_1_3_bn",
    "block_5_add": "conv4_3_out",
    "block_7_add": "conv5_2_out",
    "block_9_add": "conv5_4_out",
    "block_12_add": "conv6_3_out",
}
# Channels and positions of the five places at 224×224.
PLACES = [(32, 28 * 28)] * 2 + [(64, 14 * 14)] * 2 + [(96, 14 * 14)]


def numbers(x):
    return keras.ops.convert_to_numpy(x)


def pixels(*size, seed=0):
    return np.random.default_rng(seed).normal(size=(2, *size, 3)).astype("float32")


def randomise(model, seed=0):
    """Normalisations that show when one is forgotten, and that reach the 6 of ReLU6."""
    rng = np.random.default_rng(seed)
    ranges = {"gamma": (0.5, 1.5), "beta": (-2.0, 6.5), "moving_mean": (-0.5, 0.5),
              "moving_variance": (0.5, 1.5)}  # fmt: skip
    for weight in model.weights:
        if weight.name in ranges:
            weight.assign(rng.uniform(*ranges[weight.name], weight.shape))


def test_size_and_cost():
    counted = a2keras.count(models.MobileNetV2())
    assert (counted.parameters, counted.trainable_parameters) == (3_538_984, 3_504_872)
    assert round(counted.multiply_adds / 1e6, 1) == 300.8


@pytest.mark.parametrize(
    ("reduction", "parameters", "millions"), [(2, 42_944, 12.5), (4, 23_200, 5.6)]
)
def test_five_blocks_cost(reduction, parameters, millions):
    plain = a2keras.count(models.MobileNetV2())
    five = a2keras.count(models.A2MobileNetV2(reduction=reduction))
    assert five.parameters - plain.parameters == parameters
    added = five.multiply_adds - plain.multiply_adds
    assert round(added / 1e6, 1) == millions
    # 4cm + 2m² for every position, m = c / r.
    assert added == sum(
        length * (4 * c * (c // reduction) + 2 * (c // reduction) ** 2) for c, length in PLACES
    )


# Padding depends on whether a size is odd: 45 → 23 → 12 → 6, 71 → 36 → 18 → 9 → 5.
@pytest.mark.parametrize("size", [(64, 96), (45, 71)])
def test_it_is_keras_applications_network(size):
    keras.utils.set_random_seed(0)
    theirs = keras.applications.MobileNetV2(
        weights=None, input_shape=(*size, 3), classes=7, classifier_activation=None
    )
    ours = models.MobileNetV2(input_shape=(*size, 3), classes=7, classifier_activation=None)
    randomise(ours)
    clipped = keras.Model(ours.input, ours.get_layer("conv6_1_2_relu").output)(pixels(*size))
    assert numbers(clipped).max() == 6
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    theirs.set_weights(ours.get_weights())
    names = [layer.name for layer in theirs.layers if layer.name in BLOCKS]
    assert names == list(BLOCKS)
    outputs = [
        keras.Model(model.input, [model.get_layer(name).output for name in layers] + [model.output])
        for model, layers in ((ours, BLOCKS.values()), (theirs, BLOCKS))
    ]
    x = pixels(*size)
    for mine, reference in zip(outputs[0](x), outputs[1](x), strict=True):
        reference = numbers(reference)
        assert reference.std() > 0.1
        assert np.allclose(numbers(mine), reference, rtol=1e-5, atol=1e-5)
    momenta = [
        [n.momentum for n in model.layers if isinstance(n, keras.layers.BatchNormalization)]
        for model in (ours, theirs)
    ]
    assert momenta[0] == momenta[1]


def test_stages_and_places_of_the_blocks():
    model = models.A2MobileNetV2()
    stages = models.features(model).output
    assert {name: each.shape[1:] for name, each in stages.items()} == {
        "conv1": (112, 112, 32),
        "conv2": (112, 112, 16),
        "conv3": (56, 56, 24),
        "conv4": (28, 28, 32),
        "conv5": (14, 14, 64),
        "conv6": (14, 14, 96),
        "conv7": (7, 7, 160),
        "conv8": (7, 7, 320),
        "conv9": (7, 7, 1280),
    }
    blocks = [each for each in model.layers if isinstance(each, a2keras.DoubleAttention)]
    assert [each.input._keras_history.operation.name for each in blocks] == list(BLOCKS.values())
    assert [each.value_channels for each in blocks] == [c // 2 for c, _ in PLACES]
    # A unit after a block starts from the block, its sum included.
    assert model.get_layer("conv6_3_1_conv").input is model.get_layer("conv6_2_out").output
    assert model.get_layer("conv5_3_1_conv").input is blocks[2].output
    assert model.get_layer("conv5_3_out").input[0] is blocks[2].output


def test_fresh_blocks_change_nothing_at_any_size():
    x = pixels(45, 71)
    blocks = models.A2MobileNetV2(input_shape=(None, None, 3), classes=7)
    plain = models.MobileNetV2(input_shape=(None, None, 3), classes=7)
    plain.set_weights([w for w in blocks.weights if "attention" not in w.path])
    assert len(blocks.weights) - len(plain.weights) == 5 * 4 * 5
    assert np.array_equal(numbers(plain(x)), numbers(blocks(x)))


def test_symmetric_padding():
    """At even sizes it is "same" on an image moved by one pixel, at odd sizes "same" itself."""
    same, symmetric = (
        models.MobileNetV2(input_shape=(None, None, 3), classes=7, padding=padding)
        for padding in ("same", "symmetric")
    )
    symmetric.set_weights(same.get_weights())
    stems = [
        keras.Model(model.input, model.get_layer("conv1_conv").output)
        for model in (same, symmetric)
    ]
    x = pixels(34, 46)
    moved = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    want = numbers(stems[0](moved))[:, :-1, :-1]
    assert np.allclose(numbers(stems[1](x)), want, atol=1e-5)
    assert not np.allclose(numbers(stems[0](x)), want, atol=1e-1)
    # 33 → 17 → 9 → 5 → 3 → 2 and 65 → 33 → …: an odd size at every stride.
    x = pixels(33, 65)
    assert np.allclose(numbers(same(x)), numbers(symmetric(x)), atol=1e-6)
    padded = [each.name for each in symmetric.layers if each.name.endswith("_pad")]
    assert padded == ["conv1_conv_pad", *(f"conv{n}_1_2_conv_pad" for n in (3, 4, 5, 7))]

"""EfficientNet-Lite0 has the published size; its blocks cost what they should.

That it computes what Google's network does is in `test_convert.py` and `test_published.py`.
"""

import keras
import numpy as np

import a2keras
from a2keras import models

# Repeats, kernel, stride, expansion, channels in and out: Google's strings for Lite0.
STAGES = [
    (1, 3, 1, 1, 32, 16), (2, 3, 2, 6, 16, 24), (2, 5, 2, 6, 24, 40), (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112), (4, 5, 2, 6, 112, 192), (1, 3, 1, 6, 192, 320),
]  # fmt: skip
PUBLISHED_MULTIPLY_ADDS = 407e6
# Channels and positions of the five blocks at 224×224.
PLACES = [(40, 28 * 28)] * 2 + [(80, 14 * 14)] * 2 + [(112, 14 * 14)]


def by_the_strings():
    """Weights with scales and offsets of the normalisations, and products, at 224×224."""
    side = 112
    parameters, products = 9 * 3 * 32 + 2 * 32, 9 * 3 * 32 * side**2
    for repeats, kernel, stride, expansion, i, o in STAGES:
        for each in range(repeats):
            middle = i * expansion
            if expansion > 1:
                parameters += i * middle + 2 * middle
                products += i * middle * side**2
            side //= 1 if each else stride
            parameters += kernel**2 * middle + 2 * middle + middle * o + 2 * o
            products += (kernel**2 * middle + middle * o) * side**2
            i = o
    parameters += 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    return parameters, products + 320 * 1280 * side**2 + 1280 * 1000


def test_size_and_cost():
    counted = a2keras.count(models.EfficientNetLite0())
    assert counted.trainable_parameters == by_the_strings()[0] == 4_652_008
    assert counted.multiply_adds == by_the_strings()[1] == 385_187_552
    # The published figure is TensorFlow's count of operations, halved: with what normalisations
    # and ReLU6 do to each of 6.7 million activations, which are no multiply-adds here.
    assert 0.94 < counted.multiply_adds / PUBLISHED_MULTIPLY_ADDS < 0.95


def test_five_blocks_cost():
    plain = a2keras.count(models.EfficientNetLite0())
    five = a2keras.count(models.A2EfficientNetLite0())
    # 4cm + 2m² for every position, m = c / 2.
    assert five.multiply_adds - plain.multiply_adds == sum(
        length * (4 * c * (c // 2) + 2 * (c // 2) ** 2) for c, length in PLACES
    )
    assert five.trainable_parameters - plain.trainable_parameters == 59_552


def test_places_of_the_blocks():
    model = models.A2EfficientNetLite0()
    blocks = [each for each in model.layers if isinstance(each, a2keras.DoubleAttention)]
    assert [each.input._keras_history.operation.name for each in blocks] == [
        "conv4_1_3_bn", "conv4_2_out", "conv5_2_out", "conv5_3_out", "conv6_2_out"
    ]  # fmt: skip
    assert [each.input.shape[1:] for each in blocks] == [
        (28, 28, 40), (28, 28, 40), (14, 14, 80), (14, 14, 80), (14, 14, 112)
    ]  # fmt: skip


def test_fresh_blocks_change_nothing():
    x = np.random.default_rng(0).normal(size=(2, 45, 71, 3)).astype("float32")
    blocks = models.A2EfficientNetLite0(input_shape=(None, None, 3), classes=7)
    plain = models.EfficientNetLite0(input_shape=(None, None, 3), classes=7)
    plain.set_weights([w for w in blocks.weights if "attention" not in w.path])
    outputs = [keras.ops.convert_to_numpy(model(x)) for model in (plain, blocks)]
    assert np.array_equal(*outputs)


def test_normalisations_are_those_of_the_release():
    model = models.EfficientNetLite0()
    kinds = [each for each in model.layers if isinstance(each, keras.layers.BatchNormalization)]
    assert {(each.momentum, each.epsilon) for each in kinds} == {(0.99, 1e-3)}
    assert model.get_layer("dropout").rate == 0.2

"""Class activation maps of whole networks: which layer's they are, and that they are numbers."""

import keras
import numpy as np
import pytest

from a2keras import models
from a2keras.class_maps import ClassMaps

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("name", "shape", "layer", "positions"),
    [
        ("i3d", (16, 64, 64, 3), "conv5_2_out", (2, 2, 2)),
        ("c3d", (16, 32, 32, 3), "conv5_2_relu", (2, 2, 2)),
        ("convnet_lstm", (3, 64, 64, 3), "conv5_2_out", (3, 2, 2)),
        ("mobilenet_v2", (64, 96, 3), "conv9_relu", (2, 3)),
        ("efficientnet_lite0", (64, 96, 3), "conv9_relu", (2, 3)),
        ("a2_resnet11", (64, 96, 3), "final_relu", (8, 12)),
    ],
)
def test_networks_of_the_zoo(name, shape, layer, positions):
    model = models.build(name, input_shape=shape, classes=3)
    found = ClassMaps(model)
    maps = found(RANDOM.normal(size=(1, *shape)).astype("float32"), [2])
    assert (found.layer, maps.shape) == (layer, (1, *positions, 1))
    assert np.isfinite(maps).all()


def test_a_host_of_keras_applications():
    host = keras.applications.MobileNetV3Small(input_shape=(64, 96, 3), weights=None, classes=5)
    found = ClassMaps(host)
    # Behind it come an average that keeps its axes, convolutions of one position, and a Flatten.
    assert found._trunk.output_shape == (None, 2, 3, 576)
    assert found(np.full((1, 64, 96, 3), 100, "float32"), [0, 4]).shape == (1, 2, 3, 2)

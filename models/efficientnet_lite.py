"""EfficientNet-Lite0 (Google, 2020), with double attention on its linear bottlenecks.

EfficientNet-B0 (Tan and Le, ICML 2019) without squeeze-and-excitation and with ReLU6: what is left
are the inverted residuals of `mobilenet_v2`, some of them 5×5, so that its body builds these too,
and its layers have the same names: `conv1`, `conv2_1` to `conv8_1`, `conv9`, `predictions`.
"""

import dataclasses
from typing import Any

from keras import layers

from a2keras.models.builders import builder_of
from a2keras.models.convolutions import Triple
from a2keras.models.inputs import global_pooling
from a2keras.models.mobilenet_v2 import MobileNetV2, Stage, mobilenet_v2

_ONE: Triple = (1, 1, 1)
_TWO: Triple = (1, 2, 2)
_FIVE: Triple = (1, 5, 5)


def top(x: Any, classes: int) -> Any:
    """Global average pooling, dropout of 0.2 as the authors train it, and a dense layer."""
    x = layers.Dropout(0.2, name="dropout")(global_pooling(x, "avg"))
    return layers.Dense(classes, name="predictions")(x)


_LITE0 = MobileNetV2(
    name="efficientnet_lite0",
    builder="EfficientNetLite0",
    input_size=(224, 224),
    stem=32,
    stages=(
        Stage(1, 16, 1, _ONE),
        Stage(6, 24, 2, _TWO),
        Stage(6, 40, 2, _TWO, _FIVE),
        Stage(6, 80, 3, _TWO),
        Stage(6, 112, 3, _ONE, _FIVE),
        Stage(6, 192, 4, _TWO, _FIVE),
        Stage(6, 320, 1, _ONE),
    ),
    head=1280,
    momentum=0.99,
    positions=("conv4_1", "conv4_2", "conv5_2", "conv5_3", "conv6_2"),
    reduction=2,
    source="EfficientNet-Lite0 (Google, 2020; Tan and Le, ICML 2019)",
)

BUILDERS = {
    each.name: builder_of(each, mobilenet_v2, top)
    for each in (
        _LITE0,
        dataclasses.replace(
            _LITE0,
            name="a2_efficientnet_lite0",
            builder="A2EfficientNetLite0",
            attention="a2",
            source="EfficientNet-Lite0 with five blocks on bottlenecks of 28×28 and 14×14, the "
            "future work that the paper names",
        ),
    )
}

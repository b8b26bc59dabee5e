"""EfficientNet-Lite0 (Google, 2020), with double attention on its linear bottlenecks.

EfficientNet-B0 (Tan and Le, ICML 2019) without squeeze-and-excitation and with ReLU6: what is left
are the inverted residuals of `mobilenet_v2`, some of them 5×5, so that its body builds these too,
and its layers have the same names: `conv1`, `conv2_1` to `conv8_1`, `conv9`, `predictions`.
"""

import dataclasses
import functools

from a2keras.models.builders import builder_of
from a2keras.models.inputs import classifier
from a2keras.models.mobilenet_v2 import BottleneckStage, MobileNetV2, mobilenet_v2
from a2keras.models.stages import ONE

_LITE0 = MobileNetV2(
    name="efficientnet_lite0",
    builder="EfficientNetLite0",
    input_size=(224, 224),
    stem=32,
    stages=(
        BottleneckStage(16, 1, ONE, expansion=1),
        BottleneckStage(24, 2, (1, 2, 2)),
        BottleneckStage(40, 2, (1, 2, 2), kernel=(1, 5, 5)),
        BottleneckStage(80, 3, (1, 2, 2)),
        BottleneckStage(112, 3, ONE, kernel=(1, 5, 5)),
        BottleneckStage(192, 4, (1, 2, 2), kernel=(1, 5, 5)),
        BottleneckStage(320, 1, ONE),
    ),
    head=1280,
    momentum=0.99,
    positions=("conv4_1", "conv4_2", "conv5_2", "conv5_3", "conv6_2"),
    reduction=2,
    source="EfficientNet-Lite0 (Google, 2020; Tan and Le, ICML 2019)",
)

_TOP = functools.partial(classifier, dropout=0.2)  # as the authors train it
BUILDERS = {
    each.name: builder_of(each, mobilenet_v2, _TOP)
    for each in (
        _LITE0,
        dataclasses.replace(
            _LITE0,
            name="a2_efficientnet_lite0",
            builder="A2EfficientNetLite0",
            attention="a2",
            source="EfficientNet-Lite0 with five blocks on bottlenecks of 28×28 and 14×14: "
            "compact networks are the future work that the paper names",
        ),
    )
}

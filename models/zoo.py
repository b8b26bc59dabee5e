"""All networks by name: their builders, and what can be asked of them."""

import difflib
from typing import Any

import keras

from a2keras.models import (
    c3d,
    classic_resnet,
    convnet_lstm,
    efficientnet_lite,
    inception,
    mfnet,
    mobilenet_v2,
    r2plus1d,
    resnet,
    shufflenet_v2,
)
from a2keras.models.stages import features as features
from a2keras.models.weights.published import preprocess_input as preprocess_input

_BUILDERS = {
    **resnet.BUILDERS,
    **classic_resnet.BUILDERS,
    **inception.BUILDERS,
    **r2plus1d.BUILDERS,
    **c3d.BUILDERS,
    **convnet_lstm.BUILDERS,
    **mobilenet_v2.BUILDERS,
    **efficientnet_lite.BUILDERS,
    **shufflenet_v2.BUILDERS,
    **mfnet.BUILDERS,
}

ResNet26Video = _BUILDERS["resnet26_video"]
ResNet29Video = _BUILDERS["resnet29_video"]
ResNet50Video = _BUILDERS["resnet50_video"]
ResNet50Lite = _BUILDERS["resnet50_lite"]
A2ResNet50Video = _BUILDERS["a2_resnet50_video"]
A2ResNet50 = _BUILDERS["a2_resnet50"]
ResNet20 = _BUILDERS["resnet20"]
A2ResNet11 = _BUILDERS["a2_resnet11"]
A2ResNet11Video = _BUILDERS["a2_resnet11_video"]
ResNet50 = _BUILDERS["resnet50"]
ResNet152 = _BUILDERS["resnet152"]
SEResNet50 = _BUILDERS["se_resnet50"]
R2Plus1D34 = _BUILDERS["r2plus1d_34"]
R2Plus1D18 = _BUILDERS["r2plus1d_18"]
Res3D18 = _BUILDERS["res3d_18"]
InceptionV1 = _BUILDERS["inception_v1"]
I3D = _BUILDERS["i3d"]
C3D = _BUILDERS["c3d"]
ConvNetLSTM = _BUILDERS["convnet_lstm"]
MobileNetV2 = _BUILDERS["mobilenet_v2"]
A2MobileNetV2 = _BUILDERS["a2_mobilenet_v2"]
EfficientNetLite0 = _BUILDERS["efficientnet_lite0"]
A2EfficientNetLite0 = _BUILDERS["a2_efficientnet_lite0"]
ShuffleNetV2 = _BUILDERS["shufflenet_v2"]
A2ShuffleNetV2 = _BUILDERS["a2_shufflenet_v2"]
MFNet3D = _BUILDERS["mfnet_3d"]
A2MFNet3D = _BUILDERS["a2_mfnet_3d"]
MFNet2D = _BUILDERS["mfnet_2d"]
A2MFNet2D = _BUILDERS["a2_mfnet_2d"]


def list_models() -> list[str]:
    """The names that `build` knows."""
    return sorted(_BUILDERS)


def build(name: str, /, **arguments: Any) -> keras.Model:
    """Builds a network by name, with the arguments of its builder.

    Raises:
        ValueError: an unknown name.
    """
    return builder(name)(**arguments)


def builder(name: str) -> Any:
    """The builder of a network by name; its `network` is the record that it builds.

    Raises:
        ValueError: an unknown name.
    """
    if name not in _BUILDERS:
        near = difflib.get_close_matches(name, _BUILDERS, n=3) or list_models()
        raise ValueError(f"`name` must be a network such as {', '.join(near)}. Received: {name!r}")
    return _BUILDERS[name]


def is_video(name: str) -> bool:
    """Whether a network takes clips (frames, height, width, channels) rather than images."""
    return builder(name).network.is_video

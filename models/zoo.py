"""All networks by name: their builders, and what can be asked of them."""

from typing import Any

import keras

from a2keras.errors import nearest
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
        near = nearest(name, _BUILDERS) or list_models()
        raise ValueError(f"`name` must be a network such as {', '.join(near)}. Received: {name!r}")
    return _BUILDERS[name]


def is_video(name: str) -> bool:
    """Whether a network takes clips (frames, height, width, channels) rather than images."""
    return builder(name).network.is_video

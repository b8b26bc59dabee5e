"""What networks are called, known without Keras: a wrong name is refused before it is loaded."""

import importlib.util
import re
from pathlib import Path
from typing import NamedTuple

from a2keras.errors import UserError, did_you_mean, nearest, printable

PREFIX, SUFFIX = "keras:", ".keras"
FORMS = "keras:NAME is one of keras.applications, FILE.keras one of your own"


# What the builders of all networks take by name besides the arguments of `keras.applications`.
OPTIONS = ("attention", "positions", "reduction", "padding", "synchronized")


class Known(NamedTuple):
    """What is known of a network of the zoo.

    Attributes:
        builder: the name of its function.
        own: options that only builders of its family take.
        is_video: whether it takes clips.
    """

    builder: str = ""
    own: tuple[str, ...] = ()
    is_video: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """All that its builder takes by name."""
        return (*OPTIONS, *self.own)


_PRE_ACTIVATION, _CLASSIC = ("variant", "stem"), ("stride_on", "stem")

NETWORKS = {
    "a2_efficientnet_lite0": Known("A2EfficientNetLite0"),
    "a2_mfnet_2d": Known("A2MFNet2D"),
    "a2_mfnet_3d": Known("A2MFNet3D", is_video=True),
    "a2_mobilenet_v2": Known("A2MobileNetV2"),
    "a2_resnet11": Known("A2ResNet11", _PRE_ACTIVATION),
    "a2_resnet11_video": Known("A2ResNet11Video", _PRE_ACTIVATION, is_video=True),
    "a2_resnet50": Known("A2ResNet50", _PRE_ACTIVATION),
    "a2_resnet50_video": Known("A2ResNet50Video", _PRE_ACTIVATION, is_video=True),
    "a2_shufflenet_v2": Known("A2ShuffleNetV2"),
    "c3d": Known("C3D", is_video=True),
    "convnet_lstm": Known("ConvNetLSTM", ("all_steps",), is_video=True),
    "efficientnet_lite0": Known("EfficientNetLite0"),
    "i3d": Known("I3D", ("branch_2",), is_video=True),
    "inception_v1": Known("InceptionV1"),
    "mfnet_2d": Known("MFNet2D"),
    "mfnet_3d": Known("MFNet3D", is_video=True),
    "mobilenet_v2": Known("MobileNetV2"),
    "r2plus1d_18": Known("R2Plus1D18", is_video=True),
    "r2plus1d_34": Known("R2Plus1D34", is_video=True),
    "res3d_18": Known("Res3D18", is_video=True),
    "resnet152": Known("ResNet152", _CLASSIC),
    "resnet20": Known("ResNet20", _PRE_ACTIVATION),
    "resnet26_video": Known("ResNet26Video", _PRE_ACTIVATION, is_video=True),
    "resnet29_video": Known("ResNet29Video", _PRE_ACTIVATION, is_video=True),
    "resnet50": Known("ResNet50", _CLASSIC),
    "resnet50_lite": Known("ResNet50Lite", _PRE_ACTIVATION),
    "resnet50_video": Known("ResNet50Video", _PRE_ACTIVATION, is_video=True),
    "se_resnet50": Known("SEResNet50", _CLASSIC),
    "shufflenet_v2": Known("ShuffleNetV2"),
}


# Of any network, each once.
ALL_OPTIONS = tuple(dict.fromkeys(each for known in NETWORKS.values() for each in known.options))


def comma_separated(text: str) -> list[str]:
    """The names in a text with commas between; empty ones are none."""
    return [part for part in map(str.strip, text.split(",")) if part]


def is_host(name: str) -> bool:
    """Whether a network's name is none of the zoo's: `keras:NAME` or `FILE.keras`."""
    return name.startswith(PREFIX) or is_file(name)


def is_file(name: str) -> bool:
    return not name.startswith(PREFIX) and name.endswith(SUFFIX)


def check(name: str) -> None:
    """`UserError`: no network is called so, or there is no such file."""
    if is_file(name):
        if not Path(name).is_file():
            raise UserError(f"there is no file {printable(name)} ({FORMS})")
    elif name.startswith(PREFIX):
        plain, known = name.removeprefix(PREFIX), applications()
        if plain not in known:
            meant = [f"{PREFIX}{each}" for each in nearest(plain, known)]
            hint = did_you_mean(meant, f"keras.applications has {', '.join(known)}")
            raise UserError(f"there is no network {name!r}: {hint}")
    elif name not in NETWORKS:
        hint = did_you_mean(nearest(name, NETWORKS), "`a2keras summary` lists those of a2keras.")
        raise UserError(f"there is no network {name!r}: {hint} {FORMS}")


def applications() -> list[str]:
    """The names of the networks of `keras.applications`, as its `__init__` imports them."""
    keras = importlib.util.find_spec("keras")
    assert keras is not None and keras.origin is not None
    text = Path(keras.origin).with_name("applications").joinpath("__init__.py").read_text()
    return re.findall(r"\b([A-Z]\w*) as \1\b", text)

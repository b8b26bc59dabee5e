"""a2keras: the Keras home of double attention (Chen et al., "A²-Nets", NeurIPS 2018).

from a2keras import DoubleAttention
model.add(DoubleAttention(value_channels=64, descriptors=64))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from a2keras.console import is_command

if TYPE_CHECKING:
    from a2keras.attention_maps import attention_maps
    from a2keras.class_maps import class_activation_maps
    from a2keras.counting import count
    from a2keras.double_attention import DoubleAttention, double_attention
    from a2keras.insertion import insert_blocks
    from a2keras.non_local import NonLocal
    from a2keras.normalization import freeze_batch_normalization
    from a2keras.squeeze_excitation import SqueezeExcitation

__version__ = "0.1.0"
__all__ = [
    "DoubleAttention",
    "NonLocal",
    "SqueezeExcitation",
    "attention_maps",
    "class_activation_maps",
    "count",
    "double_attention",
    "freeze_batch_normalization",
    "insert_blocks",
]

_HOME = {
    "DoubleAttention": "a2keras.double_attention",
    "NonLocal": "a2keras.non_local",
    "SqueezeExcitation": "a2keras.squeeze_excitation",
    "attention_maps": "a2keras.attention_maps",
    "class_activation_maps": "a2keras.class_maps",
    "count": "a2keras.counting",
    "double_attention": "a2keras.double_attention",
    "freeze_batch_normalization": "a2keras.normalization",
    "insert_blocks": "a2keras.insertion",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'a2keras' has no attribute {name!r}")
    # Bound here because two of the functions share their name with the module they live in,
    # which the import system has just bound under that name.
    globals()[name] = getattr(import_module(_HOME[name]), name)
    return globals()[name]


# A user's `import a2keras` registers the layers, so that `keras.models.load_model` finds them. The
# command does without, so that `a2keras --help` answers at once and can quieten TensorFlow first.
if not is_command():
    for _name in __all__:
        __getattr__(_name)
    # Layers of networks in `a2keras.models`, and no public names.
    import_module("a2keras.channel_groups")

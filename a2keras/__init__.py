"""a2keras: the Keras home of double attention (Chen et al., "A²-Nets", NeurIPS 2018).

from a2keras import DoubleAttention
model.add(DoubleAttention(value_channels=64, descriptors=64))
"""

from typing import TYPE_CHECKING

from a2keras.console import is_command

# A user's `import a2keras` registers the layers, so that `keras.models.load_model` finds them. The
# command does without, so that `a2keras --help` answers at once and can quieten TensorFlow first.
if TYPE_CHECKING or not is_command():
    from a2keras import channel_groups as channel_groups  # layers of networks, no public names
    from a2keras import models as models
    from a2keras.attention_maps import attention_maps
    from a2keras.class_maps import class_activation_maps
    from a2keras.counting import count
    from a2keras.double_attention import DoubleAttention, double_attention
    from a2keras.insertion import insert_blocks
    from a2keras.non_local import NonLocal
    from a2keras.normalization import freeze_batch_normalization
    from a2keras.squeeze_excitation import SqueezeExcitation

__version__ = "1.0.0"
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

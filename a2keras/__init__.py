"""a2keras: the Keras home of double attention (Chen et al., "A²-Nets", NeurIPS 2018).

from a2keras import DoubleAttention
model.add(DoubleAttention(value_channels=64, descriptors=64))
"""

from importlib import import_module
from typing import TYPE_CHECKING

from a2keras.console import is_command
from a2keras.errors import UserError as UserError

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
if TYPE_CHECKING:
    from a2keras.export.interface.benchmark import benchmark
    from a2keras.export.interface.export import export
    from a2keras.export.interface.predict import predict, timeline
    from a2keras.training.config import Recipe
    from a2keras.training.interface.cross_validate import cross_validate
    from a2keras.training.interface.evaluate import evaluate
    from a2keras.training.interface.explain import explain
    from a2keras.training.interface.train import train
    from a2keras.training.run.interruption import Stopped

# What is imported when a program asks for it: whoever wants a layer does without.
_WHERE = {
    "Recipe": "a2keras.training.config",
    "Stopped": "a2keras.training.run.interruption",
    "benchmark": "a2keras.export.interface.benchmark",
    "cross_validate": "a2keras.training.interface.cross_validate",
    "evaluate": "a2keras.training.interface.evaluate",
    "explain": "a2keras.training.interface.explain",
    "predict": "a2keras.export.interface.predict",
    "timeline": "a2keras.export.interface.predict",
    "train": "a2keras.training.interface.train",
}

__version__ = "1.0.0"
__all__ = [
    "DoubleAttention",
    "NonLocal",
    "Recipe",
    "SqueezeExcitation",
    "Stopped",
    "UserError",
    "attention_maps",
    "benchmark",
    "class_activation_maps",
    "count",
    "cross_validate",
    "double_attention",
    "evaluate",
    "explain",
    "export",
    "freeze_batch_normalization",
    "insert_blocks",
    "predict",
    "timeline",
    "train",
]

if not TYPE_CHECKING:  # to a type checker a name that is not there stays an error

    def __getattr__(name: str) -> object:
        if name == "export":  # the package, which is also the function
            return import_module("a2keras.export")
        if name not in _WHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_WHERE[name]), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})

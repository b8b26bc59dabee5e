"""Networks of the paper's tables as Keras builders, their preprocessing and weights."""

from importlib import import_module
from typing import Any

from a2keras.models.names import NETWORKS

_NETWORK_OF = {known.builder: name for name, known in NETWORKS.items()}
__all__ = ["build", "features", "is_video", "list_models", "preprocess_input", *_NETWORK_OF]


def __getattr__(name: str) -> Any:
    # Keras takes seconds to import, and whoever makes pixels of a file goes without. Editors and
    # type checkers go by `__init__.pyi`.
    if name not in (*__all__, "builder"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    zoo = import_module("a2keras.models.zoo")
    return zoo.builder(_NETWORK_OF[name]) if name in _NETWORK_OF else getattr(zoo, name)

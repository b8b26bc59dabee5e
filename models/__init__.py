"""Networks of the paper's tables as Keras builders, their preprocessing and weights."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from a2keras.models.zoo import build, features, is_video, list_models, preprocess_input

__all__ = ["build", "features", "is_video", "list_models", "preprocess_input"]


def __getattr__(name: str) -> Any:
    # Keras takes seconds to import, and whoever makes pixels of a file goes without. Builders are
    # named like classes; all else that is asked for here is a module.
    if not name[0].isupper() and name not in (*__all__, "builder"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("a2keras.models.zoo"), name)

"""Weights into networks: published ones by name, files of ours, files of other libraries."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from a2keras.models.weights.assignment import Report
    from a2keras.models.weights.loading import convert, inflate, load

__all__ = ["Report", "convert", "inflate", "load"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        # Keras takes seconds to import, and whoever asks for a record's name goes without.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module("a2keras.models.weights.loading"), name)

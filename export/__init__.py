"""Artefacts that compute the same as their model, and prediction from them.

The package is also the function `a2keras.export(…)`, see `export.interface.export`.
"""

import sys
from types import ModuleType
from typing import Any


class _Export(ModuleType):
    """The package as a function.

    A program says `a2keras.export(…)` as it says `a2keras.train(…)`; but as soon as anything of
    this package is imported, Python makes `a2keras.export` the package. So it can be called.
    """

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from a2keras.export.interface.export import export

        return export(*arguments, **options)

    @property
    def __signature__(self) -> Any:
        import inspect

        from a2keras.export.interface.export import export

        return inspect.signature(export)


sys.modules[__name__].__class__ = _Export

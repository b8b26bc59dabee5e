"""A model of unknown origin in a process of its own, as `loaders.load_model` gives it in this."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from a2keras.console import quiet_native_stderr
from a2keras.errors import UserError, printable
from a2keras.export.reading import loaders
from a2keras.export.reading.process import Failure, Process


class Model:
    """What is in the other process."""

    def __init__(self, path: str, kind: str, threads: int | None) -> None:
        self._loaded = loaders.load_model(Path(path), kind, threads)

    def about(self) -> dict[str, Any]:
        loaded = self._loaded
        return {"shapes": (loaded.input_shape, loaded.output_shape), "batch": loaded.batch}

    def compute(self, batch: np.ndarray) -> np.ndarray:
        return self._loaded.compute(batch)


def load_apart(path: Path, kind: str, threads: int | None = None) -> loaders.Loaded:
    """As `loaders.load_model`, with the model in a process of its own, see `Process`.

    Raises:
        UserError: it cannot be loaded, or its process has ended meanwhile; names the path.
    """
    arguments = {"path": str(path), "kind": kind, "threads": threads}
    process = Process("a2keras.export.reading.apart", "Model", arguments)
    _import_keras()
    try:
        about = process.about()
    except Failure as failure:
        raise UserError(f"{printable(path)} cannot be loaded as {kind}: {failure}") from failure

    def compute(batch: np.ndarray) -> np.ndarray:
        result: np.ndarray = process.call("compute", batch)
        return result

    input_shape, output_shape = map(tuple, about["shapes"])
    return loaders.Loaded(compute, input_shape, output_shape, about["batch"], process.close)


def _import_keras() -> None:
    """Imports in this process what resizes pictures, which takes seconds, while the other loads."""
    if "keras" in sys.modules:
        return
    with quiet_native_stderr():
        import keras

        if keras.backend.backend() == "tensorflow":
            # Looking for GPUs is part of the start: where there is no driver, it says so at length.
            import_module("tensorflow").config.list_physical_devices()

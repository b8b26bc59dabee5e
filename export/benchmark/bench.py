"""One artefact of a benchmark, in a process that holds nothing else, see `Process`."""

import contextlib
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from a2keras import measuring
from a2keras.errors import UserError
from a2keras.export import openvino
from a2keras.export.manifest import files_of
from a2keras.models.weights import fetching

# What is imported before memory is counted: it is the library's, whatever the model.
RUNTIMES: dict[str, Callable[[], Any]] = {
    "keras": partial(import_module, "keras"),
    "onnx": partial(import_module, "onnxruntime"),
    "openvino": openvino.library,
    "saved_model": partial(import_module, "tensorflow"),
    "tflite": partial(import_module, "ai_edge_litert.interpreter"),
}


class Bench:
    """A loaded artefact and the pixels that it is timed on."""

    def __init__(self, path: str, threads: int, batch: int, warm_up: int) -> None:
        """Loads it and runs it a few times with one example.

        Args:
            path: anything that `predict.load` takes.
            threads: see `load_model`.
            batch: examples of a batch, where the artefact does not fix that.
            warm_up: calls that are not timed, but for the first.
        """
        from a2keras.export.reading.loaders import locate

        self._kind = locate(Path(path))[1]
        with contextlib.suppress(ImportError, UserError):  # the loader says what is missing
            RUNTIMES[self._kind]()
        from a2keras.export import parity, predict

        self._before = measuring.forget_peak()
        start = time.perf_counter()
        self._artefact = predict.load(path, threads, apart=False)
        self._load = time.perf_counter() - start
        self._size = self._artefact.batch or batch
        shape = self._artefact.preprocessing.input_shape
        self._pixels = parity.natural_pixels(shape, 1).astype("float32")
        self._batch = self._pixels.repeat(self._size, axis=0)
        self._artefact.probabilities(self._pixels)  # refuses what gives no probabilities
        self._first = time.perf_counter() - start - self._load
        self.run(warm_up, batched=False)
        self._peak = self._peak_now()

    def about(self) -> dict[str, Any]:
        """What is known once it has been loaded; seconds and bytes."""
        device, peak = self._peak
        record = fetching.record_of(self._artefact.path)
        return {
            "path": record.title if record else str(self._artefact.path),
            "kind": self._kind,
            "bytes": sum(each.stat().st_size for each in files_of(self._artefact.path)),
            "load_seconds": self._load,
            "first_seconds": self._first,
            "batch": self._size,
            "peak_bytes": peak,
            "device": device,
        }

    def run(self, count: int, batched: bool) -> list[float]:
        """The seconds of so many calls, each with one example or a batch."""
        pixels = self._batch if batched else self._pixels
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            self._artefact.compute(pixels)
            seconds.append(time.perf_counter() - start)
        return seconds

    def finish(self) -> dict[str, Any]:
        """The peak of memory after all calls, those with batches among them."""
        return {"batch_peak_bytes": self._peak_now()[1]}

    def _peak_now(self) -> tuple[str, int]:
        if self._kind in ("keras", "saved_model"):
            device, peak, whose = measuring.peak_memory(self._before)
            if whose != "the process":  # a GPU's
                return device, peak
        return measuring.processor(), measuring.peak_resident() - self._before

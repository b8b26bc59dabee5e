"""What the workers of a run tell one another: all hear the chief, by sums over all workers."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from a2keras.training.compute.computation import Computation


def share(
    computation: Computation, document: dict[str, Any], arrays: Sequence[np.ndarray] = ()
) -> tuple[dict[str, Any], Sequence[np.ndarray]]:
    """What the chief passes comes back on every worker, once all are here.

    Args:
        computation: that the workers share.
        document: as JSON has it.
        arrays: of any shapes and types.
    """
    if computation.workers == 1:
        return document, arrays
    header = {"document": document, "arrays": [[a.dtype.name, a.shape] for a in arrays]}
    parts = [json.dumps(header).encode(), *(array.tobytes() for array in arrays)]
    sizes = np.array([len(parts[0]), sum(map(len, parts))], "int64")
    length, total = np.frombuffer(_of_chief(computation, sizes.tobytes(), 16), "int64").tolist()
    data = _of_chief(computation, b"".join(parts), total)
    header = json.loads(data[:length])
    received, at = [], length
    for dtype, shape in header["arrays"]:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        received.append(np.frombuffer(data[at : at + size], dtype).reshape(shape))
        at += size
    return header["document"], received


def _of_chief(computation: Computation, data: bytes, size: int) -> bytes:
    """The `size` bytes that the chief passes, on every worker."""
    words = np.zeros(-(-size // 2), "uint16")
    if computation.is_chief:
        words.view("uint8")[:size] = np.frombuffer(data, "uint8")
    # The others add zeros to it. As float32, which every device adds exactly up to 2^24.
    return computation.add_up(words.astype("float32")).astype("uint16").tobytes()[:size]

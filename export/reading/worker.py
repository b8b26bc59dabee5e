"""An object in a process that holds nothing else: the end of `Process` that may crash.

`python -m a2keras.export.reading.worker MODULE CLASS MEMORY` reads requests from standard input and
answers each on standard output. The first makes the object, each further one calls a method of it.
"""

import contextlib
import json
import math
import os
import signal
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from a2keras.errors import UserError, reason_of


class Message(NamedTuple):
    """What goes from one process to the other: a JSON document, and an array as raw bytes."""

    document: dict[str, Any]
    array: np.ndarray | None = None


def send(stream: BinaryIO, message: Message) -> None:
    """Writes a message: the document as one line, the array's bytes behind it."""
    document, array = message
    if array is not None:
        array = np.ascontiguousarray(array)
        document = {**document, "dtype": array.dtype.str, "shape": array.shape}
    stream.write(json.dumps(document).encode() + b"\n")
    if array is not None:
        stream.write(array.reshape(-1).view(np.uint8).data)
    stream.flush()


def receive(stream: BinaryIO) -> Message | None:
    """Reads a message; None at the stream's end, also within a message."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    document = json.loads(line)
    if "dtype" not in document:
        return Message(document)
    array = np.empty(math.prod(document["shape"]), np.dtype(document["dtype"]))
    left = array.view(np.uint8).data
    while left:
        count = stream.readinto(left)  # type: ignore[attr-defined]
        if not count:
            return None
        left = left[count:]
    return Message(document, array.reshape(document["shape"]))


def serve(make: Any, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers requests until there are no more; a mistake ends the making, a failure one call.

    Args:
        make: of the arguments of the first request, an object with a method `about`.
        requests: `{"arguments": {…}}`, then `{"call": method, "arguments": {…}}`, with the array as
            the method's first argument.
        answers: `{"answer": …}` or an array, `{"mistake": sentence}` of a `UserError`, or
            `{"failure": reason}` of any other error.
    """
    served: Any = None
    while (request := receive(requests)) is not None:
        arguments = request.document["arguments"]
        given = () if request.array is None else (request.array,)
        try:
            if served is None:
                served = make(**arguments)
                answer = served.about()
            else:
                answer = getattr(served, request.document["call"])(*given, **arguments)
        except UserError as mistake:
            message = Message({"mistake": str(mistake)})
        except Exception as error:  # foreign files: libraries raise errors of a dozen types
            message = Message({"failure": reason_of(error)})
        else:
            is_array = isinstance(answer, np.ndarray)
            message = Message({}, answer) if is_array else Message({"answer": answer})
        send(answers, message)


def main() -> None:
    module, name, memory = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the parent ends this process
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    _limit_memory(int(memory))
    # Libraries write to standard output as they like, and could read standard input.
    answers, requests = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr  # in their order: the last line there says how this process has ended
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    serve(getattr(import_module(module), name), requests, answers)


def _end_with(parent: int) -> None:
    """Ends this process when its parent has been killed, whatever a library is doing."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _limit_memory(limit: int) -> None:
    """Lets memory that a file asks for without end fail here, before the machine runs out of it."""
    with contextlib.suppress(OSError):  # where there is still too little, this process is ended
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        if limit:
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


if __name__ == "__main__":
    main()

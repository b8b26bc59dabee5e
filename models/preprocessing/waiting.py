"""Work of decoders in a thread of its own, which can be left behind when it takes too long."""

import contextlib
import queue
import threading
import traceback
from collections.abc import Callable, Generator, Iterator
from typing import Any

from a2keras.errors import OutOfResources, lacking
from a2keras.models.preprocessing.errors import DecodeError, undecodable
from a2keras.models.preprocessing.places import Path_

AHEAD = 2  # items that are made while the last one is still in use

Work = Callable[[threading.Event], Iterator[Any]]


def from_thread(path: Path_, work: Work, limit: float, reason: str) -> Generator[Any, None, None]:
    """What a generator yields, without the Nones: it runs in a thread of its own.

    Args:
        path: what the errors name.
        work: gives the generator; the event is set when nobody waits any more.
        limit: seconds within which it must yield something, be it None.
        reason: what to say of the file if it does not.

    Raises:
        DecodeError: the limit is over. The thread ends when the generator next looks at the event
            or, if a decoder hangs, with the process.
        OutOfResources: there can be no further thread, or the generator has told so.
    """
    items: queue.Queue[tuple[str, Any]] = queue.Queue(AHEAD)
    stop = threading.Event()

    def put(kind: str, item: Any = None) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                items.put((kind, item), timeout=0.1)
                return

    def run() -> None:
        try:
            with contextlib.closing(work(stop)) as made:  # type: ignore[type-var]
                for item in made:
                    put("item", item)
                    if stop.is_set():
                        return
            put("end")
        except BaseException as error:
            put("error", _alone(path, error))

    try:
        threading.Thread(target=run, name="decode", daemon=True).start()
    except RuntimeError as error:
        raise undecodable(path, "cannot be read", error) from None
    try:
        while True:
            kind, item = items.get(timeout=max(limit, 0.0))
            if kind == "end":
                return
            if kind == "error":
                raise item
            if item is not None:
                yield item
    except queue.Empty:
        raise DecodeError(path, reason) from None
    finally:
        stop.set()
        item = None  # an error holds this frame, which must not hold the error


def _alone(path: Path_, error: BaseException) -> BaseException:
    """An error that does not hold what it has met, as decoders and their threads.

    Errors are collected in reports, and nothing but Python's cyclic collector, at a time of its
    own, would let go of what the frames of their tracebacks hold.
    """
    if lacking(error) and not isinstance(error, OutOfResources):
        lack = undecodable(path, "cannot be read", error)
        lack.__cause__ = error
        error = lack
    each: BaseException | None = error
    while each is not None:
        traceback.clear_frames(each.__traceback__)
        each = each.__cause__ or each.__context__
    return error

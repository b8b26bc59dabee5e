"""A command that is asked to end: by an exception, so that what is half done is cleaned up."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_AGAIN = 0.05  # seconds


class Terminated(BaseException):
    """The process is asked to end.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


@contextlib.contextmanager
def ending_by_exceptions() -> Iterator[None]:
    """Makes `Terminated` of the signals that end a process, where nobody else has taken them.

    Afterwards they are as they were: a program or a test may call the command, too.
    """
    taken = [each for each in _SIGNALS if signal.getsignal(each) == signal.SIG_DFL]
    before = sys.unraisablehook
    for each in taken:
        signal.signal(each, _raise)
    sys.unraisablehook = _again
    try:
        yield
    finally:
        sys.unraisablehook = before
        for each in taken:
            signal.signal(each, signal.SIG_DFL)


def _raise(number: int, _: FrameType | None) -> NoReturn:
    raise Terminated(number)


def _again(lost: Any) -> None:
    """Raises once more, a little later, what a signal raised within a callback, where it is lost.

    JAX has one of the garbage collector.
    """
    error = lost.exc_value
    if not isinstance(error, Terminated | KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return

    def raise_it(*_: Any) -> NoReturn:
        raise error

    signal.signal(signal.SIGALRM, raise_it)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN)

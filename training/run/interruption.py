"""SIGTERM and Ctrl-C: a run that is asked to stop saves, and says so by its exit code."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

STOPPED = 75  # BSD's EX_TEMPFAIL, "try again later": saved; the same command goes on
WORKER_LOST = 76  # another worker is gone; the same command on all workers goes on
INTERRUPTED = 130  # as shells report Ctrl-C; saved as well
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(Exception):
    """The run was asked to stop, or has to, and the same command goes on with it.

    Attributes:
        exit_code: of the command.
    """

    def __init__(self, message: str, exit_code: int = STOPPED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Interruption:
    """Notes that the process has been asked to stop.

    Attributes:
        patient: whether somebody looks at `received` soon: a loop that ends its step and saves.
            Where nobody does there is nothing to save, and the signal ends the run at once; so does
            a second Ctrl-C.
        received: the first signal that came while `patient`.
    """

    def __init__(self) -> None:
        self.patient = False
        self.received: signal.Signals | None = None

    @contextlib.contextmanager
    def watch(self) -> Iterator["Interruption"]:
        """Takes over the signals for the block."""
        before = self.listen()
        try:
            yield self
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def listen(self) -> dict[signal.Signals, Any]:
        """Takes over the signals, again where a library has taken them; returns whose they were.

        Outside the main thread there are none to take.
        """
        try:
            return {each: signal.signal(each, self._note) for each in _SIGNALS}
        except ValueError:
            return {}

    @property
    def exit_code(self) -> int:
        return INTERRUPTED if self.received == signal.SIGINT else STOPPED

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and (not self.patient or self.received is not None):
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
        if not self.patient:
            raise Stopped(f"stopped by {self.received.name}: nothing was to be saved")

"""A process of its own for what may crash, hang or fill the memory: models of unknown origin."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from a2keras.errors import UserError, printable
from a2keras.export.worker import Message, receive, send
from a2keras.measuring import memory_of_machine

START_SECONDS = 600  # for loading; an hour-long download is not what this is for
PIPE_BYTES = 2**20  # where the system allows it: pixels then go over in few turns
# Their drivers reserve more addresses than there is memory, which a limit would not let them.
GPUS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


class Failure(Exception):
    """Why a process has no answer: an error in it, or how it has ended."""


class Process:
    """An object of a class in a process of its own, see `worker`.

    A context manager; a process that is not closed ends when this is no longer referred to, or with
    the program. It takes over the environment, and the backend of Keras where that is in use.
    """

    def __init__(
        self,
        module: str,
        name: str,
        arguments: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
        seconds: float = START_SECONDS,
    ) -> None:
        """Starts the process and makes the object.

        Args:
            module: of the class.
            name: of the class.
            arguments: of its constructor, as JSON can tell them.
            environment: variables besides.
            seconds: within which the object must be there.

        Raises:
            UserError: the same that the constructor raised.
            Failure: any other error of it; the process has ended or took too long.
        """
        self._lock = threading.Lock()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `_end`)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "a2keras.export.worker", module, name, _memory_limit()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **_settings(), **(environment or {})},
        )
        self._finalizer = weakref.finalize(self, _end, self._process, self._errors)
        _widen(self._process.stdin)
        _widen(self._process.stdout)
        self._late = False
        timer = threading.Timer(seconds, self._too_late)
        timer.daemon = True
        timer.start()
        try:
            self.about: Any = self._ask(Message({"arguments": dict(arguments)}))
        except Failure as failure:
            self.close()
            late = f"it took more than {seconds:g} s"
            raise Failure(late if self._late else str(failure)) from None
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()

    def call(self, method: str, array: np.ndarray | None = None, **arguments: Any) -> Any:
        """What a method of the object returns: a document, or an array.

        Args:
            method: its name.
            array: its first argument.
            arguments: the others, as JSON can tell them.

        Raises:
            UserError: the same that the method raised.
            Failure: any other error of it, or the process has ended.
        """
        return self._ask(Message({"call": method, "arguments": arguments}, array))

    def _ask(self, request: Message) -> Any:
        with self._lock:
            try:
                answer = self._exchange(request)
            except BaseException:  # interrupted: a later answer would be to an earlier question
                self.close()
                raise
        if answer is None:
            raise Failure(self._end_of_process())
        document, array = answer
        if "mistake" in document:
            raise UserError(document["mistake"])
        if "failure" in document:
            raise Failure(document["failure"])
        return document["answer"] if array is None else array

    def _exchange(self, request: Message) -> Message | None:
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None and answers is not None
        if requests.closed:
            return None
        try:
            send(requests, request)  # type: ignore[arg-type]
            return receive(answers)  # type: ignore[arg-type]
        except (OSError, ValueError):  # it has ended, or writes what is no message
            return None

    def _too_late(self) -> None:
        self._late = True
        self._process.kill()

    def _end_of_process(self) -> str:
        """How the process has ended, in words."""
        if not self._finalizer.alive:
            return "its process has been ended"
        code = self._process.wait()
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 4096))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        self.close()
        if code < 0:  # a native library has crashed, or memory has run out
            return f"its process was ended by signal {-code} ({_name_of(-code)})"
        return printable(lines[-1][:200]) if lines else f"its process has ended with code {code}"

    def close(self) -> None:
        """Ends the process."""
        self._finalizer()

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _end(process: subprocess.Popen, errors: IO[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, errors):
        with contextlib.suppress(OSError):  # what was not written yet has no reader
            stream.close()  # type: ignore[union-attr]


def _settings() -> dict[str, str]:
    settings = {"TF_CPP_MIN_LOG_LEVEL": "2"}
    # TensorFlow takes all of a GPU's memory by itself, where this process may have some, too.
    settings["TF_FORCE_GPU_ALLOW_GROWTH"] = os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if keras := sys.modules.get("keras"):
        settings["KERAS_BACKEND"] = keras.backend.backend()
    return settings


def _memory_limit() -> str:
    return "0" if any(Path(gpu).exists() for gpu in GPUS) else str(memory_of_machine())


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _widen(pipe: Any) -> None:
    try:
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (ImportError, AttributeError, OSError):  # not Linux, or more than a user may have
        pass

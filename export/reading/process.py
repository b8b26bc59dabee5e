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

from a2keras import files
from a2keras.errors import UserError, printable
from a2keras.export.reading.worker import Message, receive, send
from a2keras.measuring import memory_of_machine

START_SECONDS = 600  # large models on slow disks take minutes
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
        """Starts the process, which begins to make the object.

        Args:
            module: of the class.
            name: of the class.
            arguments: of its constructor, as JSON can tell them.
            environment: variables besides.
            seconds: within which the object must be there.
        """
        self._lock = threading.Lock()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `_end`)
        # It cannot tidy up after a crash. (`_end` does.)
        scratch = tempfile.mkdtemp(prefix="a2keras-")
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "a2keras.export.reading.worker",
                module,
                name,
                _memory_limit(),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **_settings(), "TMPDIR": scratch, **(environment or {})},
        )
        self._finalizer = weakref.finalize(
            self, _end, os.getpid(), self._process, self._errors, scratch
        )
        _widen(self._process.stdin)
        _widen(self._process.stdout)
        self._seconds, self._late = seconds, threading.Event()
        self._timer = threading.Timer(seconds, _end_late, (self._process, self._late))
        self._timer.daemon = True
        self._timer.start()
        self._send(Message({"arguments": dict(arguments)}))

    def about(self) -> Any:
        """Waits until the object is there; what its own `about` tells. To be called once.

        Raises:
            UserError: the same that the constructor raised.
            Failure: any other error of it; the process has ended or took too long.
        """
        try:
            return self._exchange(None)
        except Failure as failure:
            self.close()
            late = f"it took more than {self._seconds:g} s"
            raise Failure(late if self._late.is_set() else str(failure)) from None
        except UserError:
            self.close()
            raise
        finally:
            self._timer.cancel()

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
        return self._exchange(Message({"call": method, "arguments": arguments}, array))

    def _exchange(self, request: Message | None) -> Any:
        """The answer to a request; None: to that which has been sent."""
        with self._lock:
            try:
                if request is not None:
                    self._send(request)
                answer = receive(self._process.stdout)  # type: ignore[arg-type]
            except Exception:  # it is closed, or what it writes is no message
                answer = None
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

    def _send(self, request: Message) -> None:
        # Once it has ended, there is no answer either, and that is told then.
        with contextlib.suppress(OSError, ValueError):
            send(self._process.stdin, request)  # type: ignore[arg-type]

    def _end_of_process(self) -> str:
        """How the process has ended, in words."""
        if not self._finalizer.alive:
            return "its process has been ended"
        code = self._code()
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 4096))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        self.close()
        if code < 0:  # a native library has crashed, or memory has run out
            return f"its process was ended by signal {-code} ({_name_of(-code)})"
        return printable(lines[-1][:200]) if lines else f"its process has ended with code {code}"

    def _code(self) -> int:
        try:
            return self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:  # it lives, and has written nonsense
            self._process.kill()
            return self._process.wait()

    def close(self) -> None:
        """Ends the process."""
        self._finalizer()

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _end_late(process: subprocess.Popen, late: threading.Event) -> None:
    late.set()
    process.kill()


def _end(owner: int, process: subprocess.Popen, errors: IO[bytes], scratch: str) -> None:
    if os.getpid() != owner:  # a fork of the program, which ends earlier
        return
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, errors):
        with contextlib.suppress(OSError):  # what was not written yet has no reader
            stream.close()  # type: ignore[union-attr]
    with contextlib.suppress(OSError):
        files.remove(Path(scratch))


def _settings() -> dict[str, str]:
    # The second: see `onnx`.
    settings = {"TF_CPP_MIN_LOG_LEVEL": "2", "ORT_DISABLE_TELEMETRY": "1"}
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

"""Gives damaged files to worker processes, and attributes what happens to the file."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reader import Reader

OUTCOMES = (
    "accepted",
    "clean",
    "sound refused",
    "traceback",
    "crash",
    "hang",
    "memory",
)
GOOD = ("accepted", "clean")
MEMORY = 2 * 1024**3  # resident, that one input may take besides
RECYCLE = 4 * 1024**3  # resident, after which a process is replaced between two inputs
START = 180.0  # seconds for a process's start and for the sound files
PORTION = 20  # inputs between two looks at the clock
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Report:
    """What has become of the inputs of one reader.

    Attributes:
        reader: it.
        counts: of each outcome.
        failures: number, outcome, error and place of each input that is neither accepted nor
            refused in one sentence.
        seconds: that its inputs took.
        skipped: why nothing was tried.
    """

    reader: Reader
    counts: Counter = field(default_factory=Counter)
    failures: list[tuple[int, str, str, str]] = field(default_factory=list)
    seconds: float = 0.0
    skipped: str = ""

    def add(self, number: int, seconds: float, outcome: str, detail: str, place: str) -> None:
        if number < 0 and outcome == "clean" != self.reader.sound:
            outcome = "sound refused"
        self.counts[outcome] += 1
        self.seconds += seconds
        if outcome not in GOOD:
            self.failures.append((number, outcome, detail, place))

    def document(self) -> dict[str, Any]:
        return {
            "reader": self.reader.name,
            "inputs": self.counts.total(),
            **{outcome: self.counts[outcome] for outcome in OUTCOMES},
            "seconds": round(self.seconds, 1),
            **({"skipped": self.skipped} if self.skipped else {}),
            "failures": self.distinct(),
        }

    def distinct(self) -> list[dict[str, Any]]:
        """The failures by place and kind, the most frequent first, with one number of each."""
        groups: dict[tuple, list[int]] = {}
        said: dict[tuple, str] = {}
        for number, outcome, detail, place in self.failures:
            key = (outcome, detail.partition(":")[0], place)
            groups.setdefault(key, []).append(number)
            said.setdefault(key, detail)
        order = sorted(groups, key=lambda key: -len(groups[key]))
        return [
            {"outcome": key[0], "count": len(groups[key]), "error": said[key], "place": key[2],
             "only": groups[key][0]}
            for key in order
        ]  # fmt: skip


class Worker:
    """A process that reads, and is started anew after a crash.

    Args:
        folder: for the sound files of all readers, `seeds`, and this worker's own copies.
        name: of the worker.
        readers: the module that has `READERS`.
    """

    def __init__(self, folder: Path, name: str, readers: str) -> None:
        self.folder, self.name, self.readers = folder, name, readers
        self.python = ""
        self.process: subprocess.Popen | None = None
        self.words = folder / f"{name}.stderr"

    def start(self) -> subprocess.Popen:
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "Agg",
                       "HOME": str(self.folder / "home"), "PYTHONFAULTHANDLER": "",
                       "TMPDIR": str(self.folder / "tmp")}  # fmt: skip
        for name in ("home", "tmp"):
            (self.folder / name).mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [self.python, str(Path(__file__).with_name("worker.py")), self.readers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.words.open("wb"),
            env=environment,
        )
        self.rest = b""
        return self.process

    def use(self, python: str) -> None:
        """Reads in the environment of this Python from now on."""
        if python != self.python:
            self.stop()
            self.python = python

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def run(self, reader: Reader, numbers: list[int]) -> Iterator[tuple]:
        """Yields (number, seconds, outcome, detail, place) of every input."""
        while numbers:
            process = self.process or self.start()
            copy = self.folder / self.name
            request = {"reader": reader.name, "seeds": str(self.folder / "seeds" / reader.name),
                       "copy": str(copy), "numbers": numbers}  # fmt: skip
            assert process.stdin
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            done = 0
            for result in self._answers(reader):
                yield result
                done += result[0] >= 0
            if self._resident() > RECYCLE:
                self.stop()
            numbers = numbers[done:]

    def _answers(self, reader: Reader) -> Iterator[tuple]:
        """The results of one process; its end within an input is that input's result."""
        number: int | None = None
        limit, before, begin = START, 0, 0.0
        while True:
            line = self._line(limit, before + MEMORY if number is not None else 2**63)
            if isinstance(line, str):  # it is no more
                if number is None:
                    raise RuntimeError(f"{reader.name}: {line} before the first input: "
                                       f"{self.last_words()}")  # fmt: skip
                words = self.last_words()
                self.stop()
                yield number, time.monotonic() - begin, *line.split(": ", 1), words
                return
            answer = json.loads(line)
            if not answer:
                return
            if answer[0] == "failed":
                raise RuntimeError(f"{reader.name}: the sound files are not read: {answer[1]}")
            if len(answer) == 1:
                number, before = answer[0], self._resident()
                # What a sound file needs is imported with it.
                limit = reader.seconds if number >= 0 else START
                begin = time.monotonic()
            else:
                yield number, time.monotonic() - begin, *answer[1:]

    def _line(self, seconds: float, memory: int) -> bytes | str:
        """The next line; or in words why there is none: `outcome: detail`."""
        assert self.process and self.process.stdout
        end = time.monotonic() + seconds
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.process.stdout], [], [], 0.1)
            if ready:
                part = os.read(self.process.stdout.fileno(), 65536)
                if not part:
                    return f"crash: {ending(self.process.wait())}"
                self.rest += part
            elif time.monotonic() > end:
                return f"hang: more than {seconds:g} s"
            elif self._resident() > memory:
                return f"memory: more than {MEMORY // 1024**2} MiB"
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def _resident(self) -> int:
        try:
            assert self.process
            return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE
        except (OSError, IndexError, AssertionError):
            return 0

    def last_words(self) -> str:
        lines = self.words.read_bytes().decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else ""


def ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def fuzz(
    chosen: list[Reader],
    numbers_of: Callable[[Reader], list[int]],
    folder: Path,
    seconds: float = float("inf"),
    processes: int = 2,
    pythons: Sequence[str] = (sys.executable,),
    readers: str = "readers",
    told: Callable[[Report], None] = lambda report: None,
) -> list[Report]:
    """Reads the inputs of all readers.

    Args:
        chosen: each is one worker's at a time, in this order.
        numbers_of: which inputs.
        folder: to work in.
        seconds: for the inputs of one reader, after which the rest of them is left out.
        processes: workers.
        pythons: of environments whose package is tried: the first that has what a reader needs.
        readers: the module that has `READERS`.
        told: called after every input.
    """
    workers = [Worker(folder, f"worker{number}", readers) for number in range(processes)]

    def one(reader: Reader) -> Report:
        report = Report(reader)
        able = (python for python in pythons if has(python, reader.needs))
        if (python := next(able, None)) is None:
            report.skipped = f"needs {', '.join(reader.needs)}"
            return report
        worker, numbers = workers.pop(), numbers_of(reader)
        worker.use(python)
        try:
            while numbers and report.seconds < seconds:
                # Slow ones by themselves, so that the clock is heeded.
                portion = PORTION if report.seconds < 0.2 * report.counts.total() else 1
                for result in worker.run(reader, numbers[:portion]):
                    report.add(*result)
                    told(report)
                numbers = numbers[portion:]
        except RuntimeError as error:  # of `Worker`: there is nothing to damage
            report.add(-1, 0.0, "sound refused", str(error), "")
        finally:
            workers.append(worker)
        return report

    try:
        with ThreadPoolExecutor(processes) as pool:
            return list(pool.map(one, chosen))
    finally:
        for worker in workers:
            worker.stop()


def has(python: str, modules: Sequence[str]) -> bool:
    """Whether an environment has these modules."""
    code = "import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, sys.argv[1:])))"
    return not modules or subprocess.run([python, "-c", code, *modules]).returncode == 0

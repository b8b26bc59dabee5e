"""How fast artefacts are and what they take: each in a process of its own, by turns."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from a2keras import __version__
from a2keras.console import progress
from a2keras.errors import UserError, counted, printable
from a2keras.export.reading import loaders
from a2keras.export.reading.process import Failure, Process
from a2keras.training.data.opening import ALL_EXAMPLES

CALLS_A_ROUND = 5
MIB = 2**20


def benchmark(
    paths: Sequence[str],
    repeats: int = 50,
    batch: int = 8,
    threads: int | None = None,
    warm_up: int = 5,
) -> dict[str, Any]:
    """Times artefacts in rounds: in each, every artefact has its turn, to and fro.

    What slows the machine down for a while then slows all of them alike. The ratios are medians of
    the rounds' own ratios.

    Args:
        paths: of artefacts, anything that `predict.load` takes.
        repeats: calls of each with one example; a batch is run once for every five of them.
        batch: examples of a batch, where an artefact does not fix that.
        threads: of each library; None: one for every core that this process may use.
        warm_up: calls of each before, which are not timed.

    Returns:
        `threads`, `repeats`, `a2keras`, and of each of `artefacts`: what `Bench` tells;
        `latency_median`, `latency_p95` (seconds, one example) and `latency_ratio` to the first's;
        `examples_per_second` (median, in batches) and `throughput_ratio`.

    Raises:
        UserError: an artefact that does not load or run.
    """
    for path in paths:  # fetches weights, and loads no library
        loaders.locate(Path(path))
    threads = threads or _cores()
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(contextlib.closing(Worker(path, threads, batch, warm_up)))
            for path in paths
        ]
        about = [worker.about for worker in workers]
        latencies: list[list[list[float]]] = [[] for _ in workers]
        batches: list[list[float]] = [[] for _ in workers]
        rounds = -(-repeats // CALLS_A_ROUND)
        for number in progress(range(rounds), "benchmark", "round"):
            order = range(len(workers)) if number % 2 == 0 else reversed(range(len(workers)))
            calls = min(CALLS_A_ROUND, repeats - number * CALLS_A_ROUND)
            for index in order:
                workers[index].run(1, batched=False)  # the others have had the caches meanwhile
                latencies[index].append(workers[index].run(calls, batched=False))
                if about[index]["batch"] > 1:
                    batches[index] += workers[index].run(1, batched=True)
                else:
                    batches[index].append(float(np.median(latencies[index][-1])))
        for entry, worker in zip(about, workers, strict=True):
            entry |= worker.finish()
    for entry, own, times in zip(about, latencies, batches, strict=True):
        flat = np.concatenate(own)
        entry["latency_median"] = float(np.median(flat))
        entry["latency_p95"] = float(np.quantile(flat, 0.95))
        entry["latency_ratio"] = _ratio([*map(np.median, own)], [*map(np.median, latencies[0])])
        entry["examples_per_second"] = entry["batch"] / float(np.median(times))
        pace = entry["batch"] / np.array(times)
        entry["throughput_ratio"] = _ratio(pace, about[0]["batch"] / np.array(batches[0]))
    return {"a2keras": __version__, "threads": threads, "repeats": repeats, "artefacts": about}


def table(document: Any) -> str:
    """What `benchmark` has found, as text."""
    artefacts = document["artefacts"]
    width = max(8, *(len(_name(entry)) for entry in artefacts)) + 2
    threads, repeats = document["threads"], document["repeats"]
    lines = [
        f"{artefacts[0]['device']}; {counted(threads, 'thread')}; {repeats} calls each",
        f"{'artefact':<{width}}{'MiB':>8}{'load s':>8}{'median ms':>11}{'p95 ms':>9}{'×':>7}"
        f"{'batch':>7}{'examples/s':>12}{'×':>7}{'memory MiB':>12}",
    ]
    lines += [
        f"{_name(entry):<{width}}{entry['bytes'] / MIB:>8.2f}{entry['load_seconds']:>8.2f}"
        f"{1e3 * entry['latency_median']:>11.2f}{1e3 * entry['latency_p95']:>9.2f}"
        f"{entry['latency_ratio']:>7.2f}{entry['batch']:>7}{entry['examples_per_second']:>12.1f}"
        f"{entry['throughput_ratio']:>7.2f}{entry['peak_bytes'] / MIB:>12.1f}"
        for entry in artefacts
    ]
    if data := document.get("data"):  # a column more
        measure, key = ("mAP", "mAP") if "mAP" in artefacts[0] else ("top-1", "top1")
        lines[1] += f"{measure:>8}"
        lines[2:] = [
            f"{line}{entry[key]:>8.1%}" for line, entry in zip(lines[2:], artefacts, strict=True)
        ]
        unreadable = max(entry["unreadable"] for entry in artefacts)
        of_split = "" if data["split_rule"] == ALL_EXAMPLES else f"{data['split']} "
        examples = counted(data["examples"], f"{of_split}example")
        lines.append(
            f"{measure} of {examples} of {printable(data['data'])}, {unreadable} unreadable"
        )
    return "\n".join(lines)


def _name(entry: dict[str, Any]) -> str:
    """The last two parts of a path: exports of several models have equal names."""
    return str(Path(*Path(entry["path"]).parts[-2:]))


def _ratio(values: Any, first: Any) -> float:
    return float(np.median(np.divide(values, first)))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: what a container or taskset leaves
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Worker:
    """A `Bench` in a process of its own."""

    def __init__(self, path: str, threads: int, batch: int, warm_up: int) -> None:
        """Starts and loads it. Raises `UserError` if it does not load or run."""
        self._path = path
        names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
        arguments = {"path": path, "threads": threads, "batch": batch, "warm_up": warm_up}
        self._process = Process(
            "a2keras.export.benchmark.bench",
            "Bench",
            arguments,
            dict.fromkeys(names, str(threads)),
        )
        with self._measuring():
            self.about: dict[str, Any] = self._process.about()

    def run(self, count: int, batched: bool) -> list[float]:
        """See `Bench.run`."""
        with self._measuring():
            seconds: list[float] = self._process.call("run", count=count, batched=batched)
        return seconds

    def finish(self) -> dict[str, Any]:
        """See `Bench.finish`."""
        with self._measuring():
            found: dict[str, Any] = self._process.call("finish")
        return found

    @contextlib.contextmanager
    def _measuring(self) -> Iterator[None]:
        try:
            yield
        except Failure as failure:
            raise UserError(f"{self._path} cannot be measured: {failure}") from failure

    def close(self) -> None:
        self._process.close()

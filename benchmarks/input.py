"""From a folder of files to batches: what a run waits for before its first step, and later on.

    python benchmarks/input.py [--data=DIR] [--files=2000,20000] [--repeats=3] [--json=FILE]

Files: images of 32×32 pixels in class folders are listed, hashed, read and split, as
`a2keras train` does it before its first step, each time in a process of its own without anything in
the caches of this package. Of several numbers of files the slope is what another file costs;
`1.28 million` is what it would be for as many.

Feeding: batches of random views from memory, examples per second and per second of processor time:

    together   the pipeline as it is: small images are cut, resized and coloured together
    one by one the same views, each by operations of its own
    python     the same, with each image handed over by a Python function

The contestants take turns, so that a drift of the machine's speed hits each alike; ratios are
medians over the rounds. Without --data pictures are made in a temporary folder.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

SECONDS = 2.0  # for which a contestant feeds in its turn
IMAGENET = 1_281_167
STAGES = """
import sys, time
from a2keras.training.config import Recipe
from a2keras.training.data import list_data
from a2keras.training.data.opening import assign_splits, equal_files
start = time.perf_counter()
listed = list_data(Recipe("benchmark", data="folder:" + sys.argv[1], size=32))
times = [time.perf_counter()]
listed.listing.fingerprint
times.append(time.perf_counter())
readable, _ = listed.listing.readable(listed.recipe)
times.append(time.perf_counter())
splits, _ = assign_splits(readable, listed.recipe)
equal_files(readable, splits)
times.append(time.perf_counter())
print(*(b - a for a, b in zip([start, *times], times)))
"""
NAMES = ("list", "hash", "read", "split")


def write_pictures(folder: Path, count: int) -> None:
    """JPEG files of 32×32 pixels in ten class folders, with detail at all scales."""
    from PIL import Image

    for i in range(count):
        random = np.random.default_rng(i)
        pixels = sum(
            np.kron(random.normal(size=(32 // n, 32 // n, 3)), np.ones((n, n, 1)))
            for n in (1, 4, 8)
        )
        path = folder / f"class_{i % 10}" / f"{i:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((127 + 30 * pixels).clip(0, 255).astype("uint8")).save(path, quality=90)


def some_of(data: Path, count: int, folder: Path) -> Path:
    """A folder with links to `count` files of a folder of class folders, of each class as many."""
    classes = sorted(each for each in data.iterdir() if each.is_dir())
    for each in classes:
        target = folder / f"{count}" / each.name
        target.mkdir(parents=True)
        for file in sorted(each.iterdir())[: count // len(classes)]:
            (target / file.name).hardlink_to(file)
    return folder / f"{count}"


def stages(folder: Path, scratch: Path) -> dict[str, float]:
    """Seconds of every stage, in a fresh process with an empty cache."""
    with tempfile.TemporaryDirectory(dir=scratch) as cache:
        done = subprocess.run(
            [sys.executable, "-c", STAGES, str(folder)], capture_output=True, text=True, check=True,
            env={**os.environ, "XDG_CACHE_HOME": cache},
        )  # fmt: skip
    return dict(zip(NAMES, map(float, done.stdout.split()), strict=True))


def before_the_first_step(data: Path, counts: list[int], repeats: int, scratch: Path) -> dict:
    folders = {count: some_of(data, count, scratch) for count in counts}
    runs: dict[int, list[dict[str, float]]] = {count: [] for count in counts}
    for _ in range(repeats):
        for count, folder in folders.items():
            runs[count].append(stages(folder, scratch))
    rows = {
        count: {name: statistics.median(run[name] for run in found) for name in NAMES}
        for count, found in runs.items()
    }
    first, last = min(counts), max(counts)
    slope = (sum(rows[last].values()) - sum(rows[first].values())) / (last - first)
    return {"seconds": rows, "per_file": slope, "1.28 million": slope * IMAGENET}


def feeding(data: Path, count: int, repeats: int, scratch: Path) -> dict:
    """Examples per second of each contestant, and the ratios to the last."""
    from a2keras.training.config import Recipe
    from a2keras.training.data import open_source, pipeline, resolve
    from a2keras.training.data.source import Examples
    from a2keras.training.run.train import preprocessing_of

    folder = some_of(data, count, scratch / "feeding")
    recipe = Recipe("benchmark", data=f"folder:{folder}", size=32, batch_size=128, epochs=10**6)
    recipe = resolve(recipe)
    source = open_source(recipe)
    examples = source.splits["train"]
    preprocessing = preprocessing_of(recipe, source.classes)

    class ByPython(Examples):
        """The same images, each by a Python function."""

        labels, names, is_video = examples.labels, examples.names, False

        def frames(self, index: int) -> np.ndarray:
            return examples.training_frames(index)

    def batches(name):
        of = ByPython() if name == "python" else examples
        together, pipeline.at_once = pipeline.at_once, lambda *_: 0
        if name == "together":
            pipeline.at_once = together
        made = iter(pipeline.training_batches(of, recipe, preprocessing))
        pipeline.at_once = together
        return made

    names = ("together", "one by one", "python")
    rates = {name: [] for name in names}
    cpu = {name: [] for name in names}
    for _ in range(repeats):
        for name in names:
            made = batches(name)  # an iterator that nobody takes from would still fill its buffer
            for _ in range(5):
                next(made)
            start, start_cpu, seen = time.perf_counter(), time.process_time(), 0
            while time.perf_counter() - start < SECONDS:
                seen += len(next(made)[0])
            rates[name].append(seen / (time.perf_counter() - start))
            cpu[name].append(seen / (time.process_time() - start_cpu))
            del made
    ratios = [a / b for a, b in zip(rates["together"], rates["python"], strict=True)]
    return {
        "examples_per_second": {name: statistics.median(each) for name, each in rates.items()},
        "of_cpu_time": {name: statistics.median(each) for name, each in cpu.items()},
        "together/python": {
            "median": statistics.median(ratios), "least": min(ratios), "most": max(ratios),
        },
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="a folder of class folders with small images")
    parser.add_argument("--files", default="2000,20000", help="numbers of files, ascending")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", help="also write the results to this file")
    options = parser.parse_args()
    counts = sorted(map(int, options.files.split(",")))
    with tempfile.TemporaryDirectory(dir=Path(options.data).parent if options.data else None) as at:
        scratch, data = Path(at), Path(options.data or f"{at}/pictures")
        if options.data is None:
            write_pictures(data, counts[-1])
        found = before_the_first_step(data, counts, options.repeats, scratch)
        print(f"{'seconds for files':<20}" + "".join(f"{name:>9}" for name in (*NAMES, "all")))
        for count, row in found["seconds"].items():
            cells = "".join(f"{value:9.2f}" for value in (*row.values(), sum(row.values())))
            print(f"{count:<20,}{cells}", flush=True)
        print(f"another file: {1e6 * found['per_file']:.0f} µs; 1.28 million: "
              f"{found['1.28 million']:.0f} s", flush=True)  # fmt: skip
        fed = feeding(data, counts[0], options.repeats, scratch)
        print(f"{'feeding, examples/s':<20}{'wall':>10}{'of CPU time':>13}")
        for name, rate in fed["examples_per_second"].items():
            print(f"{name:<20}{rate:10.0f}{fed['of_cpu_time'][name]:13.0f}")
        ratio = fed["together/python"]
        print(
            f"together/python {ratio['median']:.1f} ({ratio['least']:.1f} to {ratio['most']:.1f})"
        )
    if options.json:
        machine = {"processor": platform.processor(), "cores": os.cpu_count()}
        document = {"machine": machine, "files": found, "feeding": fed}
        Path(options.json).write_text(json.dumps(document, indent=2))


if __name__ == "__main__":
    sys.exit(main())

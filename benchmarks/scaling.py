"""How time and memory grow with the positions: double attention beside a non-local block.

    KERAS_BACKEND=jax python benchmarks/scaling.py [--channels=256] [--width=64] [--side=14]
        [--times=1,4,16,64] [--rounds=7] [--json=FILE] [--plot=FILE.png]

A square image of side × side positions and as many times more: forward and a training step (the
value, and the gradients of all weights and of the input) of both Keras layers with the same four
projections, in float32. Prints milliseconds, MiB and the exponents: the slope of a straight line
through the logarithms, of the whole range and of its last two points. By multiply-adds that is 1
for double attention (Eq. 6), and nears 2 for a non-local block. Memory is told on GPUs, and on
CPUs by JAX alone: what XLA lays out for a call besides its input and its weights.
"""

import argparse
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from frameworks import framework, of_keras
from layers import measure


def blocks(width: int) -> dict[str, Any]:
    from a2keras import DoubleAttention, NonLocal

    return {"A²": DoubleAttention(width), "NL": NonLocal(width)}


def exponents(positions: list[int], values: list[float]) -> tuple[float, float]:
    """Slopes of the logarithms: of all points, by least squares, and of the last two."""
    x, y = np.log(positions), np.log(values)
    return float(np.polyfit(x, y, 1)[0]), float((y[-1] - y[-2]) / (x[-1] - x[-2]))


def measured(f: Any, options: argparse.Namespace, step: str) -> list[dict[str, Any]]:
    rows = []
    for times in options.times:
        side = round(options.side * times**0.5)
        shape = (1, side, side, options.channels)
        random = np.random.default_rng(0)
        arguments = tuple(f.tensor(random.normal(size=shape), "float32") for _ in range(2))
        functions = {}
        for name, layer in blocks(options.width).items():
            layer.build(shape)
            functions[name] = f.compiled(*of_keras(layer, step == "train"), step, "")
        seconds = measure(f, functions, arguments, options.rounds)
        for name, function in functions.items():
            peak = f.peak(function, arguments)
            row = {"block": name, "step": step, "positions": side * side,
                   "ms": 1e3 * statistics.median(seconds[name]),
                   "MiB": None if peak is None else peak / 2**20}  # fmt: skip
            rows.append(row)
            memory = "–" if peak is None else f"{row['MiB']:.1f}"
            print(f"| {name} | {step} | {side * side:,} | {row['ms']:.2f} | {memory} |", flush=True)
    return rows


def lines(rows: list[dict[str, Any]], unit: str) -> dict[tuple[str, str], tuple[list, list]]:
    """Of each block and step the positions, and the milliseconds or MiB at these, where known."""
    found: dict[tuple[str, str], tuple[list, list]] = {}
    for row in rows:
        if row[unit] is not None:
            positions, values = found.setdefault((row["block"], row["step"]), ([], []))
            positions.append(row["positions"])
            values.append(row[unit])
    return found


def fits(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    table = []
    for unit in ("ms", "MiB"):
        for (block, step), points in lines(rows, unit).items():
            whole, last = exponents(*points)
            table.append({"block": block, "step": step, "of": unit, "all": whole, "last_two": last})
            print(f"| {block} | {step} | {unit} | exponent {whole:.2f} | at the end {last:.2f} |")
    return table


def draw(rows: list[dict[str, Any]], machine: str, path: Path) -> None:
    from matplotlib.figure import Figure

    units = [unit for unit in ("ms", "MiB") if lines(rows, unit)]
    figure = Figure((4.8 * len(units), 4), layout="constrained")
    for number, unit in enumerate(units, 1):
        axes = figure.add_subplot(1, len(units), number)
        for (block, step), points in lines(rows, unit).items():
            style = "-" if step == "forward" else "--"
            colour = "#1f6fb4" if block == "A²" else "#c8553d"
            axes.loglog(*points, style, color=colour, marker="o", ms=4, label=f"{block}, {step}")
        axes.set(xlabel="positions", ylabel=unit)
        axes.grid(alpha=0.3, which="both")
        axes.legend(frameon=False)
    figure.suptitle(machine, fontsize=8)
    figure.savefig(path, dpi=150)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--channels", type=int, default=256)
    parser.add_argument("--width", type=int, default=64, help="m, and n of double attention")
    parser.add_argument("--side", type=int, default=14)
    parser.add_argument("--times", default="1,4,16,64", help="of side × side, by commas")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    options.times = [int(each) for each in options.times.split(",")]
    if len(options.times) < 2:
        parser.error("--times needs two sizes at least, or there is no slope")
    return options


def main() -> None:
    options = parsed()
    from a2keras.measuring import processor

    f = framework(os.environ.get("KERAS_BACKEND", "tensorflow"))
    machine = (f"{f.name} {f.version}, float32, {options.channels} channels, m = n = "
               f"{options.width}, {f.device}; {processor()}")  # fmt: skip
    print(machine)
    print("| block | step | positions | ms | MiB |\n|---|---|---|---|---|", flush=True)
    rows = [row for step in ("forward", "train") for row in measured(f, options, step)]
    table = fits(rows)
    if options.json:
        record = {"machine": machine, "rounds": options.rounds, "rows": rows, "exponents": table}
        options.json.write_text(json.dumps(record, indent=2))
    if options.plot:
        draw(rows, machine, options.plot)


if __name__ == "__main__":
    sys.exit(main())

"""How fast the DoubleAttention layer is, beside what one would write instead of it.

    KERAS_BACKEND=jax python benchmarks/layers.py [--suite=cpu|gpu] [--form=linear|pre_activation]
        [--step=both|forward|train] [--only=NAME;…] [--rivals] [--rounds=11] [--json=FILE]

Times the forward pass and a training step (the value, and the gradients of all weights and of the
input) in the framework that KERAS_BACKEND chooses, and imports no other:

    a2keras        the layer; "a2keras, torch.compile" and "a2keras, xla" compiled as a whole
    naive … merged_out   the same block from its equations, plain.py; compiled on PyTorch too
    products       the matrix products alone: what every ratio is over
    --rivals       a non-local block by the framework's fused attention, and Keras's
                   MultiHeadAttention, where positions × positions fit into 2 GiB

All run in turn, round by round and in changing order, so that a drift of the machine's speed hits
each alike. Prints a Markdown table: milliseconds of the products, and for every contestant the
median of its ratios to the products of the same round, with the quartiles behind it.
"""

import argparse
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from frameworks import framework, of_keras
from plain import LINEAR_ONLY, VARIANTS, block, non_local

# (input shape, m = n). On a GPU in bfloat16, as performance measured there has it.
SUITES = {
    "cpu": [
        ((2, 8, 28, 28, 256), 64),
        ((8, 56, 56, 256), 64),
        ((1, 32, 28, 28, 512), 128),
        ((8, 28, 28, 512), 256),
        ((8, 14, 14, 1024), 512),
    ],
    "gpu": [
        ((16, 8, 28, 28, 256), 64),
        ((64, 28, 28, 512), 256),
        ((64, 56, 56, 256), 64),
        ((8, 32, 28, 28, 512), 128),
        ((64, 14, 14, 1024), 512),
    ],
}
# Of the plain variants those that torch.compile, which takes its time, compiles too.
COMPILED = ("naive, torch.compile", "deferred_folded, torch.compile")
LARGEST_RELATION = 2 * 2**30
LEAST_SECONDS = 0.004  # for which a contestant is called again and again within a round


def weights_of(shape: Sequence[int], m: int, form: str) -> list[np.ndarray]:
    """Kernels with Glorot's spread; gamma, beta, mean and variance of the normalisations."""
    c, random = shape[-1], np.random.default_rng(0)
    kernels = [(c, m), (c, m), (c, m), (m, c)]
    made = [random.normal(0, math.sqrt(2 / sum(size)), size) for size in kernels]
    if form == "pre_activation":
        made += [np.stack([np.ones(k), np.zeros(k)] * 2)[[0, 1, 1, 0]] for k in (c, c, c, m)]
    return [each.astype("float32") for each in made]


def the_layer(f: Any, shape: Sequence[int], m: int, options: Any, step: str) -> tuple:
    """The layer with the same weights, as a function of an input and its weights."""
    from a2keras import DoubleAttention

    training = step == "train"
    policy = "float32" if options.dtype == "float32" else f"mixed_{options.dtype}"
    layer = DoubleAttention(m, dtype=policy, pre_activation=options.form == "pre_activation")
    layer.build(shape)
    kernels = weights_of(shape, m, "linear")
    for name, kernel in zip(("theta", "rho", "phi", "output_projection"), kernels, strict=True):
        getattr(layer, name).kernel.assign(kernel)
    return of_keras(layer, training)


def contestants(f: Any, shape: tuple, m: int, options: Any, step: str) -> dict[str, Callable]:
    """{name: what is timed}."""
    made = {}

    def add(name: str, function: Callable, weights: list) -> None:
        for compiler in f.compilers:
            key = f"{name}, {compiler}" if compiler else name
            by_default = not compiler or name == "a2keras" or key in COMPILED
            if key == "products" or (key in options.only if options.only else by_default):
                made[key] = f.compiled(function, weights, step, compiler)

    add("a2keras", *the_layer(f, shape, m, options, step))
    weights = [f.weight(each) for each in weights_of(shape, m, options.form)]
    for name in VARIANTS:
        if options.form != "linear" and name in LINEAR_ONLY:
            continue
        own = weights[:4] if name == "products" else weights
        add(name, block(f, name, shape, options.dtype, options.form, step == "train"), own)
    relation = shape[0] * math.prod(shape[1:-1]) ** 2 * (4 if options.dtype == "float32" else 2)
    if options.rivals and relation <= LARGEST_RELATION:
        if f.attention:
            add("non_local", non_local(f, shape, options.dtype), weights[:4])
        add("keras MultiHeadAttention", *_multi_head(shape, m, options, step))
    return made


def _multi_head(shape: tuple, m: int, options: Any, step: str) -> tuple[Callable, list]:
    """Heads of 64 channels, m altogether."""
    import keras

    policy = "float32" if options.dtype == "float32" else f"mixed_{options.dtype}"
    inputs = keras.Input(shape[1:], batch_size=shape[0])
    flat = keras.layers.Reshape((-1, shape[-1]))(inputs)
    attention = keras.layers.MultiHeadAttention(m // 64, 64, dtype=policy)(flat, flat)
    outputs = keras.layers.Reshape(shape[1:])(keras.layers.Add()([flat, attention]))
    return of_keras(keras.Model(inputs, outputs), step == "train")


def measure(f: Any, functions: dict[str, Callable], arguments: tuple, rounds: int) -> dict:
    """Seconds of each function in each round; what compiles them is not counted."""
    calls = {}
    for name, function in functions.items():
        f.wait(function(*arguments))
        start = time.perf_counter()
        f.wait(function(*arguments))
        calls[name] = max(1, math.ceil(LEAST_SECONDS / (time.perf_counter() - start)))
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name in list(functions)[:: 1 if turn % 2 else -1]:
            start = time.perf_counter()
            for _ in range(calls[name]):
                results = functions[name](*arguments)
            f.wait(results)
            if turn:
                seconds[name].append((time.perf_counter() - start) / calls[name])
    return seconds


def summary(seconds: dict[str, list[float]], base: str = "products") -> dict[str, dict]:
    """Medians in milliseconds; of the ratios to `base`, round by round, medians and quartiles."""
    table = {}
    for name, each in seconds.items():
        ratios = [a / b for a, b in zip(each, seconds[base], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        table[name] = {"milliseconds": 1e3 * statistics.median(each), "ratio": middle,
                       "first_quartile": low, "third_quartile": high}  # fmt: skip
    return table


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--suite", choices=SUITES, default="cpu")
    parser.add_argument("--form", choices=["linear", "pre_activation"], default="linear")
    parser.add_argument("--step", choices=["both", "forward", "train"], default="both")
    parser.add_argument("--dtype", help="default: float32, with --suite=gpu bfloat16")
    parser.add_argument("--sizes", help="which rows of the suite, from 0, by commas")
    parser.add_argument("--only", help="contestants by name, by semicolons")
    parser.add_argument("--rivals", action="store_true")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    options.dtype = options.dtype or ("bfloat16" if options.suite == "gpu" else "float32")
    options.only = options.only and options.only.split(";")
    return options


def main() -> None:
    options = parsed()
    from a2keras.measuring import processor

    f = framework(os.environ.get("KERAS_BACKEND", "tensorflow"))
    machine = f"{f.name} {f.version}, {options.dtype}, {options.form}, {f.device}; {processor()}"
    print(machine, flush=True)
    rows = []
    sizes = SUITES[options.suite]
    for index in map(int, options.sizes.split(",")) if options.sizes else range(len(sizes)):
        shape, m = sizes[index]
        random = np.random.default_rng(1)
        arguments = tuple(f.tensor(random.normal(size=shape), options.dtype) for _ in range(2))
        for step in ("forward", "train") if options.step == "both" else (options.step,):
            functions = contestants(f, shape, m, options, step)
            table = summary(measure(f, functions, arguments, options.rounds))
            if not rows:
                print("| input; m | step | products ms |", " | ".join(table), "|")
                print("|---|---|---|" + "---|" * len(table))
            rows.append({"input": shape, "m": m, "step": step, "contestants": table})
            cells = [f"{each['ratio']:.2f} ({each['first_quartile']:.2f}–"
                     f"{each['third_quartile']:.2f})" for each in table.values()]  # fmt: skip
            print(f"| {'×'.join(map(str, shape))}; {m} | {step} "
                  f"| {table['products']['milliseconds']:.2f} |", " | ".join(cells), "|",
                  flush=True)  # fmt: skip
    if options.json:
        record = {"machine": machine, "rounds": options.rounds, "rows": rows}
        options.json.write_text(json.dumps(record, indent=2))


if __name__ == "__main__":
    sys.exit(main())

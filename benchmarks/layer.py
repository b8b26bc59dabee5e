"""How fast the DoubleAttention layer is, against plain associations and its bare matrix products.

    python benchmarks/layer.py [--repeats=15] [--step=both|forward|train] [--jit] [--json=FILE]

Times the forward pass and a training step (gradients of all weights and of the input) at five
sizes, interleaved run by run so that a drift of the machine's speed hits every contestant alike:

    auto      the layer as it is
    left      association="left" (Eq. 6)
    right     association="right" (Eq. 7), where its L × L relation fits into 2 GiB
    products  only the matrix products of auto's planned chain and of theta and rho

Prints medians in milliseconds and, run by run, the median of the ratios auto/left, auto/right and
auto/products. The plain linear form; `--form=pre_activation` times the paper's BN–ReLU form.
"""

import argparse
import json
import math
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from a2keras import DoubleAttention
from a2keras.association import multiply, plan

# (input shape, m = n)
SIZES = [
    ((8, 28, 28, 512), 256),
    ((8, 14, 14, 1024), 512),
    ((2, 8, 28, 28, 256), 64),
    ((1, 32, 28, 28, 512), 128),
    ((8, 56, 56, 256), 64),
]
RIGHT_LIMIT = 2 * 2**30


def contestants(shape, m, form):
    """{name: (function of the input, trainable tensors)}."""
    batch, channels = shape[0], shape[-1]
    positions = math.prod(shape[1:-1])
    made = {}
    associations = ["auto", "left"]
    if 4 * batch * positions**2 <= RIGHT_LIMIT:
        associations.append("right")
    for association in associations:
        layer = DoubleAttention(
            m, association=association, pre_activation=form == "pre_activation",
            output_initializer="glorot_uniform",
        )  # fmt: skip
        layer.build(shape)
        made[association] = (layer, [w.value for w in layer.trainable_weights])
    auto = made["auto"][0]
    projections = (auto.theta, auto.rho, auto.phi, auto.output_projection)
    kernels = [tf.Variable(p.kernel) for p in projections]
    sizes = auto.chain(channels, positions)
    order = plan("auto", sizes)

    def products(x):
        flat = tf.reshape(x, (-1, positions, channels))
        theta, rho, phi, output = kernels
        matrices = {
            "gather": tf.transpose(tf.matmul(flat, theta), (0, 2, 1)),
            "distribution": tf.matmul(flat, rho),
            "features": flat,
            "phi": phi,
            "output": output,
        }
        z = multiply(order, matrices)
        return z if "output" in sizes else tf.matmul(z, output)

    made["products"] = (products, kernels)
    return made, order


def compiled(function, weights, step, jit):
    def forward(x):
        return function(x)

    def train(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(function(x))
        return tape.gradient(loss, [x, *weights])

    return tf.function(forward if step == "forward" else train, jit_compile=jit)


def measure(functions, x, repeats):
    """Seconds of each function, run in turn; the first runs compile and are not counted."""
    seconds = {name: [] for name in functions}
    for repeat in range(repeats + 2):
        for name, function in functions.items():
            start = time.perf_counter()
            result = function(x)
            tf.nest.map_structure(lambda each: each.numpy(), tf.nest.flatten(result)[:1])
            if repeat >= 2:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--step", choices=["both", "forward", "train"], default="both")
    parser.add_argument("--form", choices=["linear", "pre_activation"], default="linear")
    parser.add_argument("--jit", action="store_true", help="compile with XLA")
    parser.add_argument("--json", help="also write the results to this file")
    options = parser.parse_args()
    steps = ["forward", "train"] if options.step == "both" else [options.step]
    rows = []
    print(f"{'input':<20}{'m=n':>5} {'step':<8}{'auto':>8}{'left':>8}{'right':>8}{'products':>9}"
          f"{'auto/left':>11}{'auto/right':>11}{'auto/products':>14}")  # fmt: skip
    for shape, m in SIZES:
        x = tf.constant(np.random.default_rng(0).normal(size=shape).astype("float32"))
        made, order = contestants(shape, m, options.form)
        for step in steps:
            functions = {
                name: compiled(function, weights, step, options.jit)
                for name, (function, weights) in made.items()
            }
            seconds = measure(functions, x, options.repeats)
            row = {"input": shape, "m": m, "step": step, "order": repr(order)}
            row |= {name: statistics.median(each) * 1e3 for name, each in seconds.items()}
            for name in ("left", "right", "products"):
                pairs = zip(seconds["auto"], seconds.get(name, []), strict=False)
                row[f"auto/{name}"] = statistics.median([a / b for a, b in pairs] or [math.nan])
            rows.append(row)
            cells = "".join(f"{row.get(n, math.nan):8.1f}" for n in ("auto", "left", "right"))
            print(f"{'×'.join(map(str, shape)):<20}{m:>5} {step:<8}{cells}{row['products']:9.1f}"
                  f"{row['auto/left']:11.2f}{row['auto/right']:11.2f}"
                  f"{row['auto/products']:14.2f}", flush=True)  # fmt: skip
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    sys.exit(main())

"""What double attention costs inside networks, beside what its multiply-adds say.

    KERAS_BACKEND=jax python benchmarks/networks.py [--groups=image,video] [--step=both]
        [--batch=4] [--rounds=7] [--json=FILE]

In each group the first network is what the others are compared with:

    image    resnet50_lite, the same with blocks (A²-ResNet-50), and keras.applications' ResNet50
    video    ResNet-26 for videos, alone, with a non-local block and with double attention (conv4)

Inference and a training step (the value, and the gradients of all weights and of the input), all
in turn, round by round. Prints milliseconds; the ratio of times over the ratio of multiply-adds,
which is 1 where a network costs what its products say; and the share of the machine's rate, that of
a product of two matrices of 2,048 × 2,048, which is timed in the same rounds.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from frameworks import framework, of_keras
from layers import measure, summary

SIDE = 2048  # of the matrices whose product tells the machine's rate
PRODUCT = "product"
LINE = (
    "| {network} | {step} | {milliseconds:.1f} | {ratio:.3f} ({first_quartile:.3f}–"
    "{third_quartile:.3f}) | {of_multiply_adds:.3f} | {over:.3f} | {share_of_rate:.0%} |"
)


def networks(group: str) -> dict[str, Callable[[], Any]]:
    """{name: builder}; the first is what the others are compared with."""
    import keras

    from a2keras import models

    if group == "image":
        return {
            "resnet50_lite": lambda: models.build("resnet50_lite"),
            "a2_resnet50": lambda: models.build("a2_resnet50"),
            "keras ResNet50": lambda: keras.applications.ResNet50(weights=None),
        }
    at = {"classes": 400, "positions": ("conv4_2",)}
    return {
        "resnet26_video": lambda: models.build("resnet26_video", classes=400),
        "… with NL": lambda: models.build("resnet26_video", attention="non_local", **at),
        "… with A²": lambda: models.build("resnet26_video", attention="a2", **at),
    }


def timed(f: Any, group: str, step: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    from a2keras import count

    random = np.random.default_rng(0)
    functions, multiply_adds = {}, {PRODUCT: SIDE**3}
    for name, build in networks(group).items():
        model = build()
        multiply_adds[name] = count(model).multiply_adds * options.batch
        shape = (options.batch, *model.input_shape[1:])
        x = f.tensor(random.normal(size=shape), "float32")
        gradient = f.tensor(random.normal(size=(options.batch, model.output_shape[-1])), "float32")
        functions[name] = bound(
            f.compiled(*of_keras(model, step == "train"), step, ""), x, gradient
        )
    matrices = [f.tensor(random.normal(size=(1, SIDE, SIDE)), "float32") for _ in range(2)]
    product = f.compiled(lambda x, weights: f.matmul(x, weights[0]), matrices[1:], "forward", "")
    functions[PRODUCT] = bound(product, matrices[0], matrices[0])
    base = next(iter(functions))
    table = summary(measure(f, functions, (), options.rounds), base)
    rate = multiply_adds[PRODUCT] / table[PRODUCT]["milliseconds"]
    rows = []
    for name, each in table.items():
        more = multiply_adds[name] / multiply_adds[base]
        # A training step multiplies three times: forward, and for both gradients.
        work = multiply_adds[name] * (3 if step == "train" and name != PRODUCT else 1)
        rows.append({"group": group, "step": step, "network": name, **each,
                     "multiply_adds": multiply_adds[name], "of_multiply_adds": more,
                     "over": each["ratio"] / more,
                     "share_of_rate": work / each["milliseconds"] / rate})  # fmt: skip
    return [row for row in rows if row["network"] != PRODUCT]


def bound(function: Callable, *arguments: Any) -> Callable:
    return lambda: function(*arguments)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--groups", default="image,video")
    parser.add_argument("--step", choices=["both", "forward", "train"], default="both")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    options = parsed()
    from a2keras.measuring import processor

    f = framework(os.environ.get("KERAS_BACKEND", "tensorflow"))
    machine = f"{f.name} {f.version}, float32, batch {options.batch}, {f.device}; {processor()}"
    print(machine)
    print("| network | step | ms | time, ratio | multiply-adds, ratio | over | of the rate |")
    print("|---|---|---|---|---|---|---|", flush=True)
    rows = []
    for group in options.groups.split(","):
        for step in ("forward", "train") if options.step == "both" else (options.step,):
            for row in timed(f, group, step, options):
                print(LINE.format(**row), flush=True)
                rows.append(row)
    if options.json:
        record = {"machine": machine, "rounds": options.rounds, "rows": rows}
        options.json.write_text(json.dumps(record, indent=2))


if __name__ == "__main__":
    sys.exit(main())

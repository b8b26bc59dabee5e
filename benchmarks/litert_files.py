"""LiteRT's formats: size, agreement and latency of runs, attention in integers, the whole zoo.

    python benchmarks/litert_files.py runs RUN… [--examples=450] [--threads=1] [--repeats=25]
    python benchmarks/litert_files.py block
    python benchmarks/litert_files.py zoo [NAME…]

runs    every format of finished runs on their test examples. Interpreters run in turn, so that a
        drift of the machine's speed hits each alike; the ratio is that of the medians.
block   one block of double attention with sharp logits (of a deviation of 8), without residual, by
        the ways to quantise it: relative error of its output.
zoo     every network, or those named, with random weights at its smallest size, as float32: largest
        error of a probability.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops

from a2keras import DoubleAttention, models
from a2keras.export.classifier import Classifier
from a2keras.export.litert import convert, quantize
from a2keras.export.reading.trained import load_classifier
from a2keras.models.preprocessing import Pixels, Preprocessing
from a2keras.training.data.pipeline import plain_batches
from a2keras.training.evaluation.evaluate import HeldOut

WRITERS: dict[str, Any] = {
    "float32": convert.write_float32,
    "float16": convert.write_float16,
    "dynamic_int8": quantize.write_dynamic_int8,
    "int8": quantize.write_int8,
    "int16x8": quantize.write_int16x8,
}


def invoke(runtime: Any, example: np.ndarray) -> np.ndarray:
    runtime.set_tensor(runtime.get_input_details()[0]["index"], example[None].astype(np.float32))
    runtime.invoke()
    return runtime.get_tensor(runtime.get_output_details()[0]["index"])[0]


def time_runs(options: argparse.Namespace) -> None:
    print("| run | format | MiB | size | top-1 | agreement | largest error | mean | ms | latency |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for run in options.names:
        held_out = HeldOut.open(run)
        drawn = np.random.default_rng(0).permutation(len(held_out.examples))[: options.examples]
        batches = plain_batches(held_out.examples, 8, held_out.preprocessing, drawn)
        pixels, labels = (
            np.concatenate([np.asarray(each) for each in column])
            for column in zip(*batches, strict=True)
        )
        labels = labels.argmax(-1) if labels.ndim > 1 else labels
        classifier = load_classifier(Path(run) / "model.keras")
        expected = classifier.model.predict(pixels.astype(np.float32), batch_size=8, verbose=0)
        rows(run, classifier, pixels, labels, expected, options)


def rows(
    run: str,
    classifier: Classifier,
    pixels: np.ndarray,
    labels: np.ndarray,
    expected: np.ndarray,
    options: argparse.Namespace,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.tflite" for name in WRITERS}
        for name, write in WRITERS.items():
            write(classifier, paths[name])
        runtimes = {name: convert.interpreter(paths[name], options.threads) for name in paths}
        sizes = {name: path.stat().st_size for name, path in paths.items()}
    milliseconds: dict[str, list[float]] = {name: [] for name in WRITERS}
    for repeat in range(options.repeats + 2):
        for name, runtime in runtimes.items():
            start = time.perf_counter()
            invoke(runtime, pixels[repeat % len(pixels)])
            if repeat >= 2:  # the first ones are still getting warm
                milliseconds[name].append(1000 * (time.perf_counter() - start))
    medians = {name: statistics.median(each) for name, each in milliseconds.items()}
    for name, runtime in runtimes.items():
        actual = np.stack([invoke(runtime, each) for each in pixels])
        error = np.abs(actual - expected)
        print(
            f"| {Path(run).name} | {name} | {sizes[name] / 2**20:.2f} "
            f"| {sizes[name] / sizes['float32']:.2f} | {(actual.argmax(-1) == labels).mean():.2%} "
            f"| {(actual.argmax(-1) == expected.argmax(-1)).mean():.2%} | {error.max():.4f} "
            f"| {error.mean():.1e} | {medians[name]:.2f} "
            f"| {medians[name] / medians['float32']:.2f} |",
            flush=True,
        )


class Unnormalised(DoubleAttention):
    """Gathers with maps whose largest weight is 1, and divides what was gathered."""

    def attend(
        self, features: Any, mask: Any, training: bool | None, with_maps: bool
    ) -> tuple[Any, tuple]:
        logits = self.theta(features)
        weights = ops.exp(logits - ops.max(logits, axis=1, keepdims=True))  # (B, L, n)
        maps = ops.softmax(self.rho(features), axis=-1)
        turned = ops.transpose(weights, (0, 2, 1))
        gathered = ops.matmul(turned, self.phi(features))
        gathered = gathered / ops.expand_dims(ops.sum(weights, axis=1), -1)
        return self.output_projection(ops.matmul(maps, gathered)), (weights, maps)


def block(kind: Any, shape: tuple[int, ...]) -> keras.Model:
    pixels = keras.Input((*shape, 64))
    model = keras.Model(pixels, kind(16, residual=False, name="block")(pixels))
    generator = np.random.default_rng(0)
    for weight in model.weights:
        # Of 64 channels of deviation 1: logits of deviation 8, values of deviation 1.
        sharp = weight.path.split("/")[-2] in ("theta", "rho")
        weight.assign(generator.normal(0, 1 if sharp else 1 / 8, weight.shape))
    return model


def compare_blocks(options: argparse.Namespace) -> None:
    print("| positions | way | relative error |\n|---|---|---|")
    kept = quantize._float_layers
    for shape in ((7, 7), (14, 14), (28, 28), (8, 28, 28)):
        views = np.random.default_rng(1).normal(size=(20, *shape, 64)).astype(np.float32)
        for way, kind, attention_stays_float, write in (
            ("int8 throughout", DoubleAttention, False, quantize.write_int8),
            (
                "int8 throughout, un-normalised maps",
                Unnormalised,
                False,
                quantize.write_int8,
            ),
            ("int16 by int8 throughout", DoubleAttention, False, quantize.write_int16x8),
            ("int16 by int8, un-normalised", Unnormalised, False, quantize.write_int16x8),
            ("as shipped in tflite_int8", DoubleAttention, True, quantize.write_int8),
            ("tflite_dynamic_int8", DoubleAttention, True, quantize.write_dynamic_int8),
            ("tflite_float16", DoubleAttention, True, convert.write_float16),
        ):
            model = block(kind, shape)
            spec: Any = argparse.Namespace(input_shape=(*shape, 64))
            classifier = Classifier(model, spec, views[:16], views[16:])
            chosen = kept if attention_stays_float else lambda model: iter(())
            quantize._float_layers = chosen
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "block.tflite"
                write(classifier, path)
                actual = np.stack([invoke(convert.interpreter(path), each) for each in views[16:]])
            expected = model.predict(views[16:], batch_size=1, verbose=0)
            error = np.linalg.norm(actual - expected) / np.linalg.norm(expected)
            print(f"| {np.prod(shape):,} | {way} | {error:.3f} |", flush=True)


def walk_zoo(options: argparse.Namespace) -> None:
    for name in options.names or models.list_models():
        keras.backend.clear_session()
        spec = Preprocessing(("a", "b", "c"), 32, frames=4 if models.is_video(name) else None)
        pixels = keras.Input(spec.input_shape)
        model = models.build(name, classes=3, input_tensor=Pixels().layer()(pixels))
        generator = np.random.default_rng(5)
        for weight in model.weights:
            noise = generator.normal(0, 0.02, weight.shape)
            value = weight.numpy() + noise
            weight.assign(np.abs(value) + 0.5 if "variance" in weight.path else value)
        example = generator.integers(0, 256, spec.input_shape)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            path.write_bytes(convert.convert(model, spec.input_shape))
            actual = invoke(convert.interpreter(path), example)
        expected = model(example[None].astype(np.float32)).numpy()[0]
        error = np.abs(actual - expected).max()
        print(f"{name:<20}{error:.1e}  of {np.round(expected, 3)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("runs", "block", "zoo"))
    parser.add_argument("names", nargs="*", help="runs, or networks")
    parser.add_argument("--examples", type=int, default=450)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=25)
    options = parser.parse_args()
    {"runs": time_runs, "block": compare_blocks, "zoo": walk_zoo}[options.what](options)

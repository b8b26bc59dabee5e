"""How fast prepared data reach the network: against a bare loop, and beside a training step.

    python benchmarks/pipeline.py [--data=DIR] [--repeats=7] [--json=FILE]

Feeding: the pipeline of `a2keras train` against a loop of as many threads as there are cores over
the same records, in the same order, with the same operations and nothing else (no order from the
seed, no labels, no batches, no prefetching):

    decode      records read and parsed, the frames of one clip decoded; nothing is resized
    kinetics    the same with the crop, flip, colours and noise of the Kinetics recipe
    images      JPEG images decoded

Training: a step of the paper's ResNet-26 on the pipeline's batches against the same step on one
batch that stays in memory.

Contestants run in turn, so that a drift of the machine's speed hits each alike; ratios are medians
over the pairs. Where other work shares the cores, whoever has more threads gets more of them: the
last column compares examples per second of processor time, which that does not touch. Without
--data a set of generated videos is prepared in a temporary folder.
"""

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data import open_source, resolve
from a2keras.training.data.pipeline import epoch_order, training_batches
from a2keras.training.data.views.augmentation import random_view
from a2keras.training.prepare.storing import prepare
from a2keras.training.run.train import preprocessing_of

SIZE = 224
STEPS = 5  # of training, that are timed together
KINETICS = {
    "crop": "side", "crop_scale": 224 / 340, "crop_aspect": 1.25,
    "hue": 15.0, "lightness": 35.0, "saturation": 25.0, "pixel_noise": 20.0,
}  # fmt: skip


def write_media(folder, videos, frames, images):
    """Videos of 288×384 pixels and images of 375×500, with detail like photographs' (1/f)."""
    import av
    from PIL import Image

    def texture(random, height, width):
        noise = np.fft.rfft2(random.normal(size=(height, width, 3)), axes=(0, 1))
        rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
        scale = 1 / np.maximum(np.hypot(rows, columns), 1 / max(height, width))
        pixels = np.fft.irfft2(noise * scale[..., None], (height, width), axes=(0, 1))
        return (127 + 45 * pixels / pixels.std()).clip(0, 255).astype("uint8")

    for i in range(videos):
        random = np.random.default_rng(i)
        path = folder / f"videos/{'ab'[i % 2]}/{i:03}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        world = texture(random, 288 + frames, 384 + frames)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.height, stream.width, stream.pix_fmt = 288, 384, "yuv420p"
            stream.bit_rate = 4_000_000
            for t in range(frames):  # the camera moves over a larger picture
                frame = np.ascontiguousarray(world[t : t + 288, t : t + 384])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    for i in range(images):
        path = folder / f"images/{'ab'[i % 2]}/{i:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = texture(np.random.default_rng(1000 + i), 375, 500)
        Image.fromarray(picture).save(path, quality=90)


def contestants(data, settings, epochs):
    """{name: function that goes through the epochs and returns its number of examples}.

    Several epochs, as a run has them: the pipeline is built once for all of them, and of a set as
    small as this one a single epoch would be half over before all threads have begun.
    """
    recipe = resolve(
        Recipe("benchmark", data=f"prepared:{data}", epochs=epochs, batch_size=8,
               validation_fraction=0, test_fraction=0.01, **settings)
    )  # fmt: skip
    source = open_source(recipe)
    examples = source.splits["train"]
    preprocessing = preprocessing_of(recipe, source.classes)
    batches = training_batches(examples, recipe, preprocessing)
    count = len(examples) // recipe.batch_size * recipe.batch_size
    orders = [epoch_order(len(examples), recipe.seed, epoch)[:count] for epoch in range(epochs)]
    order = np.concatenate(orders)
    one = compiled_view(examples, recipe, preprocessing)
    cores = os.cpu_count()

    def pipeline():
        return sum(int(labels.shape[0]) for _, labels in batches)

    def loop():
        with ThreadPoolExecutor(cores) as pool:
            return sum(1 for _ in pool.map(lambda i: one(int(i)), order))

    return {"pipeline": pipeline, "loop": loop}


def compiled_view(examples, recipe: Recipe, preprocessing: Preprocessing):
    """A function of an index that does to one record what the pipeline does, and no more."""

    @tf.function(input_signature=[tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.int64)])
    def view(record, index):
        seed = tf.random.experimental.stateless_fold_in([recipe.seed, 0], index)
        return random_view(examples, record, recipe, preprocessing, seed)

    return lambda index: view(examples.records[int(examples.places[index])], index)


def feeding(data, settings, epochs, repeats):
    """Examples per second of either and per second of processor time, and the median ratios."""
    functions = contestants(data, settings, epochs)
    rates = {f"{name}{of}": [] for name in functions for of in ("", "_cpu")}
    for repeat in range(repeats + 1):
        for name, function in functions.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            count = function()
            if repeat:  # the first traces and fills the caches
                rates[name].append(count / (time.perf_counter() - start))
                rates[f"{name}_cpu"].append(count / (time.process_time() - start_cpu))
    row = {name: statistics.median(each) for name, each in rates.items()}
    for of in ("", "_cpu"):
        pairs = zip(rates[f"pipeline{of}"], rates[f"loop{of}"], strict=True)
        row[f"ratio{of}"] = statistics.median(a / b for a, b in pairs)
    return row


def training(data, repeats, batch_size):
    """Seconds of a step on the pipeline's batches and on one that stays, and their ratio."""
    import keras

    from a2keras import models

    recipe = resolve(
        Recipe("benchmark", data=f"prepared:{data}", epochs=10**6, batch_size=batch_size, size=112,
               frames=16, stride=2, crop_scale=0.7, validation_fraction=0, test_fraction=0.01)
    )  # fmt: skip
    source = open_source(recipe)
    preprocessing = preprocessing_of(recipe, source.classes)
    model = models.build("resnet26_video", input_shape=(16, 112, 112, 3), classes=2)
    model.compile(keras.optimizers.SGD(0.01), "categorical_crossentropy")
    step = tf.function(model.train_step)
    batches = training_batches(source.splits["train"], recipe, preprocessing)
    kept = next(iter(batches))
    seconds = {name: [] for name in ("fed", "kept", "fed_cpu", "kept_cpu")}
    for repeat in range(repeats + 1):
        for name in ("fed", "kept"):
            # An iterator that nobody takes from would still be filling its buffer.
            fed = itertools.repeat(kept) if name == "kept" else iter(batches)
            float(step(next(fed))["loss"])
            start, start_cpu = time.perf_counter(), time.process_time()
            for _ in range(STEPS):
                float(step(next(fed))["loss"])
            if repeat:
                seconds[name].append((time.perf_counter() - start) / STEPS)
                seconds[f"{name}_cpu"].append((time.process_time() - start_cpu) / STEPS)
            del fed
    row = {name: statistics.median(each) for name, each in seconds.items()}
    for of in ("", "_cpu"):
        pairs = zip(seconds[f"fed{of}"], seconds[f"kept{of}"], strict=True)
        row[f"ratio{of}"] = statistics.median(a / b for a, b in pairs)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="a folder that a2keras prepare has written videos into")
    parser.add_argument("--videos", type=int, default=96, help="to generate")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--batch_size", type=int, default=2, help="of the training step")
    parser.add_argument("--json", help="also write the results to this file")
    options = parser.parse_args()
    video = {"task": "video", "size": SIZE, "frames": 8, "stride": 4}
    plain = {"crop_scale": 1.0, "flip": False}
    with tempfile.TemporaryDirectory() as scratch:
        folder, data, rows = Path(scratch), options.data, {}
        if data is None:
            write_media(folder, options.videos, 64, 4 * options.videos)
            data = str(folder / "prepared")
            prepare(f"folder:{folder}/videos", data, short_side=SIZE)
            prepare(f"folder:{folder}/images", f"{data}_images", short_side=SIZE)
        heads = f"{'pipeline':>10}{'loop':>10}{'pipeline/loop':>15}{'of CPU time':>13}"
        print(f"{'feeding, examples/s':<22}{heads}")
        cases = {
            "decode": (data, {**video, **plain}, 3),
            "kinetics": (data, {**video, **KINETICS}, 3),
        }
        if options.data is None:
            cases["images"] = (f"{data}_images", {"size": SIZE, **plain}, 8)
        for name, (place, settings, epochs) in cases.items():
            rows[name] = row = feeding(place, settings, epochs, options.repeats)
            print(f"{name:<22}{row['pipeline']:10.1f}{row['loop']:10.1f}{row['ratio']:15.2f}"
                  f"{row['ratio_cpu']:13.2f}", flush=True)  # fmt: skip
        print(f"{'training, s/step':<22}{'fed':>10}{'kept':>10}{'fed/kept':>15}{'of CPU time':>13}")
        rows["training"] = row = training(data, options.repeats, options.batch_size)
        print(f"{'ResNet-26, 16×112×112':<22}{row['fed']:10.2f}{row['kept']:10.2f}"
              f"{row['ratio']:15.2f}{row['ratio_cpu']:13.2f}", flush=True)  # fmt: skip
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    sys.exit(main())

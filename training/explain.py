"""What a run's double attention blocks look at: where they gather, and what goes where."""

import re
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from a2keras.attention_maps import attention_maps
from a2keras.console import progress
from a2keras.documents import write_json
from a2keras.drawing import drawable
from a2keras.errors import UserError
from a2keras.models import keras_files
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.data import open_held_out
from a2keras.training.pictures import draw_attention, draw_input
from a2keras.training.run import Run, local, writing


@dataclass(frozen=True)
class Block:
    """The maps of one block for one example. An image counts as one frame.

    Attributes:
        name: of the layer.
        gather: float (T', H', W', n): each descriptor's map sums to 1 over all positions.
        distribution: float (T', H', W', n): sums to 1 over the descriptors at every position.
    """

    name: str
    gather: np.ndarray
    distribution: np.ndarray

    def peaks(self) -> np.ndarray:
        """The largest weight of each gather map, as a multiple of a uniform map's: (n,)."""
        positions = np.prod(self.gather.shape[:-1])
        return self.gather.max(axis=(0, 1, 2)) * positions

    def most_concentrated(self, count: int) -> list[int]:
        """The descriptors whose gather maps have the least entropy, that is, choose most."""
        weights = self.gather.reshape(-1, self.gather.shape[-1])
        entropy = -(weights * np.log(weights + 1e-12)).sum(axis=0)
        return np.argsort(entropy, kind="stable")[:count].tolist()


@dataclass(frozen=True)
class Example:
    """Something to explain: its name, the pixels that enter the network, its class if known."""

    name: str
    pixels: np.ndarray
    label: str | None = None


def explain(path: str | Path, files: list[str], output: str | Path, samples: int = 4) -> dict:
    """Draws one picture per file, and writes `explain.json` and the inputs beside them.

    Args:
        path: directory of a finished run.
        files: images or videos; none: `samples` examples that the run held out, of several classes.
        output: directory for the pictures.
        samples: how many examples to take where no file is given.

    Returns:
        What `explain.json` says.

    Raises:
        UserError: no finished run, a network without double attention, no file that can be read, or
            an output directory with something else in it.
    """
    run, output = Run.load(path), local(output)
    preprocessing = Preprocessing.load(run.path)
    ours = not output.exists() or (output / "explain.json").exists()
    if not ours and not (output.is_dir() and not any(output.iterdir())):
        raise UserError(f"{output} exists and holds something else: choose another --output")
    if files:
        examples, skipped = _from_files(files, preprocessing)
    else:
        examples, skipped = _held_out(run, preprocessing, samples), []
    model = keras_files.load(run.model_path)
    explained: list[dict] = []
    document = {"run": str(run.path), "explained": explained, "skipped": skipped}
    with writing("the pictures", output):
        output.mkdir(parents=True, exist_ok=True)
        for number, example in enumerate(progress(examples, "explaining", unit=" examples"), 1):
            picture = output / f"{number:02}_{_file_name(example.name)}.png"
            explained.append(_explain_one(model, example, preprocessing, picture))
        write_json(output / "explain.json", document)
    return document


def blocks_of(model: keras.Model, pixels: np.ndarray) -> list[Block]:
    """The maps of every double attention block for one view (*input_shape)."""
    try:
        maps = attention_maps(model, pixels[None].astype("float32"))
    except ValueError as error:
        raise UserError(f"there is nothing to explain: {error}") from error
    blocks = []
    for name, arrays in maps.items():
        if len(arrays) != 2:  # NonLocal and SqueezeExcitation have one
            continue
        gather, distribution = (a[0].astype("float32") for a in arrays)
        if gather.ndim == 3:
            gather, distribution = gather[None], distribution[None]
        blocks.append(Block(name, gather, distribution))
    if not blocks:
        raise UserError(f"there is nothing to explain: {model.name} has no double attention block")
    return blocks


def _from_files(files: list[str], preprocessing: Preprocessing) -> tuple[list[Example], list[dict]]:
    examples, skipped = [], []
    for file in files:
        try:
            examples.append(Example(file, preprocessing.views(file)[0]))
        except DecodeError as error:
            skipped.append({"path": file, "reason": str(error)})
    if not examples:
        raise UserError(skipped[0]["reason"])
    return examples, skipped


def _held_out(run: Run, preprocessing: Preprocessing, samples: int) -> list[Example]:
    """Examples that were not trained on, of as many classes as possible, always the same ones."""
    split, source = open_held_out(run.recipe, preprocessing.labels, None, run.skipped())
    run.check_data(source.fingerprint)
    held_out = source.splits[split]
    # Every class' first example, then every class' second one, …
    rank = np.zeros(len(held_out), int)
    for label in np.unique(held_out.labels):
        rank[held_out.labels == label] = np.arange((held_out.labels == label).sum())
    examples: list[Example] = []
    for i in np.lexsort((held_out.labels, rank)):
        try:
            pixels = preprocessing.view(held_out.frames(int(i)))
        except DecodeError:  # the run's report lists it
            continue
        label = preprocessing.labels[held_out.labels[i]]
        examples.append(Example(held_out.names[i], pixels, label))
        if len(examples) == samples:
            break
    if not examples:
        raise UserError("none of the held-out examples can be read")
    return examples


def _file_name(name: str) -> str:
    """The name of a picture of an example, without its suffix; a number before it tells them apart.

    File systems take 255 bytes.
    """
    plain = re.sub(r"[^\w-]+", "_", Path(name).stem).strip("_")
    return plain.encode()[:100].decode(errors="ignore")


def _explain_one(
    model: keras.Model, example: Example, preprocessing: Preprocessing, picture: Path
) -> dict:
    blocks = blocks_of(model, example.pixels)
    probabilities = model.predict_on_batch(example.pixels[None].astype("float32"))[0]
    best = int(probabilities.argmax())
    prediction = f"{drawable(preprocessing.labels[best])} ({probabilities[best]:.1%})"
    truth = f", in truth {drawable(example.label)}" if example.label is not None else ""
    name = drawable(Path(example.name).name, 60)
    frames = example.pixels if preprocessing.is_video else example.pixels[None]
    draw_attention(frames, blocks, f"{name}: {prediction}{truth}", picture)
    entered = draw_input(example.pixels, picture.with_name(f"{picture.stem}_input"))
    return {
        "name": example.name,
        "picture": picture.name,
        "input": entered.name,
        "prediction": preprocessing.labels[best],
        "probability": round(float(probabilities[best]), 4),
        **({"label": example.label} if example.label is not None else {}),
        "blocks": [
            {
                "name": block.name,
                "positions": list(block.gather.shape[:-1]),
                "descriptors": block.gather.shape[-1],
                "most_concentrated": [
                    {"descriptor": i, "peak_over_uniform": round(float(block.peaks()[i]), 2)}
                    for i in block.most_concentrated(4)
                ],
                "descriptors_chosen": len(np.unique(block.distribution.argmax(axis=-1))),
            }
            for block in blocks
        ],
    }

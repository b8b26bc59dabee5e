"""What a run keeps of its data beside its model, for the exports that are measured on it."""

import numpy as np

from a2keras.models.preprocessing.samples import BYTES, COUNT, Samples
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.data.pipeline import plain_batches
from a2keras.training.data.source import Examples, Source


def draw_samples(source: Source, preprocessing: Preprocessing, seed: int) -> Samples:
    """Middle views of training examples and of held-out ones, drawn by the seed alone."""
    held_out = source.splits.get("test", source.splits.get("validation"))
    return Samples(
        _draw(source.splits["train"], preprocessing, seed), _draw(held_out, preprocessing, seed)
    )


def _draw(examples: Examples | None, preprocessing: Preprocessing, seed: int) -> np.ndarray:
    shape = preprocessing.input_shape
    if examples is None:
        return np.zeros((0, *shape), np.uint8)
    count = min(COUNT, max(1, BYTES // int(np.prod(shape))))
    drawn = np.random.default_rng(seed).permutation(len(examples))[:count]
    batches = plain_batches(examples, 8, preprocessing, drawn)
    return np.concatenate([pixels.numpy() for pixels, _ in batches]).astype(np.uint8)

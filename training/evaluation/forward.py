"""Many views through a network, as many at once as memory takes."""

import math
from collections.abc import Sequence

import keras
import numpy as np

from a2keras.models import keras_files

MOST_VIEWS = 64
MOST_NUMBERS = 2**25  # of a batch's pixels: 128 MiB; the first feature maps have several times that


def at_once(shape: tuple[int, ...]) -> int:
    """How many views of a shape are computed together."""
    return max(1, min(MOST_VIEWS, MOST_NUMBERS // math.prod(shape)))


def probabilities(model: keras.Model, views: Sequence[np.ndarray], batch: int) -> np.ndarray:
    """Class probabilities of at most `batch` views, float32 (views, classes).

    All batches have one size: another would be compiled anew.
    """
    missing = [views[-1]] * (batch - len(views))
    pixels = np.stack([*views, *missing]).astype("float32")
    with keras_files.computing():
        return model.predict_on_batch(pixels)[: len(views)]

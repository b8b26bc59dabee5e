"""Views through a network: as many at once as memory takes, and those of all examples."""

import math
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from a2keras.console import progress
from a2keras.errors import UserError
from a2keras.models import keras_files
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data.reading import in_order, threads_for
from a2keras.training.data.source import Examples, Skipped

SMALL = 2**18  # bytes of an image
CUT_AT_ONCE = 64  # small images
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


def predict_views(
    model: keras.Model, examples: Examples, preprocessing: Preprocessing, recipe: Recipe
) -> tuple[np.ndarray, list[int], list[Skipped]]:
    """Class probabilities of every view, made exactly as `predict` makes them.

    Returns:
        probabilities float32 (N, views, classes): the centre crop of the middle clip (of an image:
        of the image), and where several views are averaged these views after it; the indices of the
        examples that could be read; the files that could not.
    """
    clips = recipe.views if preprocessing.is_video else 1
    several = clips * recipe.crops > 1
    count = 1 + several * clips * recipe.crops
    batch = min(at_once(preprocessing.input_shape), count * len(examples))
    outputs: list[np.ndarray] = []
    waiting: list[np.ndarray] = []
    read: list[int] = []
    skipped: list[Skipped] = []
    for number, views in _views(examples, preprocessing, recipe, several, skipped):
        read.append(number)
        waiting += views
        while len(waiting) >= batch:
            outputs.append(probabilities(model, waiting[:batch], batch))
            waiting = waiting[batch:]
    if not read:
        raise UserError("none of the files to evaluate can be read")
    if waiting:
        outputs.append(probabilities(model, waiting, batch))
    return np.concatenate(outputs).reshape(len(read), count, -1), read, skipped


def _views(
    examples: Examples,
    preprocessing: Preprocessing,
    recipe: Recipe,
    several: bool,
    skipped: list[Skipped],
) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Of each example that can be read its number and its views, see `predict_views`.

    Small images of one size that come one after the other are cut together, as the frames of a clip
    are: what Keras takes for a call is more than such a picture costs.
    """
    clips = recipe.views if preprocessing.is_video else 1
    alike: list[tuple[int, np.ndarray]] = []

    def together() -> Iterator[tuple[int, list[np.ndarray]]]:
        images = np.stack([image for _, image in alike])
        views = [preprocessing.crops(images)]
        views += [preprocessing.crops(images, recipe.crops)] if several else []
        for (number, _), *own in zip(alike, *np.concatenate(views), strict=True):
            yield number, own
        alike.clear()

    def singly() -> Iterator[tuple[int, list[np.ndarray]]]:
        for number, frames in alike:
            views = [*preprocessing.views_of(frames)]
            views += [*preprocessing.views_of(frames, clips, recipe.crops)] if several else []
            yield number, views
        alike.clear()

    for number, frames in _frames(examples, preprocessing.is_video, skipped):
        if alike and alike[0][1].shape != frames.shape:
            yield from singly()
        alike.append((number, frames))
        if preprocessing.is_video or frames.nbytes > SMALL:
            yield from singly()
        elif len(alike) == CUT_AT_ONCE:
            yield from together()
    yield from singly()


def _frames(
    examples: Examples, is_video: bool, skipped: list[Skipped]
) -> Iterator[tuple[int, np.ndarray]]:
    """What can be read, images by threads; and of what cannot, the reason."""

    def attempt(number: int) -> np.ndarray | DecodeError:
        try:
            return examples.frames(number)
        except DecodeError as error:
            return error

    numbers = range(len(examples))
    paths = [path for path in map(examples.path, numbers) if path is not None]
    threads = threads_for(paths) if len(paths) == len(examples) else 1
    # A whole video may take gigabytes, and its decoder has threads of its own; so may many photos.
    portion = 16 if threads == 1 else 1
    found = map(attempt, numbers) if is_video else in_order(attempt, numbers, threads, portion)
    for number, frames in enumerate(
        progress(found, "evaluating", unit=" examples", total=len(examples))
    ):
        if isinstance(frames, DecodeError):
            skipped.append(Skipped(examples.names[number], str(frames)))
        else:
            yield number, frames

"""What TensorBoard shows of a run: scalars, and the examples as they enter the network."""

import contextlib
import io
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from a2keras.errors import UserError, reason_of
from a2keras.files import make_directory
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data.pipeline import first_views
from a2keras.training.data.source import Examples

EVERY = 10  # steps between two whose scalars are kept
IMAGES, CLIPS, FRAMES = 16, 4, 8  # shown at most


class EventFile:
    """A file of events for TensorBoard, which needs no TensorBoard to be written.

    Every process that goes on with a run begins a file of its own; where steps are done again,
    TensorBoard shows them twice, with the same values.

    Args:
        directory: for the file.

    Raises:
        UserError: (each method) it cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        with self._explained():
            path = make_directory(directory) / f"events.out.tfevents.{time.time_ns()}"
            path.touch(exist_ok=False)  # TensorFlow would write through a link of this name
            self.file = tf.io.TFRecordWriter(str(path))
            self._write(tf.compat.v1.Event(file_version="brain.Event:2"))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds values after a step, by name."""
        summary = tf.compat.v1.Summary()
        for name, value in values.items():
            summary.value.add(tag=name, simple_value=value)
        self._write(tf.compat.v1.Event(step=step, summary=summary))

    def step(self, step: int, figures: Mapping[str, float]) -> None:
        """Adds the figures of a step, of every tenth one."""
        if step % EVERY == 0:
            self.scalars(step, {f"step/{name}": value for name, value in figures.items()})

    def epoch(self, line: Mapping[str, Any]) -> None:
        """Adds the figures of an epoch, see `Progress.line`."""
        figures = {key: value for key, value in line.items() if key not in ("epoch", "step")}
        self.scalars(line["step"], {f"epoch/{key}": value for key, value in figures.items()})
        self.flush()

    def picture(self, step: int, name: str, pixels: np.ndarray) -> None:
        """Adds a picture, uint8 (H, W, 3)."""
        from PIL import Image

        encoded = io.BytesIO()
        Image.fromarray(pixels).save(encoded, "PNG")
        height, width = pixels.shape[:2]
        image = tf.compat.v1.Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=encoded.getvalue()
        )
        summary = tf.compat.v1.Summary()
        summary.value.add(tag=name, image=image)
        self._write(tf.compat.v1.Event(step=step, summary=summary))

    def flush(self) -> None:
        with self._explained():
            self.file.flush()

    def _write(self, event: "tf.compat.v1.Event") -> None:
        event.wall_time = time.time()
        with self._explained():
            self.file.write(event.SerializeToString())

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            reason = getattr(error, "strerror", None) or reason_of(error)
            message = f"the events cannot be written to {self.directory}: {reason}"
            raise UserError(message) from error


def first_examples(examples: Examples, recipe: Recipe, preprocessing: Preprocessing) -> np.ndarray:
    """The first examples of a run as they enter the network: float32 (N, *input_shape)."""
    count = min(CLIPS if preprocessing.is_video else IMAGES, len(examples))
    return first_views(examples, recipe, preprocessing, count)


def grid(views: np.ndarray) -> np.ndarray:
    """One picture of all views: images in rows of four, or a row of frames for each clip.

    Args:
        views: (N, [T,] H, W, 3), values 0..255.

    Returns:
        uint8 (height, width, 3), a white line of one pixel between the views.
    """
    if views.ndim == 5:
        chosen = np.linspace(0, views.shape[1] - 1, min(FRAMES, views.shape[1])).round().astype(int)
        rows, columns = len(views), len(chosen)
        tiles = views[:, chosen].reshape(-1, *views.shape[2:])
    else:
        columns = min(4, len(views))
        rows = -(-len(views) // columns)
        tiles = views
    height, width = tiles.shape[1] + 1, tiles.shape[2] + 1
    picture = np.full((rows * height - 1, columns * width - 1, 3), 255, "uint8")
    for i, tile in enumerate(tiles.round().astype("uint8")):
        top, left = i // columns * height, i % columns * width
        picture[top : top + height - 1, left : left + width - 1] = tile
    return picture

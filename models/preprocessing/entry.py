"""What raw pixels become before a network that does not normalise them by itself."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from a2keras.models.preprocessing.pixels import Pixels
from a2keras.models.preprocessing.spec import Preprocessing

RAW = Pixels((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class Entry(NamedTuple):
    """From raw pixels to what a trunk takes.

    Attributes:
        pixels: the normalisation, channel by channel.
        is_flipped: whether it takes them as blue, green, red.
    """

    pixels: Pixels
    is_flipped: bool = False

    def __call__(self, x: Any) -> Any:
        """Applies it to a Keras tensor (B, ..., 3), by layers that are part of the network."""
        x = x if self.pixels == RAW else self.pixels.layer()(x)
        return keras.ops.flip(x, axis=-1) if self.is_flipped else x

    def of_array(self, pixels: np.ndarray) -> np.ndarray:
        """The same of an array of pixels, as float32."""
        mean, scale = (np.asarray(each, np.float32) for each in self.pixels)
        normal = (pixels.astype(np.float32) - mean) * scale
        return normal[..., ::-1] if self.is_flipped else normal


def entry_of(preprocess_input: Callable[..., Any]) -> Entry:
    """What a function of `keras.applications` does to pixels, by what it does to four of them."""
    black, *primaries = 255 * np.concatenate([np.zeros((1, 3)), np.eye(3)])
    pixels = np.stack([black, *primaries]).reshape(4, 1, 1, 3)
    offset, *rows = np.asarray(preprocess_input(pixels, data_format="channels_last"))[:, 0, 0]
    slopes = (np.stack(rows) - offset) / 255  # (channel of the input, channel of the output)
    is_flipped = bool(slopes[0, 2])
    if is_flipped:
        slopes, offset = slopes[:, ::-1], offset[::-1]
    scale = np.diag(slopes)
    mean = tuple(round(float(each), 6) for each in -offset / scale)
    return Entry(Pixels(tuple(each + 0.0 for each in mean), tuple(map(float, scale))), is_flipped)


def _like_keras(mode: str) -> Callable[[], Entry]:
    def made() -> Entry:
        from keras.applications import imagenet_utils

        return entry_of(lambda x, data_format: imagenet_utils.preprocess_input(x, mode=mode))

    return made


# What a network may take, by the names of `spec.TAKES`.
ENTRIES: dict[str, Callable[[], Entry]] = {
    "raw": lambda: Entry(RAW),
    "unit": lambda: Entry(Pixels((0.0,) * 3, (1 / 255,) * 3)),
    **{mode: _like_keras(mode) for mode in ("tf", "torch", "caffe")},
}


def as_raw(preprocessing: Preprocessing) -> Preprocessing:
    """What is said of a model after `trunks.taking_raw`; `mean` and `scale` are then in RGB."""
    if preprocessing.takes == "raw":
        return preprocessing
    mean, scale = ENTRIES[preprocessing.takes]().pixels
    return dataclasses.replace(preprocessing, takes="raw", mean=mean, scale=scale)

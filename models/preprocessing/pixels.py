"""How pixels become the numbers that a network takes, which belongs to its weights."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class Pixels(NamedTuple):
    """Normalisation of 8-bit RGB, channel by channel: (x - mean) · scale.

    The defaults, of networks that start from nothing here, are those of the authors' sister code
    for images and videos.

    Attributes:
        mean: of 0 to 255.
        scale: one over the standard deviation, or whatever the weights were trained with.
    """

    mean: tuple[float, ...] = (124.0, 117.0, 104.0)
    scale: tuple[float, ...] = (0.0167, 0.0167, 0.0167)

    @classmethod
    def of_unit(cls, mean: Sequence[float], deviation: Sequence[float]) -> "Pixels":
        """From a mean and a standard deviation of RGB from 0 to 1, as PyTorch's libraries tell."""
        return cls(
            tuple(round(255 * each, 6) for each in mean), tuple(1 / (255 * d) for d in deviation)
        )

    def layer(self, name: str = "normalisation") -> Any:
        """The first layer of a network that takes raw pixels, (B, ..., 3).

        It stays in float32 under mixed precision, where pixel values would lose digits.
        """
        import keras

        offset = [-mean * scale for mean, scale in zip(self.mean, self.scale, strict=True)]
        scale: Any = self.scale[0] if len(set(self.scale)) == 1 else list(self.scale)
        return keras.layers.Rescaling(scale, offset, dtype="float32", name=name)

    def normalize(self, x: Any) -> Any:
        """float32 of what `layer` gives, for a NumPy array or a tensor (..., 3)."""
        mean, scale = (np.asarray(each, "float32") for each in self)
        if isinstance(x, np.ndarray):
            return (x.astype("float32") - mean) * scale
        from keras import ops

        return (ops.cast(x, "float32") - mean) * scale

    def __str__(self) -> str:
        def text_of(values: tuple[float, ...]) -> str:
            text = ", ".join(f"{each:.6g}" for each in values)
            return text.split(",")[0] if len(set(values)) == 1 else f"({text})"

        return f"RGB of 0 to 255, (x - {text_of(self.mean)}) * {text_of(self.scale)}"

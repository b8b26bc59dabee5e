"""Views of a run's own data that are kept beside its model: what an export is measured on."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from a2keras.arrays import read_npz
from a2keras.errors import UserError, reason_of
from a2keras.files import replacing

FILE_NAME = "samples.npz"
COUNT = 128  # views of each kind, if they take at most …
BYTES = 64 * 2**20  # … this much memory


@dataclass(frozen=True)
class Samples:
    """Test views, as a network takes them.

    Attributes:
        calibration: of training examples, from which a quantiser learns the range of every
            layer's outputs; uint8 (N, *input_shape), N may be 0.
        held_out: of examples that the network was not trained on; uint8 (M, *input_shape), M may
            be 0.
    """

    calibration: np.ndarray
    held_out: np.ndarray

    def save(self, directory: Path) -> None:
        """Writes `samples.npz` into a directory that exists."""
        with replacing(directory / FILE_NAME) as partial, partial.open("wb") as file:
            np.savez_compressed(file, calibration=self.calibration, held_out=self.held_out)

    @classmethod
    def load(cls, directory: Path, input_shape: tuple[int, ...]) -> "Samples":
        """Reads what training has kept beside a model, nothing where there is no `samples.npz`.

        Args:
            directory: of the model.
            input_shape: ([T,] H, W, 3) of one view.

        Raises:
            UserError: the file is damaged, or of another network.
        """
        path = directory / FILE_NAME
        if not path.is_file():
            nothing = np.zeros((0, *input_shape), np.uint8)
            return cls(nothing, nothing)
        try:
            arrays = read_npz(path, 2 * max(BYTES, math.prod(input_shape)))
            samples = cls(arrays.pop("calibration"), arrays.pop("held_out"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be used: {reason_of(error)}") from error
        except KeyError as error:
            raise UserError(f"{path} cannot be used: it does not hold {error}") from error
        for views in (samples.calibration, samples.held_out):
            if views.dtype != np.uint8 or views.shape[1:] != input_shape:
                sizes = ", ".join(map(str, input_shape))
                raise UserError(
                    f"{path} must hold uint8 views of shape (N, {sizes}). "
                    f"Received: {views.dtype} {views.shape}"
                )
        return samples

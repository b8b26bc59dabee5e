"""What an export starts from: a trained classifier, with what its artefacts need besides."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from a2keras.models.preprocessing.spec import Preprocessing


@dataclass(frozen=True)
class Classifier:
    """A trained classifier.

    Attributes:
        model: float32, raw pixels 0..255 in and probabilities out.
        preprocessing: what makes the pixels, and the names of the classes.
        calibration: views of training examples, uint8 (N, *input_shape); N is 0 for a bare model.
        samples: real views to compare on, uint8 (M, *input_shape); M may be 0.
    """

    model: Any
    preprocessing: Preprocessing
    calibration: np.ndarray
    samples: np.ndarray

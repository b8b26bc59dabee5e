"""What an export starts from: a trained classifier, with what its artefacts need besides."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from a2keras.errors import UserError
from a2keras.export import loaders
from a2keras.models.preprocessing.samples import Samples
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

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """Loads a `.keras` file and what lies beside it.

        Raises:
            UserError: it cannot be loaded, or another backend than TensorFlow is in use.
        """
        import keras

        if keras.backend.backend() != "tensorflow":
            raise UserError(
                "export needs the TensorFlow backend of Keras, not "
                f"{keras.backend.backend()}: unset KERAS_BACKEND"
            )
        preprocessing = Preprocessing.load(path.parent)
        model = loaders.load_keras(path)
        preprocessing.check_shapes(path, model.input_shape[1:], model.output_shape[1:])
        samples = Samples.load(path.parent, preprocessing.input_shape)
        return cls(in_float32(model), preprocessing, samples.calibration, samples.held_out)


def in_float32(model: Any) -> Any:
    """The model with all layers in float32: mixed precision is for training, not for artefacts.

    Its weights are float32 as they are; only what the layers compute in changes.
    """
    import keras

    def replaced(config: Any) -> Any:
        if isinstance(config, dict):
            if config.get("class_name") == "DTypePolicy":
                return {**config, "config": {"name": "float32"}}
            return {key: replaced(value) for key, value in config.items()}
        if isinstance(config, list | tuple):
            return type(config)(map(replaced, config))
        return config

    config = keras.saving.serialize_keras_object(model)
    if replaced(config) == config:
        return model
    copy = keras.saving.deserialize_keras_object(replaced(config))
    copy.set_weights(model.get_weights())
    return copy

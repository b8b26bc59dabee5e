"""A trained classifier as exports start from it: the model in float32, and what lies beside it."""

from pathlib import Path
from typing import Any

from a2keras.errors import UserError
from a2keras.export.classifier import Classifier
from a2keras.export.reading import loaders
from a2keras.models.preprocessing.samples import Samples
from a2keras.models.preprocessing.spec import Preprocessing


def load_classifier(path: Path) -> Classifier:
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
    return Classifier(in_float32(model), preprocessing, samples.calibration, samples.held_out)


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

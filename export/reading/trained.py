"""A trained classifier as exports start from it: the model in float32, and what lies beside it."""

from pathlib import Path
from typing import Any

import numpy as np

from a2keras.errors import UserError
from a2keras.export.classifier import Classifier
from a2keras.export.reading import loaders
from a2keras.models import keras_files
from a2keras.models.preprocessing.samples import Samples
from a2keras.models.preprocessing.spec import Preprocessing


def load_classifier(path: Path, preprocessing: Preprocessing | None = None) -> Classifier:
    """Loads a `.keras` file and what lies beside it.

    Args:
        path: of the file.
        preprocessing: what makes its input, in place of the file beside it.

    Raises:
        UserError: it cannot be loaded, or another backend than TensorFlow is in use.
    """
    _check_backend()
    from a2keras.models.preprocessing.entry import as_raw

    if preprocessing is None:
        preprocessing = Preprocessing.load(path.parent)
        model = loaders.load_keras(path, preprocessing)
        preprocessing.check_shapes(path, model.input_shape[1:], model.output_shape[1:])
    else:
        model = keras_files.load_classifier(path, preprocessing)
    samples = Samples.load(path.parent, preprocessing.input_shape)
    raw = as_raw(preprocessing)
    return Classifier(in_float32(model), raw, samples.calibration, samples.held_out)


def classifier_of(model: Any, preprocessing: Preprocessing) -> Classifier:
    """A model of this program, functional or Sequential, of one input and one output.

    Raises:
        UserError: it is another one, or does not take what `preprocessing` makes.
    """
    _check_backend()
    from a2keras.models.preprocessing.entry import as_raw
    from a2keras.models.trunks import taking_raw

    name = f"model {model.name!r}"
    single = keras_files.with_single_ends(model, f"{name} cannot be exported")
    preprocessing.check_shapes(name, single.input_shape[1:], single.output_shape[1:])
    nothing = np.zeros((0, *preprocessing.input_shape), np.uint8)
    taking = taking_raw(single, preprocessing.takes)
    return Classifier(in_float32(taking), as_raw(preprocessing), nothing, nothing)


def _check_backend() -> None:
    import keras

    if keras.backend.backend() != "tensorflow":
        raise UserError(
            "export needs the TensorFlow backend of Keras, not "
            f"{keras.backend.backend()}: unset KERAS_BACKEND"
        )


def in_float32(model: Any) -> Any:
    """The model with all layers in float32: mixed precision is for training, not for artefacts.

    Its weights are float32 as they are; only what the layers compute in changes.
    """
    import keras

    from a2keras.copying import copy_state

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
    copy_state(model, copy, {})
    return copy

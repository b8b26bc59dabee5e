"""Every signature of a served model beside `serving_default`, to compare with its Keras model."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from a2keras.export.parity import Signature
from a2keras.export.saved_model import INPUT, OUTPUT
from a2keras.export.serving import servable
from a2keras.export.serving.images import image_formats
from a2keras.export.serving.network import with_features
from a2keras.models.preprocessing.image import read_image
from a2keras.models.preprocessing.spec import Preprocessing

if TYPE_CHECKING:
    from a2keras.export.classifier import Classifier


def comparisons(classifier: "Classifier", path: Path) -> dict[str, Signature]:
    """The further signatures of what `servable.write` wrote at a path."""
    import tensorflow as tf

    preprocessing = classifier.preprocessing
    loaded = tf.saved_model.load(str(path / servable.VERSION))
    model = _Model(classifier.model)

    def output_of(signature: str, output: str, **inputs: Any) -> np.ndarray:
        return loaded.signatures[signature](**inputs)[output].numpy()

    def uint8(pixels: np.ndarray) -> np.ndarray:
        return output_of(servable.UINT8, OUTPUT, **{INPUT: tf.constant(pixels)})

    def from_bytes(pixels: np.ndarray) -> np.ndarray:
        files = files_of(pixels[0], preprocessing)
        given = tf.constant([files if preprocessing.is_video else files[0]])
        name = servable.encoded_input(preprocessing).name
        return output_of(servable.BYTES, OUTPUT, **{name: given})

    def from_files(pixels: np.ndarray) -> np.ndarray:
        files = files_of(pixels[0], preprocessing)
        views = [preprocessing.crop(read_image("sample", file)) for file in files]
        return model(np.stack(views).reshape(1, *preprocessing.input_shape))[0]

    def features(pixels: np.ndarray) -> np.ndarray:
        given = tf.constant(pixels, tf.float32)
        return output_of(servable.FEATURES, servable.FEATURES, **{INPUT: given})

    return {
        servable.UINT8: Signature(uint8, lambda pixels: model(pixels)[0]),
        servable.BYTES: Signature(from_bytes, from_files),
        servable.FEATURES: Signature(features, lambda pixels: model(pixels)[1], classes=False),
    }


def files_of(view: np.ndarray, preprocessing: Preprocessing) -> list[bytes]:
    """A view's image, or its frames, as files of one of the formats, larger and not square.

    The format is drawn by the pixels' sum, so that a number of samples have all of them.
    """
    from PIL import Image

    formats = image_formats()
    format_ = formats[int(view.sum()) % len(formats)]
    size = (preprocessing.size * 3 // 2 + 1, preprocessing.size * 5 // 4)
    files = []
    for frame in view.reshape(-1, *view.shape[-3:]):
        file = io.BytesIO()
        Image.fromarray(frame).resize(size).save(file, format_, quality=90)
        files.append(file.getvalue())
    return files


class _Model:
    """Probabilities and features of pixels, computed once for each."""

    def __init__(self, model: Any) -> None:
        self._model = with_features(model)
        self._known: dict[bytes, list[np.ndarray]] = {}

    def __call__(self, pixels: np.ndarray) -> list[np.ndarray]:
        key = pixels.tobytes()
        if key not in self._known:
            outputs = self._model(pixels.astype(np.float32), training=False)
            self._known[key] = [np.asarray(each, np.float32) for each in outputs]
        return self._known[key]

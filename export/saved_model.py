"""SavedModel: a graph that runs with TensorFlow alone, without Keras or a2keras.

This is the plain one, which other formats are made from. `serving` writes the one for servers.
"""

from pathlib import Path
from typing import Any

from a2keras.whole_numbers import is_number

INPUT = "pixels"
OUTPUT = "probabilities"


def write(model: Any, path: Path, batch_size: int | None = None) -> None:
    """Writes a classifier as SavedModel.

    Its `serving_default` signature takes `pixels`, float32 (batch, *model.input_shape[1:]), and
    gives `probabilities`, float32 (batch, classes). Axes that the model leaves open stay open.

    Args:
        model: a Keras model with one input and one output, on the TensorFlow backend.
        path: the directory to write.
        batch_size: None leaves the batch open.
    """
    import keras
    import tensorflow as tf

    def serve(pixels: Any) -> dict[str, Any]:
        return {OUTPUT: tf.cast(model(pixels, training=False), tf.float32)}

    signature = tf.TensorSpec((batch_size, *model.input_shape[1:]), tf.float32, name=INPUT)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", serve, input_signature=[signature])
    archive.write_out(str(path), verbose=False)


def version_of(path: Path) -> Path | None:
    """The directory with the SavedModel: the path itself, or the highest of its numbered versions.

    Model servers keep versions so, see `serving`. None where there is no SavedModel.
    """
    if (path / "saved_model.pb").is_file():
        return path
    found = (each.parent for each in path.glob("*/saved_model.pb"))
    versions = [each for each in found if is_number(each.name)]
    return max(versions, key=lambda each: int(each.name), default=None)

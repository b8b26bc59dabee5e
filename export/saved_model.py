"""SavedModel: a graph that runs with TensorFlow alone, without Keras or a2keras."""

from pathlib import Path
from typing import Any

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

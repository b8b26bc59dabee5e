"""SavedModel for model servers: pixels or image files in, names of classes out, in one graph."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from a2keras.export.saved_model import INPUT, OUTPUT
from a2keras.export.serving import images, rest, warmup
from a2keras.export.serving.network import with_features, with_open_sizes
from a2keras.models.preprocessing.spec import Preprocessing

if TYPE_CHECKING:
    from a2keras.export.classifier import Classifier

VERSION = "1"  # model servers look for numbered directories, and take the highest
DEFAULT, UINT8, BYTES, FEATURES = "serving_default", "serving_uint8", "serving_bytes", "features"
# Binary inputs of TensorFlow Serving have names that end so.
IMAGE_BYTES, FRAME_BYTES = "image_bytes", "frame_bytes"
TOP_LABELS, TOP_PROBABILITIES = "top_labels", "top_probabilities"
TOP = 5


def write(classifier: "Classifier", path: Path) -> dict[str, Any]:
    """Writes a classifier as PATH/1/, a SavedModel with the signatures of `docs/serving.md`.

    `serving_default` takes `pixels` as float32: what `predict` asks for, and what pixels are that a
    client has resized. A signature has one type for each input, so `serving_uint8` stands beside
    it, whose requests are a quarter as large. `serving_bytes` takes whole image files, `features`
    gives what the classifier takes.

    Args:
        classifier: the model.
        path: the directory to write, which is the base path of a model server.

    Returns:
        The signatures with the types and shapes of their ends; None is an open size.
    """
    import tensorflow as tf

    preprocessing = classifier.preprocessing
    network = with_features(with_open_sizes(classifier.model))
    labels = tf.constant(preprocessing.labels)
    run = tf.function(lambda pixels: network(pixels, training=False), autograph=False)

    def classify(pixels: Any) -> dict[str, Any]:
        return named(run(tf.cast(pixels, tf.float32))[0], labels)

    def from_bytes(encoded: Any) -> dict[str, Any]:
        return classify(_pixels(preprocessing, encoded))

    def features(pixels: Any) -> dict[str, Any]:
        return {FEATURES: tf.cast(run(pixels)[1], tf.float32)}

    shape = (None, *network.input_shape[1:])
    float_pixels = tf.TensorSpec(shape, tf.float32, name=INPUT)
    uint8_pixels = tf.TensorSpec(shape, tf.uint8, name=INPUT)
    served = {
        name: tf.function(function, autograph=False).get_concrete_function(taken)
        for name, function, taken in (
            (DEFAULT, classify, float_pixels),
            (UINT8, classify, uint8_pixels),
            (BYTES, from_bytes, encoded_input(preprocessing)),
            (FEATURES, features, float_pixels),
        )
    }
    holder = tf.Module()
    holder.weights = [variable.value for variable in network.variables]
    version = path / VERSION
    tf.saved_model.save(holder, str(version), signatures=served)
    preprocessing.save(version)  # so that the directory can be moved by itself
    requests = example_requests(preprocessing)
    warmup.write(version, requests)
    rest.write(version, BYTES, requests[BYTES])
    return {"signatures": signatures(version)}


def named(probabilities: Any, labels: Any) -> dict[str, Any]:
    """The outputs of a signature: all probabilities, and the most probable classes by name."""
    import tensorflow as tf

    probabilities = tf.cast(probabilities, tf.float32)
    top = tf.math.top_k(probabilities, min(TOP, labels.shape[0]))
    return {
        OUTPUT: probabilities,
        TOP_LABELS: tf.gather(labels, top.indices),
        TOP_PROBABILITIES: top.values,
    }


def encoded_input(preprocessing: Preprocessing) -> Any:
    """What `serving_bytes` takes: images (B,), or the frames of clips (B, T)."""
    import tensorflow as tf

    if preprocessing.is_video:
        return tf.TensorSpec((None, preprocessing.frames), tf.string, name=FRAME_BYTES)
    return tf.TensorSpec((None,), tf.string, name=IMAGE_BYTES)


def _pixels(preprocessing: Preprocessing, encoded: Any) -> Any:
    """uint8 (B, *input_shape) of encoded images (B,) or frames (B, T)."""
    import tensorflow as tf

    pixels = images.views(preprocessing, tf.reshape(encoded, [-1]))
    return tf.reshape(pixels, (-1, *preprocessing.input_shape))


def example_requests(preprocessing: Preprocessing) -> dict[str, dict[str, Any]]:
    """{signature: its inputs}: one grey image or clip each."""
    import tensorflow as tf

    grey = tf.fill((1, *preprocessing.input_shape), 128)
    frame = tf.cast(tf.reshape(grey, (-1, *preprocessing.input_shape[-3:]))[0], tf.uint8)
    count = preprocessing.frames or 1
    shape = (1, count) if preprocessing.is_video else (1,)
    encoded = tf.fill(shape, tf.io.encode_jpeg(frame))
    return {
        DEFAULT: {INPUT: tf.cast(grey, tf.float32)},
        UINT8: {INPUT: tf.cast(grey, tf.uint8)},
        BYTES: {encoded_input(preprocessing).name: encoded},
        FEATURES: {INPUT: tf.cast(grey, tf.float32)},
    }


def signatures(version: Path) -> dict[str, Any]:
    """{name: {"inputs": {name: {"dtype", "shape"}}, "outputs": …}} of a SavedModel."""
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    document = saved_model_pb2.SavedModel()
    document.ParseFromString((version / "saved_model.pb").read_bytes())

    def ends(tensors: Any) -> dict[str, Any]:
        return {
            name: {
                "dtype": tf.as_dtype(each.dtype).name,
                "shape": tf.TensorShape(each.tensor_shape).as_list(),
            }
            for name, each in sorted(tensors.items())
        }

    found = document.meta_graphs[0].signature_def
    return {
        name: {"inputs": ends(found[name].inputs), "outputs": ends(found[name].outputs)}
        for name in (DEFAULT, UINT8, BYTES, FEATURES)
    }

"""Serialized examples of TensorFlow Datasets in any order: read in Python, decoded in the graph."""

from typing import Any

import numpy as np
import tensorflow as tf

from a2keras.errors import UserError, reason_of
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.image import TIFF, WEBP
from a2keras.models.preprocessing.places import tensorflow_io
from a2keras.models.preprocessing.sampling import steady_indices
from a2keras.training.data.errors import words_of
from a2keras.training.data.listing import Listing
from a2keras.training.data.source import Choose, Examples

SAMPLES = 16  # records of which one must be readable
# Of operations on damaged records; the second where shapes do not fit, and where TensorFlow cannot
# decode its own message.
UNREADABLE = (tf.errors.OpError, ValueError)


class RecordExamples(Examples):
    """Images, or videos as images one after the other, that a record holds in encoded form.

    Of a video only the frames of the clip are decoded.

    Args:
        listing: of the examples.
        records, places, features, pixels: see `RecordListing`.
    """

    def __init__(
        self, listing: Listing, *, records: Any, places: np.ndarray, features: Any, pixels: str
    ) -> None:
        from tensorflow_datasets.core.example_parser import ExampleParser

        self.place = listing.place
        self.names = listing.names
        self.labels = listing.labels
        self.contents = listing.contents()
        self.is_video = listing.task == "video"
        self.records = records
        self.places = places
        self.pixels = pixels
        keys = [self.pixels]
        if self.is_video and "timestamps" in features:
            keys.append("timestamps")
        self.timed = len(keys) > 1
        specification = {key: features[key].get_serialized_info() for key in keys}
        self.parse = ExampleParser(specification).parse_example
        self.decode = _decoder(self._sample(), listing.place)

    def identities(self) -> list[str] | None:
        return list(self.contents) or None

    def _read(self, indices: np.ndarray) -> np.ndarray:
        places = self.places[indices].tolist()
        try:
            found = self.records.__getitems__(places)
        except Exception as error:  # of the native reader, of several types
            raise DecodeError(self.place, f"has damaged records ({reason_of(error)})") from error
        # As objects: NumPy's own strings lose zeros at their end.
        return np.array([*found, None], object)[:-1]

    def _sample(self) -> bytes:
        """The first picture, or the next one where that cannot be read."""
        reason = "none"
        for index in range(min(SAMPLES, len(self.labels))):
            try:
                encoded = self.parse(tf.constant(self._read(np.array([index]))[0]))[self.pixels]
                return (encoded[0] if self.is_video else encoded).numpy()
            except DecodeError as error:
                reason = str(error)
            except UNREADABLE as error:
                reason = words_of(error)
        raise UserError(f"{self.place} has no records that can be read: {reason}")

    def keys(self, indices: Any) -> Any:
        """The records: a string tensor (K,). Python, and its lock, are only needed here."""
        records = tf.numpy_function(self._read, [indices], tf.string, stateful=False)
        records.set_shape((None,))
        return records

    def frames(self, index: int) -> np.ndarray:
        frames: np.ndarray = self.load(index).numpy()
        if not frames.size:
            raise DecodeError(self.names[index], "has no pixels")
        return frames

    def load(self, index: Any) -> Any:
        return self.load_clip(self.keys([index])[0], lambda total: tf.range(total))

    def load_clip(self, key: Any, choose: Choose) -> Any:
        try:
            return self._load_clip(key, choose)
        except UNREADABLE as error:
            if not tf.executing_eagerly():  # of the graph itself; of records it comes later, see
                raise  # `readable`
            raise DecodeError(self.place, f"has a damaged record ({words_of(error)})") from error

    def _load_clip(self, key: Any, choose: Choose) -> Any:
        parsed = self.parse(key)
        if not self.is_video:
            return self.decode(parsed[self.pixels])
        encoded = parsed[self.pixels]
        if self.timed:
            steady = _steady(parsed["timestamps"])
            chosen = tf.gather(steady, choose(tf.shape(steady, out_type=tf.int64)[0]))
        else:
            chosen = choose(tf.shape(encoded, out_type=tf.int64)[0])
        return self._decode_all(tf.gather(encoded, chosen))

    def _decode_all(self, encoded: Any) -> Any:
        if encoded.shape[0] is not None and not tf.executing_eagerly():
            # Nodes of their own are decoded side by side, without the bookkeeping of a loop.
            return tf.stack([self.decode(each) for each in tf.unstack(encoded)])
        signature = tf.TensorSpec((None, None, 3), tf.uint8)
        return tf.map_fn(self.decode, encoded, fn_output_signature=signature)


def _steady(times: Any) -> Any:
    """`steady_indices` in the graph, for which Python is asked only where the rate varies."""
    steps = times[1:] - times[:-1]

    def varies() -> Any:
        ascending, count = tf.sort(steps), tf.size(steps)
        median = (ascending[(count - 1) // 2] + ascending[count // 2]) / 2
        return tf.reduce_all(steps > 0) & tf.reduce_any(tf.abs(steps - median) > median / 2)

    def by_python() -> Any:
        return tf.numpy_function(steady_indices, [times], tf.int64, stateful=False)

    variable = tf.cond(tf.size(steps) > 0, varies, lambda: False)
    everything = tf.range(tf.size(times, out_type=tf.int64))
    return tf.ensure_shape(tf.cond(variable, by_python, lambda: everything), (None,))


def _decoder(sample: bytes, place: str) -> Any:
    """How to decode pictures like this one, as a function of a string tensor.

    JPEG is decoded with the accurate transform: TensorFlow's fast one is off by several levels, and
    this one gives what Pillow gives.
    """
    if sample.startswith((*TIFF, WEBP)):
        if (tfio := tensorflow_io()) is None:
            raise UserError(
                f"{place} holds WebP or TIFF images, which need tensorflow-io and TensorFlow 2.17: "
                f"pip install 'a2keras[io]'; or `a2keras prepare` turns it into PNG once"
            )
        image = tfio.image
        decode = (
            image.decode_webp if sample.startswith(WEBP) else tfio.experimental.image.decode_tiff
        )
        return lambda data: tf.ensure_shape(decode(data), (None, None, 4))[..., :3]
    return decode_picture


def decode_picture(data: Any) -> Any:
    """JPEG, PNG, GIF or BMP as uint8 RGB (H, W, 3)."""
    picture = tf.cond(
        tf.io.is_jpeg(data),
        lambda: tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(data, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(picture, (None, None, 3))

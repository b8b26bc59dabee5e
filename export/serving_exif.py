"""The EXIF orientation of an image within a graph of TensorFlow: how the camera was held."""

from typing import Any

from a2keras.export.serving_bytes import Bytes

_ORIENTATION, _LONG = 0x0112, 4  # a tag, and the type of a 32-bit value
_MOST_ENTRIES = 512


def upright(pixels: Any, value: Any) -> Any:
    """Turns an image as `PIL.ImageOps.exif_transpose` does.

    Args:
        pixels: (H, W, 3).
        value: its orientation.
    """
    import tensorflow as tf

    def flipped(image: Any, values: tuple[int, ...], axis: int) -> Any:
        wanted = tf.reduce_any(value == tf.constant(values, tf.int64))
        return tf.cond(wanted, lambda: tf.reverse(image, [axis]), lambda: image)

    def transposed() -> Any:
        # By places: about a transpose of integers, oneDNN complains aloud on most CPUs.
        height, width = tf.unstack(tf.shape(pixels)[:2])
        places = tf.range(height)[None] * width + tf.range(width)[:, None]
        return tf.gather(tf.reshape(pixels, (-1, 3)), places)

    def turned() -> Any:
        image = tf.cond(value >= 5, transposed, lambda: pixels)
        image = tf.ensure_shape(image, (None, None, 3))
        return flipped(flipped(image, (2, 3, 6, 7), 1), (3, 4, 7, 8), 0)

    return tf.ensure_shape(tf.cond(value > 1, turned, lambda: pixels), (None, None, 3))


def orientation(bytes_: Bytes, kind: Any) -> Any:
    """The orientation that a file tells, int64 (): 1 to 8; 1, upright, where it tells none.

    Args:
        bytes_: the file.
        kind: 0 for JPEG, 1 for PNG, 2 for WebP.
    """
    import tensorflow as tf

    zero = tf.constant(0, tf.int64)

    def jpeg() -> Any:  # segments FF xx, big-endian length; EXIF is in the first APP1
        def next_of(at: Any) -> Any:
            return at + 2 + bytes_.big(at + 2, 2)

        def goes_on(at: Any) -> Any:
            marker = bytes_.at(at + 1)
            within = ((marker >= 0xE0) & (marker <= 0xEF)) | (marker == 0xFE)
            return (bytes_.at(at) == 0xFF) & within

        def is_exif(at: Any) -> Any:
            return (bytes_.at(at + 1) == 0xE1) & bytes_.are(at + 4, b"Exif\0\0")

        return bytes_.find(2, is_exif, next_of, goes_on, inside=10)

    def png() -> Any:  # chunks: big-endian length, name, content, check sum
        return bytes_.find(
            8,
            lambda at: bytes_.are(at + 4, b"eXIf"),
            lambda at: at + 12 + bytes_.big(at, 4),
            lambda at: ~bytes_.are(at + 4, b"IEND"),
            inside=8,
        )

    def webp() -> Any:  # chunks: name, little-endian length, content, padded to even lengths
        def next_of(at: Any) -> Any:
            length = bytes_.little(at + 4, 4)
            return at + 8 + length + length % 2

        start = bytes_.find(
            12, lambda at: bytes_.are(at, b"EXIF"), next_of, lambda at: at >= 0, inside=8
        )
        # Some writers put a JPEG's mark before it.
        return tf.where((start > 0) & bytes_.are(start, b"Exif\0\0"), start + 6, start)

    start = tf.switch_case(kind, [jpeg, png, webp])
    value = tf.cond(start > 0, lambda: _tag(bytes_, start), lambda: zero)
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _tag(bytes_: Bytes, start: Any) -> Any:
    """The orientation in the first directory of the TIFF structure at `start`; 0: none."""
    import tensorflow as tf

    little = bytes_.at(start) == ord("I")

    def number(at: Any, size: int) -> Any:
        return tf.where(little, bytes_.little(at, size), bytes_.big(at, size))

    directory = start + number(start + 4, 4)
    count = tf.minimum(number(directory, 2), _MOST_ENTRIES)
    entries = directory + 2 + 12 * tf.range(count)
    long = number(entries + 2, 2) == _LONG
    values = tf.where(long, number(entries + 8, 4), number(entries + 8, 2))
    found = tf.boolean_mask(values, number(entries, 2) == _ORIENTATION)
    return tf.concat([found, tf.zeros(1, tf.int64)], 0)[0]

"""The EXIF orientation of an image within a graph, by the rule of `preprocessing.orientation`."""

from typing import Any

from a2keras.export.serving.bytes import Bytes
from a2keras.models.preprocessing import orientation as rule


def upright(pixels: Any, value: Any) -> Any:
    """Turns an image as `orientation.upright` does.

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
        image = tf.cond(value >= rule.SWAPPED, transposed, lambda: pixels)
        image = tf.ensure_shape(image, (None, None, 3))
        image = flipped(image, rule.MIRRORED_COLUMNS, 1)
        return flipped(image, rule.MIRRORED_ROWS, 0)

    return tf.ensure_shape(tf.cond(value > 1, turned, lambda: pixels), (None, None, 3))


def orientation(file: Bytes, kind: Any) -> Any:
    """The orientation that a file tells, int64 (): 1 to 8; 1, upright, where it tells none.

    Args:
        file: the file.
        kind: 0 for JPEG, 1 for PNG, 2 for WebP.
    """
    import tensorflow as tf

    places = [lambda: _in_jpeg(file), lambda: _in_png(file), lambda: _in_webp(file)]
    start, length = tf.switch_case(kind, places)
    return tf.cond(length > 0, lambda: _orientation_in(file.part(start, length)), _upright)


def _upright() -> Any:
    import tensorflow as tf

    return tf.constant(1, tf.int64)


def _orientation_in(block: Bytes) -> Any:
    import tensorflow as tf

    def has_mark(count: Any, start: Any) -> Any:
        return (count < rule.MOST_MARKS) & block.are(start, rule.MARK)

    zero = tf.constant(0, tf.int64)
    _, start = tf.while_loop(has_mark, lambda count, at: (count + 1, at + 6), (0, zero))
    little, big = block.are(start, b"II*\0"), block.are(start, b"MM\0*")

    def number(place: Any, size: int) -> Any:
        place = start + place
        return tf.where(little, block.little(place, size), block.big(place, size))

    def last_of_tag() -> Any:
        directory = number(zero + 4, 4)
        count = tf.minimum(number(directory, 2), (block.last - start) // 12 + 1)
        entries = directory + 2 + 12 * tf.range(count)
        kinds = number(entries + 2, 2)
        value = tf.where(
            _any_of(kinds, rule.SHORTS), number(entries + 8, 2), number(entries + 8, 4)
        )
        ratio = number(entries + 8, 4)
        above, below = number(ratio, 4), number(ratio + 4, 4)
        whole = (below > 0) & (above % tf.maximum(below, 1) == 0)
        ratio = tf.where(whole, above // tf.maximum(below, 1), zero)
        value = tf.where(_any_of(kinds, rule.RATIONALS), ratio, value)
        counts = (number(entries, 2) == rule.TAG) & (number(entries + 4, 4) == 1)
        counts &= _any_of(kinds, rule.SHORTS + rule.LONGS + rule.RATIONALS)
        return tf.concat([_upright()[None], tf.boolean_mask(value, counts)], 0)[-1]

    value = tf.cond(little | big, last_of_tag, _upright)
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _any_of(numbers: Any, wanted: tuple[int, ...]) -> Any:
    import tensorflow as tf

    return tf.reduce_any(numbers[:, None] == tf.constant(wanted, tf.int64), axis=1)


def _in_jpeg(file: Bytes) -> tuple[Any, Any]:
    """Segments FF xx and a big-endian length; FF may be repeated, some markers are bare."""
    import tensorflow as tf

    def next_of(place: Any) -> Any:
        marker = file.at(place + 1)
        bare = (marker == 1) | ((marker >= 0xD0) & (marker <= 0xD8))
        behind = place + 2 + tf.where(bare, tf.zeros_like(place), file.big(place + 2, 2))
        return tf.where(marker == 0xFF, place + 1, behind)

    def goes_on(place: Any) -> Any:
        marker = file.at(place + 1)
        return (file.at(place) == 0xFF) & (marker != 0) & (marker != 0xD9) & (marker != 0xDA)

    def is_it(place: Any) -> Any:
        return file.are(place, b"\xff\xe1") & file.are(place + 4, rule.MARK)

    place = file.find(2, is_it, next_of, goes_on, rule.MOST_PARTS)
    return place + 4, tf.where(place > 0, file.big(place + 2, 2) - 2, 0)


def _in_png(file: Bytes) -> tuple[Any, Any]:
    """Chunks: big-endian length, name, content, check sum."""
    import tensorflow as tf

    place = file.find(
        8,
        lambda place: file.are(place + 4, b"eXIf"),
        lambda place: place + 12 + file.big(place, 4),
        lambda place: ~file.are(place + 4, b"IEND"),
        rule.MOST_PARTS,
    )
    return place + 8, tf.where(place > 0, file.big(place, 4), 0)


def _in_webp(file: Bytes) -> tuple[Any, Any]:
    """Chunks: name, little-endian length, content, padded to even lengths."""
    import tensorflow as tf

    def next_of(place: Any) -> Any:
        length = file.little(place + 4, 4)
        return place + 8 + length + length % 2

    place = file.find(
        12,
        lambda place: file.are(place, b"EXIF"),
        next_of,
        lambda place: place >= 0,
        rule.MOST_PARTS,
    )
    return place + 8, tf.where(place > 0, file.little(place + 4, 4), 0)

"""The bytes of a file within a graph of TensorFlow."""

from collections.abc import Callable
from typing import Any


class Bytes:
    """Numbers in a file, at places that may lie beyond its end, where they are zero.

    Args:
        codes: the file, uint8 (N,).
    """

    def __init__(self, codes: Any) -> None:
        import tensorflow as tf

        # A zero behind the end: what a damaged file points at is read as nothing.
        self.codes = tf.concat([codes, tf.zeros(1, tf.uint8)], 0)
        self.last = tf.size(codes, tf.int64)

    def part(self, start: Any, length: Any) -> "Bytes":
        """The bytes from a place on, as far as there are so many."""
        import tensorflow as tf

        start = tf.minimum(start, self.last)
        return Bytes(self.codes[start : tf.minimum(start + tf.maximum(length, 0), self.last)])

    def at(self, places: Any) -> Any:
        import tensorflow as tf

        places = tf.cast(places, tf.int64)
        within = tf.clip_by_value(places, 0, self.last)
        return tf.cast(tf.gather(self.codes, within), tf.int64)

    def big(self, places: Any, size: int) -> Any:
        """Big-endian numbers of `size` bytes."""
        return self._numbers(places, [256 ** (size - 1 - at) for at in range(size)])

    def little(self, places: Any, size: int) -> Any:
        """Little-endian numbers of `size` bytes."""
        return self._numbers(places, [256**at for at in range(size)])

    def _numbers(self, places: Any, weights: list[int]) -> Any:
        import tensorflow as tf

        each = tf.expand_dims(tf.cast(places, tf.int64), -1) + list(range(len(weights)))
        return tf.reduce_sum(self.at(each) * weights, axis=-1)

    def are(self, place: Any, expected: bytes) -> Any:
        import tensorflow as tf

        places = tf.cast(place, tf.int64) + list(range(len(expected)))
        return tf.reduce_all(self.at(places) == list(expected))

    def find(
        self,
        first: int,
        is_it: Callable[[Any], Any],
        next_of: Callable[[Any], Any],
        goes_on: Callable[[Any], Any],
        most: int,
    ) -> Any:
        """Where a part of the file begins, looked for in `most` steps; 0: nowhere.

        Every step is forward: `next_of` adds to its place, so this ends with the file.
        """
        import tensorflow as tf

        def searching(at: Any) -> Any:
            return (at < self.last) & goes_on(at) & ~is_it(at)

        place = tf.constant(first, tf.int64)
        (place,) = tf.while_loop(
            searching, lambda at: (next_of(at),), (place,), maximum_iterations=most
        )
        found = (place < self.last) & is_it(place)
        return tf.where(found, place, tf.zeros_like(place))

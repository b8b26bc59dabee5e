"""Reading many files: by threads, in order, into one block of memory."""

import functools
import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self, TypeVar

import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")


# On average, in bytes: below it files wait for Python's lock, and threads that share it are slower
# than one alone (two read 60,000 files of 1 KB in 13 s, one in 8 s).
SMALL_FILE = 8 * 1024
SAMPLES = 64  # files whose sizes are looked at


def threads_for(paths: Sequence[str]) -> int:
    """How many threads are to read these files: one for each core, or one."""
    sizes = []
    for path in paths[:: max(len(paths) // SAMPLES, 1)]:
        try:
            sizes.append(os.stat(path).st_size)  # noqa: PTH116  (plain strings, see `list_folder`)
        except (OSError, ValueError):  # none there, or elsewhere
            continue
    small = bool(sizes) and sum(sizes) < SMALL_FILE * len(sizes)
    return 1 if small else os.cpu_count() or 1


def in_order(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int, at_once: int = 1
) -> Iterator[Result]:
    """The function of every item, computed by threads.

    Args:
        function: releases Python's lock where it can.
        items: no more than a few portions for each thread are begun before they are asked for.
        workers: threads.
        at_once: items that a thread takes one after the other: to ask it costs more than a small
            file does.
    """
    waiting: deque[Future[list[Result]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for first in range(0, len(items), at_once):
                portion = items[first : first + at_once]
                waiting.append(pool.submit(lambda each: list(map(function, each)), portion))
                if len(waiting) > 2 * workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


class Block:
    """Bytes that NumPy and TensorFlow's graphs read in the same place.

    Args:
        data: uint8 (bytes,).
    """

    def __init__(self, data: np.ndarray) -> None:
        self.data = data

    @functools.cached_property
    def tensor(self) -> Any:
        """The bytes as a tensor of the CPU, in which NumPy sees them from now on, too."""
        import tensorflow as tf

        with tf.init_scope(), tf.device("CPU"):  # not within a graph, which would keep a copy
            tensor = tf.constant(self.data)
        self.data = np.frombuffer(memoryview(tensor), np.uint8)
        return tensor


class Kept(Sequence[np.ndarray]):
    """Decoded images or videos in memory, of any sizes, one after the other.

    Args:
        block: what holds them, and maybe others.
        places: int64 (N,), where in it each begins.
        shapes: int64 (N, 3 or 4), of each.
    """

    def __init__(self, block: Block, places: np.ndarray, shapes: np.ndarray) -> None:
        self.block = block
        self.places = places
        self.shapes = shapes

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        """The frames of an example: uint8, of its shape."""
        shape = self.shapes[index]
        place = self.places[index]
        return self.block.data[place : place + shape.prod()].reshape(shape)

    def select(self, members: np.ndarray) -> Self:
        """Those of some of the examples, in the same memory."""
        return type(self)(self.block, self.places[members], self.shapes[members])

    @classmethod
    def of(cls, images: np.ndarray) -> Self:
        """Images of one size: uint8 (N, H, W, 3)."""
        count, *shape = images.shape
        places = np.arange(count) * math.prod(shape)
        return cls(Block(np.ascontiguousarray(images).ravel()), places, np.tile(shape, (count, 1)))

    @functools.cached_property
    def size(self) -> tuple[int, ...] | None:
        """The shape of all of them; None where they differ, or are none."""
        if not len(self) or (self.shapes != self.shapes[0]).any():
            return None
        return tuple(self.shapes[0].tolist())

    def stacked(self) -> tuple[Any, np.ndarray] | None:
        """The block as one tensor (M, *size), and which of its rows are these, int64 (N,).

        None where what is in the block is not of one size.
        """
        each = math.prod(self.size or (0,))
        if not each or len(self.block.data) % each or (self.places % each).any():
            return None
        import tensorflow as tf

        with tf.init_scope():
            images = tf.reshape(self.block.tensor, (-1, *(self.size or ())))
        return images, self.places // each

    def load(self, index: Any) -> Any:
        """The frames of an example as a tensor, within a tf.data graph."""
        import tensorflow as tf

        shape = tf.gather(tf.constant(self.shapes), index)
        place = tf.gather(tf.constant(self.places), index)
        frames = tf.slice(self.block.tensor, [place], [tf.reduce_prod(shape)])
        size = (None,) * self.shapes.shape[1] if self.size is None else self.size
        return tf.ensure_shape(tf.reshape(frames, shape), (*size[:-1], 3))


class Keeping:
    """Collects what is decoded, as long as it fits.

    Args:
        budget: bytes that it may take; beyond these nothing is kept.
    """

    def __init__(self, budget: float) -> None:
        self.budget = budget
        self.fits = True
        self.bytes = bytearray()
        self.places: list[int] = []
        self.shapes: list[tuple[int, ...]] = []

    def add(self, frames: np.ndarray) -> None:
        """Keeps another example: uint8 ([T,] H, W, 3)."""
        if not self.fits:
            return
        self.places.append(len(self.bytes))
        self.shapes.append(frames.shape)
        if len(self.bytes) + frames.nbytes > self.budget:
            self.fits, self.bytes = False, bytearray()
        else:
            self.bytes += frames.data if frames.flags.c_contiguous else frames.tobytes()

    def done(self) -> Kept | None:
        """What is kept of all that was added; None where it did not fit, or there was nothing."""
        if not self.fits or not self.places:
            return None
        shapes = np.array(self.shapes, "int64")
        return Kept(
            Block(np.frombuffer(self.bytes, np.uint8)), np.array(self.places, "int64"), shapes
        )

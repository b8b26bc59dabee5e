"""Part of a video: from a key frame before it, or for sure, from the beginning of the video."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.sampling import clock_of

# Seconds before the start of a part from which decoding begins, one after the other, until there is
# a key frame before the part: some containers find nothing but the next one.
RUN_UPS = (0.0, 2.0, 15.0, 120.0)
LOOK_BEHIND = 8  # frames


class DecodedFrame(NamedTuple):
    """A frame as it is decoded.

    Attributes:
        time: seconds from the first frame of the stream; NaN where it has none.
        pixels: uint8 RGB (H, W, 3), upright; None where they are not wanted.
        rate: frames per second as the container says; NaN where it does not.
        promised: number of frames as the container says; 0 where it does not.
    """

    time: float
    pixels: np.ndarray | None
    rate: float
    promised: int


# The frames of a file, as `video.decoded_frames` gives them for its arguments `wanted` and `begin`.
Read = Callable[..., Iterator[DecodedFrame]]


class Missed(Exception):
    """Decoding has begun behind the start of a part, or the frames' times do not ascend."""


def quick_ways(read: Read, start: float, end: float) -> Iterator[Iterator[DecodedFrame]]:
    """Ways to the frames with start ≤ time < end, the quickest first.

    Each yields them, or raises `Missed` before its end.
    """

    def inside(number: int, time: float) -> bool:
        return start <= time < end

    for begin in (*(start - run_up for run_up in RUN_UPS if start > run_up), 0.0):
        yield _from_key_frame(read(wanted=inside, begin=begin), start, end)


def _from_key_frame(
    frames: Iterator[DecodedFrame], start: float, end: float
) -> Iterator[DecodedFrame]:
    """The frames of a part, where the first of all is not behind its start and times ascend.

    `Missed` also where none is found before the end of the file, or something does not decode.

    Some frames behind the part are looked at, too: a time that FFmpeg had to guess may be too late.
    """
    last, behind, found = -math.inf, 0, False
    try:
        for each in frames:
            if not each.time > last or (last == -math.inf and each.time > start):
                raise Missed
            last = each.time
            behind += last >= end
            if behind == LOOK_BEHIND:
                return
            if each.pixels is not None:
                found = True
                yield each
    except DecodeError:  # what a decoder meets in a part says little about the file
        raise Missed from None
    if not found:  # where recordings were joined, the containers' times may never reach the part
        raise Missed


def sure_way(read: Read, start: float, end: float) -> Iterator[DecodedFrame]:
    """The frames of a part by the clock of the whole video, which is decoded once to know it."""
    everything = [*read(wanted=lambda number, time: False)]
    times, _ = clock_of(np.array([each.time for each in everything]), everything[0].rate)
    inside = np.flatnonzero((start <= times) & (times < end))
    members = set(inside.tolist())
    frames = read(wanted=lambda number, time: number in members)
    for number, each in enumerate(itertools.islice(frames, int(inside.max(initial=-1)) + 1)):
        if each.pixels is not None:
            yield each._replace(time=float(times[number]))

"""Clips of a video one after the other: of a file of any length, memory holds a few clips."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from a2keras.models.preprocessing import video
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.opening import decoder_input
from a2keras.models.preprocessing.places import Path_
from a2keras.models.preprocessing.sampling import (
    bridged,
    clip_indices,
    clock_of,
    even_starts,
    steady_indices,
)
from a2keras.models.preprocessing.waiting import Work, from_thread

MAX_STREAMED_FRAMES = 2_000_000  # 22 hours at 25 a second

# From the times of all frames at a constant rate, float (N,), to the frames of every clip:
# int (clips, T), both axes ascending.
Plan = Callable[[np.ndarray], np.ndarray]


class Window(NamedTuple):
    """A clip of a video.

    Attributes:
        time: seconds, the middle between the times of its first and its last frame.
        frames: uint8 RGB (T, H, W, 3).
    """

    time: float
    frames: np.ndarray


def even_clips(count: int, frames: int, stride: int) -> Plan:
    """N evenly spaced clips, the middle one for 1: those of `Preprocessing.views`."""
    starts = even_starts(count)
    return lambda times: np.stack([clip_indices(len(times), frames, stride, s) for s in starts])


def sliding_clips(every: float, frames: int, stride: int) -> Plan:
    """Clips that start every so many seconds, each at the nearest frame, as long as they fit.

    A video that is shorter than a clip gives one, which is held at the last frame. No two clips
    start at the same frame, however short `every` is.

    Args:
        every: seconds from start to start, more than 0.
        frames: T, frames of a clip.
        stride: τ, distance between two frames of a clip.
    """

    def plan(times: np.ndarray) -> np.ndarray:
        last_start = max(len(times) - (frames - 1) * stride - 1, 0)
        starts = times[: last_start + 1]
        # A start is nearest to the moments between the middles to its neighbours.
        borders = np.append((starts[1:] + starts[:-1]) / 2, starts[-1] + 1e-6 * every)
        moments_before = np.floor((borders - starts[0]) / every)
        first = np.flatnonzero(np.diff(moments_before, prepend=-1) > 0)
        at = first[:, None] + stride * np.arange(frames)
        return np.minimum(at, len(times) - 1)

    return plan


class Windows:
    """The clips of a video that a plan asks for, in order.

    The file is decoded twice: for the times of its frames, without their pixels, and for the clips.
    A video of variable frame rate is brought to a constant one as by `Video.steady`, so that the
    clips are those that would be cut out of the whole video in memory. Iterating decodes ahead, in
    a thread of its own.

    Attributes:
        times: float64 (clips,), seconds, see `Window`.
        seconds: from the first to the last frame of a clip, the median of all clips.
        clock: "time stamps", or "frame rate" where the frames have none, or none that ascend:
            the n-th is then shown at n / rate.
    """

    def __init__(self, path: Path_, plan: Plan, short_side: int | None = None) -> None:
        """Reads the times, and plans.

        Args:
            path: the file.
            plan: such as `sliding_clips` gives.
            short_side: as in `decode_video`.

        Raises:
            DecodeError: as `decode_video`, more than `MAX_STREAMED_FRAMES`, or neither time stamps
                nor a frame rate.
        """
        self._path, self._short_side = path, short_side
        stamps, self.clock = self._read_times()
        try:
            steady = steady_indices(stamps, MAX_STREAMED_FRAMES)
        except ValueError as error:
            raise DecodeError(path, f"cannot be sampled evenly ({error})") from None
        moments = bridged(stamps)
        if not np.array_equal(steady, np.arange(len(stamps))):
            moments = stamps[0] + np.median(np.diff(stamps)) * np.arange(len(steady))
        self._clips = steady[plan(moments)]
        ends = stamps[self._clips[:, [0, -1]]]
        self.times: np.ndarray = ends.mean(axis=1)
        self.seconds = float(np.median(ends[:, 1] - ends[:, 0]))

    def __len__(self) -> int:
        return len(self._clips)

    def __iter__(self) -> Iterator[Window]:
        """The clips.

        Raises:
            DecodeError: as `__init__`, or the clips that overlap are beyond `MAX_VIDEO_BYTES`.
        """
        return prefetched(self._path, self._windows)

    def _read_times(self) -> tuple[np.ndarray, str]:
        times: list[float] = []
        rate = float("nan")
        for each in prefetched(
            self._path, lambda stop: self._decoded(stop, lambda number, time: False)
        ):
            times.append(each.time)
            rate = each.rate
            if max(len(times), each.promised) > MAX_STREAMED_FRAMES:
                reason = f"has more than {MAX_STREAMED_FRAMES} frames; cut it into shorter videos"
                raise DecodeError(self._path, reason)
        stamps, clock = clock_of(np.array(times), rate)
        if clock == "none":
            raise DecodeError(self._path, "has neither ascending time stamps nor a frame rate")
        return stamps, clock

    def _decoded(
        self, stop: threading.Event, wanted: Callable[[int, float], bool]
    ) -> Iterator[video.DecodedFrame]:
        source = decoder_input(self._path)
        return video.decoded_frames(self._path, source, stop, self._short_side, wanted)

    def _windows(self, stop: threading.Event) -> Iterator[Window | None]:
        """The clips as soon as their last frames are there; None for every frame before."""
        wanted = np.zeros(self._clips.max() + 1, bool)
        wanted[self._clips] = True
        held: dict[int, np.ndarray] = {}
        clip = 0
        decoded = self._decoded(stop, lambda number, _: number < len(wanted) and wanted[number])
        for number, each in enumerate(decoded):
            yield None
            if each.pixels is None:
                continue
            if clip == 0 and not held:
                self._check_memory(wanted, each.pixels.nbytes)
            held[number] = each.pixels
            while clip < len(self) and self._clips[clip, -1] == number:
                frames = np.stack([held[index] for index in self._clips[clip]])
                yield Window(float(self.times[clip]), frames)
                clip += 1
            if clip == len(self):
                return
            first = self._clips[clip, 0]
            for index in [index for index in held if index < first]:
                del held[index]
        raise DecodeError(self._path, "gives fewer frames than when it was read before")

    def _check_memory(self, wanted: np.ndarray, frame_bytes: int) -> None:
        before = np.cumsum(wanted)
        most = int((before[self._clips[:, -1]] - before[self._clips[:, 0]]).max()) + 1
        if most * frame_bytes > video.MAX_VIDEO_BYTES:
            limit = video.MAX_VIDEO_BYTES // 1024**2
            raise DecodeError(self._path, f"has clips that decode to more than {limit} MiB")


def prefetched(path: Path_, work: Work) -> Iterator[Any]:
    """What a generator of frames yields, without the Nones: it runs in a thread of its own.

    Raises:
        DecodeError: the generator has yielded nothing, not even None, for `TIME_LIMIT`.
        OutOfResources: see `from_thread`.
    """
    reason = f"has given no frame for {video.TIME_LIMIT:g} s; the decoder hangs"
    return from_thread(path, work, video.TIME_LIMIT, reason)

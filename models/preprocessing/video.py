"""From a video file to uint8 RGB frames and the times at which they are shown, by PyAV.

Files come from anywhere, so there are limits on pixels, frames and time, and whatever a decoder
raises becomes a `DecodeError` that names the file.
"""

import contextlib
import functools
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from a2keras.errors import UserError
from a2keras.models.preprocessing.containers import open_container
from a2keras.models.preprocessing.errors import DecodeError, check_pixels, undecodable
from a2keras.models.preprocessing.geometry import reduced_size
from a2keras.models.preprocessing.opening import decoder_input
from a2keras.models.preprocessing.parts import DecodedFrame, Missed, quick_ways, sure_way
from a2keras.models.preprocessing.places import Path_
from a2keras.models.preprocessing.sampling import clock_of, steady_indices
from a2keras.models.preprocessing.stream import (
    display_matrix,
    first_packets,
    frames_of,
    video_stream,
)
from a2keras.models.preprocessing.waiting import from_thread

MAX_FRAMES = 20_000
MAX_VIDEO_BYTES = 2 * 1024**3  # of all decoded frames together
MAX_SECONDS = 1e7  # that a part of a video may start or end at: 115 days
TIME_LIMIT = 120.0  # seconds for one file
# Threads of one decoder. Files are read side by side: more would wait for one another.
DECODER_THREADS = 1
Part = tuple[float | None, float | None]  # seconds from which and to which
WHOLE: Part = (None, None)


class Video(NamedTuple):
    """A decoded video.

    Attributes:
        frames: uint8 RGB (T, H, W, 3).
        times: float64 (T,), seconds from the first frame of the stream, see `clock_of`; NaN where
            frames have no times and the container states no rate.
        rate: frames per second as the container says; NaN where it does not.
    """

    frames: np.ndarray
    times: np.ndarray
    rate: float

    def steady(self) -> np.ndarray:
        """The frames at a constant rate, see `sampling.steady_indices`."""
        indices = steady_indices(self.times, MAX_FRAMES)
        everything = np.array_equal(indices, np.arange(len(self.times)))
        return self.frames if everything else self.frames[indices]


def read_video(path: Path_, short_side: int | None = None) -> np.ndarray:
    """The frames of `decode_video`, as many as decode."""
    return decode_video(path, short_side).frames


def decode_video(
    path: Path_,
    short_side: int | None = None,
    start: float | None = None,
    end: float | None = None,
) -> Video:
    """Decodes a video's first video stream that is no cover art.

    T counts the frames that decode: headers are often wrong. The display matrix (rotation and
    mirroring) is applied.

    The decoder runs in a thread of its own. After `TIME_LIMIT` the caller goes on with a
    `DecodeError`; the thread ends at the next packet, or, if the decoder hangs within one, with the
    process. That costs some 0.1 ms a file; a process that could be killed would cost its start and
    the copying of all frames.

    Args:
        path: the file.
        short_side: resize frames whose shorter side is longer than this while decoding, so that a
            long video fits into memory.
        start: seconds; frames that are shown before are left out.
        end: seconds; frames from there on are left out.

    Raises:
        DecodeError: missing, no video, no frames (between start and end), damaged part way, or
            beyond `MAX_PIXELS`, `MAX_FRAMES`, `MAX_VIDEO_BYTES` or `TIME_LIMIT`.
        OutOfResources: too little memory, or too few threads or files that may be open.
        UserError: not 0 ≤ start < end ≤ `MAX_SECONDS`.
    """
    if not 0 <= (start or 0.0) < (MAX_SECONDS if end is None else end) <= MAX_SECONDS:
        raise UserError(
            f"a part of a video must have 0 <= start < end <= {MAX_SECONDS:g} in seconds. "
            f"Received: start={start}, end={end}"
        )
    source = decoder_input(path)
    return _within_time(path, lambda stop: _decode(path, source, short_side, (start, end), stop))


def _within_time(path: Path_, work: Callable[[threading.Event], Video]) -> Video:
    """Runs `work` in a thread, and leaves it there when `TIME_LIMIT` is over."""

    def once(stop: threading.Event) -> Iterator[Video]:
        yield work(stop)

    reason = f"takes more than {TIME_LIMIT:g} s to decode; cut it into shorter videos"
    with contextlib.closing(from_thread(path, once, TIME_LIMIT, reason)) as results:
        return next(results)


def _decode(
    path: Path_, source: Any, short_side: int | None, part: Part, stop: threading.Event
) -> Video:
    read = functools.partial(decoded_frames, path, source, stop, short_side)
    if part == WHOLE:
        video = _collected(path, read(), part)
        return video._replace(times=clock_of(video.times, video.rate)[0])
    start, end = part[0] or 0.0, part[1] or math.inf
    for frames in quick_ways(read, start, end):
        with contextlib.suppress(Missed):
            return _collected(path, frames, part)
    return _collected(path, sure_way(read, start, end), part)


def _collected(path: Path_, frames: Iterator[DecodedFrame], part: Part) -> Video:
    """All frames in one array, which grows where it lies: twice their memory is not needed."""
    pixels = np.empty(0, np.uint8)
    times: list[float] = []
    rate = math.nan
    for each in frames:
        assert each.pixels is not None
        # A header may tell at the first frame what would else be known after thousands.
        promised = each.promised if part == WHOLE else 0
        _check_amount(path, max(promised, len(times) + 1), each.pixels.nbytes)
        if not times:
            with contextlib.suppress(MemoryError):  # of a promise that may be empty
                pixels = np.empty((promised, *each.pixels.shape), np.uint8)
        if len(times) == len(pixels):
            pixels.resize((len(times) * 5 // 4 + 1, *each.pixels.shape), refcheck=False)
        pixels[len(times)] = each.pixels
        times.append(each.time)
        rate = each.rate
    if not times:
        begin = f"from {part[0] or 0:g} s"
        raise DecodeError(path, f"has no frame {begin} {f'to {part[1]} s' if part[1] else 'on'}")
    pixels.resize((len(times), *pixels.shape[1:]), refcheck=False)
    video = Video(pixels, np.array(times), rate)
    try:
        steady_indices(video.times, min(MAX_FRAMES, MAX_VIDEO_BYTES // pixels[0].nbytes))
    except ValueError as error:
        raise DecodeError(path, f"cannot be sampled evenly ({error})") from None
    return video


def decoded_frames(
    path: Path_,
    source: Any,
    stop: threading.Event,
    short_side: int | None = None,
    wanted: Callable[[int, float], bool] = lambda number, time: True,
    begin: float | None = None,
) -> Iterator[DecodedFrame]:
    """Decodes a file frame by frame; all frames have the size of the first.

    Args:
        path: what the errors name.
        source: what `decoder_input` gives.
        stop: where it is set, nobody waits any more, and the generator ends.
        short_side: as in `decode_video`.
        wanted: whether the pixels of the n-th frame, shown at a time, are.
        begin: seconds; see `frames_of`.

    Raises:
        DecodeError: see `decode_video`, except for what limits all frames together.
        OutOfResources: see `decode_video`.
    """
    from av.video.reformatter import VideoReformatter

    count = 0
    size = None
    scaler = VideoReformatter()
    if not isinstance(source, str):
        source.seek(0)
    try:
        with contextlib.ExitStack() as stack:
            container = stack.enter_context(open_container(path, source))
            counts = None
            if len(container.streams.video) > 1:
                counts = first_packets(container)
                if not isinstance(source, str):
                    source.seek(0)
                container = stack.enter_context(open_container(path, source))
            stream = video_stream(path, container, counts)
            stream.thread_count = DECODER_THREADS
            rate = float(stream.average_rate or "nan")
            for time, frame in frames_of(container, stream, stop, begin):
                check_pixels(path, frame.width, frame.height)
                size = size or _reduced(frame, short_side)
                pixels = _upright(frame, size, scaler) if wanted(count, time) else None
                count += 1
                yield DecodedFrame(time, pixels, rate, stream.frames)
    except (DecodeError, Missed):
        raise
    except Exception as error:  # on damaged bytes PyAV raises errors of a dozen types
        reason = "is not a video that can be read"
        if count:
            reason = f"is damaged or cut off after {count} frames"
        raise undecodable(path, reason, error) from error
    if not count and not stop.is_set():
        raise DecodeError(path, "holds a video stream, but no frame of it decodes")


def _reduced(frame: Any, short_side: int | None) -> tuple[int, int]:
    """Width and height of all frames, upright, by the first one."""
    width, height = frame.width, frame.height
    if short_side is not None:
        width, height = reduced_size(width, height, short_side)
    a, b, _, _ = display_matrix(frame)
    return (height, width) if abs(b) > abs(a) else (width, height)


def _upright(frame: Any, size: tuple[int, int], scaler: Any) -> np.ndarray:
    """The frame as RGB of a size, turned as its display matrix says."""
    a, b, c, d = display_matrix(frame)
    turned = abs(b) > abs(a)  # x and y are exchanged
    width, height = size[::-1] if turned else size
    # AREA averages all source pixels, like the antialiased resize of geometry.py.
    rgb = scaler.reformat(frame, width, height, "rgb24", interpolation="AREA", threads=1)
    pixels = rgb.to_ndarray()
    if turned:
        pixels = pixels.transpose(1, 0, 2)
        a, d = c, b
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def _check_amount(path: Path_, count: int, frame_bytes: int) -> None:
    if count > MAX_FRAMES:
        raise DecodeError(path, f"has more than {MAX_FRAMES} frames; cut it into shorter videos")
    if count * frame_bytes > MAX_VIDEO_BYTES:
        raise DecodeError(
            path,
            f"decodes to more than {MAX_VIDEO_BYTES // 1024**2} MiB; cut it into shorter videos",
        )

"""From a video file to uint8 RGB frames and the times at which they are shown, by PyAV.

Files come from anywhere, so there are limits on pixels, frames and time, and whatever a decoder
raises becomes a `DecodeError` that names the file.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, NamedTuple

import numpy as np

from a2keras.models.preprocessing.containers import open_container
from a2keras.models.preprocessing.errors import DecodeError, check_pixels, opened
from a2keras.models.preprocessing.places import Path_
from a2keras.models.preprocessing.sampling import steady_indices

MAX_FRAMES = 20_000
MAX_VIDEO_BYTES = 2 * 1024**3  # of all decoded frames together
TIME_LIMIT = 120.0  # seconds for one file

Part = tuple[float | None, float | None]  # seconds from which and to which
WHOLE: Part = (None, None)


class Video(NamedTuple):
    """A decoded video.

    Attributes:
        frames: uint8 RGB (T, H, W, 3).
        times: float64 (T,), seconds from the beginning of the stream; NaN where a frame has none.
        rate: frames per second as the container says; NaN where it does not.
    """

    frames: np.ndarray
    times: np.ndarray
    rate: float

    def steady(self) -> np.ndarray:
        """The frames at a constant rate, see `sampling.steady_indices`."""
        indices = steady_indices(self.times)
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
    """Decodes a video's first video stream.

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
    """
    source = opened(path)
    return _within_time(path, lambda gone: _decode(path, source, short_side, (start, end), gone))


def _within_time(path: Path_, work: Callable[[threading.Event], Video]) -> Video:
    """Runs `work` in a thread, and leaves it there when `TIME_LIMIT` is over."""
    result: Future[Video] = Future()
    gone = threading.Event()

    def run() -> None:
        try:
            result.set_result(work(gone))
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, name="decode", daemon=True).start()
    try:
        return result.result(TIME_LIMIT)
    except TimeoutError:
        if result.done():  # an error of the decoder that is of this type, too
            raise
        gone.set()
        reason = f"takes more than {TIME_LIMIT:g} s to decode; cut it into shorter videos"
        raise DecodeError(path, reason) from None


def _decode(
    path: Path_, source: Any, short_side: int | None, part: Part, gone: threading.Event
) -> Video:
    frames: list[np.ndarray] = []
    times: list[float] = []
    rate = float("nan")
    for each in shown(path, source, gone, short_side, part):
        assert each.pixels is not None
        frames.append(each.pixels)
        times.append(each.time)
        rate = each.rate
        # A header may tell at the first frame what would else be known after thousands.
        promised = each.promised if part == WHOLE else 0
        _check_amount(path, max(promised, len(frames)), frames[0].nbytes)
    video = Video(np.stack(frames), np.array(times), rate)
    _check_amount(path, len(steady_indices(video.times)), frames[0].nbytes)
    return video


class Shown(NamedTuple):
    """A frame as it is decoded.

    Attributes:
        time: seconds from the beginning of the stream; NaN where it has none.
        pixels: uint8 RGB (H, W, 3), upright; None where they are not wanted.
        rate: frames per second as the container says; NaN where it does not.
        promised: number of frames as the container says; 0 where it does not.
    """

    time: float
    pixels: np.ndarray | None
    rate: float
    promised: int


def shown(
    path: Path_,
    source: Any,
    gone: threading.Event,
    short_side: int | None = None,
    part: Part = WHOLE,
    wanted: Callable[[int], bool] = lambda number: True,
) -> Iterator[Shown]:
    """Decodes a file frame by frame; all frames have the size of the first.

    Args:
        path: what the errors name.
        source: what `opened` gives.
        gone: where it is set, nobody waits any more, and the generator ends.
        short_side: as in `decode_video`.
        part: the times from which and to which frames are yielded.
        wanted: whether the pixels of the n-th frame are.

    Raises:
        DecodeError: see `decode_video`, except for what limits all frames together.
    """
    import av

    count = 0
    size = None
    try:
        with open_container(path, source) as container:
            streams = container.streams.video
            rate = float((streams and streams[0].average_rate) or "nan")
            for time, frame in _decoded(path, container, part, gone):
                check_pixels(path, frame.width, frame.height)
                size = size or _reduced(frame.width, frame.height, short_side)
                pixels = _upright(frame, size) if wanted(count) else None
                count += 1
                yield Shown(time, pixels, rate, streams[0].frames)
    except av.FFmpegError as error:
        reason = "is not a video that can be read"
        if count:
            reason = f"is damaged or cut off after {count} frames"
        raise DecodeError(path, f"{reason} ({error.strerror})") from error
    if not count and not gone.is_set():
        if part != WHOLE:
            raise DecodeError(path, f"has no frame from {part[0] or 0:g} s to {part[1]} s")
        raise DecodeError(path, "holds a video stream, but no frame of it decodes")


def _decoded(
    path: Path_, container: Any, part: Part, gone: threading.Event
) -> Iterator[tuple[float, Any]]:
    """The frames within `part`, each with its time from the beginning of the stream."""
    if container.format.name == "image2" or container.format.name.endswith("_pipe"):
        raise DecodeError(path, "is a still image, not a video")
    if not container.streams.video:
        raise DecodeError(path, "has no video stream")
    stream = container.streams.video[0]
    check_pixels(path, stream.width, stream.height)  # before a decoder takes memory for them
    start, end = part
    origin = stream.start_time or 0
    if start:
        # To the last keyframe before it; what lies between is decoded and left out.
        container.seek(origin + int(start / stream.time_base), stream=stream)
    for packet in container.demux(stream):
        for frame in packet.decode():
            if gone.is_set():
                return
            time = float("nan")
            if frame.pts is not None:
                time = float((frame.pts - origin) * stream.time_base)
            if part != WHOLE and not (start or 0) <= time < (end or float("inf")):
                continue  # NaN, too: a frame without a time is in no part
            yield time, frame
        if gone.is_set():
            return


def _reduced(width: int, height: int, short_side: int | None) -> tuple[int, int]:
    if short_side is None or min(width, height) <= short_side:
        return width, height
    scale = short_side / min(width, height)
    return max(round(width * scale), short_side), max(round(height * scale), short_side)


def _upright(frame: Any, size: tuple[int, int]) -> np.ndarray:
    """The frame as RGB in its stream's size, turned as its display matrix says."""
    from av.sidedata.sidedata import Type

    # AREA averages all source pixels, like the antialiased resize of geometry.py.
    pixels = frame.to_ndarray(format="rgb24", width=size[0], height=size[1], interpolation="AREA")
    data = frame.side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return pixels
    # x' = a·x + c·y and y' = b·x + d·y, in 16.16 fixed point.
    a, b, _, c, d = np.frombuffer(data, np.int32)[:5]
    if abs(b) > abs(a):  # x and y are exchanged
        pixels = pixels.transpose(1, 0, 2)
        a, d = c, b
    return np.ascontiguousarray(pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _check_amount(path: Path_, count: int, frame_bytes: int) -> None:
    if count > MAX_FRAMES:
        raise DecodeError(path, f"has more than {MAX_FRAMES} frames; cut it into shorter videos")
    if count * frame_bytes > MAX_VIDEO_BYTES:
        raise DecodeError(
            path,
            f"decodes to more than {MAX_VIDEO_BYTES // 1024**2} MiB; cut it into shorter videos",
        )

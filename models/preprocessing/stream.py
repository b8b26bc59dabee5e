"""The frames of a file's video stream in the order in which they are shown, by PyAV."""

import contextlib
import itertools
import threading
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from a2keras.models.preprocessing.errors import DecodeError, check_pixels
from a2keras.models.preprocessing.parts import Missed
from a2keras.models.preprocessing.places import Path_

# Their packets carry the times at which they are decoded, not those at which they are shown, which
# FFmpeg then guesses, wrongly where frames are reordered. A frame that leaves the decoder has the
# time of the packet that is decoded at that moment (`dts`): it is late by the decoder's delay,
# which is the same for all.
TIMED_BY_DECODING = frozenset({"asf", "avi", "mxf"})
# Where a place in the middle can be found by time, and what follows has the times that it has in
# the whole stream. In MPEG-PS, for one, most times are guesses by those before.
SEEKABLE = frozenset({"asf", "avi", "flv", "matroska,webm", "mpegts", "mxf", "nut", "ogg"}) | {
    "mov,mp4,m4a,3gp,3g2,mj2"
}
# Tracks of one picture: covers and thumbnails, where a file has others.
PICTURES = frozenset({"bmp", "gif", "jpeg2000", "mjpeg", "png", "webp"})

FIRST_PACKETS = 200
MOST_REFUSED = 0.1  # of all packets of a stream, that its decoder may refuse


class Timed(NamedTuple):
    """A decoded frame.

    Attributes:
        time: seconds from the first frame of the stream; NaN where it has none.
        frame: PyAV's.
    """

    time: float
    frame: Any


def first_packets(container: Any) -> Counter[int]:
    """How many of the first packets each video stream has; the container has then to be reopened.

    A stream of one packet beside others is a picture, whatever its codec.
    """
    import av

    counts: Counter[int] = Counter()
    with contextlib.suppress(av.FFmpegError):  # decoding meets it again
        for packet in itertools.islice(container.demux(container.streams.video), FIRST_PACKETS):
            counts[packet.stream.index] += packet.size > 0
    return counts


def video_stream(path: Path_, container: Any, counts: Mapping[int, int] | None = None) -> Any:
    """The video stream to decode: the first one that is no picture, of the default ones if any.

    Args:
        path: what an error names.
        container: of the video.
        counts: see `first_packets`; None where there is but one stream.

    Raises:
        DecodeError: there is none, or none that FFmpeg can decode, or its frames are too large.
    """
    from av.stream import Disposition

    if container.format.name == "image2" or container.format.name.endswith("_pipe"):
        raise DecodeError(path, "is a still image, not a video")
    streams = container.streams.video
    if not streams:
        raise DecodeError(path, "has no video stream")
    still = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
    streams = [stream for stream in streams if not stream.disposition & still]
    if not streams:
        raise DecodeError(path, "has no video stream, only cover art")
    streams = [stream for stream in streams if stream.codec_context is not None]
    if not streams:
        raise DecodeError(path, "holds a video of a codec that FFmpeg cannot decode")

    def rank(stream: Any) -> tuple[bool, bool]:
        single = stream.frames == 1 or (counts is not None and counts.get(stream.index, 0) < 2)
        picture = single or stream.codec_context.name in PICTURES
        return picture, not stream.disposition & Disposition.default

    stream = min(streams, key=rank)
    check_pixels(path, stream.width, stream.height)  # before a decoder takes memory for them
    return stream


def frames_of(
    container: Any, stream: Any, stop: threading.Event, start: float | None = None
) -> Iterator[Timed]:
    """Decodes a stream.

    Args:
        container: that has just been opened.
        stream: of it.
        stop: where it is set, nobody waits any more, and the generator ends.
        start: seconds; where it is more than 0, the frames are those behind the place at which the
            container has it, which is often a later one, from the first key frame on. All of them
            where a container is not `SEEKABLE`. None: all frames, of which the whole is judged.

    Raises:
        Missed: that place may be in a later one of several recordings that were joined.
        av.FFmpegError: the container is damaged, or more than `MOST_REFUSED` of its packets are;
            with a `start`, the first one that is.
    """
    clock = "dts" if container.format.name in TIMED_BY_DECODING else "pts"
    most = MOST_REFUSED if start is None else 0.0
    beginning = _decoded(container, stream, stop, most)
    first = next(beginning, None)
    if first is None:
        return
    origin = getattr(first, clock)
    if start and origin is not None and container.format.name in SEEKABLE:
        beginning.close()
        place = origin + int(start / stream.time_base)
        if container.format.name == "mpegts" and _is_passed(container, stream, place):
            raise Missed
        container.seek(place, stream=stream)
        behind = _decoded(container, stream, stop, most)
        frames: Iterator[Any] = itertools.dropwhile(lambda frame: not frame.key_frame, behind)
    else:
        frames = itertools.chain([first], beginning)
    last = None
    for frame in frames:
        stamp = getattr(frame, clock)
        if stamp is None and clock == "dts" and last is not None:
            stamp = last + (frame.duration or 1)  # the decoder's last ones: no packet is left
        last = stamp
        known = stamp is not None and origin is not None
        yield Timed(float((stamp - origin) * stream.time_base) if known else float("nan"), frame)


def _is_passed(container: Any, stream: Any, place: int) -> bool:
    """Whether seeking a time goes behind the packet that has it first, counted from here.

    FFmpeg looks for it by halves, and where the clock begins anew within the file it may find the
    same time in another recording. Packets are only counted, not decoded.
    """
    last = None
    for packet in container.demux(stream):
        if packet.dts is None:
            continue
        if last is not None and packet.dts < last:
            return True
        last = packet.dts
        if last >= place:
            container.seek(place, stream=stream)
            found = next(container.demux(stream), None)
            return found is None or (found.pos or 0) > packet.pos
    return True


def _decoded(
    container: Any, stream: Any, stop: threading.Event, most: float
) -> Generator[Any, None, None]:
    """Frames, without those of packets that the decoder refuses, where these are few.

    `most` is the share that may be; the error of the first one comes at once where it is 0.

    Some containers leave damaged packets out by themselves, and some decoders conceal them: one of
    thousands costs no video, whichever it is.
    """
    import av

    packets, refused = 0, 0
    refusal: Exception | None = None
    for packet in container.demux(stream):
        packets += 1
        frames: list[Any] = []
        try:
            frames = packet.decode()
        except av.InvalidDataError as error:
            refused += 1
            refusal = error.with_traceback(None)  # which would hold this frame, which holds it
            if not most:
                raise
        for frame in frames:
            if stop.is_set():
                return
            yield frame
        if stop.is_set():
            return
    if refusal and refused > most * packets:
        raise refusal


def display_matrix(frame: Any) -> tuple[float, float, float, float]:
    """How a frame is to be turned and mirrored: x' = a·x + c·y and y' = b·x + d·y.

    Returns:
        a, b, c, d; up to a common factor.
    """
    from av.sidedata.sidedata import SideDataContainer, Type

    # Not `frame.side_data`: frame and container would hold each other, and so the frame's picture
    # until Python's cyclic collector runs.
    try:
        data = SideDataContainer(frame).get(Type.DISPLAYMATRIX)  # type: ignore[call-arg]
    except ValueError:  # the frame also has side data of a type that PyAV does not know
        angle = np.deg2rad(-frame.rotation)
        return np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)
    if data is None:
        return 1.0, 0.0, 0.0, 1.0
    a, b, _, c, d = np.frombuffer(data, np.int32)[:5].tolist()
    return a, b, c, d

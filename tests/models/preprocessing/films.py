"""Small films for the tests of decoding: every frame is told from every other by its pixels."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

PIXEL_FORMATS = {"mjpeg": "yuvj420p", "gif": "rgb8", "png": "rgb24"}


def pictures(count: int, height: int = 34, width: int = 46) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    steps = [(3 * x + 7 * i, 4 * y + 5 * i, 0 * x + 2 * i) for i in range(count)]
    return (np.stack([np.stack(each, -1) for each in steps]) % 256).astype(np.uint8)


def add_film(
    container, frames: Sequence[np.ndarray], codec: str, options=None, times=None, rate=25,
    pixels=None,
):  # fmt: skip
    """Adds a stream and returns what writes its frames: all streams are added before any packet.

    Args:
        container: of PyAV, to write.
        frames: uint8 (T, H, W, 3).
        codec: FFmpeg's name.
        options: of the codec.
        times: milliseconds of the frames; None: `rate` a second.
        rate: that the container states.
        pixels: FFmpeg's name of their format; None: the codec's usual one.
    """
    stream = container.add_stream(codec, rate=rate, options=options)
    stream.height, stream.width = frames[0].shape[:2]
    stream.pix_fmt = pixels or PIXEL_FORMATS.get(codec, "yuv420p")
    unit = Fraction(1, rate if times is None else 1000)
    stream.codec_context.time_base = unit

    def write() -> None:
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number if times is None else times[number], unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode())

    return stream, write


def add_silence(container):
    """As `add_film`: a second of silence."""
    stream = container.add_stream("aac", rate=8000)

    def write() -> None:
        for number in range(8):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            sound.sample_rate, sound.pts = 8000, 1024 * number
            container.mux(stream.encode(sound))
        container.mux(stream.encode())

    return stream, write


def encode(
    path: Path,
    frames: Sequence[np.ndarray],
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    times: Sequence[int] | None = None,
    title: str = "",
    rate: int = 25,
    pixels: str | None = None,
) -> Path:
    """Writes a film of one stream, whose container its suffix chooses; see `add_film`."""
    with av.open(str(path), "w") as container:
        if title:
            container.metadata["title"] = title
        _, write = add_film(container, frames, codec, options, times, rate, pixels)
        write()
    return path

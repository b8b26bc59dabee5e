"""From a file to uint8 RGB frames: images with Pillow, videos with PyAV.

Files come from anywhere, so there are limits on pixels, frames and time, and whatever a decoder
raises becomes a `DecodeError` that names the file.
"""

import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

IMAGE_SUFFIXES = frozenset([".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"])
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov", ".mp4"}
    | {".mpeg", ".mpg", ".ogv", ".ts", ".webm", ".wmv"}
)

MAX_PIXELS = 89_478_485  # of one frame; Pillow's own bound against decompression bombs
MAX_FRAMES = 20_000
MAX_VIDEO_BYTES = 2 * 1024**3  # of all decoded frames together
TIME_LIMIT = 120.0  # seconds for one file

Path_ = str | bytes | os.PathLike


class DecodeError(Exception):
    """A file gives no frames. The text is one sentence that names the path."""

    def __init__(self, path: Path_, reason: object):
        super().__init__(f"{os.fsdecode(path)}: {reason}")


def read(path: Path_, short_side: int | None = None) -> np.ndarray:
    """Reads an image, uint8 (H, W, 3), or a video, uint8 (T, H, W, 3), whichever the file is.

    The suffix decides; a file with another suffix is tried as an image, then as a video.
    """
    suffix = Path(os.fsdecode(path)).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return read_image(path)
    if suffix not in VIDEO_SUFFIXES:
        try:
            return read_image(path)
        except DecodeError:
            pass
    return read_video(path, short_side)


def read_image(path: Path_) -> np.ndarray:
    """Reads an image (of an animated one the first frame) as uint8 RGB (H, W, 3).

    EXIF orientation is applied; 16-bit grey keeps its upper 8 bits; transparent parts are laid
    over white.

    Raises:
        DecodeError: missing, no image, cut off, damaged, or more than `MAX_PIXELS`.
    """
    _must_be_file(path)
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Pillow warns beside our own limit, and about damaged metadata that does not matter.
            warnings.simplefilter("ignore")
            with Image.open(os.fsdecode(path)) as image:
                _check_pixels(path, *image.size)
                return _to_rgb(ImageOps.exif_transpose(image))
    except (DecodeError, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise DecodeError(path, f"has more pixels than the limit of {MAX_PIXELS}") from None
    except UnidentifiedImageError:
        raise DecodeError(path, "is not an image that can be read") from None
    except Exception as error:  # on damaged bytes Pillow raises errors of a dozen types
        raise DecodeError(path, f"is a damaged or cut-off image ({error})") from error


def _to_rgb(image: Any) -> np.ndarray:
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its pixels are floats of unknown range")
    if image.mode.startswith("I"):
        grey = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))


def read_video(path: Path_, short_side: int | None = None) -> np.ndarray:
    """Decodes all frames of a video's first video stream as uint8 RGB (T, H, W, 3).

    T counts the frames that decode: headers are often wrong. The display matrix (rotation and
    mirroring) is applied.

    Args:
        path: the file.
        short_side: resize frames whose shorter side is longer than this while decoding, so that a
            long video fits into memory.

    Raises:
        DecodeError: missing, no video, no frames, damaged part way, or beyond `MAX_PIXELS`,
            `MAX_FRAMES`, `MAX_VIDEO_BYTES` or `TIME_LIMIT`.
    """
    _must_be_file(path)
    import av

    try:
        with av.open(os.fsdecode(path)) as container:
            frames = _decode(path, container, short_side)
    except av.FFmpegError as error:
        raise DecodeError(path, f"is not a video that can be read ({error.strerror})") from error
    if not frames:
        raise DecodeError(path, "holds a video stream, but no frame of it decodes")
    return np.stack(frames)


def _decode(path: Path_, container: Any, short_side: int | None) -> list[np.ndarray]:
    import av

    if container.format.name == "image2" or container.format.name.endswith("_pipe"):
        raise DecodeError(path, "is a still image, not a video")
    if not container.streams.video:
        raise DecodeError(path, "has no video stream")
    deadline = time.monotonic() + TIME_LIMIT
    frames: list[np.ndarray] = []
    size: tuple[int, int] | None = None
    try:
        for frame in container.decode(container.streams.video[0]):
            if size is None:
                _check_pixels(path, frame.width, frame.height)
                size = _reduced(frame.width, frame.height, short_side)
            frames.append(_upright(frame, size))
            _check_amount(path, frames, deadline)
    except av.FFmpegError as error:
        raise DecodeError(
            path, f"is damaged or cut off after {len(frames)} frames ({error.strerror})"
        ) from error
    return frames


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


def _must_be_file(path: Path_) -> None:
    if not Path(os.fsdecode(path)).is_file():
        exists = Path(os.fsdecode(path)).exists()
        raise DecodeError(path, "is not a file" if exists else "does not exist")


def _check_pixels(path: Path_, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DecodeError(
            path, f"has {width} × {height} pixels, more than the limit of {MAX_PIXELS}"
        )


def _check_amount(path: Path_, frames: list[np.ndarray], deadline: float) -> None:
    if len(frames) > MAX_FRAMES:
        raise DecodeError(path, f"has more than {MAX_FRAMES} frames; cut it into shorter videos")
    if len(frames) * frames[0].nbytes > MAX_VIDEO_BYTES:
        raise DecodeError(
            path,
            f"decodes to more than {MAX_VIDEO_BYTES // 1024**2} MiB; cut it into shorter videos",
        )
    if time.monotonic() > deadline:
        raise DecodeError(
            path, f"takes more than {TIME_LIMIT:g} s to decode; cut it into shorter videos"
        )

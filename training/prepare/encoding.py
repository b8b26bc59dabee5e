"""From media files to what a prepared data set stores: JPEG frames, image bytes."""

import dataclasses
import io
from dataclasses import dataclass

import numpy as np

from a2keras.errors import UserError
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.image import formats, read_image
from a2keras.models.preprocessing.orientation import block_of, orientation_in
from a2keras.models.preprocessing.places import Path_
from a2keras.models.preprocessing.sampling import clock_of, nearest_indices
from a2keras.models.preprocessing.video import MAX_FRAMES, Video
from a2keras.training.data.files import reduced

# The training videos of the authors' sister code, GloRe, have this short side.
VIDEO_SHORT_SIDE = 288


@dataclass(frozen=True)
class Encoding:
    """How a prepared data set stores what it holds.

    Attributes:
        short_side: pixels to which longer short sides are reduced; 0: none is.
        quality: of the JPEGs that are made, 1 to 100.
        fps: frames per second that videos are brought to; 0: their own.
    """

    short_side: int = 0
    quality: int = 90
    fps: float = 0.0

    def __post_init__(self) -> None:
        if self.short_side < 0:
            raise UserError(f"`short_side` must be at least 0. Received: {self.short_side}")
        if not 1 <= self.quality <= 100:
            raise UserError(f"`quality` must be from 1 to 100. Received: {self.quality}")
        if not 0 <= self.fps < float("inf"):
            raise UserError(f"`fps` must be at least 0. Received: {self.fps:g}")

    def as_dict(self) -> dict:
        return dataclasses.asdict(self)


def encode_video(path: Path_, video: Video, encoding: Encoding) -> tuple[list[bytes], np.ndarray]:
    """The frames to store as JPEG, and their times in seconds: float64 (T,).

    With `fps` the frames nearest to the moments of that rate are taken, by `clock_of`.

    Raises:
        DecodeError: there is no clock, or more than `MAX_FRAMES` such moments.
    """
    frames, times = video.frames, video.times
    if encoding.fps:
        times, clock = clock_of(times, video.rate)
        if clock == "none":
            missed = f"fps={encoding.fps:g} cannot be met"
            raise DecodeError(path, f"has no time stamps and no rate, so {missed}")
        try:
            chosen = nearest_indices(times, 1 / encoding.fps, MAX_FRAMES)
        except ValueError as error:
            raise DecodeError(path, f"cannot be sampled evenly ({error})") from None
        frames, times = frames[chosen], times[chosen]
    return [encode_jpeg(frame, encoding.quality) for frame in frames], times


def encode_jpeg(pixels: np.ndarray, quality: int) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def encode_image(path: Path_, data: bytes, encoding: Encoding) -> bytes:
    """JPEG or PNG of an image: the bytes as they are, where TensorFlow reads them as Pillow does.

    Others (turned by EXIF, CMYK, transparent, 16 bits, other formats) and those that are reduced
    become JPEG where they were lossy, and PNG where not.

    Raises:
        DecodeError: see `read_image`.
    """
    from PIL import Image

    pixels = read_image(path, data)  # in any case: what cannot be read is to be known now
    smaller = reduced(pixels, encoding.short_side, "bicubic")
    plain = lossy = False
    if data.startswith((b"\xff\xd8", b"\x89PNG", b"RIFF")):
        with Image.open(io.BytesIO(data), formats=formats()) as image:
            lossy = image.format != "PNG"
            plain = (
                image.format in ("JPEG", "PNG")
                and image.mode in ("L", "RGB")
                and "transparency" not in image.info
                and orientation_in(block_of(io.BytesIO(data)) or b"") == 1
            )
    if plain and smaller is pixels:
        return data
    if lossy:
        return encode_jpeg(smaller, encoding.quality)
    buffer = io.BytesIO()
    Image.fromarray(smaller).save(buffer, "PNG")
    return buffer.getvalue()

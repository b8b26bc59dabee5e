"""What a prepared data set stores of an image or a video."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from a2keras.errors import UserError
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.image import read_image
from a2keras.models.preprocessing.video import Video
from a2keras.training.prepare.encoding import Encoding, encode_image, encode_video


def picture(number: int, height: int = 23, width: int = 31) -> np.ndarray:
    """A smooth picture of its own for every number: uint8 (height, width, 3)."""
    small = np.random.default_rng(number).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_image_bytes_stay_where_tensorflow_reads_them_as_pillow_does():
    rgb = Image.fromarray(picture(1))
    exif = Image.Exif()
    exif[0x0112] = 6
    for data in (
        saved(rgb, "JPEG"),
        saved(rgb.convert("L"), "JPEG", progressive=True),
        saved(rgb, "PNG"),
    ):
        assert encode_image("x", data, Encoding()) == data
        assert encode_image("x", data, Encoding(short_side=23)) == data
    for data, kind in (
        (saved(rgb, "JPEG", exif=exif), b"\xff\xd8"),
        (saved(rgb.convert("CMYK"), "JPEG"), b"\xff\xd8"),
        (saved(rgb, "WEBP", quality=95), b"\xff\xd8"),
        (saved(rgb.convert("RGBA"), "PNG"), b"\x89PNG"),
        (saved(rgb.quantize(7), "PNG"), b"\x89PNG"),
        (saved(rgb, "TIFF"), b"\x89PNG"),
        (saved(rgb, "BMP"), b"\x89PNG"),
    ):
        stored = encode_image("x", data, Encoding())
        assert stored != data
        assert stored.startswith(kind)
        assert_same_pixels(stored, data)


def with_exif(data: bytes, *entries: bytes) -> bytes:
    """A JPEG with a directory of these entries."""
    block = b"Exif\0\0II*\0\x08\0\0\0" + len(entries).to_bytes(2, "little")
    block += b"".join(entries) + bytes(4)
    return data[:2] + b"\xff\xe1" + (2 + len(block)).to_bytes(2, "big") + block + data[2:]


@pytest.mark.parametrize("quality", [70, 95])
def test_images_with_odd_tags(quality):
    """`XResolution` as text, and a pointer to nothing: Pillow can read them, but not write them."""
    data = saved(Image.fromarray(picture(1)), "JPEG", quality=quality)
    text = b"\x1a\x01\x02\0\x03\0\0\0" + b"72\0\0"
    nowhere = b"\x69\x87\x02\0\xff\xff\0\0" + b"\xff\xff\xff\x7f"
    turned = b"\x12\x01\x03\0\x01\0\0\0" + b"\6\0\0\0"
    upright = with_exif(data, text, nowhere)
    assert encode_image("x", upright, Encoding()) == upright
    stored = encode_image("x", with_exif(data, turned, text, nowhere), Encoding())
    assert Image.open(io.BytesIO(stored)).size == (23, 31)
    assert_same_pixels(stored, with_exif(data, turned, text, nowhere))


def assert_same_pixels(stored: bytes, data: bytes) -> None:
    expected = read_image("x", data)
    pixels = tf.io.decode_image(stored, channels=3).numpy()
    assert pixels.shape == expected.shape
    tolerance = 8 if stored.startswith(b"\xff\xd8") else 0
    assert np.abs(pixels.astype(int) - expected).mean() <= tolerance


def test_images_are_reduced_in_their_own_kind():
    rgb = Image.fromarray(picture(2, 46, 62))
    for kind, start in (("JPEG", b"\xff\xd8"), ("PNG", b"\x89PNG")):
        stored = encode_image("x", saved(rgb, kind), Encoding(short_side=23))
        assert stored.startswith(start)
        assert Image.open(io.BytesIO(stored)).size == (31, 23)
    with pytest.raises(DecodeError, match="x: is not an image that can be read"):
        encode_image("x", b"\xff\xd8 nothing", Encoding())


def test_videos_are_brought_to_a_rate():
    frames = np.stack([np.full((16, 16, 3), 20 * k, np.uint8) for k in range(11)])

    def shown(video: Video, fps: float) -> list[int]:
        encoded, times = encode_video("x", video, Encoding(fps=fps))
        np.testing.assert_allclose(times, times_of[tuple(shades(encoded))])
        return shades(encoded)

    def shades(encoded: list[bytes]) -> list[int]:
        return [round(np.asarray(Image.open(io.BytesIO(e))).mean() / 20) for e in encoded]

    steady = Video(frames, np.arange(11) / 10, 10.0)
    times_of = {
        (0, 2, 4, 6, 8, 10): [0, 0.2, 0.4, 0.6, 0.8, 1.0],
        tuple(range(11)): np.arange(11) / 10,
    }
    assert shown(steady, 5) == [0, 2, 4, 6, 8, 10]
    assert shown(steady, 0) == list(range(11))
    # Without times that ascend the frames are counted out by the rate.
    assert shown(Video(frames, np.full(11, np.nan), 10.0), 5) == [0, 2, 4, 6, 8, 10]
    with pytest.raises(DecodeError, match="x: has no time stamps and no rate, so fps=5 cannot be"):
        encode_video("x", Video(frames, np.full(11, np.nan), float("nan")), Encoding(fps=5))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"short_side": -1}, "`short_side` must be at least 0. Received: -1"),
        ({"quality": 0}, "`quality` must be from 1 to 100. Received: 0"),
        ({"fps": float("inf")}, "`fps` must be at least 0. Received: inf"),
    ],
)
def test_a_format_that_cannot_be_is_told(settings, message):
    with pytest.raises(UserError) as error:
        Encoding(**settings)
    assert str(error.value) == message

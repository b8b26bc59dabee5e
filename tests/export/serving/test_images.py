"""Images decoded in a graph against Pillow: every kind, to the bit."""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from a2keras.export.parity import natural_pixels
from a2keras.export.serving.images import decode, image_formats, views
from a2keras.models.preprocessing import Preprocessing, errors
from a2keras.models.preprocessing.image import read_image

sys.path.insert(0, str(Path(__file__).parent))
import odd_exif

PIXELS = natural_pixels((29, 37, 3), 1, seed=7)[0]
PICTURE = Image.fromarray(PIXELS)


@pytest.fixture(scope="module")
def decoded():
    return tf.function(decode, input_signature=[tf.TensorSpec((), tf.string)], autograph=False)


def file_of(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def check(decoded, file: bytes) -> np.ndarray:
    given, expected = decoded(file).numpy(), read_image("sample", file)
    assert given.dtype == np.uint8
    np.testing.assert_array_equal(given, expected)
    return given


def orientation_of(value: int, order: str) -> bytes:
    """EXIF with a maker's name before the orientation, in big or little byte order."""
    entries = struct.pack(order + "HHI4s", 0x010F, 2, 4, b"A2K\0")
    entries += struct.pack(order + "HHIHH", 0x0112, 3, 1, value, 0)
    mark = b"MM" if order == ">" else b"II"
    return mark + struct.pack(order + "HIH", 42, 8, 2) + entries + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_orientation(decoded, kind, order):
    shapes = set()
    for value in range(10):  # 0 and 9 mean nothing
        exif = b"Exif\0\0" + orientation_of(value, order)
        given = check(decoded, file_of(PICTURE, kind, exif=exif))
        shapes.add(given.shape)
    assert shapes == {(29, 37, 3), (37, 29, 3)}


def png_of_grey(depth: int, transparent: int | None) -> bytes:
    """A PNG of two rows of grey with few bits, which Pillow does not write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check_sum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check_sum

    header = struct.pack(">IIBBBBB", 16 // depth, 2, depth, 0, 0, 0, 0)
    colour = b"" if transparent is None else chunk(b"tRNS", struct.pack(">H", transparent))
    rows = zlib.compress(b"\0\x1b\xe4\0\xa5\x3c")
    parts = chunk(b"IHDR", header) + colour + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def every_alpha() -> Image.Image:
    """All pairs of a colour and an alpha."""
    colour, alpha = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    pixels = np.stack([colour, 255 - colour, np.full_like(colour, 17), alpha], -1)
    return Image.fromarray(pixels.astype(np.uint8))


def png16(colour: int, channels: int, *key: int) -> bytes:
    """Noise of 16 bits a channel; with a `key`, the first pixel is of the transparent colour."""
    pixels = np.random.default_rng(7).integers(0, 65536, (11, 13, channels)).astype(">u2")
    pixels[0, 0, : len(key)] = key
    pixels[0, 1] = pixels[0, 0] + 1  # the same in the upper 8 bits
    header = struct.pack(">IIBBBBB", 13, 11, 16, colour, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    parts = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    if key:
        parts.insert(1, (b"tRNS", struct.pack(f">{len(key)}H", *key)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(odd_exif.chunk(*part) for part in parts)


def palette(bits: int, alpha: bytes) -> bytes:
    """A PNG of as many colours as `bits` tell apart, the first ones with an alpha."""
    colours = np.random.default_rng(7).integers(0, 200, (2**bits, 3), np.uint8)
    header = struct.pack(">IIBBBBB", 8, 2, bits, 3, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes(range(7 * row, 7 * row + bits)) for row in (2, 3)))
    parts = [(b"IHDR", header), (b"PLTE", colours.tobytes()), (b"IDAT", rows), (b"IEND", b"")]
    if alpha:
        parts.insert(2, (b"tRNS", alpha))
    return b"\x89PNG\r\n\x1a\n" + b"".join(odd_exif.chunk(*part) for part in parts)


def cmyk(mark: str) -> bytes:
    """A JPEG of four inks, each over the whole range, with Adobe's mark of a kind or without."""
    inks = np.random.default_rng(7).integers(0, 256, (11, 13, 4), np.uint8)
    file = file_of(Image.fromarray(np.repeat(np.repeat(inks, 8, 0), 8, 1), "CMYK"), "JPEG")
    at = file.index(b"\xff\xee")
    if mark == "none":
        return file[:at] + file[at + 16 :]
    return file[: at + 15] + {"CMYK": b"\0", "YCCK": b"\2"}[mark] + file[at + 16 :]


GREY16 = Image.fromarray((np.arange(29 * 37, dtype=np.uint16) * 61).reshape(29, 37))
KINDS = {
    "jpeg": file_of(PICTURE, "JPEG", quality=91),
    "progressive": file_of(PICTURE, "JPEG", progressive=True, subsampling=0),
    "grey jpeg": file_of(PICTURE.convert("L"), "JPEG"),
    "cmyk": file_of(PICTURE.convert("CMYK"), "JPEG"),
    "png": file_of(PICTURE, "PNG"),
    "palette": file_of(PICTURE.convert("P"), "PNG", transparency=3),
    "one bit": file_of(PICTURE.convert("1"), "PNG"),
    "grey and alpha": file_of(PICTURE.convert("LA"), "PNG"),
    "16 bits": file_of(GREY16, "PNG"),
    "16 bits, dark": file_of(Image.fromarray(np.arange(4096, dtype=np.uint16)[None]), "PNG"),
    "16 bits, grey and key": png16(0, 1, 4000),
    "16 bits, grey and alpha": png16(4, 2),
    "16 bits, RGB": png16(2, 3),
    "16 bits, RGB and key": png16(2, 3, 300, 40000, 5),
    "16 bits, RGBA": png16(6, 4),
    **{f"CMYK, mark: {mark}": cmyk(mark) for mark in ("none", "CMYK", "YCCK")},
    **{
        f"palette of {n} bits, alpha {alpha.hex()}": palette(n, alpha)
        for n in (1, 2, 4, 8)
        for alpha in (b"", b"\x0f\x03", b"\x01", b"\0\x80")
    },
    "MPO": file_of(PICTURE, "MPO", save_all=True, append_images=[PICTURE.rotate(90)]),
    "png alpha": file_of(every_alpha(), "PNG"),
    "webp": file_of(PICTURE, "WEBP"),
    "lossless": file_of(PICTURE, "WEBP", lossless=True),
    "webp alpha": file_of(every_alpha(), "WEBP", lossless=True, exact=True),
    "animated png": file_of(PICTURE, "PNG", save_all=True, append_images=[PICTURE.rotate(90)]),
    **{f"grey of {n} bits, {t}": png_of_grey(n, t) for n in (1, 2, 4, 8) for t in (None, 0, 1)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(decoded, kind):
    given = check(decoded, KINDS[kind])
    if kind == "grey of 1 bits, 0":  # transparent or white
        assert given.min() == 255
    else:
        assert np.ptp(given) > (10 if "dark" in kind or "palette of 1 bits" in kind else 50)


@pytest.mark.parametrize("fit", ["crop", "letterbox"])
def test_views_are_those_of_preprocessing(fit, tmp_path):
    short_side = 19 if fit == "crop" else None
    preprocessing = Preprocessing(("a", "b"), 17, fit=fit, short_side=short_side)
    files = [KINDS["jpeg"], KINDS["webp"], file_of(PICTURE.resize((11, 53)), "PNG")]
    given = tf.function(lambda encoded: views(preprocessing, encoded))(tf.constant(files)).numpy()
    assert given.shape == (3, 17, 17, 3)
    for number, file in enumerate(files):
        path = tmp_path / "image"
        path.write_bytes(file)
        np.testing.assert_array_equal(given[number], preprocessing.views(path)[0])


ANIMATED = file_of(PICTURE, "WEBP", save_all=True, append_images=[PICTURE.rotate(90)])


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "is no file of JPEG, PNG, WEBP: image"),
        (b"GIF89a\x01\x00", "is no file of JPEG, PNG, WEBP: image"),
        (ANIMATED, "is an animated WebP file: image"),
        (KINDS["jpeg"][:900], "jpeg::Uncompress failed"),
        (KINDS["png"][:900], "Invalid PNG data"),
        (KINDS["webp"][:300], "Failed to decode WebP"),
    ],
)
def test_what_is_no_image(decoded, file, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decoded(file)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"E"}),
    ],
)
def test_too_many_pixels_are_not_decoded(monkeypatch, kind, options):
    monkeypatch.setattr(errors, "MAX_PIXELS", 29 * 37 - 1)
    limited = tf.function(decode, input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
    message = r"has more than 1072 pixels, or none: image\] \[0\] \[37\] \[29\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        limited(file_of(PICTURE, kind, **options))
    assert limited(file_of(PICTURE.crop((0, 0, 36, 29)), kind, **options)).shape == (29, 36, 3)


def test_a_bad_image_is_told_by_its_number():
    preprocessing = Preprocessing(("a", "b"), 5)
    files = tf.constant([KINDS["jpeg"], KINDS["png"], b"text"])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"WEBP: image\] \[2\]"):
        tf.function(lambda encoded: views(preprocessing, encoded))(files)


def test_a_tensorflow_without_webp(monkeypatch):
    monkeypatch.delattr(tf.io, "decode_webp")
    assert image_formats() == ("JPEG", "PNG")
    without = tf.function(decode, input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
    check(without, KINDS["png alpha"])
    with pytest.raises(tf.errors.InvalidArgumentError, match="is no file of JPEG, PNG: image"):
        without(KINDS["webp"])

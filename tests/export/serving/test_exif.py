"""The orientation of a file is one: in the graph, in `read_image`, and where Pillow reads it."""

import io
import random
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from a2keras.export.serving.images import decode, image_formats
from a2keras.models.preprocessing import orientation, read_image
from a2keras.models.preprocessing.image import read_image as read_bytes
from a2keras.models.preprocessing.orientation import orientation_in, upright

sys.path.insert(0, str(Path(__file__).parent))
import odd_exif
from odd_exif import in_jpeg, in_png, in_webp, named_blocks, random_block

PIXELS = np.random.default_rng(5).integers(0, 256, (5, 7, 3), np.uint8)
PICTURE = Image.fromarray(PIXELS)
CONTAINERS = {"JPEG": in_jpeg, "PNG": in_png, "WEBP": in_webp}
needs_webp = pytest.mark.skipif("WEBP" not in image_formats(), reason="this TensorFlow has no WebP")
KINDS = ["JPEG", "PNG", pytest.param("WEBP", marks=needs_webp)]


@pytest.fixture(scope="module")
def decoded():
    return tf.function(decode, input_signature=[tf.TensorSpec((), tf.string)], autograph=False)


def turn_of(pixels: np.ndarray, plain: np.ndarray) -> int:
    found = [value for value in range(1, 9) if np.array_equal(upright(plain, value), pixels)]
    assert len(found) == 1
    return found[0]


def plain_of(kind: str) -> np.ndarray:
    return read_bytes("plain", CONTAINERS[kind](PICTURE, b""))


def check(decoded, file: bytes, plain: np.ndarray) -> int:
    """The orientation, the same in the graph and in `read_image`."""
    pixels = read_bytes("odd", file)
    np.testing.assert_array_equal(decoded(file).numpy(), pixels)
    return turn_of(pixels, plain)


@pytest.mark.parametrize("value", range(1, 9))
def test_turns_are_those_of_pillow(value):
    exif = Image.Exif()
    exif[0x0112] = value
    file = odd_exif.saved(PICTURE, "PNG", exif=exif)
    with Image.open(io.BytesIO(file)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(read_bytes("turned", file), expected)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_block(decoded, kind, order):
    plain = plain_of(kind)
    for name, (block, expected) in named_blocks(order).items():
        assert check(decoded, CONTAINERS[kind](PICTURE, block), plain) == expected, name


def test_a_resolution_as_text(tmp_path):
    """Pillow fails on writing all tags anew, which turning a picture does not need."""
    block, _ = named_blocks("<")["a resolution as text"]
    path = tmp_path / "sound.jpg"
    path.write_bytes(in_jpeg(PICTURE, block))
    with Image.open(path) as image, pytest.raises(Exception):  # noqa: B017
        ImageOps.exif_transpose(image)
    np.testing.assert_array_equal(read_image(path), upright(plain_of("JPEG"), 6))


def test_places_in_the_file(decoded):
    block = odd_exif.tiff("<", [odd_exif.held("<", odd_exif.SHORT, 6)])
    for where in ("first", "behind", "filled", "twice", "late"):
        assert check(decoded, in_jpeg(PICTURE, block, where), plain_of("JPEG")) == 6, where
    for where in ("first", "last"):
        assert check(decoded, in_png(PICTURE, block, where), plain_of("PNG")) == 6, where


@pytest.mark.slow
def test_parts_beyond_the_limit_are_not_looked_at(decoded, monkeypatch):
    block = odd_exif.tiff(">", [odd_exif.held(">", odd_exif.SHORT, 6)])
    plain = plain_of("PNG")
    file = in_png(PICTURE, block, "last")  # behind IHDR and IDAT
    assert check(decoded, file, plain) == 6
    for most, expected in [(2, 6), (1, 1)]:
        monkeypatch.setattr(orientation, "MOST_PARTS", most)
        limited = tf.function(decode, input_signature=[tf.TensorSpec((), tf.string)])
        assert check(limited, file, plain) == expected


def test_orientation_in_xmp_is_not_read(decoded, tmp_path):
    words = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    content = b"http://ns.adobe.com/xap/1.0/\0" + words
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content
    file = in_jpeg(PICTURE, b"")
    assert check(decoded, file[:2] + segment + file[2:], plain_of("JPEG")) == 1
    PICTURE.save(tmp_path / "xmp.tif", tiffinfo={700: words})
    np.testing.assert_array_equal(read_image(tmp_path / "xmp.tif"), PIXELS)


@pytest.mark.parametrize("kind", ["TIFF", "AVIF"])
def test_other_formats_are_turned_once(tmp_path, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned"
    quarters = np.repeat(np.repeat(np.array([[0, 80], [160, 240]], np.uint8), 24, 0), 16, 1)
    Image.fromarray(quarters).convert("RGB").save(path, kind, exif=exif)
    pixels = read_image(path)
    assert pixels.shape == (32, 48, 3)
    np.testing.assert_allclose(pixels[::31, ::47, 1], [[160, 0], [240, 80]], atol=9)


@pytest.mark.parametrize("kind", KINDS)
def test_random_blocks(decoded, kind):
    """600 of each kind, of which Pillow would fail on turning many."""
    draw = random.Random(f"{kind} 3")
    plain = plain_of(kind)
    files = [CONTAINERS[kind](PICTURE, random_block(draw)) for _ in range(600)]
    assert sum(check(decoded, file, plain) > 1 for file in files) > 80
    assert sum(not can_be_written_anew(file) for file in files) > 10


def test_random_blocks_are_read_as_by_pillow():
    draw = random.Random(3)
    blocks = filter(ordinary, (random_block(draw) for _ in range(5000)))
    values = [(orientation_in(each), pillow_reads(each)) for each in blocks]
    compared = [(value, of_pillow) for value, of_pillow in values if of_pillow is not None]
    assert len(compared) > 150
    for value, of_pillow in compared:
        assert value == (of_pillow if of_pillow in range(1, 9) else 1)


def can_be_written_anew(file: bytes) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(file)) as image:
            ImageOps.exif_transpose(image)
    except Exception:
        return False
    return True


def ordinary(block: bytes) -> bool:
    """Whether there is one orientation, as SHORT: about others Pillow has rules of its own."""
    for order, mark in (("<", b"II*\0"), (">", b"MM\0*")):
        short = struct.pack(order + "HHI", odd_exif.ORIENTATION, odd_exif.SHORT, 1)
        if block.startswith(mark) and short in block:
            return block.count(short[:2]) == 1
    return False


def pillow_reads(block: bytes) -> int | None:
    """The orientation; None where Pillow complains: then it leaves the entries behind out."""
    exif = Image.Exif()
    with warnings.catch_warnings(action="error"):
        try:
            exif.load(block)
        except Exception:
            return None
    return exif.get(odd_exif.ORIENTATION, 1)

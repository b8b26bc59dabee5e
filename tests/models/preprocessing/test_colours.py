"""Images of every mode and depth to uint8 RGB: scaled as the file says, or told."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from a2keras.models.preprocessing import DecodeError, colours
from a2keras.models.preprocessing.image import read_image

RAMP = np.linspace(0, 4095, 63).astype(np.uint16).reshape(7, 9)  # 12 bits
RAMP8 = np.rint(RAMP * (255 / 4095)).astype(np.uint8)
UPPER = (RAMP >> 8).astype(np.uint8)
LETTERS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "I", 10: "i", 11: "f", 12: "d"}
SMIN, SMAX, MAX = 340, 341, 281
DARK = (
    "x: is nearly black: it stores 16 bits a colour, of which the upper 8 are taken, and no value "
    "reaches a quarter of the range; scale such files before (this is said once)\n"
)


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    monkeypatch.setattr(colours, "_said", set())


def tiff(pixels: np.ndarray, bits=None, kind=1, photometric=1, extra=(), order="<") -> bytes:
    """An uncompressed TIFF of (H, W) or (H, W, 3); `extra` has (tag, type, *values)."""
    height, width, channels = (*pixels.shape, 1)[:3]
    bits = [bits or pixels.dtype.itemsize * 8] * channels
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    entries = [(256, 3, width), (257, 3, height), (258, 3, *bits), (259, 3, 1)]
    entries += [(262, 3, photometric), (273, 4, 0), (277, 3, channels), (278, 3, height)]
    entries += [(279, 4, len(data)), (339, 3, *[kind] * channels), *extra]
    behind = 8 + 2 + 12 * len(entries) + 4
    values = {}
    aside = b""
    for tag, type_, *numbers in entries:
        packed = struct.pack(f"{order}{len(numbers)}{LETTERS[type_]}", *numbers)
        if len(packed) > 4:
            values[tag] = struct.pack(order + "I", behind + len(aside))
            aside += packed
        else:
            values[tag] = packed.ljust(4, b"\0")
    values[273] = struct.pack(order + "I", behind + len(aside))
    directory = struct.pack(order + "H", len(entries))
    for tag, type_, *numbers in sorted(entries):
        directory += struct.pack(order + "HHI", tag, type_, len(numbers)) + values[tag]
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(order + "HI", 42, 8) + directory + bytes(4) + aside + data


def png(depth: int, colour: int, rows: list[bytes], width: int, *chunks: tuple) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        check_sum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check_sum

    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def deep_png(pixels: np.ndarray, *chunks: tuple) -> bytes:
    rows = [row.astype(">u2").tobytes() for row in pixels]
    return png(16, 2 if pixels.ndim == 3 else 0, rows, pixels.shape[1], *chunks)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def packed_twelve(pixels: np.ndarray) -> np.ndarray:
    pairs = pixels.astype(int).reshape(-1, 2)
    parts = [pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255]
    return np.stack(parts, -1).astype(np.uint8).reshape(len(pixels), -1)


def twelve_bits() -> bytes:
    """A TIFF of 12 bits a sample, two pixels in three bytes."""
    file = bytearray(tiff(packed_twelve(np.tile(RAMP[:, :8], 1)), bits=12))
    at = file.index(struct.pack("<HHI", 256, 3, 1)) + 8
    file[at : at + 2] = struct.pack("<H", 8)  # as many pixels, not bytes
    return bytes(file)


def grey(file: bytes) -> np.ndarray:
    pixels = read_image("x", file)
    assert pixels.dtype == np.uint8 and pixels.shape[2] == 3
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


FULL = RAMP * np.uint16(16)
FLOATS = (RAMP / 4095).astype(np.float32)
TOLD = {
    "SMaxSampleValue": (tiff(RAMP, extra=[(SMAX, 3, 4095)]), RAMP8),
    "MaxSampleValue": (tiff(RAMP, extra=[(MAX, 3, 4095)]), RAMP8),
    "big-endian": (tiff(RAMP, extra=[(SMAX, 3, 4095)], order=">"), RAMP8),
    "8 bits in 16": (tiff(RAMP // 16, extra=[(MAX, 3, 255)]), (RAMP // 16).astype(np.uint8)),
    "8 bits in 32": (
        tiff((RAMP // 16).astype(np.uint32), extra=[(MAX, 3, 255)]),
        (RAMP // 16).astype(np.uint8),
    ),
    "all of 32 bits": (
        tiff(RAMP.astype(np.uint32) << 20, extra=[(SMAX, 4, 2**32 - 1)]),
        np.rint((RAMP.astype(float) * 2**20) / (2**32 - 1) * 255).astype(np.uint8),
    ),
    "12 bits": (twelve_bits(), RAMP8[:, :8]),
    "floats": (tiff(FLOATS, kind=3, extra=[(SMAX, 11, 1.0)]), RAMP8),
    "floats to 255": (tiff(FLOATS * 255, kind=3, extra=[(SMAX, 11, 255.0)]), RAMP8),
    "floats around zero": (
        tiff(FLOATS * 2 - 1, kind=3, extra=[(SMIN, 11, -1.0), (SMAX, 11, 1.0)]),
        RAMP8,
    ),
    "a statistical minimum": (tiff(RAMP, extra=[(280, 3, 700), (MAX, 3, 4095)]), RAMP8),
    "PGM": (b"P5 9 7 4095\n" + RAMP.astype(">u2").tobytes(), RAMP8),
}


@pytest.mark.parametrize("name", TOLD)
def test_scaled_as_the_file_says(capsys, name):
    file, expected = TOLD[name]
    np.testing.assert_allclose(grey(file).astype(int), expected.astype(int), atol=1)
    assert capsys.readouterr().err == ""


def test_sixteen_bits_keep_their_upper_eight(capsys):
    for file in (
        deep_png(FULL),
        tiff(FULL),
        tiff(FULL, order=">"),
        b"P5 9 7 65535\n" + FULL.astype(">u2").tobytes(),
        deep_png(np.stack([FULL] * 3, -1)),
        tiff(np.stack([FULL] * 3, -1), photometric=2),
        tiff((FULL // 2).astype(np.int16), kind=2),
        saved(Image.fromarray(FULL), "JPEG2000", irreversible=False),
    ):
        np.testing.assert_array_equal(grey(file), FULL >> 8)
    for photometric in (0, 1):
        inverted = grey(tiff(FULL, photometric=photometric))
        np.testing.assert_array_equal(inverted, (FULL >> 8) ^ (255 * (1 - photometric)))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "file",
    [
        deep_png(RAMP),
        deep_png(RAMP, (b"sBIT", b"\x0c")),
        deep_png(np.stack([RAMP] * 3, -1)),
        tiff(RAMP),
        tiff(RAMP, order=">"),
        tiff(np.stack([RAMP] * 3, -1), photometric=2),
        tiff(RAMP, extra=[(MAX, 2, 65, 65, 0)]),  # as text
        tiff(RAMP, extra=[(MAX, 3, 0)]),
        b"P5 9 7 65535\n" + RAMP.astype(">u2").tobytes(),
    ],
)
def test_few_bits_in_sixteen_are_told_once(capsys, file):
    np.testing.assert_array_equal(grey(file), UPPER)
    assert capsys.readouterr().err == DARK
    read_image("y", file)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("colours", [1, 3])
def test_eight_bits_in_sixteen_are_told(capsys, colours):
    few = RAMP // 16  # at most 255: the upper 8 bits are 0
    few = np.stack([few] * 3, -1) if colours == 3 else few
    for file in (deep_png(few), tiff(few, photometric=2 if colours == 3 else 1)):
        assert grey(file).max() == 0
    assert capsys.readouterr().err == DARK


def test_black_is_black(capsys):
    for black in (np.zeros((7, 9), np.uint16), np.zeros((7, 9), np.uint32)):
        assert grey(tiff(black)).max() == 0
    assert capsys.readouterr().err == ""


def test_signed_eight_bits_are_scaled_as_sixteen():
    values = np.arange(-63, 63, dtype=np.int8).reshape(7, 18)
    np.testing.assert_array_equal(grey(tiff(values, kind=2)), values.astype(int).clip(0) * 2)


def test_a_fourth_colour_of_unknown_meaning_is_told(capsys):
    near_infrared = np.full((16, 16), 51, np.uint8)
    four = np.dstack([LARGE, near_infrared])
    for _ in range(2):
        pixels = read_image("x", tiff(four, photometric=2))
        np.testing.assert_allclose(pixels, 255 - (255 - LARGE.astype(float)) * 0.2, atol=1)
    assert capsys.readouterr().err == (
        "x: has four colours and does not say what the fourth is: it is taken as transparency "
        "(this is said once)\n"
    )
    read_image("y", saved(Image.fromarray(four, "RGBA"), "TIFF"))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("height", [1, 2, 7, 64])
@pytest.mark.parametrize(
    ("depth", "colour", "row"), [(8, 0, 9), (1, 0, 2), (16, 2, 54), (8, 6, 36)]
)
def test_a_png_with_too_few_rows_is_damaged(height, depth, colour, row):
    whole = png(depth, colour, [bytes(row)] * height, 9)
    assert read_image("x", whole).shape == (height, 9, 3)
    short = png(depth, colour, [bytes(row)] * (height // 2), 9).replace(
        struct.pack(">II", 9, height // 2), struct.pack(">II", 9, height), 1
    )
    at = short.index(b"IHDR")
    check_sum = struct.pack(">I", zlib.crc32(short[at : at + 17]))
    short = short[: at + 17] + check_sum + short[at + 21 :]
    with pytest.raises(DecodeError, match=r"^x: is a damaged or cut-off image"):
        read_image("x", short)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (7, 9), (8, 8), (33, 5)])
def test_interlaced_png(height, width):
    """Pixels of one value, whose every pass is as long as it must be."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    rows = b""
    for y, x, down, right in [*passes, (1, 0, 2, 1)]:
        if columns := len(range(x, width, right)):
            rows += (b"\0" + bytes([70] * columns)) * len(range(y, height, down))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1)
    for cut, good in ((rows, True), (rows[: len(rows) // 2], False)):
        file = b"\x89PNG\r\n\x1a\n"
        for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(cut)), (b"IEND", b"")):
            check_sum = struct.pack(">I", zlib.crc32(name + data))
            file += struct.pack(">I", len(data)) + name + data + check_sum
        if good:
            assert (grey(file) == 70).all() and grey(file).shape == (height, width)
        else:
            with pytest.raises(DecodeError, match=r"^x: is a damaged or cut-off image"):
                read_image("x", file)


def test_large_colour_profiles_of_png():
    def profile(size: int) -> tuple:
        return b"iCCP", b"name\0\0" + zlib.compress(bytes(size))

    rows = [bytes([200] * 9)] * 7
    assert (grey(png(8, 0, rows, 9, profile(3_000_000))) == 200).all()
    with pytest.raises(DecodeError, match="Decompressed data too large"):
        read_image("x", png(8, 0, rows, 9, profile(17 * 1024**2)))


def test_thirty_two_bits_are_told_once(capsys):
    for values in (RAMP.astype(np.int32), FULL.astype(np.uint32)):
        kind = 1 if values.dtype == np.uint32 else 2
        np.testing.assert_array_equal(grey(tiff(values, kind=kind)), values >> 8)
    negative = grey(tiff(np.full((7, 9), -5, np.int32), kind=2))
    assert negative.max() == 0
    huge = grey(tiff(np.full((7, 9), 2**32 - 5, np.uint32)))
    assert huge.min() == 255
    expected = "x: has greys of 32 bits, of which 65535 is taken as white (this is said once)\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (tiff(FLOATS, kind=3), "its pixels are floats of unknown range"),
        (tiff(FLOATS * 255 - 9, kind=3), "its pixels are floats of unknown range"),
        (b"Pf\n9 7\n-1.0\n" + FLOATS.tobytes(), "its pixels are floats of unknown range"),
        (
            tiff(np.full((7, 9), np.nan, np.float32), kind=3, extra=[(SMAX, 11, 1.0)]),
            "its pixels are not all numbers",
        ),
        (tiff(FLOATS, kind=3, extra=[(SMAX, 11, np.nan)]), "floats of unknown range"),
    ],
)
def test_floats_of_unknown_range(file, reason):
    with pytest.raises(DecodeError, match=reason):
        read_image("x", file)


COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
LARGE = np.repeat(np.repeat(COLOURS, 8, 0), 8, 1)


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("RGB", "TIFF", {}),
        ("RGB", "TIFF", {"compression": "tiff_lzw"}),
        ("CMYK", "TIFF", {}),
        ("LAB", "TIFF", {}),
        ("YCbCr", "TIFF", {"compression": "jpeg", "quality": 98}),
        ("P", "TIFF", {}),
        ("PA", "TIFF", {}),
        ("RGBA", "TIFF", {}),
        ("RGBX", "TIFF", {}),
        ("P", "PNG", {}),
        ("P", "GIF", {}),
        ("RGB", "AVIF", {"quality": 100, "subsampling": "4:4:4"}),
        ("RGB", "JPEG2000", {"irreversible": False}),
        ("RGB", "PPM", {}),
        ("RGB", "BMP", {}),
        ("RGB", "PCX", {}),
        ("RGB", "TGA", {}),
        ("RGB", "SGI", {}),
        ("RGB", "QOI", {}),
        ("RGB", "ICO", {}),
        ("RGB", "DDS", {}),
        ("RGB", "IM", {}),
        ("CMYK", "JPEG", {"quality": 98}),
        ("RGB", "JPEG", {"quality": 98, "subsampling": 0}),
        ("RGB", "MPO", {"quality": 98, "subsampling": 0}),
        ("RGB", "WEBP", {"lossless": True}),
    ],
)
def test_colours(mode, kind, options):
    image = Image.fromarray(LARGE)
    if kind not in Image.SAVE:
        Image.init()
    if kind not in Image.SAVE:
        pytest.skip(f"this Pillow has no {kind}")
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        transform = ImageCms.buildTransform(*profiles, "RGB", "LAB")
        image = ImageCms.applyTransform(image, transform)
    elif mode == "PA":
        image = image.convert("P").convert("PA")
    else:
        image = image.convert(mode)
    pixels = read_image("x", saved(image, kind, **options)).astype(int)
    # 8 bits of L*, a* and b* are coarse.
    np.testing.assert_allclose(pixels, LARGE, atol=25 if mode == "LAB" else 12)


def test_transparency_lies_over_white():
    alpha = np.full((16, 16), 255, np.uint8)
    alpha[:8] = 0
    alpha[8:, :8] = 102
    expected = LARGE.astype(float)
    expected[:8] = 255
    expected[8:, :8] = 255 - (255 - expected[8:, :8]) * 0.4
    image = Image.fromarray(np.dstack([LARGE, alpha]), "RGBA")
    for kind, options in [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})]:
        pixels = read_image("x", saved(image, kind, **options))
        np.testing.assert_allclose(pixels, expected, atol=1)
    bytes_of = image.convert("LA")
    np.testing.assert_array_equal(read_image("x", saved(bytes_of, "PNG"))[:8], 255)
    palette = Image.fromarray(LARGE).convert("P")
    red = palette.getpixel((0, 0))
    for kind in ("PNG", "GIF"):
        pixels = read_image("x", saved(palette, kind, transparency=red))
        np.testing.assert_array_equal(pixels[0, 0], 255)
        np.testing.assert_array_equal(pixels[0, 15], [0, 255, 0])
    colour_key = saved(Image.fromarray(LARGE), "PNG", transparency=(0, 0, 255))
    np.testing.assert_array_equal(read_image("x", colour_key)[15, 0], 255)


def test_a_transparent_colour_counts_with_all_its_bits():
    red, other = (0x1234, 0x5678, 0x9ABC), (0x1234, 0x5678, 0x9ABD)
    colours = np.array([[red, other]], np.uint16)
    key = (b"tRNS", struct.pack(">3H", *red))
    found = read_image("x", deep_png(colours, key))
    assert found.tolist() == [[[255, 255, 255], [0x12, 0x56, 0x9A]]]
    grey = np.array([[0, 1, 0x8001]], np.uint16)
    found = read_image("x", deep_png(grey, (b"tRNS", struct.pack(">H", 0))))[..., 0]
    assert found.tolist() == [[255, 0, 0x80]]
    # Greys 0 to 3 of 2 bits, and 5 and 10 of 4.
    for depth, row, width, key, expected in (
        (2, b"\x1b", 4, 1, [0, 255, 170, 255]),
        (4, b"\x5a", 2, 5, [255, 170]),
        (4, b"\x5a", 2, 10, [85, 255]),
    ):
        file = png(depth, 0, [row], width, (b"tRNS", struct.pack(">H", key)))
        assert read_image("x", file)[0, :, 0].tolist() == expected


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_frames_the_first(kind):
    frames = [Image.fromarray(LARGE), Image.fromarray(LARGE[::-1])]
    options = {"lossless": True} if kind == "WEBP" else {}
    file = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_allclose(read_image("x", file), LARGE, atol=1)


@pytest.mark.parametrize(
    ("tags", "turned"),
    [
        ([(274, 3, 6)], True),
        ([(274, 4, 6)], True),
        ([(274, 5, 6, 1)], True),
        ([(274, 1, 6)], False),
        ([(274, 3, 9)], False),
        ([(274, 3, 6), (282, 2, 55, 50, 0), (296, 2, 65, 0)], True),  # a resolution as text
        ([(274, 3, 6), (0x8769, 4, 2**31), (0x8825, 4, 2**32 - 1)], True),  # directories beyond
        ([(274, 3, 6), (0x8769, 4, 8)], True),  # within itself
        ([(274, 3, 6), (0x8769, 11, np.nan), (34675, 3, 5), (34377, 3, 5)], True),
        ([(274, 3, 6), (0x8769, 10, -1, 1), (282, 5, 0, 0)], True),
        ([(700, 1, *b'<a tiff:Orientation="6">')], False),
    ],
)
def test_odd_tags_of_tiff(tags, turned):
    values = np.arange(63, dtype=np.uint8).reshape(7, 9) * 4
    expected = np.rot90(values, -1) if turned else values
    np.testing.assert_array_equal(grey(tiff(values, extra=tags)), expected)

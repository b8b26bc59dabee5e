"""Files of every sad kind to frames, or to one sentence that names the file."""

import errno
import io
import json
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from a2keras import files
from a2keras.errors import OutOfResources
from a2keras.models.preprocessing import (
    DecodeError,
    decode_video,
    errors,
    image,
    read,
    read_image,
    read_video,
    video,
)

sys.path.insert(0, str(Path(__file__).parent))
import films

QUARTERS = [[(220, 20, 20), (20, 220, 20)], [(20, 20, 220), (220, 220, 220)]]


def quarters(height: int, width: int) -> np.ndarray:
    """Red, green / blue, white: every turn and mirror of it looks different."""
    picture = np.zeros((height, width, 3), np.uint8)
    for row in range(2):
        for column in range(2):
            top, left = row * height // 2, column * width // 2
            picture[top : top + height, left : left + width] = QUARTERS[row][column]
    return picture


def encode(path: Path, frames, codec="libx264", **options) -> Path:
    """With all the colours, where the codec can keep them."""
    pixels = "yuv444p" if codec == "libx264" else None
    return films.encode(path, frames, codec, pixels=pixels, **options)


def write_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Overwrites the four linear entries of the track header's matrix."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version, times, ids, layer, volume; then the matrix
    identity = struct.unpack(">9i", data[at : at + 36])
    assert identity[0] == identity[4] == 65536
    one = 65536
    data[at : at + 36] = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def is_like(picture: np.ndarray, expected: np.ndarray) -> bool:
    return picture.shape == expected.shape and bool(
        np.mean(np.abs(picture.astype(int) - expected)) < 12
    )


@pytest.mark.parametrize(
    ("suffix", "codec", "size"),
    [
        (".mp4", "libx264", (34, 46)),
        (".mp4", "libx264", (35, 47)),  # odd sizes
        (".avi", "mpeg4", (34, 46)),
        (".avi", "mjpeg", (34, 46)),
        (".mkv", "libx264", (17, 23)),
        (".webm", "libvpx-vp9", (34, 46)),
        (".mpg", "mpeg1video", (34, 46)),
    ],
)
def test_containers_and_codecs(tmp_path, suffix, codec, size):
    picture = quarters(*size)
    path = tmp_path / f"video{suffix}"
    encode(path, [picture] * 7, codec)
    frames = read_video(path)
    assert frames.dtype == np.uint8
    assert frames.shape == (7, *size, 3)
    assert is_like(frames[0], picture)
    assert is_like(frames[-1], picture)


def test_frames_come_in_order(tmp_path):
    greys = [np.full((32, 48, 3), 20 * number, np.uint8) for number in range(11)]
    frames = read_video(encode(tmp_path / "ramp.mp4", greys))
    np.testing.assert_allclose(frames.mean(axis=(1, 2, 3)), 20 * np.arange(11), atol=3)


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        ((1, 0, 0, 1), lambda x: x),
        ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),  # a phone held upright: 90° clockwise
        ((-1, 0, 0, -1), lambda x: np.rot90(x, 2)),
        ((0, -1, 1, 0), lambda x: np.rot90(x, 1)),
        ((-1, 0, 0, 1), lambda x: x[:, ::-1]),  # mirrored by a front camera
        ((1, 0, 0, -1), lambda x: x[::-1]),
        ((0, 1, 1, 0), lambda x: x.transpose(1, 0, 2)),
    ],
)
@pytest.mark.parametrize("short_side", [None, 14])
def test_display_matrix_is_honoured(tmp_path, matrix, turned, short_side):
    picture = quarters(34, 46)
    path = encode(tmp_path / "turned.mp4", [picture] * 3)
    write_display_matrix(path, *matrix)
    frames = read_video(path, short_side)
    small = picture if short_side is None else quarters(14, 19)
    assert is_like(frames[1], turned(small))


def test_rotation_agrees_with_the_decoders_own_account(tmp_path):
    path = encode(tmp_path / "turned.mp4", [quarters(34, 46)] * 3)
    write_display_matrix(path, 0, 1, -1, 0)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).rotation == -90  # counter-clockwise degrees


def test_short_side_reduces_and_never_enlarges(tmp_path):
    path = encode(tmp_path / "video.mp4", [quarters(60, 100)] * 3)
    assert read_video(path, short_side=13).shape == (3, 13, 22, 3)
    assert read_video(path, short_side=61).shape == (3, 60, 100, 3)
    assert is_like(read_video(path, short_side=30)[0], quarters(30, 50))


def test_single_frame(tmp_path):
    video = decode_video(encode(tmp_path / "one.mp4", [quarters(34, 46)]))
    assert video.steady().shape == video.frames.shape == (1, 34, 46, 3)


def test_variable_frame_rate_is_sampled_by_time(tmp_path):
    """Steps of 33, 100 and 250 ms: every 100 ms (their median) the frame that is nearest."""
    times = [0, 33, 133, 383, 416, 516, 766]
    greys = [np.full((34, 46, 3), 30 * number, np.uint8) for number in range(7)]
    video = decode_video(encode(tmp_path / "vfr.mkv", greys, times=times))
    np.testing.assert_allclose(video.times, np.array(times) / 1000, atol=1e-9)
    assert len(video.frames) == 7
    shown = video.steady().mean(axis=(1, 2, 3)) / 30
    np.testing.assert_allclose(shown, [0, 2, 2, 3, 4, 5, 5, 6, 6], atol=0.2)


def test_a_video_of_variable_rate_may_keep_its_number_of_frames(tmp_path):
    """Every 100 ms, of 7 frames: the third is never nearest, the fifth is twice."""
    times = [0, 100, 110, 120, 400, 500, 600]
    greys = [np.full((34, 46, 3), 30 * number, np.uint8) for number in range(7)]
    video = decode_video(encode(tmp_path / "vfr.mkv", greys, times=times))
    shown = video.steady().mean(axis=(1, 2, 3)) / 30
    np.testing.assert_allclose(shown, [0, 1, 3, 4, 4, 5, 6], atol=0.2)


def test_a_part_between_two_times(tmp_path):
    """Frame t of 25 a second has the grey 5·t; keyframes are 12 frames apart."""
    greys = [np.full((34, 46, 3), 5 * number, np.uint8) for number in range(50)]
    path = encode(tmp_path / "ramp.mp4", greys, options={"g": "12"})
    for start, end, expected in (
        (0.6, 1.0, range(15, 25)),
        (None, 0.2, range(5)),
        (1.8, None, range(45, 50)),
        (1.8, 99.0, range(45, 50)),
    ):
        part = decode_video(path, start=start, end=end)
        np.testing.assert_allclose(part.times, np.array(expected) / 25, atol=1e-6)
        np.testing.assert_allclose(
            part.frames.mean(axis=(1, 2, 3)) / 5, np.array(expected), atol=0.5
        )
    with pytest.raises(DecodeError) as caught:
        decode_video(path, start=2.5, end=3.0)
    assert str(caught.value) == f"{path}: has no frame from 2.5 s to 3.0 s"


def test_a_cut_off_avi_gives_the_frames_that_decode(tmp_path):
    noise = np.random.default_rng(3).integers(0, 256, (40, 34, 46, 3), dtype=np.uint8)
    path = encode(tmp_path / "video.avi", noise, "mpeg4")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    try:
        frames = read_video(path)
    except DecodeError as error:
        assert "is damaged or cut off after" in str(error)  # where the last packet is cut
    else:
        assert 5 < len(frames) < 40  # the header promises 40


def damaging(path: Path) -> Callable[..., None]:
    """What writes a sound video again with zeros for the packets of these numbers."""
    with av.open(str(path)) as container:
        packets = [bytes(each) for each in container.demux(video=0) if each.size]
    sound = path.read_bytes()

    def damage(*numbers: int) -> None:
        data = sound
        for number in numbers:
            data = data.replace(packets[number], bytes(len(packets[number])))
        path.write_bytes(data)

    return damage


@pytest.mark.parametrize("suffix", [".mov", ".mkv", ".avi", ".nut"])
def test_a_packet_that_does_not_decode_is_left_out_in_every_container(tmp_path, suffix):
    noise = np.random.default_rng(3).integers(0, 256, (31, 34, 46, 3), dtype=np.uint8)
    path = encode(tmp_path / f"video{suffix}", noise, "mjpeg")
    whole = read_video(path)
    damage = damaging(path)
    damage(0, 13, 30)
    np.testing.assert_array_equal(read_video(path), np.delete(whole, [0, 13, 30], axis=0))
    damage(13, 14, 19, 23)
    with pytest.raises(DecodeError) as error:
        read_video(path)
    assert str(error.value) == (
        f"{path}: is damaged or cut off after 27 frames (Invalid data found when processing input)"
    )


def test_a_part_of_a_video_is_judged_by_the_whole(tmp_path):
    noise = np.random.default_rng(3).integers(0, 256, (31, 34, 46, 3), dtype=np.uint8)
    path = encode(tmp_path / "video.mp4", noise, "mjpeg", rate=10)
    parts = (0.0, 2.0), (1.2, 1.9)
    whole = [decode_video(path, start=start, end=end).frames for start, end in parts]
    damage = damaging(path)
    damage(3, 15)
    for (start, end), frames, lost in zip(parts, whole, ([3, 15], [3]), strict=True):
        found = decode_video(path, start=start, end=end).frames
        np.testing.assert_array_equal(found, np.delete(frames, lost, axis=0))
    damage(3, 13, 15, 30)
    for start, end in parts:
        with pytest.raises(DecodeError, match="is damaged or cut off after 27 frames"):
            decode_video(path, start=start, end=end)


def damaged(tmp_path: Path) -> Path:
    noise = np.random.default_rng(5).integers(0, 256, (40, 34, 46, 3), dtype=np.uint8)
    path = encode(tmp_path / "flips.avi", noise, "mpeg4")
    data = bytearray(path.read_bytes())
    data[20000 : len(data) - 2000 : 31] = b"\xff" * len(data[20000 : len(data) - 2000 : 31])
    path.write_bytes(data)
    return path


def cut_mp4(tmp_path: Path) -> Path:
    path = encode(tmp_path / "cut.mp4", [quarters(34, 46)] * 40)
    path.write_bytes(path.read_bytes()[:900])
    return path


def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.mp4"
    path.touch()
    return path


def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.mp4"
    path.write_text("this is not a video\n")
    return path


def sound_only(tmp_path: Path) -> Path:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        _, write = films.add_silence(container)
        write()
    return path


def still(tmp_path: Path) -> Path:
    path = tmp_path / "still.jpg"
    Image.fromarray(quarters(34, 46)).save(path)
    return path


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (damaged, "is damaged or cut off after"),
        (cut_mp4, "is not a video that can be read (Invalid data found"),
        (empty, "is not a video that can be read ("),
        (text, "is not a video that can be read (Invalid data found"),
        (sound_only, "has no video stream"),
        (still, "is a still image, not a video"),
        (lambda folder: folder / "absent.mp4", "does not exist"),
        (lambda folder: folder, "is not a file"),
    ],
)
@pytest.mark.timeout(30)
def test_what_gives_no_video(tmp_path, make, reason):
    path = make(tmp_path)
    with pytest.raises(DecodeError) as caught:
        read_video(path)
    assert str(caught.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [
        ("MAX_FRAMES", 4, "has more than 4 frames; cut it into shorter videos"),
        ("MAX_VIDEO_BYTES", 1024**2, "decodes to more than 1 MiB; cut it into shorter videos"),
        ("MAX_PIXELS", 33000, "has 220 × 160 pixels, more than the limit of 33000"),
        ("TIME_LIMIT", -1.0, "takes more than -1 s to decode; cut it into shorter videos"),
    ],
)
def test_limits_of_a_video(tmp_path, monkeypatch, limit, value, reason):
    path = encode(tmp_path / "video.mp4", [quarters(160, 220)] * 17)
    monkeypatch.setattr(errors if limit == "MAX_PIXELS" else video, limit, value)
    with pytest.raises(DecodeError) as caught:
        read_video(path)
    assert str(caught.value) == f"{path}: {reason}"


def test_a_header_beyond_the_limit_saves_decoding(tmp_path, monkeypatch):
    path = encode(tmp_path / "video.mp4", [quarters(34, 46)] * 17)
    converted = []
    upright = video._upright
    monkeypatch.setattr(video, "_upright", lambda *given: converted.append(1) or upright(*given))
    monkeypatch.setattr(video, "MAX_FRAMES", 16)
    with pytest.raises(DecodeError, match="has more than 16 frames"):
        read_video(path)
    assert len(converted) == 1
    assert len(decode_video(path, start=0.2).frames) == 12  # a part of it is short enough


@pytest.mark.parametrize("seconds", [3600, 864_000])
@pytest.mark.parametrize("suffix", [".mkv", ".flv"])
def test_time_stamps_that_jump(tmp_path, suffix, seconds):
    """40 frames, the last ten an hour or ten days later: they are 40 frames."""
    times = [40 * i + 1000 * seconds * (i >= 30) for i in range(40)]
    codec = "flv1" if suffix == ".flv" else "libx264"
    path = encode(tmp_path / f"film{suffix}", [quarters(34, 46)] * 40, codec, times=times)
    found = decode_video(path)
    np.testing.assert_allclose(found.times, np.array(times) / 1000, atol=1e-3)
    tracemalloc.start()
    assert len(found.steady()) == 40
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_time_stamps_of_too_many_frames(tmp_path):
    """A millisecond from frame to frame, but for pauses of nine seconds."""
    steps = [1] * 20 + [9000] * 10
    times = np.cumsum(steps).tolist()
    path = encode(tmp_path / "film.mkv", [quarters(34, 46)] * 30, times=times)
    with pytest.raises(DecodeError) as caught:
        decode_video(path)
    assert str(caught.value) == (
        f"{path}: cannot be sampled evenly (30 frames within 90.019 s are more than 20000 at a "
        "constant rate, one every 0.001 s)"
    )


def decoding_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "decode"]


def test_a_decoder_that_hangs_is_left_behind(monkeypatch):
    monkeypatch.setattr(video, "TIME_LIMIT", 0.05)
    told = threading.Event()

    def hang(gone: threading.Event):
        gone.wait(60)
        told.set()

    before = time.monotonic()
    with pytest.raises(DecodeError) as caught:
        video._within_time("film.mp4", hang)
    assert time.monotonic() - before < 30
    reason = "takes more than 0.05 s to decode; cut it into shorter videos"
    assert str(caught.value) == f"film.mp4: {reason}"
    assert told.wait(30)


def test_decoding_stops_soon_after_the_limit(tmp_path, monkeypatch):
    noise = np.random.default_rng(3).integers(0, 256, (9, 480, 640, 3), dtype=np.uint8)
    path = encode(tmp_path / "long.avi", np.tile(noise, (30, 1, 1, 1)), "mjpeg")
    before = time.monotonic()
    assert len(read_video(path)) == 270
    whole = time.monotonic() - before
    monkeypatch.setattr(video, "TIME_LIMIT", 0.01)
    with pytest.raises(DecodeError, match=r"takes more than 0\.01 s"):
        read_video(path)
    before = time.monotonic()
    while decoding_threads() and time.monotonic() - before < whole:
        time.sleep(0.001)
    assert time.monotonic() - before < whole / 3


def test_a_timeout_that_the_decoder_reports_is_not_ours(monkeypatch):
    def fail(gone):
        raise TimeoutError("a socket")

    with pytest.raises(TimeoutError, match="a socket"):
        video._within_time("film.mp4", fail)


def save(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def test_image_modes(tmp_path):
    picture = quarters(34, 46)
    image = Image.fromarray(picture)
    for mode, suffix in [("RGB", "png"), ("RGB", "bmp"), ("CMYK", "jpg"), ("RGB", "webp")]:
        assert is_like(
            read_image(save(tmp_path / f"{mode}.{suffix}", image.convert(mode))), picture
        )
    palette = read_image(save(tmp_path / "palette.png", image.quantize(4)))
    np.testing.assert_array_equal(palette, picture)
    grey = read_image(save(tmp_path / "grey.png", image.convert("L")))
    assert grey.shape == (34, 46, 3)
    np.testing.assert_array_equal(grey[..., 0], np.asarray(image.convert("L")))
    bilevel = read_image(save(tmp_path / "bilevel.png", image.convert("1")))
    assert set(np.unique(bilevel)) == {0, 255}


def test_sixteen_bit_grey_keeps_its_upper_bits(tmp_path):
    levels = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    read_back = read_image(save(tmp_path / "deep.png", Image.fromarray(levels)))
    np.testing.assert_array_equal(read_back[..., 1], np.arange(256).reshape(16, 16))


def test_transparent_parts_lie_over_white(tmp_path):
    picture = np.zeros((4, 6, 4), np.uint8)
    picture[:, 3:] = (10, 20, 30, 255)
    read_back = read_image(save(tmp_path / "logo.png", Image.fromarray(picture, "RGBA")))
    np.testing.assert_array_equal(read_back[0, 0], [255, 255, 255])
    np.testing.assert_array_equal(read_back[0, 5], [10, 20, 30])


def test_exif_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it 90° clockwise
    path = save(tmp_path / "phone.jpg", Image.fromarray(quarters(32, 48)), exif=exif)
    assert is_like(read_image(path), np.rot90(quarters(32, 48), -1))


def bomb(path: Path) -> Path:
    """A PNG that says it has 60,000 × 60,000 pixels."""
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for chunk in (b"IHDR" + header, b"IDAT" + zlib.compress(b"")):
        data += struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(data)
    return path


def large(path: Path) -> Path:
    """Above our limit, below the one where Pillow itself raises."""
    buffer = io.BytesIO()
    Image.new("1", (9500, 9501)).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue())
    return path


@pytest.mark.parametrize("is_progressive", [True, False])
def test_a_jpeg_of_many_scans_is_refused(tmp_path, is_progressive):
    """An empty scan has 10 bytes, and takes as long as all pixels do."""
    made, exif = io.BytesIO(), Image.Exif()
    exif[0x010E] = "\xff\xda" * 200  # a title: no scans
    Image.fromarray(quarters(17, 23)).save(
        made, "JPEG", progressive=is_progressive, exif=exif, subsampling=0
    )
    data = made.getvalue()
    begin, end = data.index(b"\xff\xda\0", data.index(b"\xff\xdb")), data.rindex(b"\xff\xd9")
    if is_progressive:
        scans = data[begin:end]
        more = scans[scans.rindex(b"\xff\xda") :]
    else:  # one for each colour
        first, *others = (b"\xff\xda\0\x08\1%c\0\0\x3f\0" % i for i in (1, 2, 3))
        scans, more = first + b"".join(others), first
    count = scans.count(b"\xff\xda")
    assert count == (10 if is_progressive else 3)
    path = tmp_path / "a.jpg"
    # What lies behind the picture, as a film does in a telephone's, is no part of it.
    behind = data[end:] + 200 * b"\xff\xda"
    path.write_bytes(data[:begin] + scans + (100 - count) * more + behind)
    assert read_image(path).shape == (17, 23, 3)
    path.write_bytes(data[:begin] + scans + (101 - count) * more + behind)
    with pytest.raises(DecodeError) as error:
        read_image(path)
    assert str(error.value) == f"{path}: has more scans than the limit of 100"


def test_what_is_no_image(tmp_path, recwarn):
    whole = save(tmp_path / "whole.jpg", Image.fromarray(quarters(340, 460)), quality=95)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.read_bytes()[:3000])
    words = tmp_path / "words.png"
    words.write_text("not an image")
    floats = save(tmp_path / "floats.tif", Image.fromarray(np.ones((3, 5), np.float32)))
    for path, reason in {
        cut: "is a damaged or cut-off image (",
        words: "is not an image that can be read",
        floats: "is a damaged or cut-off image (its pixels are floats of unknown range)",
        bomb(tmp_path / "bomb.png"): "has more pixels than the limit of 89478485",
        large(tmp_path / "large.png"): "has 9500 × 9501 pixels, more than the limit of 89478485",
        encode(tmp_path / "video.mp4", [quarters(34, 46)]): "is not an image that can be read",
        tmp_path / "absent.png": "does not exist",
    }.items():
        with pytest.raises(DecodeError) as caught:
            read_image(path)
        assert str(caught.value).startswith(f"{path}: {reason}")
    assert not recwarn.list  # Pillow's own warning about the size is ours to tell


def test_postscript_is_not_run(tmp_path):
    """Pillow would give it to Ghostscript, where that is installed."""
    path = tmp_path / "picture.png"
    Image.new("RGB", (7, 5)).save(path, format="EPS")
    with pytest.raises(DecodeError) as caught:
        read_image(path)
    assert str(caught.value) == f"{path}: is PostScript: a program to run, not pixels"


@pytest.mark.parametrize("suffix", ["jpg", "iim", "eps"])
def test_no_program_is_run(tmp_path, monkeypatch, suffix):
    """PostScript under another name, or inside IPTC, where Pillow opens whatever there is."""
    script = tmp_path / "gs"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/run\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    postscript = io.BytesIO()
    Image.new("RGB", (7, 5)).save(postscript, format="EPS")
    data = postscript.getvalue()
    fields = [(3, 60, b"\1\0"), (3, 65, b"\1"), (3, 20, b"\0\0\0\7"), (3, 30, b"\0\0\0\5")]
    fields += [(3, 120, b"\x05"), (8, 10, data[:32000])]
    iptc = b"".join(b"\x1c" + struct.pack(">BBH", n, k, len(v)) + v for n, k, v in fields)
    path = tmp_path / f"picture.{suffix}"
    path.write_bytes(iptc if suffix == "iim" else data)
    for call in (read_image, read):
        with pytest.raises(DecodeError):
            call(path)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is PostScript: a program to run, not pixels"),
        (b"\xff\xd8\xff", "is not an image that can be read"),
        (b"%PDF-1.7\n", "is not an image that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not an image that can be read"),
    ],
)
def test_what_a_file_is_instead(tmp_path, content, reason):
    path = tmp_path / "picture.jpg"
    path.write_bytes(content)
    with pytest.raises(DecodeError) as caught:
        read_image(path)
    assert str(caught.value) == f"{path}: {reason}"


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1"])
def test_heic_needs_a_plug_in(tmp_path, monkeypatch, brand):
    path = tmp_path / "phone.HEIC"
    path.write_bytes(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(99))
    without = tuple(name for name in image.formats() if name != "HEIF")
    monkeypatch.setattr(image, "formats", lambda: without)
    for call in (read_image, read):
        with pytest.raises(DecodeError) as caught:
            call(path)
        reason = "is HEIC, which Pillow reads with a plug-in: pip install pillow-heif"
        assert str(caught.value) == f"{path}: {reason}"


def test_heic_is_read_where_the_plug_in_is():
    pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    assert "HEIF" in image.formats()
    buffer = io.BytesIO()
    Image.fromarray(quarters(32, 48)).save(buffer, "HEIF", quality=95)
    assert is_like(image.read_image("phone.heic", buffer.getvalue()), quarters(32, 48))


def test_a_pillow_without_avif(tmp_path, monkeypatch):
    path = tmp_path / "picture.avif"
    path.write_bytes(b"\0\0\0\x1cftypavif\0\0\0\0mif1avif" + bytes(99))
    monkeypatch.setattr(image, "formats", lambda: ("JPEG", "PNG"))
    with pytest.raises(DecodeError) as caught:
        read_image(path)
    reason = "is AVIF, which this version of Pillow does not read: pip install -U pillow"
    assert str(caught.value) == f"{path}: {reason}"


@pytest.mark.slow
def test_texts_that_unpack_to_much_memory(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (7, 5)).save(buffer, "PNG")
    packed = zlib.compress(bytes(200_000_000), 1)
    for kind, head in {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}.items():
        part = kind + head + packed
        part = struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part))
        path = tmp_path / f"{kind.decode()}.png"
        path.write_bytes(buffer.getvalue()[:33] + part + buffer.getvalue()[33:])
    code = (
        "import resource, sys\n"
        "from a2keras.models.preprocessing import DecodeError, read_image\n"
        "for path in sys.argv[1:]:\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    try: read_image(path)\n"
        "    except DecodeError: pass\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    command = [sys.executable, "-c", code, *map(str, tmp_path.glob("*.png"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    taken = list(map(int, done.stdout.split()))
    assert len(taken) == 3
    assert max(taken) < 100_000  # KiB


def test_out_of_files_is_not_a_damaged_image(tmp_path, monkeypatch):
    path = save(tmp_path / "picture.png", Image.fromarray(quarters(34, 46)))

    def fail(*arguments, **options):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(files, "open_file", fail)
    with pytest.raises(OutOfResources, match=r"has run out of open files while .*picture.png was"):
        read_image(path)

    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files, "open_file", refuse)
    with pytest.raises(DecodeError) as caught:
        read_image(path)
    assert str(caught.value) == f"{path}: cannot be read (Permission denied)"


def test_a_damaged_image_without_a_suffix_is_told_as_such(tmp_path):
    whole = save(tmp_path / "whole.jpg", Image.fromarray(quarters(340, 460)), quality=95)
    path = tmp_path / "cut"
    path.write_bytes(whole.read_bytes()[:3000])
    with pytest.raises(DecodeError, match="is a damaged or cut-off image"):
        read(path)


def test_read_goes_by_suffix_and_else_by_content(tmp_path):
    video = encode(tmp_path / "video.mp4", [quarters(34, 46)] * 3)
    image = save(tmp_path / "IMAGE.PNG", Image.fromarray(quarters(34, 46)))
    assert read(video).shape == (3, 34, 46, 3)
    assert read(image).shape == (34, 46, 3)
    assert read(str(image).encode()).shape == (34, 46, 3)  # as tf.data hands paths over
    assert read(video.rename(tmp_path / "video.unknown")).shape == (3, 34, 46, 3)
    assert read(image.rename(tmp_path / "image.unknown")).shape == (34, 46, 3)


@pytest.mark.slow
def test_the_decoder_is_imported_only_where_it_is_used():
    code = "import sys, a2keras.models.preprocessing; print('av' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_videos_of_other_decoders(real_data):
    """Each gives the frame count of an independent probe, or an error where that had one.

    Two have a packet that does not decode, at which the probe stopped.
    """
    with_one_bad_packet = {"corrupted.mp4": 49, "bitflips.avi": 103}
    records = json.loads((real_data / "test_videos/probe.json").read_text())
    assert len(records) == 97
    for record in records:
        path = real_data / "test_videos" / record["f"]
        if record.get("frames"):
            decoded = decode_video(path, short_side=32)
            assert len(decoded.frames) == record["frames"], path
            # Steps of 33, 100 and 250 ms in one file alone; Xvid's times do not ascend.
            assert (len(decoded.steady()) == record["frames"]) == ("vfr" not in path.name), path
        elif path.name in with_one_bad_packet:
            assert len(read_video(path, short_side=32)) == with_one_bad_packet[path.name]
        else:
            with pytest.raises(DecodeError, match=str(path)):
                read_video(path, short_side=32)

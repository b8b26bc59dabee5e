"""Which stream of a file is its video, and what its container says that must not matter."""

import io
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from a2keras.models.preprocessing import DecodeError, decode_video, stream
from a2keras.models.preprocessing import video as decoding

sys.path.insert(0, str(Path(__file__).parent))
from films import add_film, add_silence, encode, pictures

COVER = np.full((1, 96, 80, 3), 200, np.uint8)
FRAMES = pictures(13)


def message_of(path: Path) -> str:
    with pytest.raises(DecodeError) as caught:
        decode_video(path)
    return str(caught.value)


def with_cover(path: Path, disposition: Disposition | None, first, codec: str = "mjpeg") -> Path:
    """A file that begins with a picture, and the streams that `first` adds behind it."""
    with av.open(str(path), "w", format="mp4" if path.suffix == ".m4a" else None) as container:
        cover, write_cover = add_film(container, COVER, codec)
        if disposition:
            cover.disposition = disposition
        _, write = first(container)
        write_cover()
        write()
    return path


@pytest.mark.parametrize("suffix", [".m4a", ".mp4"])
def test_sound_with_a_cover_is_no_video(tmp_path, suffix):
    path = with_cover(tmp_path / f"song{suffix}", Disposition.attached_pic, add_silence)
    assert message_of(path) == f"{path}: has no video stream, only cover art"


def test_an_mp3_with_a_cover_is_no_video(tmp_path):
    """ID3's picture, as FFmpeg finds it, in a file that says it were a film."""
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w", format="mp3") as container:
        sound = container.add_stream("mp3", rate=44100)
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), "fltp", "stereo")
            frame.sample_rate, frame.pts = 44100, 1152 * number
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    data = path.read_bytes()
    picture = io.BytesIO()
    Image.fromarray(COVER[0]).save(picture, "JPEG")
    body = b"\0image/jpeg\0\x03\0" + picture.getvalue()
    tag = b"APIC" + len(body).to_bytes(4, "big") + b"\0\0" + body
    size = bytes((len(tag) >> shift) & 127 for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x03\0\0" + size + tag + data[data.index(b"\xff\xfb") :])
    assert message_of(path) == f"{path}: is not a video of a format that is read"


@pytest.mark.parametrize("disposition", [Disposition.attached_pic, Disposition.still_image, None])
@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "mjpeg"), (".mov", "png"), (".mkv", "mjpeg"), (".avi", "mjpeg")]
)
def test_a_picture_before_the_film(tmp_path, suffix, codec, disposition):
    """Whether its container says that it is one, or it is only of a codec of pictures."""
    path = tmp_path / f"film{suffix}"
    with_cover(path, disposition, lambda container: add_film(container, FRAMES, "mpeg4"), codec)
    assert decode_video(path).frames.shape == FRAMES.shape


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".nut", ".mp4", ".ts"])
def test_a_stream_of_one_frame_before_the_film(tmp_path, suffix, codec):
    """A picture by its length alone."""
    path = tmp_path / f"film{suffix}"
    with_cover(path, None, lambda container: add_film(container, FRAMES, "mpeg4"), codec)
    assert decode_video(path).frames.shape == FRAMES.shape
    assert decode_video(path, start=0.2).frames.shape[1:] == FRAMES.shape[1:]


def test_the_default_film_of_several(tmp_path):
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        other, write_other = add_film(container, FRAMES[:, :20], "libx264")
        chosen, write_chosen = add_film(container, FRAMES, "libx264")
        other.disposition, chosen.disposition = Disposition.dub, Disposition.default
        write_other()
        write_chosen()
    assert decode_video(path).frames.shape == FRAMES.shape


def test_a_stream_without_frames(tmp_path):
    """A recording that ended when it began."""
    path = tmp_path / "film.avi"
    with av.open(str(path), "w") as container:
        add_film(container, FRAMES, "mpeg4")
        container.start_encoding()
    assert message_of(path) == f"{path}: holds a video stream, but no frame of it decodes"


def test_a_film_of_pictures_alone(tmp_path):
    path = encode(tmp_path / "film.avi", FRAMES, "mjpeg")
    assert decode_video(path).frames.shape == FRAMES.shape


@pytest.mark.parametrize(("suffix", "code"), [(".avi", b"H264"), (".mp4", b"avc1")])
def test_a_codec_that_nobody_knows(tmp_path, suffix, code):
    path = encode(tmp_path / f"film{suffix}", FRAMES)
    path.write_bytes(path.read_bytes().replace(code, b"QQQQ"))
    assert message_of(path) == f"{path}: holds a video of a codec that FFmpeg cannot decode"


@pytest.mark.parametrize("title", ["Frühstück".encode("latin-1"), "電影.avi".encode("cp932")])
@pytest.mark.parametrize(("suffix", "codec"), [(".avi", "mpeg4"), (".mkv", "libx264")])
def test_a_title_that_is_not_utf8(tmp_path, suffix, codec, title):
    path = encode(tmp_path / f"film{suffix}", FRAMES, codec, title="T" * len(title))
    data = path.read_bytes()
    assert b"T" * len(title) in data
    path.write_bytes(data.replace(b"T" * len(title), title))
    assert decode_video(path).frames.shape == FRAMES.shape


def jpegs(path: Path, orientation: int) -> Path:
    """Motion JPEG whose pictures have EXIF, which FFmpeg gives on with every frame."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    with av.open(str(path), "w") as container:
        track = container.add_stream("mjpeg", rate=25)
        track.height, track.width, track.pix_fmt = *FRAMES.shape[1:3], "yuvj420p"
        track.codec_context.open()
        for number, picture in enumerate(FRAMES):
            data = io.BytesIO()
            Image.fromarray(picture).save(data, "JPEG", exif=exif)
            packet = av.Packet(data.getvalue())
            packet.stream, packet.pts, packet.dts = track, number, number
            packet.time_base = track.codec_context.time_base
            container.mux(packet)
    return path


def test_side_data_that_pyav_does_not_know(tmp_path):
    """Such as EXIF, and the views of films for two eyes."""
    upright = decode_video(jpegs(tmp_path / "upright.avi", 1)).frames
    turned = decode_video(jpegs(tmp_path / "turned.avi", 6)).frames
    np.testing.assert_array_equal(turned, np.rot90(upright, -1, axes=(1, 2)))


def test_a_film_that_turns_part_way(tmp_path, monkeypatch):
    """All frames have the size of the first, upright."""
    path = encode(tmp_path / "film.mp4", FRAMES)
    plain = decode_video(path).frames
    seen = []

    def matrix(frame):
        seen.append(frame.pts)
        return (0, 1, -1, 0) if len(set(seen)) > 5 else (1, 0, 0, 1)

    monkeypatch.setattr(decoding, "display_matrix", matrix)
    frames = decode_video(path).frames
    assert frames.shape == plain.shape
    np.testing.assert_array_equal(frames[:5], plain[:5])
    assert np.abs(frames[5:].astype(int) - plain[5:]).mean() > 10


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a\nb"),
        TypeError("a"),
        AttributeError("a"),
        KeyError("a"),
        AssertionError("a"),
        OverflowError("a"),
        ZeroDivisionError("a"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a"),
        av.error.InvalidDataError(1094995529, "Invalid data found when processing input"),
        OSError(5, "Input/output error"),
    ],
)
@pytest.mark.parametrize("after", [0, 3])
def test_whatever_the_decoder_raises_names_the_file(tmp_path, monkeypatch, error, after):
    path = encode(tmp_path / "film.mp4", FRAMES)
    frames_of = stream.frames_of

    def failing(*given):
        for number, each in enumerate(frames_of(*given)):
            if number == after:
                raise error
            yield each

    monkeypatch.setattr(decoding, "frames_of", failing)
    reason = f"is damaged or cut off after {after} frames" if after else "is not a video that can"
    told = message_of(path)
    assert told.startswith(f"{path}: {reason}")
    assert "\n" not in told


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(3)])
def test_an_interruption_is_no_damage(tmp_path, monkeypatch, stop):
    def failing(*given):
        raise stop

    monkeypatch.setattr(decoding, "frames_of", failing)
    with pytest.raises(type(stop)):
        decode_video(encode(tmp_path / "film.mp4", FRAMES))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("height", "width"), [(0, 0), (10, 1000), (65535, 65535)])
def test_a_container_that_lies_about_the_size(tmp_path, height, width):
    path = encode(tmp_path / "film.avi", FRAMES, "mjpeg")

    def size(height: int, width: int) -> bytes:
        return width.to_bytes(4, "little") + height.to_bytes(4, "little")

    path.write_bytes(path.read_bytes().replace(size(34, 46), size(height, width)))
    assert decode_video(path).frames.shape == FRAMES.shape


@pytest.mark.timeout(60)
def test_frames_that_promise_too_much(tmp_path):
    """Pictures of 65,500 × 65,500 pixels by their own account, in a few hundred bytes."""
    path = encode(tmp_path / "film.avi", FRAMES, "mjpeg")
    size = (34).to_bytes(2, "big") + (46).to_bytes(2, "big")
    data = path.read_bytes()
    assert b"\xff\xc0\x00\x11\x08" + size in data
    path.write_bytes(data.replace(b"\x08" + size, b"\x08\xff\xdc\xff\xdc"))
    assert message_of(path).startswith(f"{path}: is not a video that can be read (Invalid data")

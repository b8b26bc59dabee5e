"""Parts of videos against the whole video filtered by time, in every container that can be made."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.models.preprocessing import DecodeError, decode_video, video

sys.path.insert(0, str(Path(__file__).parent))
from films import encode, pictures

LONG = {"g": "150", "sc_threshold": "0"}  # key frames at 0 and at 6 s
REORDERED = {**LONG, "bf": "2"}
KINDS = [
    (".ts", "libx264", LONG),
    (".ts", "libx264", {**LONG, "x264-params": "open-gop=1"}),
    (".ts", "libx264", {**LONG, "x264-params": "intra-refresh=1"}),
    (".ts", "mpeg2video", REORDERED),
    (".m2ts", "mpeg4", LONG),
    (".mpg", "mpeg2video", REORDERED),
    (".mpg", "mpeg4", REORDERED),  # FFmpeg has to guess most times
    (".mpg", "libx264", LONG),  # only the first frame has a time
    (".avi", "mpeg4", REORDERED),
    (".avi", "libx264", LONG),
    (".avi", "mjpeg", {}),
    (".flv", "flv1", LONG),
    (".flv", "libx264", LONG),
    (".wmv", "wmv2", LONG),
    (".wmv", "libx264", LONG),
    (".mp4", "libx264", LONG),
    (".mp4", "mpeg4", REORDERED),
    (".mov", "mjpeg", {}),
    (".webm", "libvpx", LONG),
    (".gif", "gif", {}),
]
PARTS = [(7, 9), (3, 4), (None, 1), (5.99, 6.01), (6, None), (11.5, 60), (0, 0.04), (11.96, 12)]


@pytest.fixture(scope="module")
def matroska(tmp_path_factory):
    path = tmp_path_factory.mktemp("parts") / "film.mkv"
    return decode_video(encode(path, pictures(300), options=LONG))


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("suffix", "codec", "options"), KINDS)
def test_a_part_has_exactly_its_frames(tmp_path, matroska, suffix, codec, options):
    path = encode(tmp_path / f"film{suffix}", pictures(300), codec, options)
    whole = decode_video(path)
    # Clocks of a thousandth of a second are as exact as that.
    np.testing.assert_allclose(whole.times, matroska.times, atol=0.0011)
    moments = np.random.default_rng(5).uniform(0, 12, (5, 2)).round(2)
    for start, end in [*PARTS, *np.sort(moments).tolist()]:
        inside = ((start or 0) <= whole.times) & (whole.times < (end or math.inf))
        part = decode_video(path, start=start, end=end)
        np.testing.assert_array_equal(part.times, whole.times[inside])
        np.testing.assert_array_equal(part.frames, whole.frames[inside])
    with pytest.raises(DecodeError) as caught:
        decode_video(path, start=0.01, end=0.02)
    assert str(caught.value) == f"{path}: has no frame from 0.01 s to 0.02 s"
    with pytest.raises(DecodeError) as caught:
        decode_video(path, start=13)
    assert str(caught.value) == f"{path}: has no frame from 13 s on"


def test_a_part_does_not_wait_for_the_rest(tmp_path, monkeypatch):
    """Of 1,500 frames some 150 lie between the key frame and the end of the part."""
    path = encode(tmp_path / "film.ts", pictures(1500), options=LONG)
    decoded = []
    frames_of = video.frames_of

    def counted(*given):
        for each in frames_of(*given):
            decoded.append(each.time)
            yield each

    monkeypatch.setattr(video, "frames_of", counted)
    assert len(decode_video(path, start=31, end=32).frames) == 25
    assert len(decoded) < 400


def test_parts_of_a_film_whose_clock_jumps(tmp_path):
    """Their times are the file's own."""
    times = [40 * i + (3_600_000 if i >= 30 else 0) for i in range(40)]
    path = encode(tmp_path / "joined.mkv", pictures(40), times=times)
    whole = decode_video(path)
    np.testing.assert_allclose(whole.times, np.array(times) / 1000, atol=1e-6)
    for start, end, expected in ((1.0, 3601.24, range(25, 31)), (3601, None, range(30, 40))):
        part = decode_video(path, start=start, end=end)
        np.testing.assert_array_equal(part.frames, whole.frames[list(expected)])


@pytest.mark.parametrize(("count", "length", "group"), [(3, 50, 12), (5, 20, 12), (2, 150, 50)])
def test_parts_of_recordings_that_were_joined(tmp_path, count, length, group):
    """Each begins its clock anew: the frames count by their rate."""
    everything = pictures(count * length)
    parts = []
    for k in range(count):
        frames = everything[k * length : (k + 1) * length]
        path = encode(tmp_path / f"{k}.ts", frames, "mpeg2video", {"g": str(group)})
        parts.append(path.read_bytes())
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(parts))
    whole = decode_video(joined)
    np.testing.assert_allclose(whole.times, np.arange(count * length) / 25, atol=1e-6)
    long = count * length / 25
    moments = [(0.2, 0.5), (length / 25 - 0.2, long), (0.6 * long, 0.6 * long + 0.5), (1, None)]
    moments += np.sort(np.random.default_rng(1).uniform(0, long, (8, 2)).round(2)).tolist()
    for start, end in moments:
        inside = (start <= whole.times) & (whole.times < (end or math.inf))
        part = decode_video(joined, start=start, end=end)
        np.testing.assert_array_equal(part.frames, whole.frames[inside])


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts", ".flv"])
def test_times_count_from_the_first_frame(tmp_path, suffix):
    times = [7_200_000 + 40 * i for i in range(20)]
    path = encode(tmp_path / f"late{suffix}", pictures(20), times=times)
    np.testing.assert_allclose(decode_video(path).times, np.arange(20) / 25, atol=1e-6)
    assert len(decode_video(path, start=0.2, end=0.4).frames) == 5


def test_times_beyond_the_clock_of_a_transport_stream(tmp_path):
    """33 bits of 90 kHz are 26.5 hours: here they begin anew in the middle."""
    wrap = 2**33 / 90
    times = [round(wrap - 2000 + 40 * i) for i in range(100)]
    path = encode(tmp_path / "late.ts", pictures(100), options={"g": "10"}, times=times)
    whole = decode_video(path)
    np.testing.assert_allclose(whole.times, np.arange(100) / 25, atol=0.0011)
    part = decode_video(path, start=2.5, end=3.5)
    np.testing.assert_array_equal(part.frames, whole.frames[63:88])


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (math.nan, 3.0),
        (0.5, math.nan),
        (math.inf, None),
        (None, math.inf),
        (-1.0, 2.0),
        (1e300, None),
        (3.0, 3.0),
        (3.0, 1.0),
        (None, 0.0),
        (0, 1e8),
    ],
)
def test_times_that_are_none(tmp_path, start, end):
    with pytest.raises(UserError) as caught:
        decode_video(tmp_path / "film.mp4", start=start, end=end)
    assert str(caught.value) == (
        "a part of a video must have 0 <= start < end <= 1e+07 in seconds. "
        f"Received: start={start}, end={end}"
    )

"""Clips of a stream against the clips of the whole video in memory."""

import sys
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from a2keras.models.preprocessing import DecodeError, Preprocessing, decode_video, errors, video
from a2keras.models.preprocessing import windows as streamed
from a2keras.models.preprocessing.windows import Windows, even_clips, sliding_clips

sys.path.insert(0, str(Path(__file__).parent))
from films import encode


def message_of(call) -> str:
    with pytest.raises(DecodeError) as caught:
        call()
    return str(caught.value)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """331 frames of 25 a second: a grey ramp with noise, so that no two frames are equal."""
    noise = np.random.default_rng(3).integers(0, 60, (331, 34, 46, 3))
    ramp = (np.arange(331) * 29 % 180)[:, None, None, None]
    frames = (noise + ramp).astype(np.uint8)
    return encode(tmp_path_factory.mktemp("windows") / "film.mp4", frames)


@pytest.fixture(scope="module")
def irregular(tmp_path_factory):
    """47 frames at steps of 33, 100 and 250 ms."""
    times = np.cumsum([0, *([33, 100, 250, 100, 100] * 10)[:46]]).tolist()
    greys = [np.full((34, 46, 3), 5 * number, np.uint8) for number in range(47)]
    return encode(tmp_path_factory.mktemp("windows") / "vfr.mkv", greys, times=times)


@pytest.mark.parametrize(("frames", "stride", "every"), [(7, 3, 0.2), (5, 2, 1.0), (1, 1, 0.52)])
@pytest.mark.parametrize("name", ["film", "irregular"])
def test_sliding_clips_are_those_of_the_whole_video(name, request, frames, stride, every):
    path = request.getfixturevalue(name)
    whole = decode_video(path, short_side=29)
    steady = whole.steady()
    times, shown = whole.times, whole.times
    if name == "irregular":  # every 100 ms the nearest frame; the times told are the frames' own
        times = np.arange(len(steady)) / 10
        shown = whole.times[np.abs(whole.times - times[:, None]).argmin(axis=1)]
    span = (frames - 1) * stride
    starts, moment = [], times[0]
    while moment <= times[len(times) - 1 - span] + 1e-9:
        starts.append(int(np.abs(times[: len(times) - span] - moment).argmin()))
        moment += every
    found = Windows(path, sliding_clips(every, frames, stride), short_side=29)
    starts = sorted(set(starts))
    assert len(found) == len(starts) > 2
    for start, at, window in zip(starts, found.times, found, strict=True):
        np.testing.assert_array_equal(window.frames, steady[start : start + span + 1 : stride])
        middle = (shown[start] + shown[start + span]) / 2
        assert window.time == at == pytest.approx(middle, abs=1e-9)


def test_times_are_seconds(film):
    found = Windows(film, sliding_clips(1.0, 5, 2))
    assert found.clock == "time stamps"
    assert found.seconds == pytest.approx(8 / 25)
    np.testing.assert_allclose(found.times, np.arange(13) + 4 / 25, atol=1e-6)


@pytest.mark.parametrize("clips", [1, 3])
@pytest.mark.parametrize("name", ["film", "irregular"])
def test_even_clips_are_the_test_views(name, request, clips):
    path = request.getfixturevalue(name)
    preprocessing = Preprocessing(("a",), size=23, frames=7, stride=2, short_side=29)
    found = Windows(path, even_clips(clips, 7, 2), short_side=29)
    views = [preprocessing.crop(window.frames) for window in found]
    np.testing.assert_array_equal(views, preprocessing.views(path, clips))


def test_a_video_shorter_than_a_clip_is_held_at_its_last_frame(tmp_path):
    greys = [np.full((34, 46, 3), 50 * number, np.uint8) for number in range(3)]
    (window,) = Windows(encode(tmp_path / "short.mp4", greys), sliding_clips(0.1, 5, 1))
    np.testing.assert_allclose(window.frames.mean(axis=(1, 2, 3)) / 50, [0, 1, 2, 2, 2], atol=0.1)
    assert window.time == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("every", "starts"),
    [
        (0.001, [0, 1, 2, 3, 4, 5, 6]),  # no clip twice
        (0.04, [0, 1, 2, 3, 4, 5, 6]),
        (0.1, [0, 2, 5]),  # 0.1 s lies in the middle between frames 2 and 3
        (0.12, [0, 3, 6]),
        (9.0, [0]),
    ],
)
def test_where_clips_start(every, starts):
    plan = sliding_clips(every, frames=3, stride=2)
    expected = np.array(starts)[:, None] + [0, 2, 4]
    np.testing.assert_array_equal(plan(np.arange(11) / 25), expected)


def test_without_time_stamps_the_frame_rate_counts(tmp_path, monkeypatch):
    greys = [np.full((32, 48, 3), 9 * number, np.uint8) for number in range(13)]
    path = encode(tmp_path / "film.avi", greys, "mpeg4", rate=10)
    whole = decode_video(path)
    decoded_frames = video.decoded_frames

    def without_times(*given, **options):
        for each in decoded_frames(*given, **options):
            yield each._replace(time=float("nan"))

    monkeypatch.setattr(video, "decoded_frames", without_times)
    found = Windows(path, sliding_clips(0.5, 3, 1))
    assert found.clock == "frame rate"
    np.testing.assert_allclose(found.times, [0.1, 0.6, 1.1], atol=1e-9)
    for start, window in zip((0, 5, 10), found, strict=True):
        np.testing.assert_array_equal(window.frames, whole.frames[start : start + 3])

    def without_rate(*given, **options):
        for each in without_times(*given, **options):
            yield each._replace(rate=float("nan"))

    monkeypatch.setattr(video, "decoded_frames", without_rate)
    assert message_of(lambda: Windows(path, sliding_clips(0.5, 3, 1))) == (
        f"{path}: has neither ascending time stamps nor a frame rate"
    )


def test_a_clock_that_jumps(tmp_path):
    """Ten days within 40 frames are one step; the times that are told are the file's own."""
    times = [100 * number + 864_000_000 * (number >= 30) for number in range(40)]
    greys = [np.full((34, 46, 3), 5 * number, np.uint8) for number in range(40)]
    found = Windows(
        encode(tmp_path / "film.mkv", greys, times=times), sliding_clips(1, 2, 1), short_side=29
    )
    shown = [window.frames.mean(axis=(1, 2, 3)) / 5 for window in found]
    np.testing.assert_allclose(shown, [[at, at + 1] for at in (0, 10, 20, 30)], atol=0.5)
    np.testing.assert_allclose(found.times, [0.05, 1.05, 2.05, 864_003.05], atol=1e-6)


def test_times_of_too_many_frames(tmp_path):
    times = np.cumsum([1] * 20 + [9000] * 10).tolist()
    path = encode(tmp_path / "film.mkv", [np.zeros((34, 46, 3), np.uint8)] * 30, times=times)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed, "MAX_STREAMED_FRAMES", 1000)
        assert message_of(lambda: Windows(path, sliding_clips(1, 2, 1))) == (
            f"{path}: cannot be sampled evenly (30 frames within 90.019 s are more than 1000 at a "
            "constant rate, one every 0.001 s)"
        )


def test_memory_does_not_grow_with_the_video(film):
    """331 frames of 34 × 46 are 1.5 MB; of a clip of 5 frames with what overlaps it, 43 kB."""

    def peak(every: float) -> int:
        tracemalloc.start()
        total = sum(1 for _ in Windows(film, sliding_clips(every, 5, 2)))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert total == pytest.approx(12.9 / every, abs=1)
        return most

    frame = 34 * 46 * 3
    assert len(decode_video(film).frames) * frame > 1_500_000
    for every in (0.04, 0.4):
        assert peak(every) < 60 * frame


@pytest.mark.parametrize(
    ("module", "limit", "value", "reason"),
    [
        (streamed, "MAX_STREAMED_FRAMES", 330, "has more than 330 frames; cut it into shorter"),
        (video, "MAX_VIDEO_BYTES", 20_000, "has clips that decode to more than 0 MiB"),
        (errors, "MAX_PIXELS", 1563, "has 46 × 34 pixels, more than the limit of 1563"),
    ],
)
def test_limits(film, monkeypatch, module, limit, value, reason):
    monkeypatch.setattr(module, limit, value)
    text = message_of(lambda: list(Windows(film, sliding_clips(0.04, 5, 1))))
    assert text.startswith(f"{film}: {reason}")


def test_a_cut_off_video(film, tmp_path):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(film.read_bytes()[:20_000])
    assert message_of(lambda: Windows(cut, sliding_clips(1, 5, 1))).startswith(
        f"{cut}: is not a video that can be read ("
    )
    picture = tmp_path / "absent.mp4"
    assert message_of(lambda: Windows(picture, sliding_clips(1, 5, 1))) == (
        f"{picture}: does not exist"
    )


def test_a_file_that_changes_between_the_passes(film, tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(film.read_bytes())
    found = Windows(path, sliding_clips(1, 5, 1))
    encode(path, [np.zeros((34, 46, 3), np.uint8)] * 50)
    assert message_of(lambda: list(found)) == (
        f"{path}: gives fewer frames than when it was read before"
    )


def test_a_decoder_that_hangs_is_left_behind(monkeypatch):
    monkeypatch.setattr(video, "TIME_LIMIT", 0.3)
    told = threading.Event()

    def hang(gone):
        for number in range(5):
            time.sleep(0.1)  # longer than the limit in all: it is for one frame
            yield None if number % 2 else number
        gone.wait(60)
        told.set()

    found = []
    with pytest.raises(DecodeError) as caught:
        found.extend(streamed.prefetched("film.mp4", hang))
    assert str(caught.value) == "film.mp4: has given no frame for 0.3 s; the decoder hangs"
    assert told.wait(30)


def test_nothing_is_decoded_for_one_who_has_left(film):
    before = {thread for thread in threading.enumerate() if thread.name == "decode"}
    clips = iter(Windows(film, sliding_clips(0.04, 5, 1)))
    next(clips)
    clips.close()
    start = time.monotonic()
    while {t for t in threading.enumerate() if t.name == "decode"} - before:
        assert time.monotonic() - start < 10
        time.sleep(0.01)

"""A video's file, whatever it holds, makes FFmpeg open no other."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from a2keras.models.preprocessing import DecodeError, containers, read_video
from a2keras.models.preprocessing.containers import open_container

sys.path.insert(0, str(Path(__file__).parent))
from films import encode


@pytest.fixture
def clip(tmp_path):
    """A sound video of 3 frames, and as MPEG-TS."""
    for name in ("clip.mp4", "clip.ts"):
        greys = [np.full((32, 32, 3), 60 * level, np.uint8) for level in range(3)]
        encode(tmp_path / name, greys, "mpeg2video")
    return tmp_path / "clip.mp4"


SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile clip.mp4\n",
    "concat with a mark": "\ufeffffconcat version 1.0\nfile clip.mp4\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nclip.ts\n#EXT-X-ENDLIST\n",
    "sdp": SDP,
}


@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".ts", ".ffconcat"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlists_open_nothing(clip, monkeypatch, kind, suffix):
    assert len(read_video(clip)) == 3
    monkeypatch.chdir(clip.parent)
    path = clip.with_name(f"list{suffix}")
    path.write_text(PLAYLISTS[kind])
    with pytest.raises(DecodeError) as caught:
        read_video(path)
    assert str(caught.value) == f"{path}: is a playlist: give the videos that it names"
    for source in (str(path), io.BytesIO(path.read_bytes())):
        with pytest.raises(DecodeError, match="is a playlist"):
            open_container("list", source)


def test_a_format_that_is_not_read(clip, monkeypatch):
    monkeypatch.setattr(containers, "VIDEO_FORMATS", {"avi": ()})
    with pytest.raises(DecodeError) as caught:
        read_video(clip)
    assert str(caught.value) == f"{clip}: is not a video of a format that is read"


@pytest.mark.parametrize("name", ["a:b.mp4", "http:clip.mp4", "concat:clip.mp4|x.mp4", "%d.mp4"])
def test_names_that_look_like_addresses(clip, monkeypatch, name):
    monkeypatch.chdir(clip.parent)
    clip.rename(clip.with_name(name))
    assert len(read_video(name)) == 3


def test_a_still_image_by_the_name_of_a_series(tmp_path):
    for name in ("%d.png", "1.png"):
        Image.new("RGB", (16, 16)).save(tmp_path / name)
    with pytest.raises(DecodeError, match="is a still image, not a video"):
        read_video(tmp_path / "%d.png")

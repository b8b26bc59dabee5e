"""What decoding leaves behind, and what it says where threads, files or memory run out."""

import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from a2keras.errors import OutOfResources, lacking
from a2keras.models.preprocessing import DecodeError, decode_video
from a2keras.models.preprocessing.errors import undecodable
from a2keras.models.preprocessing.windows import Windows, sliding_clips

sys.path.insert(0, str(Path(__file__).parent))
from films import encode, pictures

PROGRAM = Path(__file__).with_name("limited_decoding.py")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc and its limits")


def alone(*arguments) -> dict:
    done = subprocess.run(
        [sys.executable, PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "KERAS_BACKEND": "numpy"},  # of less threads and memory
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder():
    """Films, one of them damaged part way, and a picture; where everybody can read them."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        write_files(Path(place))
        yield Path(place)


def write_files(folder: Path) -> None:
    encode(folder / "film.mp4", pictures(50, 100, 176))
    encode(folder / "large.mp4", pictures(5, 1080, 1920))
    Image.new("RGB", (4000, 3000), "green").save(folder / "large.jpg")
    noise = np.random.default_rng(5).integers(0, 256, (40, 34, 46, 3), dtype=np.uint8)
    data = bytearray(encode(folder / "damaged.avi", noise, "mpeg4").read_bytes())
    data[20000 : len(data) - 2000 : 31] = b"\xff" * len(data[20000 : len(data) - 2000 : 31])
    (folder / "damaged.avi").write_bytes(data)


@pytest.mark.slow
@linux
@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("name", "count", "most", "result"),
    [
        ("film.mp4", 200, 100, "(50, 100, 176, 3)"),
        ("large.mp4", 40, 250, "(5, 1080, 1920, 3)"),  # the allocator keeps some, for each core
        ("damaged.avi", 40, 100, "DecodeError"),
    ],
)
def test_decoding_leaves_no_threads_and_no_memory(folder, name, count, most, result):
    """Before: 14,803 threads and 3.8 GiB of the first one."""
    grown = alone("growth", folder / name, count)
    assert grown["results"] == [result]
    assert grown["threads"] <= 20
    assert grown["MiB"] <= most


@pytest.mark.slow
@linux
@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("limit", "lacks", "failing"),
    [
        ("files", {"open files"}, {"video", "part", "windows", "image"}),
        ("threads", {"threads"}, {"video", "part", "windows"}),
        # A thread's stack is memory, too. What the first has left may do for those that follow.
        ("memory", {"memory", "threads"}, set()),
    ],
)
def test_what_runs_out_is_not_the_files_fault(folder, limit, lacks, failing):
    found = alone(limit, folder / "large.mp4", folder / "large.jpg")
    damaged = "DecodeError: x: y (Cannot allocate memory)"
    sound = dict.fromkeys(("video", "part", "windows", "image"), "read")
    assert found["after"] == {**sound, "ffmpeg": damaged}
    # FFmpeg says so where a file asks for too much, too: true only where memory is short.
    short = found["under"].pop("ffmpeg")
    assert short.startswith("OutOfResources: " if limit == "memory" else damaged)
    failed = {name for name, told in found["under"].items() if told != "read"}
    assert failed and failed >= failing
    for told in found["under"].values():
        if told != "read":
            begin, _, rest = told.partition(" while ")
            assert begin in {f"OutOfResources: this process has run out of {x}" for x in lacks}
            assert rest.endswith("): raise its limits, or let it do less at once")


def test_no_further_thread(folder, monkeypatch):
    def fail(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    path = folder / "film.mp4"
    for read in (lambda: decode_video(path), lambda: Windows(path, sliding_clips(1, 3, 1))):
        with pytest.raises(OutOfResources) as caught:
            read()
        assert str(caught.value) == (
            f"this process has run out of threads while {path} was read (can't start new thread): "
            "raise its limits, or let it do less at once"
        )


@pytest.mark.parametrize(
    ("error", "lack"),
    [
        (MemoryError(), "memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
        (OSError(errno.EMFILE, "Too many open files"), "open files"),
        (OSError(errno.ENFILE, "Too many open files in system"), "open files"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "threads"),
        (OSError("gs://bucket/a.mp4: Too many open files"), "open files"),  # of TensorFlow
        (
            ImportError("libav.so: cannot open shared object file: Too many open files"),
            "open files",
        ),
        (RuntimeError("can't start new thread"), "threads"),
        (RuntimeError("something else"), None),
        (OSError(errno.EIO, "Input/output error"), None),
        (ValueError("Too many open files"), None),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), None),
    ],
)
def test_what_an_error_says_is_lacking(error, lack):
    assert lacking(error) == lack
    told = undecodable("film.mp4", "is damaged", error)
    assert isinstance(told, OutOfResources if lack else DecodeError)


def test_a_name_that_the_system_refuses():
    name = "x" * 300 + ".mp4"
    with pytest.raises(DecodeError) as caught:
        decode_video(name)
    assert str(caught.value) == f"{name}: cannot be read (File name too long)"


@linux
def test_the_decoder_stops_when_nobody_waits(folder):
    """An abandoned generator of clips closes its file, too."""
    clips = iter(Windows(folder / "film.mp4", sliding_clips(0.04, 3, 1)))
    next(clips)
    held = [each.resolve() for each in Path("/proc/self/fd").iterdir()]
    clips.close()
    for thread in threading.enumerate():
        if thread.name == "decode":
            thread.join(10)
    now = [each.resolve() for each in Path("/proc/self/fd").iterdir()]
    assert (held.count(folder / "film.mp4"), now.count(folder / "film.mp4")) == (1, 0)

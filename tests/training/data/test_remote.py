"""Files that lie elsewhere: HTTP on loopback by tensorflow-io, and what is said without it."""

import functools
import http.server
import os
import re
import struct
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from a2keras.errors import UserError
from a2keras.models.preprocessing import DecodeError, read_image
from a2keras.models.preprocessing.image import read_image as read_image_bytes
from a2keras.models.preprocessing.places import (
    absolute,
    as_path,
    is_remote,
    read_bytes,
    scheme_of,
    size_of,
    tensorflow_io,
)
from a2keras.training.config import Recipe
from a2keras.training.data import list_source, open_source, resolve
from a2keras.training.data.records.reading import _decoder

PLUGIN = tensorflow_io()
with_plugin = pytest.mark.skipif(PLUGIN is None, reason="tensorflow-io does not load here")
without_plugin = pytest.mark.skipif(PLUGIN is not None, reason="tensorflow-io loads here")


def deep_tiff() -> bytes:
    """7×5 pixels of 16-bit grey with alpha, which Pillow does not know; grey k is 256·k."""
    pixels = np.array([[256 * k, 65535] for k in range(35)], "<u2").tobytes()
    tags = [(256, 7), (257, 5), (258, 16 << 16 | 16), (259, 1), (262, 1), (273, 8)]
    tags += [(277, 2), (278, 5), (279, len(pixels)), (284, 1), (338, 2)]
    counts = {258: 2}
    kinds = {273: 4, 279: 4}
    directory = struct.pack("<H", len(tags))
    for tag, value in tags:
        directory += struct.pack("<HHII", tag, kinds.get(tag, 3), counts.get(tag, 1), value)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory + bytes(4)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path, request):
    kind = getattr(request, "param", Quiet)
    handler = functools.partial(kind, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@with_plugin
def test_a_list_and_its_files_over_http(tmp_path, server, write_images, write_video):
    write_images(tmp_path / "media/blue", 4, 2)
    write_images(tmp_path / "media/red", 4, 0)
    names = [f"media/{name}/{i:02}.png" for name in ("blue", "red") for i in range(4)]
    lines = [f"{name},{name.split('/')[1]}" for name in [*names, "media/red/99.png"]]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    recipe = Recipe("mine", data=f"csv:{server}/list.csv", size=10, test_fraction=0.25)
    recipe = resolve(recipe)
    assert recipe.data == f"csv:{server}/list.csv"
    before = list_source(recipe).fingerprint
    assert list_source(recipe).fingerprint == before  # of names and sizes: nothing is fetched
    with (tmp_path / names[0]).open("ab") as file:
        file.write(b"x")
    assert list_source(recipe).fingerprint != before
    source = open_source(recipe)
    (skipped,) = source.skipped
    assert skipped.reason.startswith(f"{server}/media/red/99.png: cannot be read (")
    test = source.splits["test"]
    assert len(test) == 2
    for i in range(2):
        assert np.array_equal(test.frames(i), read_image(tmp_path / test.names[i]))


class Bucket(Quiet):
    """As much of S3 as listing and reading takes: folders of the directory are buckets."""

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if "list-type" in query:
            return self.answer(200, self.keys(url.path.strip("/"), query))
        path = Path(self.directory) / url.path.lstrip("/")
        if not path.is_file():
            return self.answer(404, b"")
        data = path.read_bytes()
        first, last = re.findall(r"\d+", self.headers["Range"])
        part = data[int(first) : int(last) + 1]
        return self.answer(206, part, f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}")

    def keys(self, bucket: str, query: dict[str, str]) -> bytes:
        """The keys that begin with a prefix, up to the next delimiter, as XML."""
        root, prefix = Path(self.directory) / bucket, query.get("prefix", "")
        names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
        names = [name for name in names if name.startswith(prefix)]
        whole, cut = [], set()
        for name in sorted(names):
            head, delimiter, _ = name[len(prefix) :].partition(query.get("delimiter", "\0"))
            cut.add(prefix + head + delimiter) if delimiter else whole.append(name)
        found = [
            f"<Contents><Key>{name}</Key><Size>{(root / name).stat().st_size}</Size></Contents>"
            for name in whole[: int(query["max-keys"])]
        ]
        found += [f"<CommonPrefixes><Prefix>{each}</Prefix></CommonPrefixes>" for each in cut]
        return f"<ListBucketResult>{''.join(found)}</ListBucketResult>".encode()

    def answer(self, code: int, data: bytes, content_range: str = "") -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        self.wfile.write(data)


@with_plugin
@pytest.mark.parametrize("server", [Bucket], indirect=True)
def test_a_folder_in_s3(tmp_path, server, write_images):
    """By the command: reading from S3 must not change how the process ends."""
    write_images(tmp_path / "bucket/photos/blue", 3, 2)
    write_images(tmp_path / "bucket/photos/red", 4, 0)
    (tmp_path / "bucket/photos/red/99.png").write_bytes(b"no image")
    settings = ["--set=size=10", "--set=batch_size=7", "--set=test_fraction=0.3"]
    arguments = [
        "--recipe=folder",
        "--set=weights=none",
        "--data=folder:s3://bucket/photos",
        "--output=run",
        *settings,
    ]
    done = subprocess.run(
        [sys.executable, "-m", "a2keras", "train", *arguments],
        env={
            **os.environ,
            "S3_ENDPOINT": server,
            "S3_USE_HTTPS": "0",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_REGION": "x",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[-3:] == [
        "1 of 8 files cannot be read and is left out, such as",
        "  s3://bucket/photos/red/99.png: is not an image that can be read",
        "a2keras train: folder:s3://bucket/photos has 3 examples to train on, fewer than a batch. "
        "Received: batch_size=7",
    ]
    assert done.returncode == 2


@with_plugin
def test_videos_over_http(tmp_path, server, write_video):
    from a2keras.models.preprocessing import read_video

    write_video(tmp_path / "film.mp4", 7)
    assert np.array_equal(read_video(f"{server}/film.mp4"), read_video(tmp_path / "film.mp4"))
    with pytest.raises(DecodeError, match=r"/none\.mp4: cannot be read"):
        read_video(f"{server}/none.mp4")


@with_plugin
def test_the_plugin_decodes_what_pillow_does_not(tmp_path):
    path = tmp_path / "deep.tif"
    path.write_bytes(deep_tiff())
    pixels = read_image(path)
    assert pixels.shape == (5, 7, 3)
    np.testing.assert_allclose(pixels[..., 1], np.arange(35).reshape(5, 7), atol=1)
    path.write_bytes(deep_tiff()[:60])
    with pytest.raises(DecodeError, match="is a damaged or cut-off image"):
        read_image(path)


@with_plugin
@pytest.mark.parametrize("kind", ["WEBP", "TIFF"])
def test_the_plugin_decodes_records_in_the_graph(tmp_path, kind):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    path = tmp_path / "picture"
    Image.fromarray(picture).save(path, kind, lossless=True)
    decode = tf.function(_decoder(path.read_bytes(), "a set"))
    assert np.array_equal(decode(tf.constant(path.read_bytes())), picture)


@without_plugin
def test_without_the_plugin_one_sentence_says_what_to_install(tmp_path):
    for call in (read_bytes, size_of, read_image):
        for scheme in ("http", "https", "s3"):
            with pytest.raises(UserError) as error:
                call(f"{scheme}://host/picture.png")
            assert str(error.value) == (
                f"{scheme}:// needs tensorflow-io, which loads with TensorFlow 2.16 and 2.17 only "
                f"(this is {tf.__version__}): pip install 'a2keras[io]'"
            )
    with pytest.raises(DecodeError, match=r"Pillow can read; with 'a2keras\[io\]' tensorflow-io"):
        read_image_bytes("deep.tif", deep_tiff())
    with pytest.raises(UserError) as error:
        _decoder(b"RIFFxxxxWEBP", "tfds:pictures")
    assert str(error.value) == (
        "tfds:pictures holds WebP or TIFF images, which need tensorflow-io and TensorFlow 2.17: "
        "pip install 'a2keras[io]'; or `a2keras prepare` turns it into PNG once"
    )


def test_places(tmp_path, monkeypatch):
    assert scheme_of("gs://bucket/a") == "gs"
    assert scheme_of(b"/a/b") == ""
    assert is_remote("s3://bucket/a")
    assert not is_remote(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert absolute("x/../y") == f"{tmp_path}/y"
    assert absolute("gs://bucket/a/") == "gs://bucket/a"
    (tmp_path / "file").write_bytes(b"1234567")
    assert size_of("file") == 7
    assert size_of("none") is None
    assert (as_path("gs://bucket/a") / "b").as_uri() == "gs://bucket/a/b"
    with pytest.raises(UserError) as error:
        as_path("http://host/folder")
    assert str(error.value) == "http://host/folder: folders cannot be listed over HTTP, use csv:"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (  # of the stores that TensorFlow knows by name and has not built in
            [
                "train",
                "--recipe=folder",
                "--set=weights=none",
                "--data=folder:az://bucket/a",
                "--output=run",
            ],
            "folder:az://bucket/a cannot be reached: File system scheme 'az' not implemented",
        ),
        (
            ["prepare", "folder:photos", "--output=az://bucket/b"],
            "az://bucket/b cannot be reached: File system scheme 'az' not implemented",
        ),
        (
            ["train", "--recipe=digits_image", "--output=gs://bucket/run"],
            "--output must be a directory of this machine or mounted on it. "
            "Received: --output=gs://bucket/run",
        ),
        (
            ["ablate", "--table=3", "--data=digits", "--output=gs://bucket/run"],
            "--output must be a directory of this machine or mounted on it. "
            "Received: --output=gs://bucket/run",
        ),
    ],
)
def test_a_place_that_cannot_be_reached_is_told(
    tmp_path, monkeypatch, run_command, write_images, command, message
):
    if command[0] == "prepare":
        pytest.importorskip("apache_beam")
    if "az://" in message and PLUGIN is not None:
        pytest.skip("tensorflow-io knows this one, too")
    write_images(tmp_path / "photos/blue", 1, 2)
    write_images(tmp_path / "photos/red", 1, 0)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        run_command(*command)
    assert str(error.value).startswith(message)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]

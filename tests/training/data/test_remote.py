"""Files that lie elsewhere, in stores on loopback, by fsspec or tensorflow-io; and without."""

import functools
import http.server
import json
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
from a2keras.models.preprocessing import DecodeError, places, read_image
from a2keras.models.preprocessing.image import read_image as read_image_bytes
from a2keras.models.preprocessing.places import (
    absolute,
    as_path,
    in_store,
    is_remote,
    read_bytes,
    reason_of_store,
    scheme_of,
    size_of,
    target,
    tensorflow_io,
)
from a2keras.training.config import Recipe
from a2keras.training.data import list_source, open_source, resolve
from a2keras.training.data.errors import reachable
from a2keras.training.data.records.reading import _decoder

PLUGIN = tensorflow_io()
with_plugin = pytest.mark.skipif(PLUGIN is None, reason="tensorflow-io does not load here")
without_plugin = pytest.mark.skipif(PLUGIN is not None, reason="tensorflow-io loads here")


def reads(scheme: str):
    known = in_store(scheme) or (PLUGIN is not None and scheme != "gs")
    return pytest.mark.skipif(not known, reason=f"{scheme}:// needs 'a2keras[cloud]' or [io]")


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


@reads("http")
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


class Store(Quiet):
    """A store whose buckets are the folders of the directory."""

    def found(self, bucket: str, query: dict[str, str]) -> tuple[list[str], set[str]]:
        """The names that begin with a prefix, up to the next delimiter; and the others, cut off."""
        root, prefix = Path(self.directory) / bucket, query.get("prefix", "")
        names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
        whole, cut = [], set()
        for name in sorted(name for name in names if name.startswith(prefix)):
            head, delimiter, _ = name[len(prefix) :].partition(query.get("delimiter") or "\0")
            cut.add(prefix + head + delimiter) if delimiter else whole.append(name)
        return whole, cut

    def size(self, bucket: str, name: str) -> int:
        return (Path(self.directory) / bucket / name).stat().st_size

    def answer(self, code: int, data: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", headers.pop("length", str(len(data))))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)


class Bucket(Store):
    """As much of S3 as listing and reading takes."""

    def do_HEAD(self):
        path = Path(self.directory) / urllib.parse.urlsplit(self.path).path.lstrip("/")
        if path.is_file():
            return self.answer(200, length=str(path.stat().st_size))
        return self.answer(404)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if "list-type" in query:
            return self.answer(200, self.keys(url.path.strip("/"), query))
        path = Path(self.directory) / url.path.lstrip("/")
        if not path.is_file():
            return self.answer(404)
        data = path.read_bytes()
        if "Range" not in self.headers:
            return self.answer(200, data)
        first, last = map(int, re.findall(r"\d+", self.headers["Range"]))
        part = data[first : last + 1]
        return self.answer(
            206, part, Content_Range=f"bytes {first}-{first + len(part) - 1}/{len(data)}"
        )

    def keys(self, bucket: str, query: dict[str, str]) -> bytes:
        whole, cut = self.found(bucket, query)
        found = [
            f"<Contents><Key>{name}</Key><Size>{self.size(bucket, name)}</Size></Contents>"
            for name in whole[: int(query.get("max-keys", 1000))]
        ]
        found += [f"<CommonPrefixes><Prefix>{each}</Prefix></CommonPrefixes>" for each in cut]
        return f"<ListBucketResult>{''.join(found)}</ListBucketResult>".encode()


class GoogleStorage(Store):
    """As much of Google's JSON interface as listing and reading takes."""

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        bucket, _, name = re.fullmatch(r".*/b/([^/]+)/o(/(.*))?", url.path).groups()
        if name is None:
            whole, cut = self.found(bucket, query)
            listed = {"items": [self.about(bucket, each) for each in whole], "prefixes": list(cut)}
            return self.answer(200, json.dumps(listed).encode(), Content_Type="application/json")
        name = urllib.parse.unquote(name.removeprefix("/"))
        path = Path(self.directory) / bucket / name
        if not path.is_file():
            return self.answer(404, b"{}", Content_Type="application/json")
        if query.get("alt") == "media":
            return self.answer(200, path.read_bytes())
        about = json.dumps(self.about(bucket, name)).encode()
        return self.answer(200, about, Content_Type="application/json")

    def about(self, bucket: str, name: str) -> dict[str, str]:
        return {"bucket": bucket, "name": name, "size": str(self.size(bucket, name))}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "server"),
    [
        pytest.param("s3", Bucket, marks=reads("s3")),
        pytest.param("gs", GoogleStorage, marks=reads("gs")),
    ],
    indirect=["server"],
)
def test_a_folder_in_a_store(tmp_path, scheme, server, write_images):
    """By the command: reading from S3 must not change how the process ends."""
    write_images(tmp_path / "bucket/photos/blue", 3, 2)
    write_images(tmp_path / "bucket/photos/red", 4, 0)
    (tmp_path / "bucket/photos/red/99.png").write_bytes(b"no image")
    settings = ["--set=size=10", "--set=validation_fraction=0", "--set=select=best"]
    arguments = [
        "--recipe=folder",
        "--set=weights=none",
        f"--data=folder:{scheme}://bucket/photos",
        "--output=run",
        *settings,
    ]
    done = subprocess.run(
        [sys.executable, "-m", "a2keras", "train", *arguments],
        env={
            **os.environ,
            "S3_ENDPOINT": server,
            "S3_USE_HTTPS": "0",
            "AWS_ENDPOINT_URL": server,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_REGION": "x",
            "STORAGE_EMULATOR_HOST": server,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[-3:] == [
        "1 of 8 files cannot be read and is left out, such as",
        f"  {scheme}://bucket/photos/red/99.png: is not an image that can be read",
        "a2keras train: select=best needs validation examples, and "
        f"folder:{scheme}://bucket/photos has none: see validation_fraction. Received: select=best",
    ]
    assert done.returncode == 2


@pytest.mark.skipif(not in_store("s3"), reason="s3:// needs 'a2keras[cloud]'")
@pytest.mark.parametrize("server", [Bucket], indirect=True)
def test_what_a_store_does_not_have_is_told(tmp_path, server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket/here.txt").write_bytes(b"1234567")
    assert read_bytes("s3://bucket/here.txt") == b"1234567"
    assert size_of("s3://bucket/here.txt") == 7
    assert size_of("s3://bucket/none.png") is None
    with pytest.raises(DecodeError) as error:
        read_image("s3://bucket/none.png")
    assert str(error.value) == "s3://bucket/none.png: cannot be read (No such file or directory)"
    with pytest.raises(UserError, match=r"^s3://bucket/none does not exist$"):
        list_source(Recipe("mine", data="folder:s3://bucket/none"))


@pytest.mark.skipif(not in_store("s3"), reason="s3:// needs 'a2keras[cloud]'")
def test_a_store_that_is_not_there_is_told(monkeypatch):
    import botocore.exceptions

    assert reason_of_store(botocore.exceptions.NoCredentialsError()) == (
        "Unable to locate credentials"
    )
    assert reason_of_store(KeyError("x")) is None
    with (
        pytest.raises(UserError) as error,
        reachable("folder:s3://bucket/photos"),
    ):
        raise botocore.exceptions.NoCredentialsError()
    assert str(error.value) == (
        "folder:s3://bucket/photos cannot be reached: Unable to locate credentials"
    )


@reads("http")
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
def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(places, "in_store", lambda scheme: False)
    for call in (read_bytes, size_of, read_image):
        for scheme in ("http", "https", "s3"):
            with pytest.raises(UserError) as error:
                call(f"{scheme}://host/picture.png")
            assert str(error.value) == (
                f"{scheme}:// needs fsspec and its file system: pip install 'a2keras[cloud]'"
            )


@without_plugin
def test_without_the_plugin_one_sentence_says_what_it_would_decode():
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
    assert absolute("gs://bucket/a/") == target("gs://bucket/a/") == "gs://bucket/a"
    (tmp_path / "away/in").mkdir(parents=True)
    (tmp_path / "link").symlink_to("away/in")
    for place in ("link", "link/", f"{tmp_path}/./link"):
        assert absolute(place) == f"{tmp_path}/link"
        assert target(place) == f"{tmp_path}/away/in"
    # As the system takes them: behind a link, `..` is the folder that it leads out of.
    assert absolute("link/../x") == target("link/../x") == f"{tmp_path}/away/x"
    assert absolute("link/..") == f"{tmp_path}/away"
    assert (absolute("."), absolute("/")) == (str(tmp_path), "/")
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

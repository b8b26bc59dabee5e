"""The runtime that the page needs: fetched by npm, checked, and kept."""

import base64
import hashlib
import shutil
import tarfile

import pytest

from a2keras.errors import UserError
from a2keras.export.web import runtime

CONTENT = {
    "ort.wasm.bundle.min.mjs": b"export {};",
    "ort-wasm-simd-threaded.wasm": b"\0asm\1\0\0\0",
}


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "a2keras" / f"onnxruntime-web-{runtime.VERSION}"


@pytest.fixture
def npm(monkeypatch, tmp_path):
    """An `npm` of our own that runs a script; its calls are counted in a file."""

    def install(script: str):
        directory = tmp_path / "bin"
        directory.mkdir(exist_ok=True)
        calls = tmp_path / "calls"
        calls.touch()
        (directory / "npm").write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{script}\n')
        (directory / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
        return calls

    return install


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A small package of the same layout, whose hashes are those that the module expects."""
    path = tmp_path / "package.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (CONTENT | {"other.js": b"unused"}).items():
            (tmp_path / name).write_bytes(content)
            archive.add(tmp_path / name, f"package/dist/{name}")
    digest = hashlib.sha512(path.read_bytes()).digest()
    monkeypatch.setattr(runtime, "INTEGRITY", base64.b64encode(digest).decode())
    for name, content in CONTENT.items():
        monkeypatch.setitem(runtime.FILES, name, hashlib.sha256(content).hexdigest())
    return path


def test_it_is_fetched_once_and_again_where_it_is_damaged(cache, npm, package):
    name = f"onnxruntime-web-{runtime.VERSION}.tgz"
    calls = npm(f'for last; do :; done; cp {package} "$last/{name}"')
    for _ in range(2):
        assert runtime.runtime_directory() == cache
    (call,) = calls.read_text().splitlines()
    assert call.startswith(f"pack onnxruntime-web@{runtime.VERSION} --silent --ignore-scripts")
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == CONTENT
    (cache / "ort-wasm-simd-threaded.wasm").write_bytes(b"\0asm")
    runtime.runtime_directory()
    assert len(calls.read_text().splitlines()) == 2
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == CONTENT


def test_another_package_is_refused(cache, npm, package):
    with package.open("ab") as file:
        file.write(b"\0")
    npm(f'for last; do :; done; cp {package} "$last/onnxruntime-web-{runtime.VERSION}.tgz"')
    with pytest.raises(
        UserError, match=r"npm gave another onnxruntime-web .* its SHA-512 is \S+, e"
    ):
        runtime.runtime_directory()
    assert list(cache.iterdir()) == []


def test_without_npm(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="from the npm registry, and npm is not installed"):
        runtime.runtime_directory()


def test_what_npm_says_is_told(cache, npm):
    npm("echo 'npm error code ENOTFOUND' >&2; exit 1")
    with pytest.raises(UserError, match=r"npm could not fetch .* said: npm error code ENOTFOUND"):
        runtime.runtime_directory()


def test_an_npm_that_hangs(cache, npm, monkeypatch):
    monkeypatch.setattr(runtime, "TIME_LIMIT", 0.5)
    npm("exec sleep 60")
    with pytest.raises(UserError, match=r"npm did not fetch onnxruntime-web within 0\.5 s"):
        runtime.runtime_directory()


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot be written"):
        runtime.runtime_directory()


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_the_real_one(tmp_path):
    directory = runtime.runtime_directory()
    for name in runtime.FILES:
        assert (directory / name).stat().st_size > 50_000
    text = (directory / "ort.wasm.bundle.min.mjs").read_text()
    assert f"ONNX Runtime Web v{runtime.VERSION}" in text
    assert "Licensed under the MIT License" in text

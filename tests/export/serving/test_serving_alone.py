"""A served model runs with TensorFlow alone: without Keras, and without Python."""

import json
import os
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from a2keras.export.parity import natural_pixels
from a2keras.export.serving import network
from a2keras.models.keras_files import load_single

HERE = Path(__file__).parent
LABELS = np.array(["left", "right", "up"])


@pytest.fixture(scope="module")
def directory(image_export) -> Path:
    return image_export / "saved_model/1"


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return natural_pixels((17, 17, 3), 5, seed=13)


@pytest.fixture(scope="module")
def expected(image_run, pixels):
    """Probabilities and features of the Keras model."""
    model = network.with_features(load_single(image_run / "model.keras"))
    return [np.asarray(each) for each in model(pixels.astype(np.float32), training=False)]


def without_keras(directory: Path) -> Path:
    """The installed packages as links, those of Keras and a2keras left out."""
    farm = directory / "site-packages"
    farm.mkdir()
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if not any(word in each.name.lower() for word in ("keras", "editable", ".pth")):
            (farm / each.name).symlink_to(each)
    return farm


def test_without_keras(directory, pixels, expected, tmp_path):
    np.save(tmp_path / "pixels.npy", pixels)
    command = [sys.executable, "-S", HERE / "serving_alone.py", directory, tmp_path / "pixels.npy"]
    environment = {**os.environ, "PYTHONPATH": str(without_keras(tmp_path))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["absent"] == [True, True, True]
    assert "tensorflow" in document["modules"]
    assert not [each for each in document["modules"] if each.split(".")[0] in ("keras", "a2keras")]
    answers = document["answers"]
    np.testing.assert_allclose(answers.pop("features")["features"], expected[1], atol=1e-5)
    for given in answers.values():
        check_named(given, expected[0])
    assert len(answers) == 3


def check_named(given: dict, probabilities: np.ndarray) -> None:
    order = np.argsort(-probabilities, axis=1)
    np.testing.assert_allclose(given["probabilities"], probabilities, atol=1e-6)
    assert given["top_labels"] == LABELS[order].tolist()
    np.testing.assert_allclose(
        given["top_probabilities"], np.take_along_axis(probabilities, order, 1), atol=1e-6
    )


def ask_in_c(directory: Path, signature: str, content: bytes, shape: tuple, kind: str):
    document = saved_model_pb2.SavedModel()
    document.ParseFromString((directory / "saved_model.pb").read_bytes())
    ends = document.meta_graphs[0].signature_def[signature]
    (taken,) = ends.inputs.values()
    request = {
        "input": taken.name,
        "outputs": {name: each.name for name, each in ends.outputs.items()},
        "shape": shape,
        "kind": kind,
    }
    library = Path(tf.sysconfig.get_lib()) / "libtensorflow_cc.so.2"
    if not library.is_file():
        pytest.skip(f"{library} is not part of this TensorFlow")
    command = [sys.executable, "-S", "-I", HERE / "serving_c_api.py", library, directory]
    return subprocess.run([*command, json.dumps(request)], input=content, capture_output=True)


def packed(files: list[bytes]) -> bytes:
    return b"".join(struct.pack("<Q", len(each)) + each for each in files)


def test_the_c_api(directory, pixels, expected):
    files = packed([tf.io.encode_png(image).numpy() for image in pixels])
    for signature, content, shape, kind in (
        ("serving_uint8", pixels.tobytes(), pixels.shape, "uint8"),
        ("serving_bytes", files, (5,), "bytes"),
    ):
        done = ask_in_c(directory, signature, content, shape, kind)
        assert done.returncode == 0, done.stderr.decode()
        check_named(json.loads(done.stdout), expected[0])


def test_a_bad_image_is_an_error_in_c(directory, pixels):
    content = packed([tf.io.encode_png(pixels[0]).numpy(), b"GIF89a"])
    done = ask_in_c(directory, "serving_bytes", content, (2,), "bytes")
    assert done.returncode == 1
    assert "is no file of JPEG, PNG, WEBP: image] [1]" in done.stderr.decode()

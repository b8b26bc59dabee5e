"""OpenVINO's files: they compute what their model does, for any batch, and nothing is sent."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import a2keras
from a2keras import models
from a2keras.errors import UserError
from a2keras.export import openvino
from a2keras.export.classifier import Classifier
from a2keras.export.exporting import export
from a2keras.export.formats import FORMATS
from a2keras.export.manifest import files_of
from a2keras.export.parity import natural_pixels
from a2keras.export.predict import load
from a2keras.export.reading.loaders import load_model
from a2keras.models.preprocessing import Pixels, Preprocessing

sys.path.insert(0, str(Path(__file__).parent))
from hard_networks import as_classifier, classifier_with_pools, randomise

if not find_spec("openvino"):  # `importorskip` would import it, and it would tell its makers
    pytest.skip("needs a2keras[openvino]", allow_module_level=True)


@pytest.fixture(scope="module")
def exported(image_run, tmp_path_factory):
    directory = tmp_path_factory.mktemp("openvino") / "export"
    return directory, export(image_run, directory, ["openvino"])


def test_any_batch_of_videos(tmp_path):
    classifier = classifier_with_pools()
    report = openvino.write(classifier, tmp_path / "model.xml")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["model.bin", "model.xml"]
    assert report == {"openvino": openvino.library().get_version()}
    for threads in (None, 1):
        loaded = load_model(tmp_path / "model.xml", threads=threads)
        assert (loaded.input_shape, loaded.output_shape) == ((5, 17, 17, 3), (13,))
        assert loaded.batch is None
        for count in (1, 3):
            pixels = natural_pixels((5, 17, 17, 3), count, seed=7)
            expected = classifier.model(pixels.astype("float32"), training=False).numpy()
            assert np.ptp(expected, axis=-1).min() > 0.05  # not flat
            given = loaded.compute(pixels)
            assert given.dtype == np.float32
            np.testing.assert_allclose(given, expected, atol=2e-6)


@pytest.mark.parametrize("shape", [(19, 23, 3), (None, None, 3)])
def test_sizes_that_differ_or_are_open(tmp_path, shape):
    pixels = keras.Input(shape)
    x = keras.layers.Conv2D(7, 3, strides=2, activation="relu")(Pixels().layer()(pixels))
    x = a2keras.DoubleAttention(5, 11)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = randomise(keras.Model(pixels, keras.layers.Dense(13, activation="softmax")(x)))
    spec = Preprocessing(tuple(map(str, range(13))), size=19)
    nothing = np.zeros((0, *spec.input_shape), np.uint8)
    openvino.write(Classifier(model, spec, nothing, nothing), tmp_path / "model.xml")
    loaded = load_model(tmp_path / "model.xml")
    assert (loaded.input_shape, loaded.output_shape) == (shape, (13,))
    for height, width in ((19, 23), *([(29, 17)] if None in shape else [])):
        sample = natural_pixels((height, width, 3), 2, seed=5).astype("float32")
        expected = model(sample, training=False).numpy()
        assert np.ptp(expected, axis=-1).min() > 0.03
        np.testing.assert_allclose(loaded.compute(sample), expected, atol=2e-6)


def test_it_computes_in_float32_wherever_it_runs(exported):
    """By itself the runtime takes bfloat16 on processors that have it."""
    model = openvino.compiled(exported[0] / "model.xml", threads=1)
    assert str(model.get_property("INFERENCE_PRECISION_HINT")) == "<Type: 'float32'>"
    assert model.get_property("INFERENCE_NUM_THREADS") == 1
    assert model.get_property("EXECUTION_DEVICES") == ["CPU"]


def test_signals_keep_their_stack(exported):
    """OpenVINO's would be freed while it is in place, and the next signal end the process."""

    class Stack(ctypes.Structure):
        _fields_ = [("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]

    def of_signals():
        stack = Stack()
        assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack)) == 0
        return stack.start, stack.flags, stack.size

    before = of_signals()
    model = openvino.compiled(exported[0] / "model.xml")
    assert len(model.inputs) == 1
    assert of_signals() == before


def test_an_export_with_its_manifest(image_run, exported):
    directory, manifest = exported
    entry = manifest["artefacts"]["openvino"]
    assert entry["path"] == "model.xml"
    assert set(entry["sha256"]) == {"model.bin", "model.xml"}
    assert entry["bytes"] == sum(each.stat().st_size for each in files_of(directory / "model.xml"))
    assert entry["tolerance"]["max_error"] == 1e-4
    assert entry["parity"]["serving_default"]["max_error"] < 2e-6
    pixels = natural_pixels((17, 17, 3), 2, seed=11)
    with load(image_run) as model, load(directory / "model.xml") as artefact:
        assert artefact.kind == "openvino"
        assert artefact.preprocessing.labels == ("left", "right", "up")
        np.testing.assert_allclose(
            artefact.probabilities(pixels), model.probabilities(pixels), atol=2e-6
        )


def test_a_model_of_ones_own_from_a_program(classifier, photos, tmp_path):
    preprocessing = Preprocessing(("left", "right", "up"), size=19)
    model = classifier(preprocessing)
    manifest = a2keras.export(
        model, tmp_path / "out", "openvino", samples=photos, preprocessing=preprocessing
    )
    parity = manifest["artefacts"]["openvino"]["parity"]["serving_default"]
    assert parity["real_samples"] == 3
    assert parity["max_error"] < 2e-6
    found = a2keras.predict(tmp_path / "out/model.xml", photos)
    assert found.kind == "openvino"
    views = np.concatenate([preprocessing.views(each) for each in photos]).astype("float32")
    best = model(views, training=False).numpy().max(-1)
    np.testing.assert_allclose([each.probability for each in found], best, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["a2_resnet11_video", "mobilenet_v2", "shufflenet_v2", "i3d", "convnet_lstm"]
)
def test_networks_of_the_zoo(name, tmp_path):
    frames = 8 if models.is_video(name) else None
    shape = (frames, 37, 41, 3) if frames else (37, 41, 3)
    pixels = keras.Input(shape)
    model = randomise(models.build(name, classes=5, input_tensor=Pixels().layer()(pixels)))
    openvino.write(as_classifier(model, frames), tmp_path / "model.xml")
    sample = natural_pixels(shape, 2, seed=3).astype("float32")
    expected = model(sample, training=False).numpy()
    assert np.ptp(expected, axis=-1).min() > 0.01
    actual = load_model(tmp_path / "model.xml").compute(sample)
    np.testing.assert_allclose(actual, expected, atol=5e-6)


def test_what_has_not_passed_leaves_neither_file(image_run, tmp_path, monkeypatch):
    def write_wrong(classifier, path):
        report = openvino.write(classifier, path)
        weights = path.with_suffix(".bin")
        content = weights.read_bytes()
        kernel = classifier.model.layers[-1].kernel.numpy()
        at = max(content.find(each.tobytes()) for each in (kernel, kernel.T))
        assert at > 0
        weights.write_bytes(content[:at] + bytes(kernel.nbytes) + content[at + kernel.nbytes :])
        return report

    broken = FORMATS["openvino"]._replace(write=write_wrong)
    monkeypatch.setitem(FORMATS, "openvino", broken)
    manifest = export(image_run, tmp_path / "out", ["openvino", "tflite_float32"])
    assert manifest["failed"]["openvino"].startswith("openvino does not compute what ")
    left = sorted(each.name for each in (tmp_path / "out").iterdir())
    assert left == ["manifest.json", "model_float32.tflite", "preprocessing.json"]


def test_other_weights_than_those_that_were_exported(exported, copy_of):
    directory = copy_of(exported[0])
    weights = directory / "model.bin"
    weights.write_bytes(weights.read_bytes()[:-4] + bytes(4))
    with pytest.raises(UserError) as caught:
        load(directory / "model.xml")
    assert str(caught.value) == (
        f"{directory / 'model.xml'} is damaged: {weights} is not the file that was exported"
    )


# `Core.read_model` takes this graph of TensorFlow's under any name.
GRAPH = b'node { name: "a" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }'
DAMAGE = {
    "xml": {"empty": b"", "text": b"no model", "graph": GRAPH},
    "bin": {"empty": b""},
}


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [(suffix, each) for suffix, ways in DAMAGE.items() for each in ("cut", *ways)],
)
def test_a_damaged_file_is_one_sentence(suffix, damage, exported, tmp_path, capfd):
    """What other formats' readers would take is not given to them."""
    for each in files_of(exported[0] / "model.xml"):
        shutil.copy(each, tmp_path)
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(DAMAGE[suffix].get(damage, path.read_bytes()[:-100]))
    capfd.readouterr()
    with pytest.raises(UserError) as caught:
        load_model(tmp_path / "model.xml")
    assert str(caught.value) == (
        f"{tmp_path / 'model.xml'} cannot be loaded as openvino: it or model.bin is damaged, cut "
        "off or no OpenVINO model"
    )
    assert "".join(capfd.readouterr()) == ""


def test_weights_that_are_missing(exported, tmp_path):
    shutil.copy(exported[0] / "model.xml", tmp_path)
    with pytest.raises(UserError) as caught:
        load_model(tmp_path / "model.xml")
    assert str(caught.value).endswith("model.bin, which holds its weights, is missing")


def written(path: Path, shape, names=("pixels", "probabilities")) -> Path:
    """A softmax over the last axis, by OpenVINO's own functions."""
    library = openvino.library()
    operations = library.opset13
    pixels = operations.parameter(library.PartialShape(shape))
    probabilities = operations.softmax(pixels, -1)
    for node, name in zip((pixels, probabilities), names, strict=True):
        node.output(0).tensor.set_names({name} if name else set())
    library.serialize(library.Model([probabilities], [pixels]), str(path))
    return path


def test_a_file_of_a_fixed_batch(tmp_path):
    path = written(tmp_path / "model.xml", [3, 7])
    loaded = load_model(path)
    assert (loaded.input_shape, loaded.output_shape, loaded.batch) == ((7,), (7,), 3)
    logits = np.arange(35, dtype=np.float32).reshape(5, 7) % 11 / 3
    exponents = np.exp(logits)
    expected = exponents / exponents.sum(1, keepdims=True)
    np.testing.assert_allclose(loaded.compute(logits), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "names", "reason"),
    [
        (
            [-1, 7],
            ("x", "probabilities"),
            "it must take pixels and give probabilities. Received: x",
        ),
        (
            [-1, 7],
            ("pixels", ""),
            "it must take pixels and give probabilities. Received: pixels → ",
        ),
        ("...", ("pixels", "probabilities"), "it cannot be compiled: "),
    ],
)
def test_another_signature_is_refused(tmp_path, shape, names, reason):
    path = written(tmp_path / "model.xml", shape, names)
    with pytest.raises(UserError) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path} cannot be loaded as openvino: {reason}")
    assert "src/" not in str(caught.value)


@pytest.mark.parametrize("call", ["write", "compiled"])
def test_what_to_install_is_said(call, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "openvino", None)
    given = [classifier_with_pools()] if call == "write" else []
    with pytest.raises(UserError) as caught:
        getattr(openvino, call)(*given, tmp_path / "model.xml")
    assert str(caught.value) == (
        "the format needs openvino, which is not installed: pip install 'a2keras[openvino]'"
    )


@pytest.mark.slow
def test_nothing_is_sent_to_its_makers(image_run, tmp_path):
    """The telemetry keeps the identity under which it sends in the user's home, and a count."""
    photo = tmp_path / "photo.png"
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(photo)
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    for name in ("CI", "TF_BUILD", "JENKINS_URL"):  # where it is off by itself
        environment.pop(name, None)
    timed = ("benchmark", out / "model.xml", "--repeats=1", "--format=json")
    for arguments in (
        ("export", image_run, f"--output={out}", "--formats=openvino"),
        ("predict", out / "model.xml", photo),
        timed,
    ):
        command = [sys.executable, "-m", "a2keras", *map(str, arguments)]
        done = subprocess.run(command, check=True, capture_output=True, env=environment)
    entry = json.loads(done.stdout)["artefacts"][0]
    assert entry["kind"] == "openvino"
    assert entry["bytes"] == sum(each.stat().st_size for each in files_of(out / "model.xml"))
    assert not (home / "intel").exists()
    # It is there: what was not sent was not for the lack of it.
    by_itself = [sys.executable, "-c", "import openvino_telemetry.utils.cid as it; print(it)"]
    assert subprocess.run(by_itself, capture_output=True, env=environment).returncode == 0

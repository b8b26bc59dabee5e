"""ONNX files: they compute what their model does, for any batch, with and without the maps."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from a2keras import DoubleAttention, attention_maps, models
from a2keras.errors import UserError
from a2keras.export import onnx
from a2keras.export.exporting import export
from a2keras.export.parity import natural_pixels
from a2keras.export.predict import load
from a2keras.export.reading.loaders import load_model
from a2keras.export.web import static_page
from a2keras.models.preprocessing import Pixels

sys.path.insert(0, str(Path(__file__).parent))
from hard_networks import as_classifier, classifier_with_pools, randomise

pytest.importorskip("onnxruntime", reason="needs a2keras[onnx]")
pytest.importorskip("tf2onnx", reason="needs a2keras[onnx]")


def test_any_batch_and_the_maps(tmp_path):
    classifier = classifier_with_pools()
    report = onnx.write(classifier, tmp_path / "model.onnx", maps=True)
    assert report["opset"] == 18
    assert report["attention"] == ["first", "second"]
    assert report["operations"]["MaxPool"] == 1
    session = onnx.session(tmp_path / "model.onnx")
    assert [each.name for each in session.get_inputs()] == ["pixels"]
    shapes = {each.name: each.shape for each in session.get_outputs()}
    assert shapes == {
        "probabilities": ["batch", 13],
        "gather_0": ["batch", 5, 5, 5, 11],
        "distribution_0": ["batch", 5, 5, 5, 11],
        "gather_1": ["batch", 4, 4, 4, 2],
        "distribution_1": ["batch", 4, 4, 4, 2],
    }
    for count in (1, 3):
        pixels = natural_pixels((5, 17, 17, 3), count, seed=7).astype("float32")
        given = dict(zip(shapes, session.run(list(shapes), {"pixels": pixels}), strict=True))
        expected = classifier.model(pixels, training=False).numpy()
        assert np.ptp(expected, axis=-1).min() > 0.05  # not flat
        np.testing.assert_allclose(given["probabilities"], expected, atol=2e-6)
        maps = attention_maps(classifier.model, pixels)
        for number, layer in enumerate(("first", "second")):
            for name, array in zip(("gather", "distribution"), maps[layer], strict=True):
                np.testing.assert_allclose(given[f"{name}_{number}"], array, atol=2e-6)


def test_maps_are_compared_layer_by_layer(tmp_path):
    """More than ten blocks: the names of their outputs are in another order than their numbers."""
    keras.utils.set_random_seed(3)
    x = pixels = keras.Input((7, 5, 3))
    for number in range(12):
        block = DoubleAttention(2, 3 + number % 2, output_initializer="he_normal")
        x = block(keras.layers.Rescaling(0.05)(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(pixels, keras.layers.Dense(3, "softmax")(x))
    onnx.write(as_classifier(model), tmp_path / "model.onnx", maps=True)
    given, expected = static_page.maps_of(tmp_path), static_page.maps_of_model(model)
    assert list(given) == ["gather_maps", "distribution_maps"]
    image = natural_pixels((7, 5, 3), 1, seed=7)
    for name, compute in given.items():
        maps = compute(image)
        assert maps.shape == (1, 6 * 7 * 5 * (3 + 4))
        np.testing.assert_allclose(maps, expected[name](image), atol=1e-4)


def test_the_loader_gives_probabilities(tmp_path):
    classifier = classifier_with_pools()
    report = onnx.write(classifier, tmp_path / "model.onnx")
    assert "attention" not in report
    loaded = load_model(tmp_path / "model.onnx", threads=1)
    assert (loaded.input_shape, loaded.output_shape) == ((5, 17, 17, 3), (13,))
    pixels = natural_pixels((5, 17, 17, 3), 2, seed=7).astype("float32")
    expected = classifier.model(pixels, training=False).numpy()
    np.testing.assert_allclose(loaded.compute(pixels), expected, atol=2e-6)


@pytest.mark.slow
def test_an_export_with_its_manifest(image_run, tmp_path):
    manifest = export(image_run, tmp_path / "export", ["onnx"])
    entry = manifest["artefacts"]["onnx"]
    assert (entry["path"], entry["opset"]) == ("model.onnx", 18)
    assert entry["operations"]["Conv"] == 1
    assert entry["parity"]["serving_default"]["max_error"] < 2e-6
    pixels = natural_pixels((17, 17, 3), 2, seed=11)
    expected = load(image_run).probabilities(pixels)
    actual = load(tmp_path / "export" / "model.onnx").probabilities(pixels)
    np.testing.assert_allclose(actual, expected, atol=2e-6)


# Of every kind: 3D pooling and its padding, grouped and depthwise convolutions, channel shuffle,
# double attention. The whole zoo has been converted by hand, see docs/web.md.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["a2_resnet11_video", "mobilenet_v2", "shufflenet_v2", "i3d"])
def test_networks_of_the_zoo(name, tmp_path):
    frames = 8 if models.is_video(name) else None
    shape = (frames, 32, 32, 3) if frames else (32, 32, 3)
    pixels = keras.Input(shape)
    model = models.build(name, classes=5, input_tensor=Pixels().layer()(pixels))
    classifier = as_classifier(randomise(model), frames)
    onnx.write(classifier, tmp_path / "model.onnx")
    sample = natural_pixels(shape, 2, seed=3).astype("float32")
    expected = model(sample, training=False).numpy()
    assert np.ptp(expected, axis=-1).min() > 0.01
    actual = load_model(tmp_path / "model.onnx").compute(sample)
    np.testing.assert_allclose(actual, expected, atol=5e-6)


def test_an_operation_that_onnx_lacks_is_named(tmp_path):
    pixels = keras.Input((7, 7, 3))
    x = keras.ops.erfinv(keras.layers.GlobalAveragePooling2D()(pixels) / 255.0)
    model = keras.Model(pixels, keras.ops.softmax(x), name="odd")
    with pytest.raises(UserError, match=r"no \.onnx of odd: ONNX lacks Erfinv"):
        onnx.write(as_classifier(model), tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize("missing", ["tf2onnx", "onnxruntime"])
def test_what_to_install_is_said(missing, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, missing, None)
    use = onnx.session if missing == "onnxruntime" else onnx_of_pools
    with pytest.raises(UserError, match=rf"ONNX needs {missing}.*pip install 'a2keras\[onnx\]'"):
        use(tmp_path / "model.onnx")


def onnx_of_pools(path: Path) -> None:
    onnx.write(classifier_with_pools(), path)


@pytest.mark.parametrize("damage", ["empty", "cut", "text"])
def test_a_damaged_file_is_one_sentence(damage, image_run, tmp_path):
    export(image_run, tmp_path / "export", ["onnx"])
    whole = (tmp_path / "export" / "model.onnx").read_bytes()
    path = tmp_path / "model.onnx"
    path.write_bytes({"empty": b"", "cut": whole[:-200], "text": b"no model"}[damage])
    with pytest.raises(UserError, match=r"model\.onnx cannot be loaded as onnx: \S.+"):
        load_model(path)


def test_another_signature_is_refused(tmp_path):
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    opset = [helper.make_opsetid("", 18)]
    (tmp_path / "model.onnx").write_bytes(
        helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    )
    with pytest.raises(UserError, match=r"must take pixels and give probabilities.*x → y"):
        load_model(tmp_path / "model.onnx")


@pytest.mark.slow
def test_nothing_is_written_into_the_users_home(image_run, tmp_path, monkeypatch):
    """onnxruntime 1.32 leaves a device id and a log of events there, unless it is told not to."""
    export(image_run, tmp_path / "exported", ["onnx"])
    photo = tmp_path / "photo.png"
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(photo)
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    path = tmp_path / "exported/model.onnx"
    for arguments in (("predict", path, photo), ("benchmark", path, "--repeats=1")):
        command = [sys.executable, "-m", "a2keras", *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, env=environment)
    left = {each.relative_to(home).parent.as_posix() for each in home.rglob("*") if each.is_file()}
    assert left <= {".keras", "cache/matplotlib"}  # Keras's settings, and the list of fonts

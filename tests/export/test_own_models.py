"""Models that are no runs: a program's own, of whatever takes them, and their files."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from a2keras import DoubleAttention
from a2keras.errors import UserError
from a2keras.export.exporting import export
from a2keras.export.predict import load
from a2keras.models.preprocessing import Preprocessing
from a2keras.models.preprocessing.spec import TAKES

LABELS = ("ant", "bee", "cat")
PICTURE = np.random.default_rng(3).integers(0, 256, (1, 19, 19, 3), dtype=np.uint8)
KERNEL = np.array([[0.3, -0.2, 0.1], [0.5, 0.7, -0.3], [-0.2, 0.1, 0.6]])


def own() -> keras.Model:
    """Means of the three channels, through a fresh block, which is the identity, to logits."""
    layers = [
        keras.Input((None, None, 3)),
        DoubleAttention(2, 5),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(3, "softmax", use_bias=False, name="classes"),
    ]
    model = keras.Sequential(layers)
    model.get_layer("classes").kernel.assign(KERNEL)
    return model


def by_hand(takes: str) -> np.ndarray:
    """The probabilities of the picture, by what `keras.applications` says of its modes."""
    mean = PICTURE[0].reshape(-1, 3).mean(0)
    entered = {
        "raw": mean,
        "unit": mean / 255,
        "tf": mean / 127.5 - 1,
        "torch": (mean / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
        "caffe": mean[::-1] - [103.939, 116.779, 123.68],
    }[takes]
    logits = entered @ KERNEL
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


@pytest.mark.parametrize("takes", TAKES)
def test_a_model_of_a_program_takes_raw_pixels_once_it_is_exported(takes, tmp_path):
    spec = Preprocessing(LABELS, 19, takes=takes)
    formats = ("saved_model", "tflite_float32")
    manifest = export(own(), tmp_path / "export", formats, preprocessing=spec)
    assert not manifest["failed"]
    assert manifest["model"]["sha256"] is None
    for name in ("saved_model", "model_float32.tflite"):
        with load(tmp_path / "export" / name, apart=False) as artefact:
            assert artefact.preprocessing.takes == "raw"
            assert artefact.preprocessing.labels == LABELS
            np.testing.assert_allclose(
                artefact.probabilities(PICTURE)[0], by_hand(takes), atol=2e-6, err_msg=name
            )


@pytest.mark.slow
@pytest.mark.parametrize("takes", ["raw", "caffe"])
def test_a_file_takes_what_is_said_beside_it(takes, tmp_path):
    own().save(tmp_path / "own.keras")
    Preprocessing(LABELS, 19, takes=takes).save(tmp_path)
    written = (tmp_path / "preprocessing.json").read_text()
    assert ("takes" in written) == (takes != "raw") != ("mean" in written)
    for apart in (False, True):
        with load(tmp_path / "own.keras", apart=apart) as artefact:
            found = artefact.probabilities(PICTURE)[0]
        np.testing.assert_allclose(found, by_hand(takes), atol=2e-6)
    export(tmp_path / "own.keras", tmp_path / "export", ("saved_model",))
    with load(tmp_path / "export") as artefact:
        np.testing.assert_allclose(artefact.probabilities(PICTURE)[0], by_hand(takes), atol=2e-6)


@pytest.mark.parametrize("takes", ["unit", "caffe"])
def test_a_file_of_another_format_takes_it_too(takes, tmp_path):
    """Another program's: an export would say raw."""
    export(own(), tmp_path, ("tflite_float32",), preprocessing=Preprocessing(LABELS, 19))
    Preprocessing(LABELS, 19, takes=takes).save(tmp_path)
    for apart in (False, True):
        with load(tmp_path / "model_float32.tflite", apart=apart) as artefact:
            found = artefact.probabilities(PICTURE)[0]
        np.testing.assert_allclose(found, by_hand(takes), atol=2e-6)


def with_statistics(dtype: str, **statistics: object) -> keras.Model:
    """Means of the channels, of which given or adapted statistics make something else."""
    normalization = keras.layers.Normalization(**statistics)
    if not statistics:
        normalization.adapt(np.array([[[[10, 20, 30], [200, 130, 60]]]], "float32"))
    layers = [
        keras.Input((19, 19, 3)),
        normalization,
        keras.layers.GlobalAveragePooling2D(dtype=dtype),
        keras.layers.Dense(3, use_bias=False, dtype=dtype, name="classes"),
        keras.layers.Softmax(dtype="float32"),
    ]
    model = keras.Sequential(layers)
    model.get_layer("classes").kernel.assign(KERNEL)
    return model


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("given", [True, False])
def test_statistics_that_a_layer_derives_from_its_weights(dtype, given, tmp_path):
    statistics = {"mean": [105, 75, 45], "variance": [9025, 3025, 225]} if given else {}
    pytest.importorskip("tf2onnx", reason="needs a2keras[onnx]")
    formats = ("saved_model", "tflite_float32", "onnx")
    spec = Preprocessing(LABELS, 19)
    manifest = export(with_statistics(dtype, **statistics), tmp_path, formats, preprocessing=spec)
    assert not manifest["failed"]
    logits = (PICTURE[0].reshape(-1, 3).mean(0) - [105, 75, 45]) / [95, 55, 15] @ KERNEL
    weights = np.exp(logits - logits.max())
    for name in ("saved_model", "model_float32.tflite", "model.onnx"):
        with load(tmp_path / name, apart=False) as artefact:
            found = artefact.probabilities(PICTURE)[0]
        np.testing.assert_allclose(found, weights / weights.sum(), atol=5e-6, err_msg=name)


def test_a_classifier_within_the_model_of_another(tmp_path):
    logits = own()
    logits.get_layer("classes").activation = keras.activations.linear
    for _ in range(2):
        pixels = keras.Input((19, 19, 3))
        logits = keras.Model(pixels, logits(pixels))
    pixels = keras.Input((19, 19, 3))
    twice = keras.Model(pixels, keras.layers.Softmax()(logits(pixels)))
    spec = Preprocessing(LABELS, 19)
    manifest = export(twice, tmp_path, ("saved_model",), preprocessing=spec)
    assert not manifest["failed"]
    with load(tmp_path, apart=False) as artefact:
        found = artefact.probabilities(PICTURE)[0]
    np.testing.assert_allclose(found, by_hand("raw"), atol=2e-6)
    served = tf.saved_model.load(str(tmp_path / "saved_model" / "1"))
    features = served.signatures["features"](pixels=tf.constant(PICTURE, tf.float32))["features"]
    np.testing.assert_allclose(features[0], PICTURE[0].reshape(-1, 3).mean(0), rtol=1e-5)


def test_a_description_that_lies_elsewhere(tmp_path):
    own().save(tmp_path / "own.keras")
    Preprocessing(LABELS, 19, takes="unit").write(tmp_path / "mine.json")
    given = tmp_path / "mine.json"
    export(tmp_path / "own.keras", tmp_path / "export", ("saved_model",), preprocessing=given)
    with load(tmp_path / "export", apart=False) as artefact:
        np.testing.assert_allclose(artefact.probabilities(PICTURE)[0], by_hand("unit"), atol=2e-6)


def test_integers_are_calibrated_on_samples_where_no_run_has_kept_some(tmp_path):
    paths = []
    for i in range(3):
        paths.append(tmp_path / f"{i}.png")
        pixels = np.random.default_rng(i).integers(0, 256, (19, 19, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(paths[-1])
    spec = Preprocessing(LABELS, 19, takes="tf")
    with pytest.raises(UserError, match=r"model_int8\.tflite needs views .* give `samples`"):
        export(own(), tmp_path / "export", ("tflite_int8",), preprocessing=spec)
    manifest = export(own(), tmp_path / "export", ("tflite_int8",), paths, preprocessing=spec)
    (entry,) = manifest["artefacts"].values()
    assert entry["parity"]["serving_default"]["real_samples"] == 3
    with load(tmp_path / "export", apart=False) as artefact:
        np.testing.assert_allclose(artefact.probabilities(PICTURE)[0], by_hand("tf"), atol=0.02)


def test_integers_cover_every_sample_whatever_comes_first(tmp_path):
    """Ranges are those of all samples: a mean over them, in which the first counts most, cut off
    what is brighter than that one."""
    colours = [(12, 3, 2), (250, 20, 10), (10, 250, 30), (20, 10, 250), (250, 90, 200)]
    paths = []
    for i, colour in enumerate(colours):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(np.full((19, 19, 3), colour, np.uint8)).save(paths[-1])
    spec = Preprocessing(LABELS, 19, takes="unit")
    model = own()
    model.get_layer("classes").kernel.assign(9 * KERNEL)
    manifest = export(model, tmp_path / "export", ("tflite_int8",), paths, preprocessing=spec)
    assert manifest["artefacts"]["tflite_int8"]["parity"]["serving_default"]["max_error"] < 0.01
    pictures = np.stack([np.full((19, 19, 3), colour, np.uint8) for colour in colours])
    weights = np.exp(9 * (np.array(colours) / 255) @ KERNEL)
    with load(tmp_path / "export", apart=False) as artefact:
        found = artefact.probabilities(pictures)
    np.testing.assert_allclose(found, weights / weights.sum(1, keepdims=True), atol=0.01)


def test_what_cannot_be_exported_is_told(tmp_path):
    class Own(keras.Model):
        def call(self, x):
            return x

    spec = Preprocessing(LABELS, 19)
    ends = [keras.Input((19, 19, 3)), keras.Input((3,))]
    two = keras.Model(ends, keras.layers.Softmax()(ends[1]))
    model = own()
    for source, given, message in [
        (model, None, f"model {model.name!r} needs `preprocessing`"),
        (model, Preprocessing(LABELS, 19, frames=2), "takes pixels of shape (None, None, 3), but"),
        (model, Preprocessing(("a", "b"), 19), "gives outputs of shape (3,), but"),
        (Own(name="own"), spec, "model 'own' cannot be exported: "),
        (two, spec, "cannot be exported: it must have one input and one output"),
    ]:
        with pytest.raises(UserError) as error:
            export(source, tmp_path / "export", ("saved_model",), preprocessing=given)
        assert message in str(error.value)
    assert not (tmp_path / "export").exists()


def test_takes_is_checked():
    with pytest.raises(ValueError, match=r"`takes` must be one of .*Received: takes='bgr'"):
        Preprocessing(LABELS, 19, takes="bgr")
    with pytest.raises(ValueError, match=r"`mean` and `scale` are for models that take raw pixels"):
        Preprocessing(LABELS, 19, takes="tf", mean=(1, 2, 3))

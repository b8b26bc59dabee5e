"""The five formats: sizes, errors, what computes in what; attention that survives int8."""

import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from a2keras import DoubleAttention, NonLocal
from a2keras.errors import UserError
from a2keras.export.classifier import Classifier
from a2keras.export.exporting import export
from a2keras.export.formats import FORMATS
from a2keras.export.litert import convert, quantize
from a2keras.export.litert.report import floats_in, report
from a2keras.export.parity import natural_pixels
from a2keras.models.preprocessing import Pixels, Preprocessing
from a2keras.models.preprocessing.samples import Samples

WRITERS = {
    "float32": convert.write_float32,
    "float16": convert.write_float16,
    "dynamic_int8": quantize.write_dynamic_int8,
    "int8": quantize.write_int8,
    "int16x8": quantize.write_int16x8,
}
CLIPS = Preprocessing(("a", "b", "c"), size=28, frames=8)


def attending() -> Classifier:
    """Double attention with sharp logits over 6,272 positions, behind a convolution."""
    keras.utils.set_random_seed(5)
    pixels = keras.Input(CLIPS.input_shape)
    x = keras.layers.Conv3D(64, (3, 1, 1), padding="same", name="conv")(Pixels().layer()(pixels))
    x = DoubleAttention(16, residual=False, name="block")(x)
    model = keras.Model(pixels, x, name="attending")
    views = natural_pixels(CLIPS.input_shape, 9, seed=3)
    features = keras.Model(pixels, model.get_layer("conv").output)(views[:1].astype(np.float32))
    generator = np.random.default_rng(7)
    for weight in model.get_layer("block").weights:
        if weight.path.split("/")[-2] in ("theta", "rho"):  # logits of a deviation of 6
            scale = 6 / np.sqrt(64 * np.square(features).mean())
            weight.assign(generator.normal(0, scale, weight.shape))
    return Classifier(model, CLIPS, views[:5], views[5:])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Of every format: (report, relative error of its outputs, bytes)."""
    classifier = attending()
    folder = tmp_path_factory.mktemp("litert")
    samples = classifier.samples.astype(np.float32)
    expected = classifier.model.predict(samples, batch_size=1, verbose=0)
    found = {}
    for name, write in WRITERS.items():
        path = folder / f"{name}.tflite"
        found[name] = (write(classifier, path), error(path, samples, expected), path)
    return found


def error(path, samples, expected) -> float:
    runtime = convert.interpreter(path, threads=2)
    actual = []
    for sample in samples:
        runtime.set_tensor(runtime.get_input_details()[0]["index"], sample[None])
        runtime.invoke()
        actual.append(runtime.get_tensor(runtime.get_output_details()[0]["index"])[0])
    return float(np.linalg.norm(actual - expected) / np.linalg.norm(expected))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("float32", 1e-5),
        ("float16", 5e-3),
        ("dynamic_int8", 0.04),
        ("int8", 0.06),
        ("int16x8", 0.035),
    ],
)
def test_sharp_attention_over_thousands_of_positions(files, name, most):
    assert files[name][1] < most


def test_attention_in_int8_throughout_is_worse(files, tmp_path, monkeypatch):
    """Or else nothing would have to stay float."""
    monkeypatch.setattr(quantize, "_float_layers", lambda model: iter(()))
    classifier = attending()
    path = tmp_path / "naive.tflite"
    assert "float32, weights int8" not in str(quantize.write_int8(classifier, path))
    samples = classifier.samples.astype(np.float32)
    naive = error(path, samples, classifier.model.predict(samples, batch_size=1, verbose=0))
    assert naive > 2 * files["int8"][1]


def test_what_computes_in_what(files):
    def kinds(name, operation):
        return files[name][0]["operations"][operation]

    assert kinds("float32", "CONV_2D") == {"float32": 1}
    assert kinds("dynamic_int8", "CONV_2D") == {"float32, weights int8": 1}
    assert kinds("int8", "CONV_2D") == {"int8": 1}
    assert kinds("int16x8", "CONV_2D") == {"int16": 1}
    for name in ("int8", "int16x8"):
        # theta, rho, and the two that its order of products leaves
        assert kinds(name, "FULLY_CONNECTED") == {"float32, weights int8": 4}
        assert kinds(name, "SOFTMAX") == {"float32": 2}  # of both maps
        assert kinds(name, "BATCH_MATMUL") == {"float32": 2}
    for name, (found, _, path) in files.items():
        assert found == report(path.read_bytes())
        assert not [operation for operation in found["operations"] if "FLEX" in operation], name
    kernels = 3 * 3 * 64 + 3 * 64 * 16 + 16 * 64  # conv; theta, rho and phi; output
    small = 64 + 1 + 3  # a bias, the normalisation's scale and offsets
    assert files["float32"][0]["constants"]["float32"] == 4 * (kernels + small)
    assert files["float16"][0]["constants"]["float16"] == 2 * (kernels + small)
    assert files["dynamic_int8"][0]["constants"]["int8"] == kernels
    assert files["int8"][0]["constants"]["int8"] == kernels + 1 + 3
    assert "float32" not in files["int8"][0]["constants"]


def test_what_stays_float_is_said_aloud():
    found = {
        "operations": {
            "CONV_3D": {"float32": 2, "int8": 5},
            "FULLY_CONNECTED": {"float32, weights int8": 3},
            "EXP": {"float32": 7},
            "DEQUANTIZE": {"int8 to float32": 11},
        }
    }
    assert floats_in(found, "int8") == [
        "convolutions that stay float and are not int8: 2 CONV_3D",
        "float numbers by int8 weights: 3 FULLY_CONNECTED",
        "float: 7 EXP",
    ]
    assert floats_in({"operations": {"CONV_2D": {"int16": 1}}}, "int16") == []


def test_what_the_converter_says_otherwise(classifier, tmp_path, monkeypatch):
    def fail():
        raise RuntimeError("no luck\nat all")

    converter = SimpleNamespace(target_spec=SimpleNamespace(), convert=fail)
    monkeypatch.setattr(tf.lite.TFLiteConverter, "from_saved_model", lambda path: converter)
    spec = Preprocessing(("a", "b", "c"), size=17)
    nothing = np.zeros((0, *spec.input_shape), np.uint8)
    with pytest.raises(UserError) as caught:
        convert.write_float32(Classifier(classifier(spec), spec, nothing, nothing), tmp_path / "x")
    assert str(caught.value) == (
        "no .tflite of classifier: LiteRT's built-in operations do not suffice: no luck"
    )


def test_every_kind_of_attention_and_recurrence_stays_float():
    pixels = keras.Input((7, 5))
    inner = keras.Model(pixels, NonLocal(3, name="inside")(pixels), name="nested")
    x = keras.layers.Dense(5, name="dense")(inner(pixels))
    x = keras.layers.LSTM(3, name="lstm")(DoubleAttention(name="block")(x))
    names = quantize._float_layers(keras.Model(pixels, x))
    assert list(names) == ["inside", "block", "lstm"]


@pytest.mark.parametrize("name", ["int8", "int16x8"])
def test_there_must_be_views_to_calibrate_on(name, tmp_path):
    classifier = Classifier(None, CLIPS, np.zeros((0, 8, 28, 28, 3), np.uint8), None)
    with pytest.raises(UserError) as caught:
        WRITERS[name](classifier, tmp_path / f"model_{name}.tflite")
    assert str(caught.value) == (
        f"model_{name}.tflite needs views of training examples to calibrate on, and there are none "
        "beside the model: export a run of a2keras train, which keeps them in samples.npz, "
        "give `samples`, or take tflite_dynamic_int8, which needs none"
    )


@pytest.mark.slow
def test_a_run_in_all_formats(image_run, copy_of, capfd):
    run = copy_of(image_run)
    views = natural_pixels((17, 17, 3), 40, seed=13)
    Samples(views[:24], views[24:]).save(run)
    formats = [name for name in FORMATS if name.startswith("tflite")]
    manifest = export(run, run.parent / "out", formats)
    told = capfd.readouterr().err
    assert not re.search("it/s|Calibrat|Quantiz|Transform", told)  # the quantiser's own lines
    assert [line for line in told.splitlines() if line.startswith("model_int8")] == [
        "model_int8.tflite: float: 1 SOFTMAX"
    ]
    dynamic = (
        "model_dynamic_int8.tflite: float numbers by int8 weights: 1 CONV_2D, 1 FULLY_CONNECTED"
    )
    assert dynamic in told.splitlines()
    entries = manifest["artefacts"]
    assert list(entries) == formats
    for name, most in zip(formats, (1e-6, 1e-3, 0.006, 0.01, 0.005), strict=True):
        parity = entries[name]["parity"]["serving_default"]
        assert parity["max_error"] < most, name
        assert parity["real_top1_agreement"] >= 0.97
    assert entries["tflite_int8"]["operations"]["CONV_2D"] == {"int8": 1}

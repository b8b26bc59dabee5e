"""What a served model answers, at which sizes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from a2keras import models
from a2keras.export.classifier import Classifier
from a2keras.export.manifest import read_manifest
from a2keras.export.parity import natural_pixels
from a2keras.export.predict import load
from a2keras.export.saved_model import version_of
from a2keras.export.serving import comparisons, network, servable
from a2keras.models.keras_files import load_single
from a2keras.models.preprocessing import Pixels, Preprocessing

SIGNATURES = ["serving_default", "serving_uint8", "serving_bytes", "features"]


@pytest.fixture(scope="module")
def served(image_export):
    return tf.saved_model.load(str(image_export / "saved_model/1"))


def test_the_manifest_tells_signatures_and_parity(image_export, video_export):
    named = {
        "probabilities": {"dtype": "float32", "shape": [None, 3]},
        "top_labels": {"dtype": "string", "shape": [None, 3]},
        "top_probabilities": {"dtype": "float32", "shape": [None, 3]},
    }
    for directory, spatial, encoded in (
        (image_export, [None] * 3, {"image_bytes": {"dtype": "string", "shape": [None]}}),
        (video_export, [None] * 4, {"frame_bytes": {"dtype": "string", "shape": [None, 5]}}),
    ):
        entry = read_manifest(directory)["artefacts"]["saved_model"]
        floats = {"pixels": {"dtype": "float32", "shape": [*spatial, 3]}}
        assert entry["signatures"] == {
            "serving_default": {"inputs": floats, "outputs": named},
            "serving_uint8": {
                "inputs": {"pixels": {"dtype": "uint8", "shape": [*spatial, 3]}},
                "outputs": named,
            },
            "serving_bytes": {"inputs": encoded, "outputs": named},
            "features": {
                "inputs": floats,
                "outputs": {"features": {"dtype": "float32", "shape": [None, 7]}},
            },
        }
        assert list(entry["parity"]) == SIGNATURES
        for parity in entry["parity"].values():
            assert parity["samples"] == 8
            assert parity["max_error"] < 2e-6


@pytest.mark.slow
def test_encoded_frames_of_clips(video_run, video_export):
    served = tf.saved_model.load(str(video_export / "saved_model/1"))
    model, preprocessing = load_single(video_run / "model.keras"), load(video_run).preprocessing
    frames = natural_pixels((11, 29, 31, 3), 2, seed=17)
    clips = [video[preprocessing.indices(11)] for video in frames]
    encoded = tf.constant([[tf.io.encode_png(frame).numpy() for frame in clip] for clip in clips])
    given = served.signatures["serving_bytes"](frame_bytes=encoded)
    views = np.concatenate([preprocessing.views_of(video) for video in frames])
    assert views.shape == (2, 5, 13, 13, 3)
    expected = model(views.astype(np.float32), training=False)
    np.testing.assert_allclose(given["probabilities"], expected, atol=1e-6)
    assert np.abs(expected[0] - expected[1]).max() > 0.01


def test_other_sizes(image_run, served):
    model = load_single(image_run / "model.keras")
    other = network.copy_at(model, (23, 31, 3))
    pixels = natural_pixels((23, 31, 3), 2, seed=5)
    expected = network.with_features(other)(pixels.astype(np.float32), training=False)
    given = served.signatures["serving_uint8"](pixels=tf.constant(pixels))
    np.testing.assert_allclose(given["probabilities"], expected[0], atol=1e-6)
    given = served.signatures["features"](pixels=tf.constant(pixels, tf.float32))
    np.testing.assert_allclose(given["features"], expected[1], atol=1e-5)


def test_five_of_many_labels():
    probabilities = np.random.default_rng(3).permutation(np.arange(1, 12) / 66).astype(np.float32)
    labels = [f"class {number}" for number in range(11)]
    given = servable.named(tf.constant([probabilities]), tf.constant(labels))
    best = np.argsort(-probabilities)[:5]
    np.testing.assert_array_equal(given["top_probabilities"][0], probabilities[best])
    assert [each.decode() for each in given["top_labels"][0].numpy()] == [labels[i] for i in best]


@pytest.mark.slow
def test_other_weights_are_seen_in_every_signature(image_run, image_export, classifier):
    preprocessing = load(image_run).preprocessing
    none = np.zeros((0, 17, 17, 3), np.uint8)
    wrong = Classifier(classifier(preprocessing, seed=4), preprocessing, none, none)
    found = comparisons.comparisons(wrong, image_export / "saved_model")
    pixels = natural_pixels((17, 17, 3), 1)
    for each in found.values():
        assert np.abs(each.actual(pixels) - each.expected(pixels)).max() > 0.01
    assert list(found) == SIGNATURES[1:]


def test_files_of_all_kinds_are_compared():
    kinds = set()
    for view in natural_pixels((17, 17, 3), 8):
        (file,) = comparisons.files_of(view, Preprocessing(("a",), 17))
        kinds.add({b"\xff\xd8": "JPEG", b"\x89P": "PNG", b"RI": "WEBP"}[file[:2]])
    assert kinds == {"JPEG", "PNG", "WEBP"}


def fixed_network(kind: str, shape: tuple) -> keras.Model:
    layers = keras.layers
    pixels = keras.Input(shape)
    x = Pixels().layer()(pixels)
    if kind == "flat":  # a dense layer over all positions
        x = layers.Flatten()(layers.Conv2D(2, 3)(x))
    elif kind == "pooled over a fixed window":  # builds at other sizes of the same multiple
        x = layers.Flatten()(layers.AveragePooling2D(11)(x))
    elif kind == "flat in space":  # clips of any length
        x = layers.TimeDistributed(layers.Dense(3))(layers.Reshape((-1, 11 * 11 * 3))(x))
        x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(pixels, layers.Dense(3, "softmax")(x))


@pytest.mark.parametrize(
    ("kind", "shape", "opened"),
    [
        ("flat", (11, 11, 3), (11, 11, 3)),
        ("pooled over a fixed window", (11, 11, 3), (11, 11, 3)),
        ("flat in space", (5, 11, 11, 3), (None, 11, 11, 3)),
    ],
)
def test_sizes_that_must_stay(kind, shape, opened):
    model = fixed_network(kind, shape)
    served = network.with_open_sizes(model)
    assert served.input_shape[1:] == opened
    pixels = natural_pixels(shape, 2).astype(np.float32)
    np.testing.assert_allclose(served(pixels), model(pixels), atol=1e-6)


def test_double_attention_at_any_size():
    pixels = keras.Input((5, 32, 32, 3))
    model = models.build("a2_resnet11_video", classes=3, input_tensor=Pixels().layer()(pixels))
    generator = np.random.default_rng(5)
    for weight in model.weights:  # a fresh block is the identity: it would not be compared
        noise = generator.normal(0, 0.1, weight.shape)
        weight.assign(np.abs(weight.numpy() + noise) + (0.5 if "variance" in weight.path else 0))
    served = network.with_features(network.with_open_sizes(model))
    assert served.input_shape == (None, None, None, None, 3)
    other = network.with_features(network.copy_at(model, (3, 43, 37, 3)))
    pixels = natural_pixels((3, 43, 37, 3), 1).astype(np.float32)
    for given, expected in zip(served(pixels), other(pixels), strict=True):
        np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_predict_takes_a_version_and_the_highest(image_run, image_export, copy_of, tmp_path):
    directory = copy_of(image_export)
    pixels = natural_pixels((17, 17, 3), 3)
    expected = load(image_run).probabilities(pixels)
    moved = (directory / "saved_model/1").rename(tmp_path / "moved")
    np.testing.assert_allclose(load(moved).probabilities(pixels), expected, atol=1e-6)
    for name in ("9", "10", "latest"):
        (directory / "saved_model" / name).mkdir()
        (directory / "saved_model" / name / "saved_model.pb").touch()
    assert version_of(directory / "saved_model").name == "10"
    assert version_of(moved) == moved
    assert version_of(directory) is None

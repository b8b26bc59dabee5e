"""Artefacts of networks that are not ours, which turn RGB into BGR; published weights timed."""

import keras
import numpy as np
import pytest

from a2keras.export.benchmark import timing
from a2keras.export.exporting import export
from a2keras.export.predict import load
from a2keras.models import hosts
from a2keras.models.preprocessing.spec import Preprocessing

FORMATS = ("saved_model", "tflite_float32", "tflite_dynamic_int8", "onnx")


@pytest.mark.slow
def test_every_artefact_takes_blue_for_blue(tmp_path):
    """Networks of Caffe's see blue first. This one tells the first of three channels from the last;
    its classes: mostly the first, mostly the last."""
    x = pixels = keras.Input((17, 17, 3))
    x = keras.layers.Conv2D(2, 3, use_bias=False, padding="same", name="conv")(x)
    keras.Model(pixels, x, name="caffe").save(tmp_path / "own.keras")
    model = hosts.build(f"{tmp_path}/own.keras", (17, 17, 3), 2, "a2", mode="caffe")
    kernel = np.zeros((3, 3, 3, 2), "float32")
    kernel[1, 1, 0, 0] = kernel[1, 1, 2, 1] = 0.02
    model.get_layer("conv").kernel.assign(kernel)
    model.get_layer("predictions").kernel.assign(np.eye(2))
    run = tmp_path / "run"
    run.mkdir()
    mean, scale = hosts.pixels_of(f"{tmp_path}/own.keras", "caffe")
    Preprocessing(("blue", "red"), 17, mean=mean, scale=scale).save(run)
    model.save(run / "model.keras")

    manifest = export(run, tmp_path / "export", FORMATS)
    assert not manifest["failed"]
    blue, red = (np.zeros((1, 17, 17, 3), "uint8") for _ in range(2))
    blue[..., 2] = red[..., 0] = 90
    # By hand: blue gives (90 - 103.939, 0 - 123.68) · 0.02, of which the softmax; red the other.
    logits = 0.02 * np.array([[90 - 103.939, -123.68], [-103.939, 90 - 123.68]])
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    paths = [
        run / "model.keras",
        *(tmp_path / "export" / e["path"] for e in manifest["artefacts"].values()),
    ]
    assert len(paths) == 1 + len(FORMATS)
    for path in paths:
        with load(path, apart=False) as artefact:
            found = artefact.probabilities(np.concatenate([blue, red]))
        np.testing.assert_allclose(found, expected, atol=0.01 if "int8" in path.name else 1e-4)


def test_published_weights_are_timed_by_their_title(published_weights):
    published_weights("efficientnet_lite0:imagenet")
    document = timing.benchmark(["efficientnet_lite0:imagenet"], repeats=1, batch=1)
    entry = document["artefacts"][0]
    assert entry["path"] == "efficientnet_lite0:imagenet"
    assert entry["bytes"] > 18e6
    assert "efficientnet_lite0:imagenet" in timing.table(document)

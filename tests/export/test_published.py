"""Published weights as artefacts: what they say of real files, over time, and their exports.

Where the weights are not in the cache, or there are no real files, the tests are skipped.
"""

import json

import keras
import numpy as np
import pytest

from a2keras import models
from a2keras.errors import UserError
from a2keras.export.commands.predict import predict
from a2keras.export.exporting import export
from a2keras.export.predict import load
from a2keras.models.preprocessing import Pixels, Preprocessing
from a2keras.models.weights import fetching, published

# The likeliest class and its probability, by another program with these weights (64 frames from
# the middle, short side 256, centre crop 224); a frame more or less changes the second digit.
CLEAR = {
    "test_videos/mmaction2/demo.mp4": ("arm wrestling", 1.0),
    "test_videos/decord/flipping_a_pancake.mkv": ("flipping pancake", 1.0),
    "test_videos/tiny_ucf101/v_Basketball_g01_c01.avi": ("shooting basketball", 0.935),
    "test_videos/c3d/v_ApplyEyeMakeup_g01_c01.avi": ("filling eyebrows", 0.790),
    "ut_interaction/hand_shaking/17_13_0.avi": ("shaking hands", 0.522),
}
# Here the likeliest of the other program is among the likeliest: two or three are level.
LEVEL = {
    "test_videos/c3d/v_BaseballPitch_g01_c01.avi": ("catching or throwing baseball", 0.353),
    "ut_interaction/hugging/10_2_1.avi": ("hugging", 0.197),
}


def answer(capsys, *arguments) -> dict:
    predict([*map(str, arguments), "--format=json"])
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_i3d_names_what_real_videos_show(published_weights, real_data, capsys):
    published_weights("i3d:kinetics400")
    files = [real_data / name for name in (*CLEAR, *LEVEL)]
    found = answer(capsys, "i3d:kinetics400", *files)
    assert not found["errors"]
    tops = [
        {entry["label"]: entry["probability"] for entry in each["top"]}
        for each in found["predictions"]
    ]
    for (name, (label, probability)), top in zip(CLEAR.items(), tops, strict=False):
        assert next(iter(top)) == label, name
        assert top[label] == pytest.approx(probability, abs=0.05), name
    for (name, (label, probability)), top in zip(LEVEL.items(), tops[len(CLEAR) :], strict=True):
        assert label in top, name
        assert top[label] == pytest.approx(probability, abs=0.06), name


def test_the_weights_in_the_package_know_pictures_that_they_have_not_seen(
    real_data, tmp_path, capsys
):
    cifar = np.load(real_data / "cifar10" / "cifar10_jpeg.npz")
    jpeg, ends = cifar["test_jpeg"].tobytes(), cifar["test_offsets"]
    chosen = range(7, 10_000, 50)
    for each in chosen:
        (tmp_path / f"{each:05}.jpg").write_bytes(jpeg[ends[each] : ends[each + 1]])
    found = answer(capsys, "resnet20:cifar10", tmp_path)["predictions"]
    classes = list(cifar["classes"])
    truths = [classes[cifar["test_labels"][each]] for each in chosen]
    right = [each["top"][0]["label"] == truth for each, truth in zip(found, truths, strict=True)]
    assert 0.72 < np.mean(right) < 0.9  # 80.9 % of all; of 200 the standard error is 2.8


def test_the_weights_in_the_package_know_clips_that_they_have_not_seen(real_data, capsys):
    files = sorted((real_data / "ut_interaction").glob("*/18_*.avi"))
    assert files, "sequence 18 is one of those held out"
    found = answer(capsys, "i3d:kinetics400+ut_interaction", *files)["predictions"]
    assert [each["top"][0]["label"] for each in found] == [each.parent.name for each in files]


@pytest.mark.slow
def test_a_video_over_time(published_weights, real_data, tmp_path, capsys):
    published_weights("i3d:kinetics400")
    video = real_data / "test_videos/decord/flipping_a_pancake.mkv"
    arguments = ["--timeline", "--every=4", f"--output={tmp_path}"]
    found = answer(capsys, "i3d:kinetics400", video, *arguments)
    assert "flipping pancake" in {each["label"] for each in found["segments"]}
    assert (tmp_path / "timeline.png").stat().st_size > 10_000


@pytest.mark.slow
def test_lite0_names_what_photographs_show(published_weights, real_data, capsys):
    published_weights("efficientnet_lite0:imagenet")
    folder = real_data / "clothing_small/test/t-shirt"
    found = answer(capsys, "efficientnet_lite0:imagenet", folder, "--top=3")
    named = [{entry["label"] for entry in each["top"]} for each in found["predictions"]]
    assert len(named) == len(list(folder.iterdir()))
    # ImageNet's only class of the kind.
    assert sum("T-shirt" in top or "jersey" in " ".join(top) for top in named) > 0.5 * len(named)


@pytest.mark.slow
def test_an_export_follows_the_record(published_weights, tmp_path):
    published_weights("efficientnet_lite0:imagenet")
    formats = ("saved_model", "tflite_float32")
    manifest = export("efficientnet_lite0:imagenet", tmp_path / "export", formats)
    for artefact in manifest["artefacts"].values():
        assert artefact["parity"]["serving_default"]["max_error"] < 1e-4
    spec = Preprocessing.load(tmp_path / "export")
    assert spec.pixels == Pixels((127.0,) * 3, (1 / 128,) * 3)
    assert (spec.short_side, spec.size, spec.interpolation) == (256, 224, "bicubic")
    assert spec.labels[0] == "tench"


@pytest.mark.slow
def test_every_artefact_takes_the_normalisation_of_its_weights(tmp_path):
    """Other numbers for every channel; the SavedModel decodes images in its graph too."""
    pixels = Pixels.of_unit((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    spec = Preprocessing(("a", "b", "c"), 17, mean=pixels.mean, scale=pixels.scale)
    inputs = keras.Input(spec.input_shape)
    x = keras.layers.GlobalAveragePooling2D()(spec.pixels.layer()(inputs))
    outputs = keras.layers.Dense(3, "softmax", kernel_initializer="identity")(x)
    model = keras.Model(inputs, outputs)
    model.save(tmp_path / "model.keras")
    spec.save(tmp_path)
    manifest = export(tmp_path, tmp_path / "export", ("saved_model", "tflite_float32", "onnx"))
    kinds = {name: entry["path"] for name, entry in manifest["artefacts"].items()}
    batch = np.random.default_rng(0).integers(0, 256, (2, 17, 17, 3)).astype("float32")
    logits = ((batch / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).mean((1, 2))
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    for name, path in kinds.items():
        found = load(tmp_path / "export" / path)
        assert found.preprocessing.pixels == pixels
        np.testing.assert_allclose(found.probabilities(batch), expected, atol=1e-4, err_msg=name)


@pytest.mark.slow
def test_published_weights_are_run_in_a_process_of_their_own(tmp_path, monkeypatch, photos, capsys):
    """A cache with random numbers: the whole way but for fetching."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    record = published.find("efficientnet_lite0:imagenet")
    kept = fetching.kept(record)
    kept.mkdir(parents=True)
    network = models.EfficientNetLite0()
    for variable in network.get_layer("predictions").weights:  # so that the classes differ
        variable.assign(keras.random.normal(variable.shape, seed=1))
    network.save_weights(kept / fetching.WEIGHTS)
    fetching.preprocessing(record, tuple(f"class {i}" for i in range(1000))).save(kept)
    fetching.write_sums(kept)
    batch = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(network((batch - 127) / 128, training=False))
    with load(record.title) as artefact:
        assert (artefact.path, artefact.kind) == (kept / fetching.WEIGHTS, "keras")
        np.testing.assert_allclose(artefact.probabilities(batch), expected, atol=1e-5)
    with pytest.raises(UserError, match="cannot be run: its process has been ended"):
        artefact.probabilities(batch)
    found = answer(capsys, record.title, photos[0].parent, "--top=1")
    assert [each["file"] for each in found["predictions"]] == [*map(str, photos)]


def test_a_title_that_is_none_is_told():
    for title, hint in (
        ("i3d:kinetics600", ": did you mean 'i3d:kinetics400'?"),
        ("efficientnet_lite0", ": did you mean 'efficientnet_lite0:imagenet'?"),
        ("c3d:sports1m", f", and published weights are {', '.join(published.TITLES)}"),
        ("c3d", ""),
    ):
        with pytest.raises(UserError) as error:
            load(title)
        assert str(error.value) == f"{title} does not exist{hint}"


@pytest.mark.slow
def test_a_folder_is_all_its_files_of_the_kind(image_run, video_run, photos, video, capsys):
    folder = photos[0].parent
    found = answer(capsys, image_run, folder, photos[0])
    files = [each["file"] for each in found["predictions"]]
    assert files == [*map(str, photos), str(photos[0])]
    assert [each["file"] for each in answer(capsys, video_run, video.parent)["predictions"]] == [
        str(video)
    ]
    with pytest.raises(UserError, match=f"the folder {folder} holds no video"):
        predict([str(video_run), str(folder)])

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from a2keras.errors import UserError
from a2keras.models.preprocessing import DecodeError, Pixels, Preprocessing

sys.path.insert(0, str(Path(__file__).parent))
from films import encode


def ramp_video(path, total=29, height=24, width=40):
    """Frame t is grey 8·t."""
    return encode(path, [np.full((height, width, 3), 8 * t, np.uint8) for t in range(total)])


def test_save_and_load(tmp_path):
    for spec in (
        Preprocessing(("cat", "dog"), 32),
        Preprocessing(("à gauche", "à droite"), 112, frames=16, stride=4, fit="letterbox"),
    ):
        assert Preprocessing.load(spec.save(tmp_path).parent) == spec


def test_only_multi_label_models_say_so(tmp_path):
    """Earlier files, and earlier readers of what is not multi-label, stay as they were."""
    Preprocessing(("a", "b"), 7).save(tmp_path)
    document = json.loads((tmp_path / "preprocessing.json").read_text())
    assert "multi_label" not in document
    assert not Preprocessing.load(tmp_path).multi_label
    several = Preprocessing(("a", "b", "c"), 7, multi_label=True)
    several.save(tmp_path)
    assert json.loads((tmp_path / "preprocessing.json").read_text())["multi_label"] is True
    assert Preprocessing.load(tmp_path) == several
    assert several.said(np.array([0.5, 0.49, 0.9])) == [2, 0]
    (tmp_path / "preprocessing.json").write_text(json.dumps(document | {"multi_label": "yes"}))
    with pytest.raises(UserError, match="multi_label"):
        Preprocessing.load(tmp_path)


def test_shapes():
    assert Preprocessing(["a", "b"], 7).input_shape == (7, 7, 3)
    assert Preprocessing(["a", "b"], 7, frames=5).input_shape == (5, 7, 7, 3)


def test_views_of_a_video(tmp_path):
    spec = Preprocessing(("a", "b"), 16, frames=5, stride=2)
    views = spec.views(ramp_video(tmp_path / "ramp.mp4"), clips=3)
    assert views.shape == (3, 5, 16, 16, 3)
    assert views.dtype == np.uint8
    levels = views.mean(axis=(2, 3, 4)) / 8
    np.testing.assert_allclose(levels, np.array([[0], [10], [20]]) + 2 * np.arange(5), atol=0.5)


def test_view_in_tf_data_equals_numpy(tmp_path):
    spec = Preprocessing(("a", "b"), 16, frames=5, stride=3)
    frames = spec.read(ramp_video(tmp_path / "ramp.mp4"))
    assert frames.shape == (29, 16, 27, 3)  # reduced while decoding
    signature = tf.TensorSpec((None, None, None, 3), tf.uint8)
    view = tf.function(
        lambda x, start: spec.view(x, start, (0.2, 0.9)),
        input_signature=[signature, tf.TensorSpec(())],
    )
    tensor = view(frames, 0.3)
    assert tensor.shape == spec.input_shape
    np.testing.assert_array_equal(tensor, spec.view(frames, 0.3, (0.2, 0.9)))


def test_views_of_an_image(tmp_path):
    picture = np.random.default_rng(2).integers(0, 256, (13, 19, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    spec = Preprocessing(("a", "b"), 13)
    views = spec.views(tmp_path / "picture.png", clips=3)
    np.testing.assert_array_equal(views, picture[None, :, 3:16])


def test_three_crops_lie_along_the_longer_side():
    """Columns of a landscape, rows of a portrait, and the centre for one."""
    columns = np.broadcast_to(np.arange(30, dtype=np.uint8)[None, :, None], (10, 30, 3))
    spec = Preprocessing(("a", "b"), 10)
    landscape = spec.views_of(columns, crops=3)
    assert landscape.shape == (3, 10, 10, 3)
    assert landscape[:, 0, 0, 0].tolist() == [0, 10, 20]
    portrait = spec.views_of(columns.transpose(1, 0, 2), crops=3)
    assert portrait[:, 0, 0, 0].tolist() == [0, 10, 20]
    np.testing.assert_array_equal(spec.views_of(columns)[0], landscape[1])


def test_views_are_clips_by_crops():
    """Frame t of column x is 10·t + x / 4."""
    video = np.empty((20, 8, 24, 3), np.uint8)
    video[:] = 10 * np.arange(20)[:, None, None, None] + np.arange(24)[None, None, :, None] // 4
    views = Preprocessing(("a", "b"), 8, frames=2, stride=3).views_of(video, clips=2, crops=3)
    assert views.shape == (6, 2, 8, 8, 3)
    first = views[:, 0, 0, 0, 0]  # the first clip starts at frame 0, the last at 16
    assert first.tolist() == [0, 2, 4, 160, 162, 164]
    assert views[:, 1, 0, 0, 0].tolist() == [30, 32, 34, 190, 192, 194]


def test_a_short_side_beyond_the_size_cuts_out_of_the_middle(tmp_path):
    """224 of 256, the usual test crop, at a quarter of that: 56 of 64."""
    spec = Preprocessing(("a", "b"), 56, short_side=64)
    picture = np.broadcast_to(np.arange(80, dtype=np.uint8)[None, :, None], (64, 80, 3))
    view = spec.view(picture)
    np.testing.assert_array_equal(view[0, :, 0], np.arange(12, 68))
    assert spec.views_of(picture, crops=3)[:, 0, 0, 0].tolist() == [0, 12, 24]
    video = Preprocessing(("a", "b"), 14, frames=2, short_side=16)
    assert video.read(ramp_video(tmp_path / "ramp.mp4")).shape == (29, 16, 27, 3)


@pytest.mark.parametrize(
    "arguments", [{"crops": 2}, {"crops": 0}, {"crops": 3, "fit": "letterbox"}]
)
def test_other_crops_are_refused(arguments):
    spec = Preprocessing(("a", "b"), 8, fit=arguments.get("fit", "crop"))
    with pytest.raises(ValueError) as caught:
        spec.views_of(np.zeros((9, 11, 3), np.uint8), crops=arguments["crops"])
    assert str(caught.value) == (
        "`crops` must be 1, or 3 where `fit` is 'crop'. "
        f"Received: crops={arguments['crops']}, fit={spec.fit!r}"
    )


def test_files_of_the_other_kind_are_refused(tmp_path):
    video = ramp_video(tmp_path / "ramp.mp4", total=3)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "still.png")
    with pytest.raises(DecodeError, match="is a still image, not a video"):
        Preprocessing(("a", "b"), 8, frames=3).views(tmp_path / "still.png")
    with pytest.raises(DecodeError, match="is not an image that can be read"):
        Preprocessing(("a", "b"), 8).views(video)


def test_normalisation_is_exact_and_survives_saving(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (2, 3, 5, 3), dtype=np.uint8)
    expected = (pixels.astype(np.float64) - [124, 117, 104]) * 0.0167
    inputs = keras.Input((3, 5, 3))
    model = keras.Model(inputs, Pixels().layer()(inputs))
    np.testing.assert_allclose(model(pixels), expected, atol=1e-6)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(
        keras.models.load_model(tmp_path / "model.keras")(pixels), expected, atol=1e-6
    )
    assert Pixels().layer().compute_dtype == "float32"


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (Pixels((127.0,) * 3, (1 / 128,) * 3), lambda x: (x - 127) / 128),
        (Pixels((127.5,) * 3, (1 / 127.5,) * 3), lambda x: x / 127.5 - 1),
        (
            Pixels.of_unit((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            lambda x: (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
        ),
    ],
)
def test_normalisation_is_that_of_the_weights(pixels, expected, tmp_path):
    spec = Preprocessing(("a", "b"), 5, mean=pixels.mean, scale=pixels.scale)
    assert Preprocessing.load(spec.save(tmp_path).parent).pixels == pixels
    x = np.random.default_rng(1).integers(0, 256, (2, 3, 5, 3), dtype=np.uint8)
    wanted = expected(x.astype("float64"))
    inputs = keras.Input((3, 5, 3))
    model = keras.Model(inputs, spec.pixels.layer()(inputs))
    model.save(tmp_path / "model.keras")
    for one in (model, keras.models.load_model(tmp_path / "model.keras")):
        np.testing.assert_allclose(one(x), wanted, atol=2e-6)
    np.testing.assert_allclose(pixels.normalize(x), wanted, atol=2e-6)
    tensor = pixels.normalize(tf.constant(x))
    assert tensor.dtype == "float32"
    np.testing.assert_allclose(tensor, wanted, atol=2e-6)


def test_a_file_without_normalisation_means_what_it_meant(tmp_path):
    document = {"labels": ["a"], "size": 7, "frames": None, "stride": 1, "fit": "crop",
                "short_side": None, "interpolation": "bilinear"}  # fmt: skip
    (tmp_path / "preprocessing.json").write_text(json.dumps(document))
    spec = Preprocessing.load(tmp_path)
    assert spec.pixels == Pixels((124.0, 117.0, 104.0), (0.0167,) * 3)
    (tmp_path / "preprocessing.json").write_text(json.dumps({**document, "mean": [1, 2, 3]}))
    assert Preprocessing.load(tmp_path).mean == (1.0, 2.0, 3.0)
    for name, value, reason in (
        ("mean", [1, 2], r"`mean` must be three numbers\. Received: mean=\(1.0, 2.0\)"),
        ("scale", [1, 2, "3"], r"scale\.2: input should be a valid number\. Received: '3'"),
        ("mean", 5, r"mean: input should be a valid array\. Received: 5"),
        ("scale", None, r"scale: input should be a valid array\. Received: None"),
    ):
        (tmp_path / "preprocessing.json").write_text(json.dumps({**document, name: value}))
        with pytest.raises(UserError, match=reason):
            Preprocessing.load(tmp_path)
        if name == "mean" or value is None:
            with pytest.raises(ValueError, match=rf"`{name}` must be three numbers\. Received"):
                Preprocessing(("a",), 7, **{name: value})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": ()}, "`labels` must be names, at least one. Received: ()"),
        ({"labels": (1, 2)}, "`labels` must be names, at least one. Received: (1, 2)"),
        (
            {"labels": ("a", "a")},
            "`labels` must differ from one another. Received: ('a', 'a')",
        ),
        ({"size": 0}, "`size` must be an integer of at least 1. Received: 0"),
        ({"frames": True}, "`frames` must be an integer of at least 1. Received: True"),
        ({"stride": 1.5}, "`stride` must be an integer of at least 1. Received: 1.5"),
        (
            {"interpolation": "nearest"},
            "`interpolation` must be one of ('bilinear', 'bicubic'). "
            "Received: interpolation='nearest'",
        ),
        (
            {"short_side": 6},
            "`short_side` must be at least `size`, and is for crops. "
            "Received: short_side=6, size=7, fit='crop'",
        ),
        (
            {"short_side": 8, "fit": "letterbox"},
            "`short_side` must be at least `size`, and is for crops. "
            "Received: short_side=8, size=7, fit='letterbox'",
        ),
        ({"fit": "zoom"}, "`fit` must be one of ('crop', 'letterbox'). Received: fit='zoom'"),
    ],
)
def test_messages(arguments, message):
    with pytest.raises(ValueError) as caught:
        Preprocessing(**{"labels": ("a", "b"), "size": 7, **arguments})
    assert str(caught.value) == message


def test_a_file_that_is_missing_or_wrong_is_one_sentence(tmp_path):
    path = tmp_path / "preprocessing.json"
    with pytest.raises(UserError) as caught:
        Preprocessing.load(tmp_path)
    assert str(caught.value) == (
        f"{path} is missing: it tells how the model's input is made (`a2keras preprocessing` "
        "writes one)"
    )
    whole = {"labels": ["a", "b"], "size": 7}
    for text, reason in (
        ("{", "it is no valid JSON (EOF while parsing an object"),
        ("[]", "the document: input should be an object. Received: []"),
        (json.dumps({"size": 7}), "labels: field required. Received: {'size': 7}"),
        (json.dumps({"labels": ["a"]}), "size: field required. Received: "),
        (json.dumps({**whole, "sise": 8}), "sise: unexpected keyword argument. Received: 8"),
        (json.dumps({**whole, "size": "7"}), "size: input should be a valid integer. Received"),
        (json.dumps({**whole, "size": 0}), "`size` must be an integer of at least 1. Received: 0"),
        (json.dumps({**whole, "frames": 10**9}), "`frames` must be at most 65536. Received: 1000"),
        (json.dumps({**whole, "labels": ["a", "a"]}), "`labels` must differ from one another."),
    ):
        path.write_text(text)
        with pytest.raises(UserError) as caught:
            Preprocessing.load(tmp_path)
        assert str(caught.value).startswith(
            f"{path} is not a description of a model's input: {reason}"
        )

"""Scores by hand, and runs on folders from training to the confusion matrix."""

import dataclasses
import json
import resource
import shutil

import keras
import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data import open_held_out, open_source
from a2keras.training.data.pipeline import training_batches
from a2keras.training.data.source import Examples
from a2keras.training.evaluation.evaluate import predict_views
from a2keras.training.evaluation.precise_statistics import with_precise_statistics
from a2keras.training.evaluation.scores import percent, protocol, scores, spread, table
from a2keras.training.run.directory import Run

VIDEO = Recipe("mine", task="video", views=2)


def test_scores_of_images_by_hand():
    classes = tuple("abcdefg")
    labels = np.array([0, 0, 0, 1, 2])
    probabilities = np.zeros((5, 1, 7))
    probabilities[0, 0] = [0.4, 0.3, 0.1, 0.1, 0.05, 0.05, 0.0]  # right
    probabilities[1, 0] = [0.3, 0.4, 0.1, 0.1, 0.05, 0.05, 0.0]  # second
    probabilities[2, 0] = [0.0, 0.3, 0.2, 0.2, 0.15, 0.15, 0.0]  # sixth
    probabilities[3, 0] = [0.1, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0]  # right
    probabilities[4, 0] = [0.1, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0]  # tied for third
    document = scores(probabilities, labels, classes, Recipe("mine", task="image"))
    assert document["top1"] == pytest.approx(2 / 5)
    assert document["top5"] == pytest.approx(4 / 5)
    assert document["per_class"] == {"a": 0.3333, "b": 1.0, "c": 0.0}
    assert document["balanced_accuracy"] == pytest.approx((1 / 3 + 1 + 0) / 3)
    assert document["majority_rate"] == pytest.approx(3 / 5)
    assert document["confusion"][0] == [1, 2, 0, 0, 0, 0, 0]
    assert np.sum(document["confusion"]) == 5
    assert "clip@1" not in document


def test_video_at_1_averages_clips_and_clip_at_1_is_the_middle_one():
    labels = np.array([0, 1])
    probabilities = np.array(
        [
            [[0.6, 0.4], [0.9, 0.1], [0.4, 0.6]],  # both right
            [[0.4, 0.6], [0.9, 0.1], [0.4, 0.6]],  # the clip right, the mean wrong
        ]
    )
    document = scores(probabilities, labels, ("a", "b"), VIDEO)
    assert document["clip@1"] == 1.0
    assert document["video@1"] == document["top1"] == 0.5
    assert "top5" not in document
    assert document["protocol"] == [
        "clip@1: the middle clip of 8 frames, stride 1, centre crop",
        "video@1: mean probabilities of 2 evenly spaced clips × centre crop",
    ]


def test_among_five_of_clips_and_of_videos():
    """Seven classes, so five are fewer than all; the class of each example is 0."""
    descending = np.array([7, 6, 5, 4, 3, 2, 1]) / 28
    sixth = descending[[5, 0, 1, 2, 3, 4, 6]]
    fifth = descending[[4, 0, 1, 2, 3, 5, 6]]
    probabilities = np.array(
        [  # the middle clip, then the two that are averaged
            [descending, sixth, sixth],
            [sixth, descending, sixth],  # (7 + 2) / 2 = 4.5 against 6.5, 5.5, 4.5, …: third
            [fifth, fifth, fifth],
        ]
    )
    document = scores(probabilities, np.zeros(3, int), tuple("abcdefg"), VIDEO)
    assert document["clip@1"] == pytest.approx(1 / 3)
    assert document["clip@5"] == pytest.approx(2 / 3)
    assert document["video@1"] == document["top1"] == 0.0
    assert document["video@5"] == document["top5"] == pytest.approx(2 / 3)
    assert document["protocol"][1].startswith("video@1 and video@5: mean probabilities of 2 evenly")


def test_outputs_that_are_no_numbers_are_no_score():
    with pytest.raises(UserError) as error:
        scores(np.full((2, 1, 7), np.nan), np.array([0, 1]), tuple("abcdefg"), VIDEO)
    assert str(error.value) == "the network's outputs are not numbers: it has diverged"


def test_the_protocol_names_the_crops():
    image = Recipe("mine", task="image", crops=3)
    assert protocol(image, 6) == [
        "top-1 and top-5: mean probabilities of 3 crops along the longer side"
    ]
    assert protocol(Recipe("mine", task="image", fit="letterbox"), 2) == [
        "top-1: whole frame, padded"
    ]
    video = Recipe("mine", task="video", views=1, crops=3, frames=5, stride=7)
    assert protocol(video, 5) == [
        "clip@1: the middle clip of 5 frames, stride 7, centre crop",
        "video@1: mean probabilities of 1 evenly spaced clip × 3 crops along the longer side",
    ]
    for settings in ({"crops": 2}, {"crops": 3, "fit": "letterbox"}):
        with pytest.raises(UserError) as error:
            Recipe("mine", **settings)
        assert str(error.value) == (
            "recipe field crops must be 1, or 3 where fit=crop. "
            f"Received: crops={settings['crops']}"
        )


def test_mean_and_sample_deviation():
    assert spread([0.5, 0.7, 0.9]) == {"mean": pytest.approx(0.7), "std": pytest.approx(0.2)}
    assert spread([0.25]) == {"mean": 0.25, "std": None}
    assert percent(0.6306, 0.0219) == "63.1 ± 2.2 %"
    assert percent(0.6306) == "63.1 %"


def test_views_are_those_of_prediction(tmp_path, write_video):
    for name, shade in (("dark", 0), ("light", 90)):
        for i in range(3):
            write_video(tmp_path / name / f"{i}.avi", 9 + i, shade=shade)
    (tmp_path / "dark/broken.avi").write_bytes(b"nothing")
    preprocessing = Preprocessing(("dark", "light"), 16, frames=4)
    recipe = Recipe("mine", data=f"folder:{tmp_path}", task="video", size=16, frames=4, views=3)
    split, source = open_held_out(recipe, preprocessing.labels, data=f"folder:{tmp_path}")
    assert (split, source.split_rule) == ("test", "all examples")
    inputs = keras.Input(preprocessing.input_shape)
    means = keras.layers.GlobalAveragePooling3D()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(means / 255))
    examples = source.splits["test"]
    probabilities, read, skipped = predict_views(model, examples, preprocessing, recipe)
    assert probabilities.shape == (6, 4, 2)
    assert read == [0, 1, 2, 4, 5, 6]
    assert [file.path for file in skipped] == ["dark/broken.avi"]
    assert str(tmp_path / "dark/broken.avi") in skipped[0].reason
    views = preprocessing.views(tmp_path / "dark/2.avi", 3).astype("float32")
    np.testing.assert_allclose(probabilities[2, 1:], model.predict_on_batch(views), atol=1e-6)
    middle = preprocessing.views(tmp_path / "dark/2.avi").astype("float32")
    np.testing.assert_allclose(probabilities[2, :1], model.predict_on_batch(middle), atol=1e-6)
    one = dataclasses.replace(recipe, views=1)
    probabilities, _, _ = predict_views(model, examples, preprocessing, one)
    assert probabilities.shape == (6, 1, 2)


class Stripes(Examples):
    """A video of 3 × 9 pixels in three stripes, and one of 9 × 3; stripes and frames differ."""

    labels, names, is_video = np.array([0, 1]), ("wide", "high"), True

    def frames(self, index):
        stripes = np.repeat([10, 60, 110], 3)[None] + np.array([0, 20, 40, 60])[:, None]  # (T, 9)
        video = np.broadcast_to(stripes[:, None, :, None], (4, 3, 9, 3)).astype("uint8")
        return video if index == 0 else video.transpose(0, 2, 1, 3)


def test_views_are_clips_by_crops_along_the_longer_side():
    preprocessing = Preprocessing(("a", "b"), 3, frames=1)
    inputs = keras.Input(preprocessing.input_shape)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling3D()(inputs))
    recipe = Recipe("mine", task="video", size=3, frames=1, views=2, crops=3)
    values, read, _ = predict_views(model, Stripes(), preprocessing, recipe)
    middle, first, last = 60 + 40, [10, 60, 110], [70, 120, 170]  # third, first and last frame
    for example in values[..., 0]:
        np.testing.assert_allclose(example, [middle, *first, *last])
    assert read == [0, 1]


def test_a_folder_of_images_from_training_to_scores(tmp_path, images, tiny_network, run_command):
    (images / "red/99.png").write_bytes(b"no image")
    settings = ["size=16", "batch_size=4", "epochs=6", "learning_rate=0.2", "crop_scale=0.9"]
    run = tmp_path / "run"
    run_command(
        "train",
        "--recipe=folder",
        "--set=weights=none",
        f"--data=folder:{images}",
        f"--output={run}",
        *(f"--set={setting}" for setting in settings),
    )
    results = json.loads((run / "results.json").read_text())
    assert [skipped["path"] for skipped in results["data"]["skipped"]] == ["red/99.png"]
    printed = json.loads(run_command("evaluate", run, "--format=json"))
    assert printed == json.loads((run / "evaluation.json").read_text())
    assert printed["split"] == "test"
    assert printed["examples"] == 5 - sum("99" in s["path"] for s in printed["skipped"])
    assert printed["top1"] == 1.0  # colours are easy
    assert (run / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert "always the most frequent class" in table(printed)
    assert table(printed).startswith("4 examples of the test split (test: 0.2 of every class (seed")
    fingerprint = results["data"]["fingerprint"]
    assert f"\nfile list {fingerprint}, 1 file skipped\n" in table(printed)
    assert table(printed).endswith("\ntop-1: centre crop")
    assert printed["warning"] is None
    one = table({**printed, "examples": 1, "skipped": []})
    assert one.startswith("1 example of the test split (")
    assert f"\nfile list {fingerprint}, 0 files skipped\n" in one

    # Other views, and statistics of batch normalisation from the last batches.
    flags = ["--crops=3", "--precise_bn=2", "--format=json"]
    printed = json.loads(run_command("evaluate", run, *flags))
    assert printed["protocol"] == [
        "top-1: mean probabilities of 3 crops along the longer side",
        "statistics of batch normalisation from 2 training batches",
    ]
    check_precise_statistics(run)

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))  # as on a full disk
        with pytest.raises(UserError) as error:
            run_command("evaluate", run)
        with pytest.raises(UserError) as unseen:
            run_command("explain", run, f"--output={tmp_path}/pictures", "--samples=1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(error.value) == f"the scores cannot be written to {run}: File too large"
    assert str(unseen.value) == (
        f"the pictures cannot be written to {tmp_path}/pictures: File too large"
    )

    # Data that have changed would be split anew, and mix what was trained on into the test.
    shutil.copy(images / "red/00.png", images / "red/100.png")
    with pytest.raises(UserError) as error:
        run_command("evaluate", run)
    assert str(error.value) == f"the files of folder:{images} have changed since {run} began"
    (images / "red/100.png").unlink()

    # Other data with the same classes; classes in another order keep their names.
    other = tmp_path / "other"
    shutil.copytree(images / "red", other / "red")
    shutil.copytree(images / "blue", other / "blue")
    printed = json.loads(run_command("evaluate", run, f"--data=folder:{other}", "--format=json"))
    assert printed["examples"] == 24
    trained = results["data"]["examples"]["train"]
    assert trained == 18
    assert printed["warning"].startswith(
        f"WARNING: 18 of the 25 examples are files that {run} was trained on, such as "
    )
    assert printed["warning"].endswith(": the score says little about others")
    assert f"\n{printed['warning']}\n" in table(printed)
    assert json.loads((run / "evaluation_data.json").read_text()) == printed
    assert json.loads((run / "evaluation.json").read_text())["data"] == f"folder:{images}"
    assert printed["split_rule"] == "all examples"
    shutil.copytree(images / "blue", other / "violet")
    with pytest.raises(UserError) as error:
        run_command("evaluate", run, f"--data=folder:{other}")
    assert str(error.value) == (
        f"folder:{other} has a class violet, which the run does not know: its classes are blue, red"
    )
    with pytest.raises(UserError, match=r"evaluate takes a RUN. Received: none"):
        run_command("evaluate")
    with pytest.raises(UserError, match=f"{images} is not a run: it has no recipe.json"):
        run_command("evaluate", images)

    # A model that was exchanged for one that holds code is not run.
    pixels = keras.Input((16, 16, 3))
    keras.Model(pixels, keras.layers.Lambda(lambda x: x[:, 0, 0])(pixels)).save(run / "model.keras")
    for command in (["evaluate", run], ["explain", run, f"--output={tmp_path}/explained"]):
        with pytest.raises(UserError) as error:
            run_command(*command)
        assert str(error.value) == (
            f"{run}/model.keras holds a Lambda layer, that is code of its own, which is not run"
        )


def check_precise_statistics(path):
    """Those of the first batch normalisation are those of what it takes in the last batches."""
    run, preprocessing = Run.load(path), Preprocessing.load(path)
    model = keras.models.load_model(run.model_path, compile=False)
    before = model.get_weights()
    precise = with_precise_statistics(run, preprocessing, model, 2)
    source = open_source(run.recipe)
    steps = run.recipe.epochs * (18 // run.recipe.batch_size)
    batches = training_batches(source.splits["train"], run.recipe, preprocessing, steps - 2)
    pixels = np.concatenate([np.asarray(x) for x, _ in batches])
    assert len(pixels) == 2 * run.recipe.batch_size
    norm = next(x for x in precise.layers if isinstance(x, keras.layers.BatchNormalization))
    entering = keras.Model(precise.input, norm.input).predict_on_batch(pixels)
    np.testing.assert_allclose(norm.moving_mean, entering.mean((0, 1, 2)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, entering.var((0, 1, 2)), rtol=1e-3)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))

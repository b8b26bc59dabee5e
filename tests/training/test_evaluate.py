"""Scores by hand, and runs on folders from training to the confusion matrix."""

import json
import shutil

import keras
import numpy as np
import pytest

from a2keras.console import UserError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data import open_held_out
from a2keras.training.evaluate import predict_views, scores, table

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
        "video@1: mean probabilities of 2 evenly spaced clips, centre crop",
    ]


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


def test_a_folder_of_images_from_training_to_scores(tmp_path, images, tiny_network, run_command):
    (images / "red/99.png").write_bytes(b"no image")
    settings = ["size=16", "batch_size=4", "epochs=6", "learning_rate=0.2", "crop_scale=0.9"]
    run = tmp_path / "run"
    run_command(
        "train",
        "--recipe=folder",
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
    one = table({**printed, "examples": 1, "skipped": [{}]})
    assert one.startswith("1 example of the test split (")
    assert one.endswith("\n1 file could not be read: see evaluation.json")

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
    assert json.loads((run / "evaluation_data.json").read_text()) == printed
    assert json.loads((run / "evaluation.json").read_text())["data"] == f"folder:{images}"
    assert printed["split_rule"] == "all examples"
    shutil.copytree(images / "blue", other / "violet")
    with pytest.raises(UserError) as error:
        run_command("evaluate", run, f"--data=folder:{other}")
    assert str(error.value) == (
        f"folder:{other} has a class violet, which the run does not know: its classes are blue, red"
    )
    with pytest.raises(UserError, match=r"evaluate takes one RUN. Received: none"):
        run_command("evaluate")
    with pytest.raises(UserError, match=f"{images} is not a run: it has no recipe.json"):
        run_command("evaluate", images)

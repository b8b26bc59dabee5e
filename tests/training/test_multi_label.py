"""Data with several labels a row, from the list to predictions, by the commands and functions."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import a2keras
from a2keras.errors import UserError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.run.directory import Run

SETTINGS = {
    "weights": "none", "multi_label": True, "size": 16, "epochs": 24, "batch_size": 16,
    "learning_rate": 0.02, "flip": False, "crop_scale": 0.95, "freeze_epochs": 0,
    "freeze_rate": 0.0, "freeze_bn": False, "freeze_until": "", "label_smoothing": 0.0,
    "validation_fraction": 0.15, "select": "best", "model": "a2_resnet11",
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory, write_squares):
    """Trained once; the network is that of `tiny_network`, which each test has in its place."""
    folder = tmp_path_factory.mktemp("squares")
    return write_squares(folder / "data", 96), folder / "run"


@pytest.fixture
def run(trained, tiny_network):
    data, path = trained
    return a2keras.train("folder", data=data, output=path, **SETTINGS)


def test_a_tiny_network_learns_it(run, trained):
    assert run.recipe.multi_label
    spec = Preprocessing.load(run.path)
    assert spec.multi_label
    assert spec.labels == ("blue", "green", "red")
    assert json.loads((run.path / "preprocessing.json").read_text())["multi_label"] is True
    line = run.history[-1]
    assert line["validation_mAP"] > 0.9
    assert {"micro_f1", "validation_micro_f1", "validation_macro_f1"} <= line.keys()
    assert "accuracy" not in line
    best = max(run.history, key=lambda each: each["validation_mAP"])
    assert run.results["epoch"] == best["epoch"]
    assert run.results["metrics"]["validation_mAP"] == best["validation_mAP"]
    scores = a2keras.evaluate(run)
    assert scores["mAP"] > 0.95
    assert scores["micro_f1"] > 0.8
    assert scores["mAP"] > scores["chance_mAP"] + 0.4
    names = {path.name for path in run.path.iterdir()}
    assert {"per_class.csv", "calibration.png", "mistakes.html", "curves.png"} <= names
    assert "confusion.png" not in names
    rows = list(csv.DictReader((run.path / "predictions.csv").open()))
    listed = dict(line.split(",") for line in trained[0].read_text().splitlines()[1:])
    assert len(rows) == scores["examples"]
    for row in rows:
        assert set(row["truth"].split("|")) == set(listed[row["file"]].split("|"))
    again = a2keras.evaluate(run, data=trained[0])  # all of the list
    assert again["examples"] == 96


def test_it_goes_on_bit_for_bit(run, trained, tmp_path):
    whole = Run.load(run.path).history()
    part = tmp_path / "part"
    shutil.copytree(run.path, part)
    (part / "results.json").unlink()
    steps = sorted((part / "checkpoints").glob("step_*"))
    shutil.rmtree(steps[-1])  # the end of the run is lost
    again = a2keras.train(output=part)
    without_clock = [
        [{k: v for k, v in line.items() if "second" not in k} for line in lines]
        for lines in (whole, again.history)
    ]
    assert without_clock[0] == without_clock[1]
    for ours, theirs in zip(run.load_model().weights, again.load_model().weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.slow
def test_what_is_predicted(run, trained, tmp_path, run_command):
    files = [trained[0].parent / f"{i:03}.png" for i in range(3)]
    found = a2keras.predict(run, files)
    for each in found:
        scores = {entry.label: entry.probability for entry in each.top}
        assert len(scores) == 3
        said = [name for name, score in scores.items() if score >= 0.5]
        assert [entry.label for entry in each.labels] == said
    document = json.loads(run_command("predict", run.path, *files, "--format=json"))
    assert [each["labels"] for each in document["predictions"]] == [
        [entry.label for entry in each.labels] for each in found
    ]
    table = list(
        csv.DictReader(run_command("predict", run.path, *files, "--format=csv").splitlines())
    )
    assert [row["labels"] for row in table] == [
        "|".join(entry.label for entry in each.labels) for each in found
    ]
    printed = run_command("predict", run.path, *files, "--top=1")
    marked = sum(line.endswith(" *") for line in printed.splitlines())
    assert marked == sum(len(each.labels) for each in found)  # all that is said, whatever --top
    picture = np.zeros((19, 23, 3), "uint8")
    picture[2:14, 2:14] = 240  # white: all three colours
    Image.fromarray(picture).save(tmp_path / "white.png")
    (white,) = a2keras.predict(run, tmp_path / "white.png")
    assert sum(entry.probability for entry in white.top) > 1.2


def test_what_is_explained(run, tmp_path):
    found = a2keras.explain(run, output=tmp_path / "maps", samples=4)
    labels = [each["label"] for each in found["explained"]]
    assert len(set(labels)) == 4  # of as many sets of labels as there are
    assert all(each["class_maps"] for each in found["explained"])


@pytest.mark.slow
def test_exports_compute_the_same(run, trained, tmp_path):
    formats = ["saved_model", "tflite_float32", "onnx"]
    manifest = a2keras.export(run, tmp_path / "artefacts", formats=formats)
    assert manifest["failed"] == {}
    assert manifest["preprocessing"]["multi_label"] is True
    for artefact in manifest["artefacts"].values():
        parity = artefact["parity"]["serving_default"]
        assert parity["max_error"] < 1e-4
        assert parity["real_top1_agreement"] == 1.0
    file = trained[0].parent / "000.png"
    (own,) = a2keras.predict(run, file)
    for name in ("saved_model", "model_float32.tflite", "model.onnx"):
        (other,) = a2keras.predict(tmp_path / "artefacts" / name, file)
        assert [entry.label for entry in other.labels] == [entry.label for entry in own.labels]
        for one, two in zip(own.top, other.top, strict=True):
            assert one.probability == pytest.approx(two.probability, abs=1e-4)
    measured = a2keras.benchmark(
        tmp_path / "artefacts/model_float32.tflite", data=trained[0], repeats=5
    )
    assert measured["artefacts"][0]["mAP"] > 0.9
    assert "top1" not in measured["artefacts"][0]


def test_softmax_is_no_export_of_labels(run, tmp_path):
    spec = json.loads((run.path / "preprocessing.json").read_text())
    del spec["multi_label"]  # as a softmax classifier's
    shutil.copy(run.path / "model.keras", tmp_path / "model.keras")
    (tmp_path / "preprocessing.json").write_text(json.dumps(spec))
    with pytest.raises(
        UserError, match="and for sigmoids where the preprocessing says multi_label"
    ):
        a2keras.export(tmp_path / "model.keras", tmp_path / "out", formats=["tflite_float32"])


@pytest.mark.slow
def test_folds_and_rows(trained, tiny_network, tmp_path, run_command):
    fields = {**SETTINGS, "epochs": 2, "select": "last"}
    found = a2keras.cross_validate(
        "folder", data=trained[0], output=tmp_path / "folds", folds=3, **fields
    )
    assert found["examples"] == 96
    assert list(found["mean"]) == ["mAP", "micro_f1", "macro_f1"]

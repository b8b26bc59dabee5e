"""`a2keras.export`, `predict`, `timeline` and `benchmark` from a program."""

import json

import numpy as np
import pytest

import a2keras
from a2keras.export.predict import load
from a2keras.models import keras_files


@pytest.mark.slow
def test_predictions_are_those_of_the_artefact(image_run, photos):
    found = a2keras.predict(image_run, [photos[0], str(photos[1])], top=2)
    artefact = load(image_run, apart=False)
    assert (len(found), found.errors, found.kind) == (2, (), "keras")
    for prediction, photo in zip(found, photos, strict=False):
        scores = artefact.classify(photo)
        assert prediction.file == str(photo)
        assert prediction.label == artefact.preprocessing.labels[scores.argmax()]
        assert prediction.probability == pytest.approx(scores.max(), abs=2e-6)
        assert len(prediction.top) == 2
    with load(image_run) as loaded:  # which stays open
        assert a2keras.predict(loaded, photos[0])[0].label == found[0].label
        assert a2keras.predict(loaded, photos[:2], top=2) == found
    assert list(found[:1]) == [found[0]]
    header, *lines = found.csv().splitlines()
    assert header == "file,class_1,probability_1,class_2,probability_2"
    assert lines[0].split(",")[:2] == [str(photos[0]), found[0].label]


@pytest.mark.slow
def test_a_file_that_cannot_be_read_ends_it_or_is_kept(image_run, photos):
    files = [str(photos[0]), "absent.jpg"]
    with pytest.raises(a2keras.UserError) as error:
        a2keras.predict(image_run, files)
    assert str(error.value) == "absent.jpg: does not exist"
    found = a2keras.predict(image_run, files, unreadable="keep")
    assert [each.file for each in found] == files[:1]
    assert found.errors == (("absent.jpg", "absent.jpg: does not exist"),)
    model = str(image_run / "model.keras")
    assert repr(found) == f"<Predictions by {model!r}: 1 file, 1 unreadable>"
    assert (
        repr(found[0]) == f"<Prediction {files[0]!r}: {found[0].label} {found[0].probability:.1%}>"
    )


@pytest.mark.slow
def test_a_timeline(video_run, video, tmp_path):
    found = a2keras.timeline(video_run, video, every=0.12, output=tmp_path / "out")
    assert found.times == pytest.approx([0.16 + 0.12 * number for number in range(4)])
    labels = ", ".join(dict.fromkeys(each["label"] for each in found.segments()))
    assert repr(found) == (
        f"<Timeline {str(video)!r}: 4 clips of {found.seconds:.2f} s, every 0.12 s: {labels}>"
    )
    assert found.document() == json.loads((tmp_path / "out/timeline.json").read_text())
    assert found.csv() == (tmp_path / "out/timeline.csv").read_text()


def test_an_export_by_the_package_itself(image_run, photos, tmp_path, capsys):
    manifest = a2keras.export(image_run, tmp_path / "out", "tflite_float32", photos[0])
    written = json.loads((tmp_path / "out/manifest.json").read_text())
    assert json.loads(json.dumps(manifest)) == written
    assert list(manifest["artefacts"]) == ["tflite_float32"]
    assert manifest["artefacts"]["tflite_float32"]["parity"]["serving_default"]["samples"] == 9
    assert capsys.readouterr() == ("", "writing tflite_float32\n")


@pytest.mark.slow
def test_a_benchmark(image_run):
    document = a2keras.benchmark(image_run, repeats=5, warm_up=1)
    (measured,) = document["artefacts"]
    assert measured["latency_median"] > 0 and np.isfinite(measured["throughput_ratio"])


COUNT = "must be a whole number of at least 1. Received:"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: a2keras.predict(run, "a.jpg", top=0), f"`top` {COUNT} `top=0`"),
        (lambda run: a2keras.predict(run, "a.jpg", crops=1.5), f"`crops` {COUNT} `crops=1.5`"),
        (
            lambda run: a2keras.predict(run, "a.jpg", crops=2),
            "`crops` must be 1, or 3 where the preprocessing crops. "
            "Received: `crops=2`, fit='crop'",
        ),
        (
            lambda run: a2keras.predict(run, "a.jpg", views=2),
            "`views` is for videos, and RUN/model.keras takes images",
        ),
        (
            lambda run: a2keras.predict(run, "a.jpg", unreadable="skip"),
            "`unreadable` must be raise or keep. Received: `unreadable=skip`",
        ),
        (
            lambda run: a2keras.timeline(run, "a.mp4", every=0),
            "`every` must be a number of seconds above 0. Received: `every=0`",
        ),
        (
            lambda run: a2keras.timeline(run, "a.mp4", every="1"),
            "`every` must be a number of seconds above 0. Received: `every='1'`",
        ),
        (
            lambda run: a2keras.export(run, "gs://a/b"),
            "`output` must be a directory of this machine or mounted on it. Received: `output=gs:",
        ),
        (
            lambda run: a2keras.timeline(run, "a.mp4", output="gs://a/b"),
            "`output` must be a directory of this machine or mounted on it. Received: `output=gs:",
        ),
        (
            lambda run: a2keras.explain(run, output="gs://a/b"),
            "`output` must be a directory of this machine or mounted on it. Received: `output=gs:",
        ),
        (lambda run: a2keras.predict(run, 3), "a path must be a text or a pathlib.Path. Received"),
        (lambda run: a2keras.export(3, "out"), "a path must be a text or a pathlib.Path. Rec"),
        (lambda run: a2keras.export(run, "out", None), "there is no format 'None': choose from"),
        (
            lambda run: a2keras.export(run, "out", tolerance="1"),
            "`tolerance` must be from 0 to 1. Received: `tolerance='1'`",
        ),
        (lambda run: a2keras.timeline(run, "absent.mp4"), "absent.mp4: does not exist"),
        (lambda run: a2keras.benchmark([]), "`artefacts` must be at least one artefact."),
        (lambda run: a2keras.benchmark(run, repeats=0), f"`repeats` {COUNT} `repeats=0`"),
        (
            lambda run: a2keras.export(run, run.parent / "out", formats="tf"),
            "there is no format 'tf': choose from saved_model, ",
        ),
        (
            lambda run: a2keras.export(run, run.parent / "out", tolerance=2),
            "`tolerance` must be from 0 to 1. Received: `tolerance=2`",
        ),
    ],
)  # fmt: skip
def test_messages_name_arguments(image_run, call, message):
    with pytest.raises(a2keras.UserError) as error:
        call(image_run)
    assert str(error.value).startswith(message.replace("RUN", str(image_run)))


def test_a_sample_that_is_missing_is_told_before_the_model_is_loaded(
    image_run, tmp_path, monkeypatch
):
    monkeypatch.setattr(keras_files, "load", lambda path: pytest.fail("loaded"))
    with pytest.raises(a2keras.UserError) as error:
        a2keras.export(image_run, tmp_path / "out", samples="absent.png")
    assert str(error.value) == "a sample cannot be read: absent.png: does not exist"

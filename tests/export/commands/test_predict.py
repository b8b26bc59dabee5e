"""`a2keras predict` as a user calls it: files, views, and one video over time."""

import json
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest

from a2keras.__main__ import main
from a2keras.errors import UserError
from a2keras.export import timeline
from a2keras.export.commands.predict import _timeline_text, predict
from a2keras.export.predict import Found, load
from a2keras.export.timeline import Timeline
from a2keras.models.preprocessing import DecodeError, Preprocessing, decode_video
from a2keras.models.preprocessing import video as decoding


def a2keras(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "a2keras", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def answer(capsys, *arguments) -> dict:
    predict([*map(str, arguments), "--format=json"])
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_predict_prints_its_own_lines_only(image_export, photos):
    tflite = image_export / "model_float32.tflite"
    done = a2keras("predict", tflite, photos[0], "--format=json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["kind"] == "tflite"


@pytest.mark.slow
def test_how_the_input_is_made_is_read_once(image_run, photos, monkeypatch):
    read, load_from = [], Preprocessing.load
    monkeypatch.setattr(Preprocessing, "load", lambda place: read.append(place) or load_from(place))
    predict([str(image_run), str(photos[0])])
    assert read == [image_run]


def test_a_cut_off_artefact_ends_with_code_2(image_export, photos, tmp_path, monkeypatch, capsys):
    tflite = tmp_path / "cut.tflite"
    tflite.write_bytes((image_export / "model_float32.tflite").read_bytes()[:2000])
    Preprocessing.load(image_export).save(tmp_path)
    monkeypatch.setattr(sys, "argv", ["a2keras", "predict", str(tflite), str(photos[0])])
    assert main() == 2
    assert capsys.readouterr() == (
        "",
        f"a2keras predict: {tflite} cannot be loaded as tflite: "
        "it is damaged, cut off or no LiteRT model\n",
    )


@pytest.mark.slow
def test_a_library_that_crashes_ends_with_code_2(image_export, photos, tmp_path, monkeypatch):
    """Its process alone: the import of the interpreter is where it does so here."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'ai_edge_litert.interpreter': os.abort()\n"
        "if 'a2keras.export.reading.worker' in sys.orig_argv: sys.meta_path.insert(0, Finder())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    tflite = image_export / "model_float32.tflite"
    done = a2keras("predict", tflite, photos[0])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"a2keras predict: {tflite} cannot be loaded as tflite: its process was ended by signal 6 "
        "(SIGABRT)\n"
    )
    done = a2keras("benchmark", tflite)
    assert done.stderr == (
        f"a2keras benchmark: {tflite} cannot be measured: its process was ended by signal 6 "
        "(SIGABRT)\n"
    )
    assert done.returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["saved_model", "model_float32.tflite", "."])
def test_all_artefacts_predict_the_same(image_run, image_export, photos, name, capsys):
    predict([str(image_run), *map(str, photos), "--format=json"])
    expected = json.loads(capsys.readouterr().out)["predictions"]
    predict([str(image_export / name), *map(str, photos), "--format=json"])
    actual = json.loads(capsys.readouterr().out)["predictions"]
    assert [entry["file"] for entry in actual] == [str(photo) for photo in photos]
    for one, other in zip(expected, actual, strict=True):
        assert [entry["label"] for entry in one["top"]] == [
            entry["label"] for entry in other["top"]
        ]
        for a, b in zip(one["top"], other["top"], strict=True):
            assert a["probability"] == pytest.approx(b["probability"], abs=3e-6)


@pytest.mark.slow
def test_predict_as_text(video_export, video, capsys):
    predict([str(video_export), str(video), "--top=2"])
    file, first, second = capsys.readouterr().out.splitlines()
    artefact = load(video_export)
    (scores,) = artefact.probabilities(artefact.preprocessing.views(video))
    best = scores.argsort()[::-1]
    assert file == str(video)
    for line, index in ((first, best[0]), (second, best[1])):
        share, label = line.split()
        assert label == artefact.preprocessing.labels[index]
        assert float(share.rstrip("%")) == pytest.approx(100 * scores[index], abs=0.01)


@pytest.mark.slow
def test_files_that_cannot_be_read_are_told(image_run, photos, tmp_path, capsys):
    text = tmp_path / "text.png"
    text.write_text("no image")
    files = [str(photos[0]), str(text), "absent.jpg"]
    with pytest.raises(UserError) as caught:
        predict([str(image_run), *files, "--format=json"])
    assert str(caught.value) == "2 of 3 files could not be classified"
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert [entry["file"] for entry in document["predictions"]] == [str(photos[0])]
    assert [entry["file"] for entry in document["errors"]] == [str(text), "absent.jpg"]
    assert err.splitlines()[-2:] == [
        f"{text}: is not an image that can be read",
        "absent.jpg: does not exist",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("views", "crops"), [(1, 3), (3, 1), (3, 3)])
def test_views_are_averaged(video_run, video_export, video, views, crops, capsys):
    artefact = load(video_run)
    expected = artefact.probabilities(artefact.preprocessing.views(video, views, crops))
    assert len(expected) == views * crops
    options = (f"--views={views}", f"--crops={crops}")
    document = answer(capsys, video_export / "model_float32.tflite", video, *options)
    assert (document["views"], document["crops"]) == (views, crops)
    given = {each["label"]: each["probability"] for each in document["predictions"][0]["top"]}
    for label, mean in zip(artefact.preprocessing.labels, expected.mean(axis=0), strict=True):
        assert given[label] == pytest.approx(mean, abs=3e-6)
    assert np.ptp(expected, axis=0).max() > 1e-3  # so that it matters which views are averaged


@pytest.mark.slow
def test_crops_of_an_image(image_run, photos, capsys):
    artefact = load(image_run)
    expected = artefact.probabilities(artefact.preprocessing.views(photos[0], crops=3))
    document = answer(capsys, image_run, photos[0], "--crops=3")
    best = document["predictions"][0]["top"][0]["probability"]
    assert best == pytest.approx(expected.mean(axis=0).max(), abs=2e-6)


@pytest.mark.slow
def test_a_video_that_is_too_long_for_memory_is_classified(video_run, video, monkeypatch, capsys):
    expected = answer(capsys, video_run, video, "--views=2")
    monkeypatch.setattr(decoding, "MAX_FRAMES", 7)
    with pytest.raises(DecodeError, match="more than 7 frames"):
        decode_video(video)
    assert answer(capsys, video_run, video, "--views=2") == expected


def png_of(width: int, height: int) -> bytes:
    """A small PNG that says that it is large."""

    def chunk(name: bytes, content: bytes) -> bytes:
        whole = name + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    header = struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)


@pytest.mark.slow
def test_files_of_the_wrong_kind(image_run, video_run, photos, video, tmp_path, capsys):
    array = tmp_path / "array.npy"
    np.save(array, np.zeros((17, 17, 3), np.uint8))
    large, bomb = tmp_path / "large.png", tmp_path / "bomb.png"
    large.write_bytes(png_of(12_000, 9_000))
    bomb.write_bytes(png_of(60_000, 70_000))
    for run, file, reason in (
        (
            image_run,
            video,
            "is a video, but the network takes images: --timeline classifies its frames",
        ),
        (image_run, tmp_path / "absent.mp4", "does not exist"),
        (image_run, array, "is not an image that can be read"),
        (image_run, large, "has 12000 × 9000 pixels, more than the limit of 89478485"),
        (image_run, bomb, "has more pixels than the limit of 89478485"),
        (video_run, photos[0], "is a still image, not a video"),
        (
            video_run,
            array,
            "is not a video that can be read (Invalid data found when processing input)",
        ),
    ):
        with pytest.raises(UserError, match=r"^1 of 1 files could not be classified$"):
            predict([str(run), str(file)])
        assert capsys.readouterr() == ("", f"{file}: {reason}\n")


def test_without_a_file_that_is_there_no_model_is_loaded(image_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Found, "load", lambda found: pytest.fail("loaded"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"^2 of 2 files could not be classified$"):
        predict([str(image_run), "absent.png", str(tmp_path / "nor_this.png")])
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "absent.png: does not exist",
        f"{tmp_path}/nor_this.png: does not exist",
    ]
    with pytest.raises(UserError) as error:
        predict([str(image_run), str(tmp_path / "empty")])
    assert str(error.value) == f"the folder {tmp_path}/empty holds no image"
    with pytest.raises(UserError) as error:
        predict([str(image_run), "absent.mp4", "--timeline", f"--output={tmp_path}/out"])
    assert str(error.value) == "absent.mp4: does not exist"


@pytest.mark.slow
def test_labels_of_another_model(image_run, copy_of, photos, monkeypatch, capsys):
    run = copy_of(image_run)
    document = json.loads((run / "preprocessing.json").read_text())
    (run / "preprocessing.json").write_text(json.dumps({**document, "labels": ["a", "b"]}))
    monkeypatch.setattr(sys, "argv", ["a2keras", "predict", str(run), str(photos[0])])
    assert main() == 2
    assert capsys.readouterr().err == (
        f"a2keras predict: {run / 'model.keras'} gives outputs of shape (3,), but "
        "its preprocessing names 2 classes\n"
    )


@pytest.mark.slow
def test_a_timeline(video_export, video, tmp_path, capsys):
    """19 frames of 25 a second; clips of 5 frames, 2 apart: 9 frames, which fit at 11 places."""
    model, output = video_export / "model_float32.tflite", f"--output={tmp_path / 'out'}"
    document = answer(capsys, model, video, "--timeline", "--every=0.12", output)
    assert document["kind"] == "tflite"
    assert document["times"] == pytest.approx([0.16 + 0.12 * number for number in range(4)])
    artefact = load(video_export)
    frames = artefact.preprocessing.read(video)
    for number, given in enumerate(document["probabilities"]):
        clip = artefact.preprocessing.crop(frames[3 * number : 3 * number + 9 : 2])
        np.testing.assert_allclose(given, artefact.probabilities(clip[None])[0], atol=3e-6)
    stored = json.loads((tmp_path / "out/timeline.json").read_text())
    assert document == {"artefact": str(model), "kind": "tflite", **stored}
    predict([str(model), str(video), "--timeline", "--every=0.12", output])
    first, *segments, last = capsys.readouterr().out.splitlines()
    assert first == f"{video}: 4 clips of 0.32 s, every 0.12 s"
    assert len(segments) == len(document["segments"])
    assert segments[0].split()[:4] == ["0.00", "–", f"{document['segments'][0]['to']:.2f}", "s"]
    assert last == f"timeline.png, .csv and .json are in {tmp_path / 'out'}"


def test_a_timeline_as_text():
    times, probabilities = np.array([0.0]), np.array([[0.25, 0.75]])
    labels = ("left", "right")
    single = Timeline("a/film.mp4", labels, times, probabilities, 1.0, 0.0, "frame rate")
    assert _timeline_text(single).splitlines() == [
        "a/film.mp4: 1 frame, every 1 s",
        "  its frames have no usable time stamps: times are by the frame rate",
        "       0.00 –      0.50 s   75.00%  right",
    ]


@pytest.mark.slow
def test_a_timeline_of_single_frames(image_run, video, tmp_path, capsys):
    document = answer(capsys, image_run, video, "--timeline", "--every=0.2", f"--output={tmp_path}")
    assert document["times"] == pytest.approx([0, 0.2, 0.4, 0.6])
    artefact = load(image_run)
    frames = decode_video(video).frames[[0, 5, 10, 15]]
    expected = artefact.probabilities(np.stack([artefact.preprocessing.crop(f) for f in frames]))
    np.testing.assert_allclose(document["probabilities"], expected, atol=3e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a"], "give an artefact and at least one file to classify"),
        (["absent", "a.png"], "absent does not exist"),
        (["a", "b", "--every=2"], "--every is for --timeline"),
        (["a", "b", "--output=out"], "--output is for --timeline"),
        (["a", "b", "c", "--timeline"], "--timeline takes one video. Received: b c"),
        (
            ["a", "b", "--timeline"],
            "--output=DIR is missing: the directory for the timeline's files",
        ),
        (
            ["a", "b", "--timeline", "--output=c", "--views=2"],
            "--views is for whole videos: --timeline has its clips by --every",
        ),
        *(
            (
                ["a", "b", "--timeline", "--output=c", f"--every={every}"],
                f"--every must be a number of seconds above 0. Received: --every={told}",
            )
            for every, told in (("0", "0.0"), ("-1", "-1.0"), ("nan", "nan"), ("inf", "inf"))
        ),
        (["IMAGE", "b", "--views=2"], "--views is for videos, and IMAGE takes images"),
        (
            ["IMAGE", "b", "--crops=2"],
            "--crops must be 1, or 3 where the preprocessing crops. "
            "Received: --crops=2, fit='crop'",
        ),
    ],
)
def test_messages(image_run, arguments, message):
    with pytest.raises(UserError) as caught:
        predict([argument.replace("IMAGE", str(image_run)) for argument in arguments])
    assert str(caught.value) == message.replace("IMAGE", str(image_run / "model.keras"))


@pytest.mark.slow
def test_a_timeline_of_too_many_clips(video_run, video, tmp_path, monkeypatch):
    monkeypatch.setattr(timeline, "MAX_NUMBERS", 32)
    with pytest.raises(UserError) as caught:
        predict([str(video_run), str(video), "--timeline", "--every=0.001", f"--output={tmp_path}"])
    assert str(caught.value) == (
        f"{video}: gives 11 clips of 3 classes: make them fewer by --every"
    )


@pytest.mark.slow
def test_a_timeline_of_what_is_no_video(video_run, photos, tmp_path):
    with pytest.raises(UserError) as caught:
        predict([str(video_run), str(photos[0]), "--timeline", f"--output={tmp_path}"])
    assert str(caught.value) == f"{photos[0]}: is a still image, not a video"
    assert list(tmp_path.iterdir()) == []

"""The commands as a user calls them."""

import json
import subprocess
import sys

import av
import pytest
from PIL import Image

from a2keras.__main__ import main
from a2keras.console import UserError
from a2keras.export import commands
from a2keras.export.parity import natural_pixels
from a2keras.export.predict import load
from a2keras.export.predict_command import predict


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    directory = tmp_path_factory.mktemp("photos")
    for number, pixels in enumerate(natural_pixels((37, 41, 3), 3, seed=5)):
        Image.fromarray(pixels).save(directory / f"{number}.png")
    return sorted(directory.iterdir())


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 24, 40, "yuv420p"
        for pixels in natural_pixels((19, 24, 40, 3), 1)[0]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def a2keras(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "a2keras", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_export_prints_its_own_lines_only(video_run, video, tmp_path):
    done = a2keras("export", video_run, f"--output={tmp_path / 'out'}", f"--samples={video.parent}")
    assert done.returncode == 0
    assert done.stderr == "writing saved_model\nwriting tflite_float32\n"
    heading, *rows, last = done.stdout.splitlines()
    assert heading.split() == ["artefact", "MiB", "samples", "max", "error", "mean", "top-1"]
    assert [row.split()[0] for row in rows] == ["saved_model", "model_float32.tflite"]
    assert [row.split()[2] for row in rows] == ["9", "9"]  # eight random ones and the video
    assert last == f"written to {tmp_path / 'out'}"


def test_predict_prints_its_own_lines_only(image_export, photos):
    tflite = image_export / "model_float32.tflite"
    done = a2keras("predict", tflite, photos[0], "--format=json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["kind"] == "tflite"


def test_a_cut_off_artefact_ends_with_code_2(image_export, photos, tmp_path, monkeypatch, capsys):
    tflite = tmp_path / "cut.tflite"
    tflite.write_bytes((image_export / "model_float32.tflite").read_bytes()[:2000])
    monkeypatch.setattr(sys, "argv", ["a2keras", "predict", str(tflite), str(photos[0])])
    assert main() == 2
    assert capsys.readouterr() == (
        "",
        f"a2keras predict: {tflite} cannot be loaded as tflite: "
        "it is damaged, cut off or no LiteRT model\n",
    )


def test_export_as_json(image_run, photos, tmp_path, capsys):
    arguments = [f"--output={tmp_path / 'out'}", "--formats=tflite_float32", "--format=json"]
    samples = [f"--samples={photo}" for photo in photos[:2]]
    commands.export([str(image_run / "model.keras"), *arguments, *samples])
    manifest = json.loads(capsys.readouterr().out)
    assert manifest == json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["artefacts"]["tflite_float32"]["parity"]["serving_default"]["real_samples"] == 2
    assert manifest["artefacts"]["tflite_float32"]["parity"]["serving_default"]["samples"] == 10


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


def test_messages(image_run, tmp_path):
    for command, arguments, message in (
        (commands.export, [], "give one run or .keras file. Received: none"),
        (commands.export, ["a", "b"], "give one run or .keras file. Received: a b"),
        (commands.export, ["a"], "--output=DIR is missing: the directory to write"),
        (
            commands.export,
            [str(image_run), f"--output={tmp_path / 'out'}", f"--samples={tmp_path}"],
            f"--samples={tmp_path} holds no image and no video",
        ),
        (predict, ["a"], "give an artefact and at least one file to classify"),
        (predict, ["absent", "a.png"], "absent does not exist"),
    ):
        with pytest.raises(UserError) as caught:
            command(arguments)
        assert str(caught.value) == message


def test_help_is_instant_and_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['a2keras', 'export', '--help']; sys.modules['tensorflow'] = None;"
        "from a2keras.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--formats" in done.stdout

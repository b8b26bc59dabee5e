"""The commands as a user calls them."""

import json
import subprocess
import sys

import pytest

from a2keras.errors import UserError
from a2keras.export.commands import export
from a2keras.export.interface.export import _files


def a2keras(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "a2keras", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_export_prints_its_own_lines_only(video_run, video, tmp_path):
    done = a2keras("export", video_run, f"--output={tmp_path / 'out'}", f"--samples={video.parent}")
    assert done.returncode == 0
    saved_model, tflite = (tmp_path / "out" / n for n in ("saved_model", "model_float32.tflite"))
    assert done.stderr.splitlines() == [
        "writing saved_model",
        "writing tflite_float32",
        "next:",
        f"  a2keras predict {saved_model} FILE",
        f"  a2keras benchmark {saved_model} {tflite}",
        "  tensorflow_model_server --rest_api_port=8501 --model_name=model "
        f"--model_base_path={saved_model}",
    ]
    heading, *rows, last = done.stdout.splitlines()
    assert heading.split() == ["artefact", "MiB", "samples", "max", "error", "mean", "top-1"]
    signatures = ["saved_model", "serving_uint8", "serving_bytes", "features"]
    assert [row.split()[0] for row in rows] == [*signatures, "model_float32.tflite"]
    for row in rows:
        assert row.split()[1 if row.startswith(" ") else 2] == "9"  # eight random ones, the video
    assert last == f"written to {tmp_path / 'out'}"


def test_export_as_json(image_run, photos, tmp_path, capsys):
    arguments = [f"--output={tmp_path / 'out'}", "--formats=tflite_float32", "--format=json"]
    samples = [f"--samples={photo}" for photo in photos[:2]]
    export.export([str(image_run / "model.keras"), *arguments, *samples])
    manifest = json.loads(capsys.readouterr().out)
    assert manifest == json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["artefacts"]["tflite_float32"]["parity"]["serving_default"]["real_samples"] == 2
    assert manifest["artefacts"]["tflite_float32"]["parity"]["serving_default"]["samples"] == 10


def test_files_that_are_passed_over_are_counted(tmp_path, capsys):
    for name in ("a.jfif", "b.JP2", "c.m2ts", "d.txt", "e", "f.svg"):
        (tmp_path / name).touch()
    (tmp_path / "g.jpg").mkdir()
    assert _files([tmp_path]) == [tmp_path / n for n in ("a.jfif", "b.JP2", "c.m2ts")]
    assert capsys.readouterr().err == (
        f"{tmp_path}: 3 files were passed over, such as d.txt (.txt: 1, no suffix: 1, .svg: 1)\n"
    )


def test_messages(image_run, tmp_path):
    for command, arguments, message in (
        (export.export, [], "give one run or .keras file. Received: none"),
        (export.export, ["a", "b"], "give one run or .keras file. Received: a b"),
        (export.export, ["a"], "--output=DIR is missing: the directory to write"),
        (
            export.export,
            [str(image_run), f"--output={tmp_path / 'out'}", f"--samples={tmp_path}"],
            f"--samples={tmp_path} holds no image and no video",
        ),
        (
            export.export,
            [str(image_run), f"--output={image_run}"],
            f"{image_run} exists and is not an export of a2keras: choose another --output",
        ),
        (
            export.export,
            [str(image_run), f"--output={tmp_path / 'out'}", "--tolerance=2"],
            "--tolerance must be from 0 to 1. Received: --tolerance=2.0",
        ),
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


def test_what_comes_next_is_filled_in_and_quoted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    (run / "results.json").write_text(json.dumps({"example_file": "/photos/a cat.jpg"}))
    artefacts = {"onnx": {"path": "model.onnx"}, "web": {"path": "web"}}
    assert export._next({"artefacts": artefacts}, str(run), "my export") == [
        "a2keras predict 'my export/model.onnx' '/photos/a cat.jpg'",
        "a2keras benchmark 'my export/model.onnx'",
        f"python3 -m http.server --bind 127.0.0.1 --directory '{tmp_path}/my export/web'",
    ]
    first, *_ = export._next({"artefacts": artefacts}, "i3d:kinetics400", "-o")
    assert first == f"a2keras predict {tmp_path}/-o/model.onnx FILE"

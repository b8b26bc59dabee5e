"""`a2keras preprocessing`, and the export of a bare file by what it writes."""

import json

import keras
import pytest

from a2keras import DoubleAttention
from a2keras.__main__ import run
from a2keras.errors import UserError
from a2keras.models.preprocessing import Preprocessing


def run_command(*arguments: str) -> None:
    run(list(arguments))


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffant\r\n  bee \n\ncrème brûlée\n".encode())
    return path


def test_it_writes_what_is_beside_a_model(tmp_path, labels, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_command("preprocessing", "--size=47", f"--labels={labels}")
    assert Preprocessing.load(tmp_path) == Preprocessing(("ant", "bee", "crème brûlée"), 47)
    assert "3 classes, pixels (47, 47, 3)" in capsys.readouterr().err
    run_command(
        "preprocessing", "--size=47", f"--labels={labels}", "--frames=5", "--stride=3",
        "--takes=caffe", "--short_side=53", "--interpolation=bicubic", "--output=clips.json",
    )  # fmt: skip
    assert Preprocessing.read_file("clips.json") == Preprocessing(
        ("ant", "bee", "crème brûlée"), 47, frames=5, stride=3, takes="caffe", short_side=53,
        interpolation="bicubic",
    )  # fmt: skip
    flags = ["--size=47", f"--labels={labels}", "--multi_label", "--output=several.json"]
    run_command("preprocessing", *flags)
    several = Preprocessing.read_file("several.json")
    assert several == Preprocessing(("ant", "bee", "crème brûlée"), 47, multi_label=True)


def test_a_bare_file_is_exported_by_it(tmp_path, labels):
    layers = [keras.Input((19, 19, 3)), DoubleAttention(2, 5), keras.layers.Flatten()]
    keras.Sequential([*layers, keras.layers.Dense(3, "softmax")]).save(tmp_path / "own.keras")
    spec = tmp_path / "mine.json"
    run_command(
        "preprocessing", "--size=19", f"--labels={labels}", "--takes=tf", f"--output={spec}"
    )
    output = tmp_path / "export"
    run_command(
        "export", str(tmp_path / "own.keras"), f"--preprocessing={spec}", f"--output={output}",
        "--formats=tflite_float32",
    )  # fmt: skip
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["labels"] == ["ant", "bee", "crème brûlée"]
    assert manifest["preprocessing"]["mean"] == [127.5] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size=0"], "--size must be an integer of at least 1. Received: 0"),
        (["--size=9", "--short_side=7"], "--short_side must be at least --size"),
        (["--size=9", "--labels=none.txt"], "none.txt cannot be read: No such file or directory"),
        (["--size=9", "--labels=picture"], "picture is no text in UTF-8"),
        (["--size=9", "--labels=empty"], "--labels must be names, at least one. Received: ()"),
        (["--size=9", "--labels=twice"], "--labels must differ from one another"),
        (["--size=9", "--output=no/where.json"], "no/where.json cannot be written: "),
        (["--size=9", "--output=twice"], "twice exists: choose another --output, or remove it"),
        (["--size=9", "more"], "preprocessing takes no arguments. Received: more"),
    ],
)
def test_mistakes(tmp_path, labels, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "picture").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "twice").write_text("a\na\n")
    given = arguments if any("labels" in each for each in arguments) else [
        f"--labels={labels}", *arguments
    ]  # fmt: skip
    with pytest.raises(UserError) as error:
        run_command("preprocessing", *given)
    assert str(error.value).startswith(message)
    assert not (tmp_path / "preprocessing.json").exists()

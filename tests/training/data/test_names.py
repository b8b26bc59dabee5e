"""Names that no terminal, no text and no drawing takes as they are: every command goes on."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from a2keras.errors import UserError, printable
from a2keras.training.config import Recipe
from a2keras.training.data import list_source, open_source, resolve
from a2keras.training.data.source import fingerprints_of

CLASSES = (b"caf\xe9 $5_$x", "中文 e\u0301".encode(), b"_under")
SHOWN = ("_under", "caf\\xe9 $5_$x", "中文 é")
FILES = (b"a\xff.png", b"$x_$.png", b"n" * 244 + b".png", b"line\nbreak\x1b[31m.png")


@pytest.fixture
def data(tmp_path, write_images):
    """Three classes of eight images, and a broken one each; four of the names are FILES."""
    for hue, name in enumerate(CLASSES):
        folder = os.fsdecode(os.fsencode(tmp_path / "data") + b"/" + name)
        write_images(Path(folder), 9, hue)
        for number, file in enumerate(FILES):
            (Path(folder) / f"{number:02}.png").rename(Path(folder) / os.fsdecode(file))
        (Path(folder) / os.fsdecode(b"broken\xfe.png")).write_bytes(name)
    return tmp_path / "data"


@pytest.mark.slow
def test_from_training_to_explanation(tmp_path, data, tiny_network, run_command, capsys):
    run, maps = tmp_path / "run", tmp_path / "maps"
    settings = ["size=16", "batch_size=4", "epochs=1", "test_fraction=0.5"]
    flags = [f"--set={each}" for each in settings]
    run_command(
        "train",
        "--recipe=folder",
        "--set=weights=none",
        f"--data=folder:{data}",
        f"--output={run}",
        *flags,
    )
    document = json.loads((run / "data.json").read_text())
    assert tuple(document["classes"]) == SHOWN
    assert {each["path"] for each in document["skipped"]} == {
        f"{name}/broken\\xfe.png" for name in SHOWN[:2]
    } | {"中文 e\u0301/broken\\xfe.png"}
    # The names are read back to split what is left as it was.
    scores = json.loads(run_command("evaluate", run, "--format=json"))
    assert scores["examples"] == document["examples"]["test"] == 12
    assert set(scores["per_class"]) == set(SHOWN)
    assert (run / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert "caf\\xe9 $5_$x" in run_command("evaluate", run)

    folder = Path(os.fsdecode(os.fsencode(data) + b"/" + CLASSES[0]))
    away = tmp_path / "away"
    away.mkdir()
    shutil.copy(folder / os.fsdecode(FILES[0]), away / os.fsdecode(FILES[0]))
    files = [folder / os.fsdecode(file) for file in FILES] + [away / os.fsdecode(FILES[0])]
    run_command("explain", run, *files, f"--output={maps}")
    explained = json.loads((maps / "explain.json").read_text())["explained"]
    pictures = [example[key] for example in explained for key in ("picture", "input")]
    assert len(set(pictures)) == 2 * len(files)
    assert all((maps / picture).stat().st_size > 100 for picture in pictures)
    assert explained[0]["name"].endswith("caf\\xe9 $5_$x/a\\xff.png")
    run_command("explain", run, f"--output={tmp_path}/held_out", "--samples=12")


def test_lists_of_them(tmp_path, data):
    """A list is text: it cannot name what is not UTF-8, but a folder of the same files can."""
    names = ["中文 é/$x_$.png", "中文 é/" + "n" * 244 + ".png", '_under/"line', "_under/$x_$.png"]
    (data / "_under" / '"line').symlink_to("$x_$.png")
    rows = "".join(f'"{name}",{name[0]}\n' for name in names if '"' not in name)
    (tmp_path / "l.csv").write_text(rows)
    recipe = resolve(Recipe("mine", data=f"csv:{tmp_path}/l.csv", root=str(data), size=16))
    assert list_source(recipe).classes == ("_", "中")
    train = open_source(recipe).splits["train"]
    assert len(fingerprints_of(train, "")) == len(train)


def test_prepared(tmp_path, data, run_command):
    pytest.importorskip("apache_beam")
    run_command("prepare", f"folder:{data}", f"--output={tmp_path}/prepared")
    recipe = resolve(Recipe("mine", data=f"prepared:{tmp_path}/prepared", size=16))
    ours, theirs = open_source(recipe), open_source(resolve(Recipe("m", data=f"folder:{data}")))
    assert ours.classes == theirs.classes == SHOWN
    for split, examples in theirs.splits.items():
        assert ours.splits[split].names == examples.names
        assert fingerprints_of(ours.splits[split], "") == fingerprints_of(examples, "")
        for i in range(len(examples)):
            assert np.array_equal(ours.splits[split].frames(i), examples.frames(i))


def test_places_that_a_run_cannot_keep_are_told(tmp_path, data, run_command):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff")
    shutil.copytree(data, odd)
    shown = f"{tmp_path}/odd\\xff"
    for arguments, what in (
        ([f"--data=folder:{odd}", f"--output={tmp_path}/run"], "--data"),
        ([f"--data=folder:{data}", f"--output={odd}/run"], "--output"),
        ([f"--data=folder:{data}", f"--output={tmp_path}/r", f"--set=root={odd}"], "root"),
    ):
        with pytest.raises(UserError) as error:
            run_command("train", "--recipe=folder", "--set=weights=none", *arguments)
        assert str(error.value).startswith(
            f"{what} must be a path in UTF-8, which a run can keep. Received: "
        )
        assert shown in printable(str(error.value))

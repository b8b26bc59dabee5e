"""The commands with which `train` ends: they are typed as they stand."""

import json
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest

from a2keras.training.config import Recipe
from a2keras.training.data.source import ArrayExamples, Source
from a2keras.training.run.directory import Run
from a2keras.training.run.next_commands import example_file, next_commands


def run_of(path, splits, file):
    path.mkdir(parents=True)
    results = {"data": {"examples": dict.fromkeys(splits, 3)}, "example_file": file}
    (path / "results.json").write_text(json.dumps(results))
    return Run(path, Recipe("mine"))


def arguments(line: str) -> list[str]:
    """What a shell makes of a line."""
    script = f"a2keras() {{ printf '%s\\n' \"$@\"; }}; {line}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_shell_takes_them_as_they_stand(tmp_path):
    path, file = tmp_path / "it's $HOME; a run", "/data/t-shirt & more/a '1'.jpg"
    evaluate, explain, export, predict = next_commands(run_of(path, ["train", "test"], file))
    assert arguments(evaluate) == ["evaluate", str(path)]
    assert arguments(explain) == ["explain", str(path), f"--output={path}/explained"]
    assert arguments(export) == ["export", str(path), f"--output={path}/export"]
    assert arguments(predict) == ["predict", str(path), file]


def test_examples_that_are_no_files(tmp_path):
    path = tmp_path / "a run"
    *_, predict = next_commands(run_of(path, ["train", "validation"], None))
    (path / "explained").mkdir()
    for name in ("01_zero.png", "01_zero_input.png", "02_one_input.gif"):
        (path / "explained" / name).touch()
    inputs = [f"{path}/explained/{each}" for each in ("01_zero_input.png", "02_one_input.gif")]
    assert arguments(predict) == ["predict", str(path), *inputs]


def test_nothing_held_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = next_commands(run_of(Path("-run"), ["train"], "-a.jpg"))
    assert [shlex.split(line)[1:] for line in lines] == [
        ["explain", "./-run", "./-a.jpg", "--output=./-run/explained"],
        ["export", "./-run", "--output=./-run/export"],
        ["predict", "./-run", "./-a.jpg"],
    ]


def test_the_file_is_one_that_was_held_out(images):
    from a2keras.training.data import open_source, resolve

    source = open_source(resolve(Recipe("mine", data=f"folder:{images}", size=16)))
    path = Path(example_file(source))
    assert path.is_absolute() and path.is_file()
    assert f"{path.parent.name}/{path.name}" in source.splits["test"].names
    array = ArrayExamples(np.zeros((1, 2, 2, 3), "uint8"), np.zeros(1), ("a",))
    assert example_file(Source(("a",), {"train": array}, "", "")) is None


@pytest.mark.slow
@pytest.mark.parametrize("flag", [[], ["--set=test_fraction=0", "--set=validation_fraction=0"]])
def test_training_ends_with_commands_that_run(
    flag, tmp_path, images, tiny_network, run_command, capsys
):
    run = tmp_path / "the run"
    settings = ["size=16", "batch_size=4", "epochs=1", "steps_per_epoch=1", "warmup_epochs=0"]
    chosen = [f"--set={setting}" for setting in settings] + flag
    from a2keras import __main__ as command

    command.run(
        [
            "train",
            "--recipe=folder",
            "--set=weights=none",
            f"--data=folder:{images}",
            f"--output={run}",
            *chosen,
        ]
    )
    told = capsys.readouterr().err.splitlines()
    lines = [line.strip() for line in told[told.index("next:") + 1 :]]
    assert [line.split()[1] for line in lines[-2:]] == ["export", "predict"]
    for line in lines:
        if " export " not in line:  # takes long, and has its own tests
            command.run(shlex.split(line)[1:])
    name = Path(shlex.split(lines[-1])[-1]).name
    assert name in capsys.readouterr().out

"""Official splits as UCF-101 publishes them: three runs, and their mean."""

import json
import statistics
from pathlib import Path

import pytest

from a2keras.errors import UserError


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    """A folder with three pairs of lists; each holds out another third of 12 images a class."""
    return tmp_path_factory.mktemp("ucf")


@pytest.fixture
def folds(lists, tiny_network, run_command, write_images):
    """Trains the three splits, once."""
    settings = ["size=16", "batch_size=4", "epochs=1", "crop_scale=0.9", "validation_fraction=0"]
    runs = [lists / f"run{fold}" for fold in (1, 2, 3)]
    if not runs[0].exists():
        write_images(lists / "Blue", 12, 2)
        write_images(lists / "Red", 12, 0)
        (lists / "classInd.txt").write_text("1 Blue\n2 Red\n")
        for fold in (1, 2, 3):
            named = [(f"{name}/{i:02}.png", i) for name in ("Blue", "Red") for i in range(12)]
            held = [name for name, i in named if i % 3 == fold - 1]
            others = [
                f"{name} {1 + name.startswith('Red')}" for name, i in named if i % 3 != fold - 1
            ]
            (lists / f"trainlist0{fold}.txt").write_text("\n".join(others))
            (lists / f"testlist0{fold}.txt").write_text("\n".join(held))
        (lists / "Red/01.png").write_bytes(b"no image")  # held out by the second
        for fold, run in enumerate(runs, 1):
            train(run_command, lists, run, *settings, f"fold={fold}")
    return runs


def train(run_command, lists, run, *settings):
    chosen = [f"--set={setting}" for setting in settings]
    run_command(
        "train",
        "--recipe=folder",
        "--set=weights=none",
        f"--data=csv:{lists}",
        f"--output={run}",
        *chosen,
    )


def test_the_score_is_the_mean_of_the_splits(folds, run_command):
    lines = run_command("evaluate", *folds).splitlines()
    document = json.loads((folds[0] / "folds.json").read_text())
    each = [json.loads((run / "evaluation.json").read_text()) for run in folds]
    assert document["folds"] == each
    assert [fold["examples"] for fold in each] == [8, 7, 8]
    assert len({fold["fingerprint"] for fold in each}) == 3  # other lists of the same files
    for measure in ("top1", "balanced_accuracy"):
        values = [fold[measure] for fold in each]
        assert document["mean"][measure] == {
            "mean": pytest.approx(sum(values) / 3),
            "std": pytest.approx(statistics.stdev(values)),
        }
    assert "top5" not in document["mean"]  # of two classes
    assert document["examples"] == 23
    assert document["skipped"] == 3  # every list has the file that cannot be read
    check_table(lines, folds)


def check_table(lines: list[str], folds: list[Path]) -> None:
    """A line for each split, and one for the mean."""
    assert lines[0].split() == ["run", "examples", "skipped", "file", "list", "top1",
                                "balanced_accuracy"]  # fmt: skip
    for line, run in zip(lines[1:4], folds, strict=True):
        fold = json.loads((run / "evaluation.json").read_text())
        assert line.split()[:4] == [
            str(run), str(fold["examples"]), "1", fold["fingerprint"][:16]
        ]  # fmt: skip
        assert f"{100 * fold['top1']:.1f} %" in line
    assert lines[4].split()[:5] == ["mean", "±", "std", "23", "3"]
    assert "±" in lines[4][15:]
    assert lines[5] == "3 folds:"
    for number, line in enumerate(lines[6:9], 1):
        assert line.startswith(f"  by trainlist0{number}.txt, testlist0{number}.txt")
    assert lines[9] == "top-1: centre crop"


def test_runs_that_are_no_folds_are_refused(folds, run_command, tmp_path, lists):
    with pytest.raises(UserError) as error:
        run_command("evaluate", folds[0], folds[1], folds[0])
    assert str(error.value) == (
        f"{folds[0]} and {folds[0]} are not folds of one data set: both hold out Blue/00.png"
    )
    with pytest.raises(UserError) as error:
        run_command("evaluate", folds[0], folds[1], f"--data=csv:{lists}")
    assert str(error.value) == f"--data is for one RUN. Received: {folds[0]} {folds[1]}"
    recipe = json.loads((folds[1] / "recipe.json").read_text())
    changed = tmp_path / "changed"
    changed.mkdir()
    for name in ("data.json", "results.json", "preprocessing.json"):
        (changed / name).write_bytes((folds[1] / name).read_bytes())
    (changed / "recipe.json").write_text(json.dumps({**recipe, "epochs": 3}))
    with pytest.raises(UserError) as error:
        run_command("evaluate", folds[0], changed)
    assert str(error.value) == (
        f"{changed} and {folds[0]} are not folds of one data set: epochs is 3 and 1"
    )
    preprocessing = json.loads((changed / "preprocessing.json").read_text())
    names = {**preprocessing, "labels": ["Red", "Blue"]}
    (changed / "preprocessing.json").write_text(json.dumps(names))
    with pytest.raises(UserError) as error:
        run_command("evaluate", folds[0], changed)
    assert str(error.value) == f"{changed} has other classes than {folds[0]}"

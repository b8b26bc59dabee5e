"""`a2keras.cross_validate`, and `a2keras train --folds`."""

import csv

import pytest

import a2keras

SMALL = {"weights": "none", "size": 16, "batch_size": 4, "steps_per_epoch": 1, "epochs": 1}


@pytest.fixture
def images(tmp_path, write_images):
    write_images(tmp_path / "images/blue", 7, 2)
    write_images(tmp_path / "images/red", 5, 0)
    return tmp_path / "images"


@pytest.mark.slow
def test_every_example_is_held_out_once(images, tmp_path, run_command, tiny_network, capsys):
    settings = [f"--set={name}={value}" for name, value in SMALL.items()]
    command = ["train", "--recipe=folder", f"--data={images}", "--folds=3", *settings]
    printed = run_command(*command, f"--output={tmp_path}/cv")
    runs = sorted((tmp_path / "cv").iterdir())
    assert [run.name for run in runs] == ["fold1", "fold2", "fold3"]
    tested = []
    for run in runs:
        with (run / "predictions.csv").open(newline="") as file:
            tested += [row["file"] for row in csv.DictReader(file)]
    assert len(tested) == len(set(tested)) == 12
    assert printed.count("fold1 ") == 1 and "mean ± std" in printed
    capsys.readouterr()
    again = a2keras.cross_validate("folder", data=images, output=tmp_path / "cv", folds=3, **SMALL)
    assert capsys.readouterr().err.count("nothing is left to do") == 3
    top1 = [fold["top1"] for fold in again["folds"]]
    assert again["mean"]["top1"]["mean"] == pytest.approx(sum(top1) / 3)
    assert again["examples"] == 12


def test_the_runs_lie_on_this_machine(images):
    with pytest.raises(a2keras.UserError, match=r"`output` must be a directory of this machine"):
        a2keras.cross_validate("folder", data=images, output="gs://bucket/cv", folds=2)


def test_what_is_there_stays_alone(tmp_path, images):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/thesis.txt").write_text("x")
    for output in ("precious", "precious/thesis.txt"):
        with pytest.raises(a2keras.UserError) as error:
            a2keras.cross_validate("folder", data=images, output=tmp_path / output, folds=2)
        assert str(error.value) == (
            f"{tmp_path / output} exists and holds no folds: choose another `output`"
        )
    assert [each.name for each in (tmp_path / "precious").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    "names", [(".DS_Store", "Thumbs.db"), ("fold1", "notes.txt"), ("fold1", "fold2", "plots")]
)
def test_what_lies_beside_the_folds_does_not_stop_it(tmp_path, images, monkeypatch, names):
    for name in names:
        (tmp_path / "cv" / name).mkdir(parents=True)
    trained = []
    monkeypatch.setattr(
        "a2keras.training.interface.cross_validate.train",
        lambda recipe, output, **settings: trained.append(output.name),
    )
    monkeypatch.setattr("a2keras.training.interface.cross_validate.evaluate", len)
    output = tmp_path / "cv"
    assert a2keras.cross_validate("folder", data=images, output=output, folds=3) == 3
    assert trained == ["fold1", "fold2", "fold3"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "`folds` must be a whole number of at least 2. Received: `folds=0`"),
        ({"folds": 1}, "`folds` must be a whole number of at least 2. Received: `folds=1`"),
        ({"folds": 2.0}, "`folds` must be a whole number of at least 2. Received: `folds=2.0`"),
        (
            {"folds": 2, "strategy": "multi_worker"},
            "`strategy=multi_worker` is for one run: the chief alone has its files",
        ),
        ({"folds": 2, "fold": 1}, "`fold` is for one run: all are trained. Received: `fold=1`"),
    ],
)
def test_mistakes(tmp_path, images, fields, message):
    with pytest.raises(a2keras.UserError) as error:
        a2keras.cross_validate("folder", data=images, output=tmp_path / "cv", **fields)
    assert str(error.value) == message
    assert not (tmp_path / "cv").exists()

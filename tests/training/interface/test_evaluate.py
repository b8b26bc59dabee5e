"""`a2keras.evaluate` and `a2keras.explain` from a program."""

import json

import pytest

import a2keras


@pytest.fixture(scope="module")
def folds(tmp_path_factory, write_images):
    """Two runs, by the network of the recipe: each has half of the pictures as its test set."""
    directory = tmp_path_factory.mktemp("folds")
    write_images(directory / "images/blue", 8, 2)
    write_images(directory / "images/red", 8, 0)
    return [
        a2keras.train(
            "folder",
            data=f"folder:{directory}/images",
            output=directory / str(k),
            weights="none",
            size=16,
            batch_size=4,
            steps_per_epoch=1,
            epochs=1,
            folds=2,
            fold=k,
        )
        for k in (1, 2)
    ]


def test_scores_are_what_the_file_says(folds, capsys):
    scores = a2keras.evaluate(folds[0])
    assert scores == json.loads((folds[0].path / "evaluation.json").read_text())
    assert scores["examples"] == 8
    assert capsys.readouterr().out == ""
    other = a2keras.evaluate(str(folds[0].path), data=f"folder:{folds[0].path.parent}/images")
    assert (other["examples"], other["warning"][:7]) == (16, "WARNING")


def test_several_runs_are_folds(folds):
    document = a2keras.evaluate(folds)
    assert document == json.loads((folds[0].path / "folds.json").read_text())
    top1 = [fold["top1"] for fold in document["folds"]]
    assert document["mean"]["top1"]["mean"] == pytest.approx(sum(top1) / 2)
    assert a2keras.evaluate(each.path for each in folds) == document  # as of Path.glob


def test_messages(folds, tmp_path):
    run = folds[0]
    for arguments, message in (
        (([],), "`run` must be a run, or several. Received: none"),
        ((3,), "a path must be a text or a pathlib.Path. Received: 3"),
        ((b"run",), "a path must be a text or a pathlib.Path. Received: b'run'"),
        ((tmp_path,), f"{tmp_path} is not a run: it has no recipe.json"),
    ):
        with pytest.raises(a2keras.UserError) as error:
            a2keras.evaluate(*arguments)
        assert str(error.value) == message
    with pytest.raises(a2keras.UserError) as error:
        a2keras.evaluate([run, run], data="digits")
    assert str(error.value) == f"`data` is for one RUN. Received: {run.path} {run.path}"
    with pytest.raises(a2keras.UserError) as error:
        a2keras.evaluate(run, views=0)
    assert str(error.value) == "recipe field views must be at least 1. Received: views=0"
    for wrong in (-1, 2.0, True):
        with pytest.raises(
            a2keras.UserError, match=r"^`precise_bn` must be a whole number of at l"
        ):
            a2keras.evaluate(run, precise_bn=wrong)
    with pytest.raises(a2keras.UserError) as error:
        a2keras.explain(run, output=tmp_path / "out", samples=0)
    assert (
        str(error.value) == "`samples` must be a whole number of at least 1. Received: `samples=0`"
    )


def test_explanations_are_what_the_file_says(folds, tmp_path):
    picture = next((folds[0].path.parent / "images/red").iterdir())
    document = a2keras.explain(folds[0], picture, output=tmp_path / "out")
    assert document == json.loads((tmp_path / "out/explain.json").read_text())
    assert [each["name"] for each in document["explained"]] == [str(picture)]
    held_out = a2keras.explain(folds[0], output=tmp_path / "held_out", samples=1)
    assert held_out["explained"][0]["label"] in ("blue", "red")

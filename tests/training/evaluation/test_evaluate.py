"""A run on images, evaluated: on what it held out, by other views, on other data, and refused."""

import dataclasses
import json
import resource
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from a2keras import __main__ as command
from a2keras.errors import UserError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.compute import network
from a2keras.training.data import open_source
from a2keras.training.data.pipeline import training_batches
from a2keras.training.evaluation.precise_statistics import with_precise_statistics
from a2keras.training.evaluation.scores import table
from a2keras.training.run.directory import Run


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("trained") / "run"


@pytest.fixture
def run(trained, tmp_path, images, tiny_network, run_command) -> Path:
    """A run on the images, one of which is none; trained once, a copy for each test."""
    (images / "red/99.png").write_bytes(b"no image")
    settings = ["size=16", "batch_size=17", "epochs=6", "learning_rate=0.2", "crop_scale=0.9"]
    if not trained.exists():
        run_command(
            "train",
            "--recipe=folder",
            "--set=weights=none",
            f"--data=folder:{images}",
            f"--output={trained}",
            *(f"--set={setting}" for setting in settings),
        )
    copy = Path(shutil.copytree(trained, tmp_path / "run"))
    recipe = json.loads((copy / "recipe.json").read_text())
    (copy / "recipe.json").write_text(json.dumps({**recipe, "data": f"folder:{images}"}))
    return copy


def test_the_scores_of_what_was_held_out(run, run_command):
    results = json.loads((run / "results.json").read_text())
    assert [skipped["path"] for skipped in results["data"]["skipped"]] == ["red/99.png"]
    printed = json.loads(run_command("evaluate", run, "--format=json"))
    assert printed == json.loads((run / "evaluation.json").read_text())
    assert printed["split"] == "test"
    assert printed["examples"] == 5 - sum("99" in s["path"] for s in printed["skipped"])
    assert printed["top1"] == 1.0  # colours are easy
    assert (run / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert "always the most frequent class" in table(printed)
    assert table(printed).startswith("4 examples of the test split (test: 0.2 of every class (seed")
    fingerprint = results["data"]["fingerprint"]
    assert f"\nfile list {fingerprint}, 1 file skipped\n" in table(printed)
    assert table(printed).endswith("\ntop-1: centre crop")
    assert printed["warning"] is None
    one = table({**printed, "examples": 1, "skipped": []})
    assert one.startswith("1 example of the test split (")
    assert f"\nfile list {fingerprint}, 0 files skipped\n" in one


def test_it_tells_what_it_wrote_and_what_comes_next(run, images, capsys):
    for flags, suffix in ([], ""), ([f"--data=folder:{images}"], "_data"):
        before = {path.name for path in run.iterdir()}
        command.run(["evaluate", str(run), *flags])
        *_, written, heading, explain, export, predict = capsys.readouterr().err.splitlines()
        files = written.removeprefix(f"written into {run}: ").split(", ")
        assert files[:2] == [f"evaluation{suffix}.json", f"predictions{suffix}.csv"]
        assert {path.name for path in run.iterdir()} - before == set(files)
        assert heading == "next:"
        assert explain == f"  a2keras explain {run} --output={run}/explained"
        assert export == f"  a2keras export {run} --output={run}/export"
        assert predict.startswith(f"  a2keras predict {run} ")


def test_other_views_and_other_statistics(run, run_command):
    flags = ["--crops=3", "--precise_bn=2", "--format=json"]
    printed = json.loads(run_command("evaluate", run, *flags))
    assert printed["protocol"] == [
        "top-1: mean probabilities of 3 crops along the longer side",
        "statistics of batch normalisation from 2 training batches",
    ]


def test_precise_statistics_are_those_of_the_last_batches(run):
    """Those of the first batch normalisation are those of what it takes in the last batches."""
    run, preprocessing = Run.load(run), Preprocessing.load(run)
    model = keras.models.load_model(run.model_path, compile=False)
    before = model.get_weights()
    precise, words = with_precise_statistics(run, preprocessing, model, 2)
    assert words == "statistics of batch normalisation from 2 training batches"
    source = open_source(run.recipe)
    recipe = dataclasses.replace(run.recipe, batch_size=9)  # 18 examples, at most 17 a batch
    steps = 2 * recipe.epochs
    batches = training_batches(source.splits["train"], recipe, preprocessing, steps - 2)
    pixels = np.concatenate([np.asarray(x) for x, _ in batches])
    assert len(pixels) == 2 * 9
    norm = next(x for x in precise.layers if isinstance(x, keras.layers.BatchNormalization))
    entering = keras.Model(precise.input, norm.input).predict_on_batch(pixels)
    np.testing.assert_allclose(norm.moving_mean, entering.mean((0, 1, 2)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, entering.var((0, 1, 2)), rtol=1e-3)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_statistics_that_the_run_held_are_not_measured(run, run_command):
    """They would be reported as measured, and are as they were."""
    edit_recipe(run, freeze_bn=True)
    with pytest.raises(UserError) as error:
        run_command("evaluate", run, "--precise_bn=2")
    assert str(error.value) == (
        f"--precise_bn measures the batch normalisation of {run}, and the run held all of it "
        "(freeze_bn=True). Received: --precise_bn=2"
    )
    assert not (run / "evaluation.json").exists()


def test_what_was_measured_of_a_run_that_held_a_part(run, tiny_network_of_the_paper):
    """The block's own normalisations have learned, that of the trunk has not."""
    edit_recipe(run, freeze_bn=True)
    held, preprocessing = Run.load(run), Preprocessing.load(run)
    model = network.build(held.recipe, preprocessing)
    before = {weight.path: np.array(weight) for weight in model.weights}
    precise, words = with_precise_statistics(held, preprocessing, model, 99)
    assert words == (
        "statistics of batch normalisation from 12 training batches, of 4 of its 5 layers: the run "
        "held the others (freeze_bn=True)"
    )
    changed = {
        weight.path.split("/")[0]
        for weight, old in zip(precise.weights, before.values(), strict=True)
        if (np.array(weight) != old).any()
    }
    assert changed == {"attention"}


def edit_recipe(run: Path, **fields: object) -> None:
    recipe = json.loads((run / "recipe.json").read_text())
    (run / "recipe.json").write_text(json.dumps({**recipe, **fields}))


def test_a_full_disk_is_told(run, tmp_path, run_command):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))  # as on a full disk
        with pytest.raises(UserError) as error:
            run_command("evaluate", run)
        with pytest.raises(UserError) as unseen:
            run_command("explain", run, f"--output={tmp_path}/pictures", "--samples=1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(error.value) == f"the scores cannot be written to {run}: File too large"
    assert str(unseen.value) == (
        f"the pictures cannot be written to {tmp_path}/pictures: File too large"
    )


def test_data_that_have_changed_are_refused(run, images, run_command):
    """They would be split anew, and mix what was trained on into the test."""
    shutil.copy(images / "red/00.png", images / "red/100.png")
    with pytest.raises(UserError) as error:
        run_command("evaluate", run)
    assert str(error.value) == f"the files of folder:{images} have changed since {run} began"


def test_other_data_with_the_same_classes(run, images, tmp_path, run_command):
    """Classes in another order keep their names."""
    run_command("evaluate", run)
    other = tmp_path / "other"
    shutil.copytree(images / "red", other / "red")
    shutil.copytree(images / "blue", other / "blue")
    printed = json.loads(run_command("evaluate", run, f"--data=folder:{other}", "--format=json"))
    assert printed["examples"] == 24
    results = json.loads((run / "results.json").read_text())
    trained = results["data"]["examples"]["train"]
    assert trained == 18
    assert printed["warning"].startswith(
        f"WARNING: 18 of the 25 examples are files that {run} was trained on, such as "
    )
    assert printed["warning"].endswith(": the score says little about others")
    assert f"\n{printed['warning']}\n" in table(printed)
    assert json.loads((run / "evaluation_data.json").read_text()) == printed
    assert json.loads((run / "evaluation.json").read_text())["data"] == f"folder:{images}"
    assert printed["split_rule"] == "all examples"
    shutil.copytree(images / "blue", other / "violet")
    with pytest.raises(UserError) as error:
        run_command("evaluate", run, f"--data=folder:{other}")
    assert str(error.value) == (
        f"folder:{other} has a class violet, which the run does not know: its classes are blue, red"
    )


def test_what_is_no_run_is_refused(images, run_command):
    with pytest.raises(UserError, match=r"evaluate takes a RUN. Received: none"):
        run_command("evaluate")
    with pytest.raises(UserError, match=f"{images} is not a run: it has no recipe.json"):
        run_command("evaluate", images)


def test_a_model_that_was_exchanged_for_one_that_holds_code_is_not_run(run, tmp_path, run_command):
    pixels = keras.Input((16, 16, 3))
    keras.Model(pixels, keras.layers.Lambda(lambda x: x[:, 0, 0])(pixels)).save(run / "model.keras")
    for arguments in (["evaluate", run], ["explain", run, f"--output={tmp_path}/explained"]):
        with pytest.raises(UserError) as error:
            run_command(*arguments)
        assert str(error.value) == (
            f"{run}/model.keras holds a Lambda layer, that is code of its own, which is not run"
        )

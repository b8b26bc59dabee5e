"""A run that comes from anywhere: its links are not written through, its files may be damaged."""

import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.models.preprocessing.samples import Samples
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.run.checkpoints import Checkpoint, Checkpoints, DamagedCheckpoint
from a2keras.training.run.directory import Run
from a2keras.training.run.progress import Progress

SETTINGS = ["size=16", "batch_size=4", "epochs=1", "validation_fraction=0"]


@pytest.fixture
def run(tmp_path, images, tiny_network, run_command):
    """A run of one epoch, in a directory of its own."""
    path = tmp_path / "run"
    settings = [f"--set={each}" for each in SETTINGS]
    run_command(
        "train",
        "--recipe=folder",
        "--set=weights=none",
        f"--data=folder:{images}",
        f"--output={path}",
        *settings,
    )
    return path


def link_all(directory: Path, victim: Path) -> list[str]:
    """Puts a link to a victim of its own in the place of every file, which moves there."""
    names = []
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            name = path.relative_to(directory).as_posix()
            target = victim / name.replace("/", "_")
            path.rename(target)
            path.symlink_to(target)
            names.append(name)
    return names


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_no_command_writes_through_a_link_in_a_run(run, tmp_path, images, run_command):
    victim = tmp_path / "victim"
    victim.mkdir()
    run_command("evaluate", run)
    run_command("evaluate", run, f"--data=folder:{images}")
    run_command("explain", run, f"--output={tmp_path / 'maps'}", "--samples=1")
    assert {"confusion.png", "curves.png", "model.keras"} <= set(link_all(run, victim))
    link_all(tmp_path / "maps", victim)
    before = contents(victim)
    run_command("evaluate", run)
    run_command("evaluate", run, f"--data=folder:{images}")
    run_command("explain", run, f"--output={tmp_path / 'maps'}", "--samples=1")
    (run / "results.json").unlink()  # so that it goes on, and is finished again
    run_command("train", f"--output={run}")
    assert contents(victim) == before
    assert not (run / "confusion.png").is_symlink() and not (run / "model.keras").is_symlink()
    assert not any(path.is_symlink() for path in (tmp_path / "maps").iterdir())
    assert not list(run.rglob(".*"))


@pytest.mark.parametrize("name", ["checkpoints", "tensorboard"])
def test_a_directory_that_is_a_link_is_refused(run, tmp_path, run_command, name):
    elsewhere = tmp_path / "elsewhere"
    (run / name).rename(elsewhere)
    (elsewhere / ".step_00000003.partial").mkdir()
    (run / name).symlink_to(elsewhere)
    for left in ("results.json", "metrics.jsonl"):
        (run / left).unlink()
    before = sorted(path.relative_to(elsewhere) for path in elsewhere.rglob("*"))
    recipe = json.loads((run / "recipe.json").read_text())
    (run / "recipe.json").write_text(json.dumps({**recipe, "epochs": 2}))
    with pytest.raises(UserError, match="it is a symbolic link, which is not followed"):
        run_command("train", f"--output={run}")
    assert sorted(path.relative_to(elsewhere) for path in elsewhere.rglob("*")) == before


def test_checkpoints_that_are_links_are_replaced_not_followed(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").touch()
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=1)
    checkpoints.directory.mkdir()
    for name in ("step_00000001", "step_00000002", ".step_00000002.partial"):
        (checkpoints.directory / name).symlink_to(elsewhere)
    checkpoints.save(Checkpoint(2, {"a": np.zeros(3)}, {}))
    assert [path.name for path in checkpoints.directory.iterdir()] == ["step_00000002"]
    assert not checkpoints.path(2).is_symlink()
    assert [path.name for path in elsewhere.iterdir()] == ["mine"]


def damages(content: bytes, count: int, seed: int):
    """A file with some bytes changed, cut off, doubled, and what else happens to files."""
    chance = random.Random(seed)
    for _ in range(count):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(damaged))
            damaged[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        yield bytes(damaged[: chance.choice([len(damaged), chance.randrange(len(damaged) + 1)])])


READERS = {
    "recipe.json": lambda run: Recipe.load(run / "recipe.json"),
    "data.json": lambda run: Run(run, Recipe("x")).report(),
    "preprocessing.json": Preprocessing.load,
    "metrics.jsonl": lambda run: Run(run, Recipe("x")).history(),
    "samples.npz": lambda run: Samples.load(run, (16, 16, 3)),
}


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_of_a_run_is_one_sentence_with_its_path(run, name):
    path, told = run / name, 0
    for damaged in damages(path.read_bytes(), 100, seed=7):
        path.write_bytes(damaged)
        try:
            READERS[name](run)
        except UserError as error:
            told += 1
            assert str(path) in str(error)
            assert "\n" not in str(error)
    assert told > 20


def test_a_damaged_checkpoint_is_damaged_and_nothing_worse(run, tmp_path):
    checkpoints = Checkpoints(run / "checkpoints", record=Progress)
    step = checkpoints.steps()[-1]
    for name in ("document.json", "state.npz", "SHA256SUMS"):
        path = checkpoints.path(step) / name
        sound = path.read_bytes()
        for damaged in damages(sound, 30, seed=3):
            path.write_bytes(damaged)
            if damaged == sound:
                continue
            with pytest.raises(DamagedCheckpoint) as told:
                checkpoints.load(step)
            assert "\n" not in str(told.value)
        path.write_bytes(sound)
    assert checkpoints.load(step).step == step


def test_a_document_of_another_kind_is_damage_though_its_checksum_holds(tmp_path):
    checkpoints = Checkpoints(tmp_path, record=Progress)
    for number, document in enumerate(
        ({"step": "x"}, {"steps": 3}, {"history": [{}]}, {"history": [{"step": [1]}]})
    ):
        checkpoints.save(Checkpoint(number, {"a": np.zeros(3)}, document))
        with pytest.raises(DamagedCheckpoint, match=r"step|history"):
            checkpoints.load(number)


def test_a_run_of_odd_documents_is_told_by_the_command(run, run_command):
    whole = shutil.copytree(run, run.parent / "whole")
    for name, text, command in (
        ("recipe.json", '{"name": "x", "epochs": "many"}', "evaluate"),
        ("recipe.json", '{"name": "x", "epochs": 0}', "evaluate"),
        ("recipe.json", "[" * 100_000, "evaluate"),
        ("data.json", '{"fingerprint": 5}', "evaluate"),
        ("data.json", '{"fingerprint": "0", "skipped": [{"path": 3}]}', "evaluate"),
        ("preprocessing.json", '{"labels": ["a", 1], "size": 16}', "evaluate"),
    ):
        shutil.copytree(whole, run, dirs_exist_ok=True)
        (run / name).write_text(text)
        with pytest.raises(UserError) as told:
            run_command(command, run)
        assert str(told.value).startswith(f"{run / name} is not a ")
        assert "\n" not in str(told.value)


def network(inputs=(16, 16, 3), classes=2, outputs=1, maps=False):
    """A network that may not fit a run."""
    import keras

    taken = keras.Input(inputs)
    x = taken if maps else keras.layers.Flatten()(taken)
    given = [keras.layers.Dense(classes, activation="softmax")(x) for _ in range(outputs)]
    return keras.Model(taken, given[0] if outputs == 1 else given)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"inputs": (8, 8, 3)}, "takes pixels of shape (8, 8, 3), but its preprocessing makes"),
        ({"classes": 3}, "gives outputs of shape (3,), but its preprocessing names 2 classes"),
        ({"maps": True}, "gives outputs of shape (16, 16, 2), but its preprocessing names 2"),
        ({"outputs": 2}, "cannot be loaded as keras: it must have one input and one output"),
        ({"size": 24}, "takes pixels of shape (16, 16, 3), but its preprocessing makes (24, 24"),
        ({"labels": ["blue"]}, "gives outputs of shape (2,), but its preprocessing names 1 cl"),
        (
            {"labels": ["blue", "red", "x"]},
            "gives outputs of shape (2,), but its preprocessing names 3 c",
        ),
    ],
)
def test_a_network_that_does_not_fit_its_preprocessing(
    run, images, tmp_path, run_command, change, reason
):
    if change.keys() & {"size", "frames", "labels"}:
        path = run / "preprocessing.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    else:
        network(**change).save(run / "model.keras")
    commands = [["explain", run, images / "blue/00.png", f"--output={tmp_path / 'maps'}"]]
    if "labels" not in change or len(change["labels"]) > 1:  # of data with classes that it knows
        commands.append(["evaluate", run])
    for arguments in commands:
        with pytest.raises(UserError) as told:
            run_command(*arguments)
        assert str(told.value).startswith(f"{run / 'model.keras'} {reason}")
        assert "\n" not in str(told.value)
    assert not (run / "evaluation.json").exists()


def test_precise_statistics_of_another_network(run, run_command):
    network().save(run / "model.keras")
    with pytest.raises(UserError) as told:
        run_command("evaluate", run, "--precise_bn=1")
    assert str(told.value) == (
        f"{run / 'model.keras'} is not the network a2_resnet11 that its recipe.json names"
    )


@pytest.mark.parametrize("name", ["preprocessing.json", "data.json", "model.keras"])
def test_a_pipe_is_not_waited_for(run, run_command, name):
    (run / name).unlink()
    os.mkfifo(run / name)
    with pytest.raises(UserError, match="it is a pipe or a device, not a file") as told:
        run_command("evaluate", run)
    assert str(told.value).startswith(str(run / name))


def test_an_output_that_is_a_link_is_followed(tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    recipe = Recipe("x", data="folder:x")
    with (
        Run(tmp_path / "link", recipe).locked(),
        pytest.raises(UserError, match="is being trained by another process"),
        Run(tmp_path / "runs", recipe).locked(),
    ):
        pass


def test_a_network_whose_names_tensorflow_refuses(run, images, tmp_path, run_command):
    import keras

    from a2keras import DoubleAttention

    pixels = keras.Input((16, 16, 3))
    x = DoubleAttention(3, 2, name="\x1b]0;TITLE\x07 $frac{")(pixels)
    x = keras.layers.Dense(2, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x))
    keras.Model(pixels, x).save(run / "model.keras")
    explain = ["explain", run, images / "blue/00.png", f"--output={tmp_path / 'maps'}"]
    try:
        with pytest.raises(UserError, match=r"^the network cannot be computed: ") as told:
            run_command("evaluate", run)
        assert str(told.value).isprintable()
    finally:
        keras.backend.clear_session()  # Keras stays in the scope whose name was refused
    # Without a graph there are no such scopes.
    assert all(line.isprintable() for line in run_command(*explain).splitlines())


@pytest.mark.parametrize("key", ["data", "root"])
def test_a_nul_in_a_path_of_a_recipe(run, run_command, key):
    recipe = json.loads((run / "recipe.json").read_text())
    changed = {"data": "folder:a\0b"} if key == "data" else {"root": "a\0b"}
    (run / "recipe.json").write_text(json.dumps({**recipe, **changed}))
    with pytest.raises(UserError, match=r"must be a path without NUL characters\. Received: "):
        run_command("evaluate", run)


def test_a_class_with_a_line_of_its_own(run, run_command):
    path = run / "preprocessing.json"
    labels = {"labels": ["blue", "red\nexplained by somebody else"]}
    path.write_text(json.dumps({**json.loads(path.read_text()), **labels}))
    image = next(run.parent.glob("images/red/*.png"))
    shown = run_command("explain", run, image, f"--output={run.parent / 'maps'}")
    assert len(shown.splitlines()) == 1


def test_a_pattern_without_end(monkeypatch):
    from a2keras.training.data import splits

    monkeypatch.setattr(splits, "SEARCH_SECONDS", 1)
    assert splits.groups_of(["a1/x", "b2/y"], r"(\d)/").tolist() == ["1", "2"]
    with pytest.raises(UserError) as told:
        splits.groups_of(["a" * 60 + "!.png"], "((?:a+)+)$")
    assert str(told.value) == (
        "group_pattern takes more than 1 s to search the names of 1 file: ((?:a+)+)$"
    )

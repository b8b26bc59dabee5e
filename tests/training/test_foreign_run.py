"""A run that comes from anywhere: its links are not written through, its files may be damaged."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.models.preprocessing.samples import Samples
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.checkpoints import Checkpoint, Checkpoints, DamagedCheckpoint
from a2keras.training.config import Recipe
from a2keras.training.position import Position
from a2keras.training.run import Run

SETTINGS = ["size=16", "batch_size=4", "epochs=1", "validation_fraction=0"]


@pytest.fixture
def run(tmp_path, images, tiny_network, run_command):
    """A run of one epoch, in a directory of its own."""
    path = tmp_path / "run"
    settings = [f"--set={each}" for each in SETTINGS]
    run_command(
        "train", "--recipe=folder", f"--data=folder:{images}", f"--output={path}", *settings
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
    checkpoints = Checkpoints(run / "checkpoints", record=Position)
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
    checkpoints = Checkpoints(tmp_path, record=Position)
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

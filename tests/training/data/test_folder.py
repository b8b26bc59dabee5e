"""Folders of media: what is taken, what is refused in one sentence, what is left out and listed."""

import errno
import os
import shutil
from collections import Counter

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.training.config import Recipe
from a2keras.training.data.folder import list_folder
from a2keras.training.data.opening import open_listing
from a2keras.training.data.reading import in_order, threads_for
from a2keras.training.data.source import ArrayExamples, Source

RECIPE = Recipe("mine", task="image", size=10, crop_scale=0.8, batch_size=4)


def open_folder(directory, recipe: Recipe) -> Source:
    return open_listing(list_folder(directory, recipe.task), recipe)


def test_hidden_and_other_files_are_passed_over(images):
    for name in (".hidden.png", "notes.txt", "red/.cache/x.png", "red/labels.csv", ".git/a/b.png"):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        (images / name).touch()
    (images / "red/deeper").mkdir()
    shutil.copy(images / "red/00.png", images / "red/deeper/00.PNG")
    listing = list_folder(images)
    assert listing.task == "image"
    assert listing.classes == ("blue", "red")
    assert len(listing.names) == 25
    assert listing.names[-1] == "red/deeper/00.PNG"
    assert np.bincount(listing.labels).tolist() == [12, 13]


@pytest.mark.parametrize("validation", ["validation", "valid", "val"])
def test_split_folders_are_kept(tmp_path, validation, write_images):
    for split, count in (("train", 5), (validation, 3), ("test", 2)):
        write_images(tmp_path / split / "cat", count, 0)
        write_images(tmp_path / split / "dog", count, 1)
    source = open_folder(tmp_path, RECIPE)
    assert source.classes == ("cat", "dog")
    assert {name: len(part) for name, part in source.splits.items()} == {
        "train": 10,
        "validation": 6,
        "test": 4,
    }
    assert source.split_rule == "by the folders train, validation, test"
    assert source.splits["test"].names == (
        "test/cat/00.png",
        "test/cat/01.png",
        "test/dog/00.png",
        "test/dog/01.png",
    )


def test_validation_is_taken_from_training_where_only_test_is_given(tmp_path, write_images):
    for split in ("train", "test"):
        write_images(tmp_path / split / "cat", 10, 0)
        write_images(tmp_path / split / "dog", 10, 1)
    source = open_folder(tmp_path, RECIPE)
    assert {name: len(part) for name, part in source.splits.items()} == {
        "train": 18,
        "validation": 2,
        "test": 20,
    }
    assert source.split_rule.endswith("test; validation: 0.1 of every class (seed 0)")


def test_bad_folders_are_refused_in_one_sentence(tmp_path, images, write_images, write_video):
    def sentence(directory):
        with pytest.raises(UserError) as error:
            open_folder(directory, Recipe("mine", size=10))
        return str(error.value)

    assert sentence(tmp_path / "nowhere") == f"{tmp_path}/nowhere does not exist"
    assert sentence(images / "red/00.png") == f"{images}/red/00.png is not a folder"
    (tmp_path / "empty/.git").mkdir(parents=True)
    nothing = "has no class folders with images or videos in them"
    assert sentence(tmp_path / "empty") == f"{tmp_path}/empty {nothing}"
    write_images(tmp_path / "single/cat", 2, 0)
    assert sentence(tmp_path / "single") == (
        f"{tmp_path}/single has only one class folder with images, cat: training needs at least two"
    )
    (images / "green").mkdir()
    for i in range(3):
        (images / f"green/{i}.png").write_bytes(b"this is no image")
    assert sentence(images) == f"no file of the class folder {images}/green can be read"
    shutil.rmtree(images / "green")
    write_video(images / "red/a.avi", 3)
    assert sentence(images) == (
        f"{images} mixes images (24, such as blue/00.png) and videos (1, such as red/a.avi): "
        "choose with `task=image` or `task=video`"
    )
    assert len(open_folder(images, RECIPE).splits["train"]) == 18

    for split in ("train", "test"):
        for name in ("cat", "dog"):
            write_images(tmp_path / "split" / split / name, 2, 0)
    write_images(tmp_path / "split/test/emu", 2, 0)
    assert sentence(tmp_path / "split") == (
        f"{tmp_path}/split/test/emu is a class that {tmp_path}/split/train does not have"
    )


def test_an_empty_class_folder_is_no_class(images, capsys):
    (images / "green").mkdir()
    (images / "pink/.git").mkdir(parents=True)
    source = open_folder(images, Recipe("mine", size=10))
    assert source.classes == ("blue", "red")
    assert capsys.readouterr().err == (
        f"WARNING: without images, and so no class: 2 class folders, such as {images}/green\n"
    )


def test_unreadable_files_are_left_out_and_listed(images, capsys):
    cut = (images / "red/03.png").read_bytes()
    (images / "red/03.png").write_bytes(cut[: len(cut) // 2])
    open_folder(images, RECIPE)
    assert "1 of 24 files cannot be read and is left out, such as\n" in capsys.readouterr().err
    (images / "blue/07.png").write_bytes(b"")
    source = open_folder(images, RECIPE)
    assert sum(len(part) for part in source.splits.values()) == 22
    report = source.report()
    assert [skipped["path"] for skipped in report["skipped"]] == ["blue/07.png", "red/03.png"]
    assert str(images / "red/03.png") in report["skipped"][1]["reason"]
    assert report["examples_by_class"]["train"] == {"blue": 8, "red": 8}


def test_a_folder_that_may_not_be_listed_is_told(images, monkeypatch):
    def refuse(path="."):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError) as error:
        list_folder(images)
    assert str(error.value) == f"{images} cannot be listed: Permission denied"


def test_frames_are_kept_small_within_the_budget_and_read_anew_beyond_it(
    tmp_path, write_video, capsys
):
    for name, shade in (("dark", 0), ("light", 80)):
        for i in range(4):
            write_video(tmp_path / name / f"{i}.avi", 5 + i, shade=shade)
    recipe = Recipe("mine", task="video", size=16, frames=4, crop_scale=0.8, memory_budget=1.0)
    kept = open_folder(tmp_path, recipe).splits["train"]
    anew = open_folder(tmp_path, Recipe(**{**vars(recipe), "memory_budget": 1e-5})).splits["train"]
    assert capsys.readouterr().err == (
        "the decoded videos do not fit into memory_budget=1e-05 GiB: they are read anew\n"
    )
    assert kept.kept[0].shape[1:] == (20, 27, 3)  # 34×46 with a short side of 16 / 0.8
    assert anew.kept is None
    for i in range(len(kept)):
        assert np.array_equal(kept.load(i), anew.load(i))
        assert kept.load(i).shape[0] == 5 + int(kept.names[i][-5])
    whole = open_folder(tmp_path, recipe)
    assert whole.splits["test"].kept is None
    assert kept.frames(0).shape[1:] == (16, 22, 3)


def test_a_split_without_a_class_is_told():
    pixels, classes = np.zeros((3, 5, 7, 3), "uint8"), ("blue", "green", "red")
    train = ArrayExamples(pixels, np.array([0, 1, 2]), ("a", "b", "c"))
    test = ArrayExamples(pixels, np.array([1, 1, 1]), ("d", "e", "f"))
    source = Source(classes, {"train": train, "test": test}, "by hand", "")
    assert source.gaps() == ["the test split has no example of blue, red"]


def test_the_fingerprint_changes_with_the_files(images):
    before = list_folder(images).fingerprint
    assert list_folder(images).fingerprint == before
    with (images / "red/00.png").open("ab") as file:
        file.write(b"x")
    changed = list_folder(images).fingerprint
    (images / "red/01.png").unlink()
    assert len({before, changed, list_folder(images).fingerprint}) == 3


def test_a_command_lists_a_folder_once(images, tmp_path, tiny_network, run_command, monkeypatch):
    listed, looked_at = Counter(), Counter()
    scandir, stat = os.scandir, os.stat

    def counted_scandir(path="."):
        listed[str(path)] += 1
        return scandir(path)

    def counted_stat(path, *given, **options):
        looked_at[str(path)] += 1
        return stat(path, *given, **options)

    monkeypatch.setattr(os, "scandir", counted_scandir)
    monkeypatch.setattr(os, "stat", counted_stat)
    run = tmp_path / "run"
    settings = [f"--set={each}" for each in ("size=16", "batch_size=4", "epochs=1")]
    data = f"--data=folder:{images}"
    train = ["--recipe=folder", "--set=weights=none", data, f"--output={run}", *settings]
    for command in (["train", *train], ["evaluate", run]):
        run_command(*command)
        folders = [str(images), str(images / "blue"), str(images / "red")]
        assert [listed[folder] for folder in folders] == [1, 1, 1], command
        # For its hash; some once more, to tell whether files are small.
        assert {looked_at[str(path)] for path in images.rglob("*.png")} <= {1, 2, 3}, command
        listed.clear()
        looked_at.clear()


def test_small_files_are_read_by_one_thread(tmp_path):
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    small.write_bytes(bytes(100))
    large.write_bytes(bytes(100_000))
    cores = os.cpu_count() or 1
    assert threads_for([str(small)] * 300) == 1
    assert threads_for([str(small)] * 200 + [str(large)] * 100) == cores
    assert threads_for([str(tmp_path / "none")]) == threads_for(["gs://a/b.jpg"]) == cores


def test_what_is_read_in_order_comes_in_order_and_not_far_ahead():
    begun = []

    def double(number: int) -> int:
        begun.append(number)
        return 2 * number

    results = in_order(double, range(100), workers=2, at_once=3)
    assert next(results) == 0
    assert len(begun) <= 3 * (2 * 2 + 1)
    assert list(results) == list(range(2, 200, 2))
    assert sorted(begun) == list(range(100))

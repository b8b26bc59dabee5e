"""Which folders are splits and which are classes, and what is passed over beside them."""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.training.config import Recipe
from a2keras.training.data import list_source, resolve
from a2keras.training.data.folder import list_folder
from a2keras.training.data.split_names import split_of


@pytest.fixture
def write(tmp_path):
    """Writes files that are images by their names alone, or makes folders (names that end in /)."""

    def make(*names: str) -> Path:
        for number, name in enumerate(names):
            path = tmp_path / name
            (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
            if not name.endswith("/"):
                path.write_bytes(b"%d" % number)
        return tmp_path

    return make


def pairs(*folders: str) -> list[str]:
    return [f"{folder}/{name}/1.jpg" for folder in folders for name in ("cat", "dog")]


def sentence(directory) -> str:
    with pytest.raises(UserError) as error:
        resolve(Recipe("mine", data=f"folder:{directory}"))
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train", ("train", "")),
        ("Training", ("train", "")),
        ("training_set", ("train", "")),
        ("TRAIN-SET", ("train", "")),
        ("TrainingImages", ("train", "")),
        ("trainset", ("train", "")),
        ("train2017", ("train", "")),
        ("seg_test", ("test", "seg")),
        ("PublicTest", ("test", "public")),
        ("valid", ("validation", "")),
        ("dev", ("validation", "")),
        ("eval", ("validation", "")),
        ("Val data", ("validation", "")),
        ("trainval", None),
        ("train_val", None),
        ("invalid", None),
        ("cat", None),
        ("été", None),
        ("", None),
    ],
)
def test_split_names(name, expected):
    assert split_of(name) == expected


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("Training", "Testing"), "train test"),
        (("Train", "Val", "Test"), "train validation test"),
        (("training_set", "test_set"), "train test"),
        (("Training-Set", "VALIDATION set", "TestSet"), "train validation test"),
        (("train", "dev", "test"), "train validation test"),
        (("train", "eval"), "train validation"),
        (("dataset/train", "dataset/valid"), "train validation"),
        (("seg_train/seg_train", "seg_test/seg_test"), "train test"),
        (("train2017", "val2017"), "train validation"),
        (("X_train", "X_test"), "train test"),
    ],
)
def test_folders_of_splits(write, folders, splits):
    listing = list_folder(write(*pairs(*folders)))
    assert listing.classes == ("cat", "dog")
    assert set(listing.splits) == set(splits.split())
    assert listing.split_rule == "by the folders " + ", ".join(splits.split())
    for name, label in zip(listing.names, listing.labels, strict=True):
        assert name.split("/")[-2] == listing.classes[label]


EXPECTED = "a folder of splits has train and test, and in each of them one folder per class"


def test_folders_that_leave_open_what_they_are_are_refused(write, tmp_path):
    def refused(folder, *names):
        write(*(f"{folder}/{name}" for name in names))
        return sentence(tmp_path / folder)

    a = tmp_path
    assert refused("a", *pairs("train", "val", "validation")) == (
        f"{a}/a has two folders for validation: val and validation"
    )
    assert refused("b", *pairs("train", "Test", "test")) == (
        f"{a}/b has two folders for test: Test and test"
    )
    assert refused("c", *pairs("train", "test"), "cat/1.jpg") == (
        f"{a}/c/cat is a class folder beside the split folder train, which has it, too: {EXPECTED}"
    )
    assert refused("d", *pairs("train"), "dog/1.jpg") == (
        f"{a}/d/train looks like a split by its name, and {a}/d/dog beside it is none, or of the "
        f"same: {EXPECTED}"
    )
    assert refused("e", *pairs("train", "pruefung")).startswith(f"{a}/e/train looks like a split")
    assert refused("f", "train/1.jpg", "test/1.jpg") == (
        f"{a}/f/test has no class folders, only files such as test/1.jpg: {EXPECTED}"
    )
    assert refused("g", "train/1.jpg", *pairs("test")) == (
        f"{a}/g/train has no class folders, only files such as train/1.jpg: {EXPECTED}"
    )
    assert refused("h", *pairs("a_train", "a_test", "b_train", "b_test")).startswith(
        f"{a}/h has split folders of several data sets (a_test, a_train, b_test, b_train)"
    )
    assert refused("i", "1.jpg", "2.jpg") == (
        f"{a}/i has no class folders with images or videos in them, but 2 files beside them, such "
        "as 1.jpg"
    )
    assert refused("j", *pairs("test")) == (f"{a}/j has nothing to train on: all of it is for test")


def test_classes_may_be_called_as_splits_are(write, tmp_path):
    assert list_folder(write("a/train/1.jpg", "a/car/1.jpg") / "a").classes == ("car", "train")
    directory = write("b/train/1.jpg", "b/test/1.jpg", "b/control/1.jpg") / "b"
    assert list_folder(directory).classes == ("control", "test", "train")
    assert (list_folder(directory).splits == "").all()


def test_folders_of_the_same_names_are_told(write):
    directory = write(*pairs("teil1", "teil2"))
    listing = list_folder(directory)
    assert listing.classes == ("teil1", "teil2")
    assert listing.notes == (
        "WARNING: teil1, teil2 have folders of the same names in them and are taken for classes; "
        f"if they are splits, {EXPECTED}",
    )


def test_a_folder_alone_is_gone_into(write, tmp_path):
    assert list_folder(write(*pairs("a/photos")) / "a").classes == ("cat", "dog")
    alone = list_folder(write(*pairs("b/train")) / "b")
    assert (alone.classes, set(alone.splits)) == (("cat", "dog"), {""})
    # One class with folders in it is a class.
    assert list_folder(write("c/cat/1.jpg", "c/cat/more/2.jpg") / "c").classes == ("cat",)


def test_what_is_passed_over_is_counted_and_told(write, capsys):
    directory = write(
        *pairs("train", "test"),
        *("train/cat/x.txt", "train/cat/y.TXT", "train/dog/z", "readme.md"),
        *("train/stray.jpg", "pred/1.jpg", "pred/2.jpg"),
        *("Thumbs.db", "train/cat/.DS_Store", "train/dog/desktop.ini", "__MACOSX/cat/1.jpg"),
    )
    listing = list_folder(directory)
    assert listing.notes == (
        "passed over pred with 2 files, which is none of the splits",
        "passed over outside the class folders: 1 file, such as train/stray.jpg",
        "4 files were passed over, such as readme.md (.txt: 2, .md: 1, no suffix: 1)",
    )
    (directory / "train/dog/1.jpg").rename(directory / "train/dog/1.mp4")
    assert "passed over videos (task=image): 1" in list_folder(directory, "image").notes


def test_links_are_followed_once(write, tmp_path):
    directory = write("data/cat/1.jpg", "data/dog/1.jpg", "away/2.jpg", "away/deep/3.jpg") / "data"
    (directory / "cat/linked").symlink_to(tmp_path / "away")
    (directory / "cat/circle").symlink_to(directory)
    (directory / "cat/a").symlink_to(directory / "dog")  # before the folder, in order
    (directory / "dog/itself").symlink_to("itself")
    (directory / "dog/nowhere").symlink_to("gone")
    (directory / "dog/nowhere.jpg").symlink_to("gone.jpg")
    (directory / "dog/file.jpg").symlink_to(tmp_path / "away/2.jpg")
    os.mkfifo(directory / "dog/pipe.jpg")
    listing = list_folder(directory)
    assert listing.names == (
        *("cat/1.jpg", "cat/linked/2.jpg", "cat/linked/deep/3.jpg"),
        *("dog/1.jpg", "dog/file.jpg", "dog/nowhere.jpg"),
    )
    assert listing.notes == (
        "passed over linked folders that are read in another place: 2, such as cat/a",
        "passed over links that lead nowhere: 2, such as dog/itself",
        "passed over pipes, sockets or devices: 1, such as dog/pipe.jpg",
    )


def test_names_forge_no_line(write, tmp_path):
    """What is told of a folder is a line each, whatever is in it."""
    odd = "a\nb\x1b[31m"
    directory = write("data/cat/1.jpg", "data/dog/1.jpg", f"data/dog/x.{odd}", f"data/{odd}.jpg")
    directory /= "data"
    (directory / f"dog/{odd}").symlink_to(directory / "cat")
    (directory / f"dog/{odd} nowhere").symlink_to("gone")
    os.mkfifo(directory / f"dog/{odd} pipe")
    shown = r"a\nb\x1b[31m"
    assert list_folder(directory).notes == (
        f"passed over outside the class folders: 1 file, such as {shown}.jpg",
        f"passed over linked folders that are read in another place: 1, such as dog/{shown}",
        f"passed over links that lead nowhere: 1, such as dog/{shown} nowhere",
        f"passed over pipes, sockets or devices: 1, such as dog/{shown} pipe",
        f"1 file was passed over, such as dog/x.{shown} (.{shown}: 1)",
    )


def test_a_folder_that_links_to_class_folders(write, tmp_path):
    write(*pairs("away"), "data/")
    for name in ("cat", "dog"):
        (tmp_path / f"data/{name}").symlink_to(tmp_path / "away" / name)
    assert list_folder(tmp_path / "data").names == ("cat/1.jpg", "dog/1.jpg")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_may_not_be_read_is_told():
    directory = Path(tempfile.mkdtemp())  # pytest's own are for nobody else
    try:
        directory.chmod(0o755)
        for name in ("cat", "dog", "dog/secret"):
            (directory / name).mkdir()
            (directory / name / "1.jpg").touch()
        (directory / "dog/secret").chmod(0)
        os.seteuid(65534)
        try:
            listing = list_folder(directory)
        finally:
            os.seteuid(0)
        assert listing.names == ("cat/1.jpg", "dog/1.jpg")
        assert listing.notes == ("the folder dog/secret cannot be listed: Permission denied",)
    finally:
        shutil.rmtree(directory)


def test_accents_in_one_character_or_in_two_are_one_class(write):
    names = [f"{split}/{name}/1.jpg" for split, name in (("train", "é"), ("test", "e\u0301"))]
    listing = list_folder(write(*names, "train/b/1.jpg", "test/b/1.jpg"))
    assert listing.classes == ("b", "é")
    assert np.bincount(listing.labels).tolist() == [2, 2]


def test_a_comma_in_the_name_of_the_folder(write, tmp_path, monkeypatch):
    write(*pairs("red, green"))
    monkeypatch.chdir(tmp_path)
    recipe = resolve(Recipe("mine", data="folder:red, green"))
    assert recipe.data == f"folder:{tmp_path}/red, green"
    assert list_source(recipe).classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("folders", "odd"),
    [
        (("cv/train/cat", "cv/test/cat", "other/cat"), "cv/test"),
        (("top/data/Train/a", "top/data/Test/a", "top/preview"), "top/data/Test"),
        (("2017/train/a", "2017/train/b", "2018/train/a"), "2017/train"),
        (("bounding_box_train/a", "query/a", "gallery/b"), "bounding_box_train"),
        (("test_seen/a", "test_unseen/b", "train/a"), "test_seen"),
        (("images/train/a", "images/val/a", "drawings/x"), "images/train"),
    ],
)
def test_splits_are_not_taken_for_classes(write, tmp_path, folders, odd):
    write(*(f"{folder}/{n}.jpg" for folder in folders for n in range(2)))
    assert sentence(tmp_path) == (
        f"{tmp_path}/{odd} looks like a split by its name, but it is not clear which others belong "
        "to it: a folder of splits has train and test, and in each of them one folder per class"
    )


@pytest.mark.parametrize(
    ("folders", "told"),
    [
        (("tr/a", "tr/b", "te/a", "te/c"), ["te", "tr"]),
        (("n01/images", "n02/images"), []),
        (("bus/a", "train/a", "tram/b", "lorry/c"), []),
        (("cats/tabby", "dogs/pug"), []),
    ],
)
def test_few_folders_that_share_a_name_are_told(write, folders, told):
    notes = list_folder(str(write(*(f"{each}/1.jpg" for each in folders))), "auto").notes
    assert [note.split(" have ")[0] for note in notes] == (
        [f"WARNING: {', '.join(told)}"] if told else []
    )

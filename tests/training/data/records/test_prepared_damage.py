"""Prepared sets that somebody has damaged or made, and two preparations at once."""

import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from a2keras import files
from a2keras.errors import UserError
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.training.config import Recipe
from a2keras.training.data import list_source, open_source, resolve
from a2keras.training.data.errors import readable
from a2keras.training.data.pipeline import training_batches
from a2keras.training.prepare.storing import prepare
from a2keras.training.run.train import preprocessing_of

pytest.importorskip("apache_beam")


@pytest.fixture
def prepared(images, tmp_path) -> Path:
    """24 images of two classes, prepared; one class has a name that a spreadsheet would run."""
    (images / "blue").rename(images / "=blue")
    prepare(f"folder:{images}", str(tmp_path / "set"))
    return tmp_path / "set"


def recipe_of(directory: Path) -> Recipe:
    return resolve(
        Recipe("x", data=f"prepared:{directory}", size=16, batch_size=4, epochs=1, test_fraction=0)
    )


def use(directory: Path) -> None:
    """Reads everything that training reads."""
    recipe = recipe_of(directory)
    source = open_source(recipe)
    with readable(recipe.data):
        for _ in training_batches(
            source.splits["train"], recipe, preprocessing_of(recipe, source.classes)
        ):
            pass


def rewrite(path: Path, change) -> None:
    """Writes a file of records anew, each serialized example changed."""
    import tensorflow as tf
    from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter

    reader = ArrayRecordReader(str(path))
    records = reader.read_all()
    reader.close()
    writer = ArrayRecordWriter(str(path), "group_size:1,uncompressed")
    for record in records:
        example = tf.train.Example.FromString(record)
        change(example.features.feature)
        writer.write(example.SerializeToString())
    writer.close()


def set_image(content: bytes):
    def change(features):
        features["image"].bytes_list.value[:] = [content]

    return change


def cut_off(features):
    features["image"].bytes_list.value[:] = [features["image"].bytes_list.value[0][:60]]


@pytest.mark.parametrize(
    "change",
    [
        cut_off,
        set_image(b""),
        set_image(b"no picture"),
        set_image(b"\xff\xd8\xff\xc4\x00\x13\x00" + bytes(range(1, 250))),
        lambda features: features["image"].Clear(),
        lambda features: features.pop("image"),
        lambda features: features["image"].int64_list.value.append(3),
    ],
)
def test_a_record_that_is_no_example_is_one_sentence(prepared, change):
    use(prepared)
    for path in sorted(prepared.glob("*array_record*"))[3:5]:
        rewrite(path, change)
    with pytest.raises(UserError) as told:
        use(prepared)
    assert f"prepared:{prepared}" in str(told.value) or str(prepared) in str(told.value)
    assert "damaged record" in str(told.value) and "\n" not in str(told.value)
    # Where examples are read one by one, such as to be scored, the others are not lost.
    recipe = recipe_of(prepared)
    examples, bad = open_source(recipe).splits["train"], 0
    for index in range(len(examples)):
        try:
            assert examples.frames(index).shape == (23, 19, 3)
        except DecodeError as error:
            bad += 1
            assert "\n" not in str(error)
    assert 1 <= bad <= 4


def test_names_in_the_descriptions_forge_no_line(prepared):
    for name in ("manifest.json", "examples.csv"):
        text = (prepared / name).read_bytes().decode()
        odd = "red\\nX\\u001b" if name.endswith("json") else "red\nX\x1b"
        text = text.replace(",red,", f',"{odd}",').replace('"red"', f'"{odd}"')
        text = text.replace("red/00.png", '"red/\n00.png"')
        text = text.replace('"split_rule": ""', '"split_rule": "by\\nme"')
        (prepared / name).write_bytes(text.encode())
    listing = list_source(recipe_of(prepared))
    assert listing.classes == ("=blue", r"red\nX\x1b")
    assert r"red/\n00.png" in listing.names
    assert listing.split_rule == r"by\nme"
    assert listing.labels.tolist().count(1) == 12


def test_files_of_records_that_are_damaged(prepared):
    path = sorted(prepared.glob("*array_record*"))[2]
    whole, chance = path.read_bytes(), random.Random(2)
    for damaged in (
        b"",
        whole[: len(whole) // 2],
        whole[:-1],
        bytes(len(whole)),
        chance.randbytes(5000),
        whole.replace(whole[70_000:70_040], bytes(40)) if any(whole[70_000:]) else whole[:100],
    ):
        path.write_bytes(damaged)
        with pytest.raises(UserError) as told:
            use(prepared)
        assert str(prepared) in str(told.value) and "\n" not in str(told.value)


def test_records_that_are_gone_or_none_are_told(prepared):
    first, *others = sorted(prepared.glob("*array_record*"))
    first.write_bytes(b"no records at all")
    with pytest.raises(UserError, match=f"^{prepared} has damaged records: "):
        recipe_of(prepared)
    for path in (first, *others):
        path.unlink()
    with pytest.raises(UserError) as told:
        recipe_of(prepared)
    assert str(told.value) == f"{prepared} has no records of train: prepare it again"


def test_damaged_descriptions(prepared):
    manifest = json.loads((prepared / "manifest.json").read_text())
    examples = (prepared / "examples.csv").read_text()
    assert "'=blue" in examples and "'=blue" not in manifest["classes"]
    for name, text, reason in (
        ("manifest.json", "{", "manifest.json is not a manifest of this version: "),
        ("manifest.json", json.dumps({**manifest, "classes": [1]}), "classes.0: input should be"),
        ("manifest.json", json.dumps({**manifest, "classes": ["a", "a"]}), "`classes` must differ"),
        ("manifest.json", json.dumps({**manifest, "task": "sound"}), "`task` must be image or"),
        ("examples.csv", "", "examples.csv is damaged: its first line must be stored,split,label"),
        ("examples.csv", examples.replace(",1,", ",-1,", 1), "line 2 must tell the number of"),
        ("examples.csv", examples.replace(",red,", ",green,", 1), "has an unknown split or class"),
        ("examples.csv", examples.replace("train,", "../x,", 1), "line 2 has an unknown split or"),
        ("examples.csv", examples + "train\n", "line 26 has 1 cell"),
        ("examples.csv", examples + '"', "unexpected end of data"),
        ("examples.csv", examples[: examples.rindex("train")], "24 records of 23 examples"),
        ("examples.csv", examples.splitlines()[0], "holds no examples"),
    ):
        before = (prepared / name).read_bytes()
        (prepared / name).write_text(text)
        with pytest.raises(UserError) as told:
            recipe_of(prepared)
        assert str(prepared) in str(told.value) and reason in str(told.value)
        (prepared / name).write_bytes(before)
    (prepared / "examples.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"examples\.csv is damaged: 'utf-8' codec can't decode"):
        recipe_of(prepared)


def test_descriptions_of_tfds_are_not_read(prepared):
    """They can name any class of Python, which TFDS would import."""
    for name in ("features.json", "dataset_info.json"):
        (prepared / name).write_text('{"pythonClassName": "antigravity.Fly"}')
    use(prepared)
    assert "antigravity" not in sys.modules


def test_names_come_back_whatever_they_are(images, tmp_path):
    for name in ("-1+2", "@home", "a, 'b'", "'=x"):
        shutil.copytree(images / "red", images / name)
    prepare(f"folder:{images}", str(tmp_path / "set"))
    recipe = recipe_of(tmp_path / "set")
    source = open_source(recipe)
    assert set(source.classes) == {"-1+2", "@home", "a, 'b'", "'=x", "blue", "red"}
    listed = {name.split("/")[0] for name in source.splits["train"].names}
    assert listed == set(source.classes)


def test_two_preparations_do_not_meet(images, tmp_path):
    output = tmp_path / "set"
    with files.locked(tmp_path / "set.incomplete"):  # as by a process that is at it
        with pytest.raises(UserError) as told:
            prepare(f"folder:{images}", str(output))
        assert str(told.value) == f"{output} is being prepared by another process"
    prepare(f"folder:{images}", str(output))
    before = sorted(path.name for path in tmp_path.iterdir())
    assert prepare(f"folder:{images}", str(output)).examples == 24  # nothing is left to do
    with pytest.raises(UserError, match="was prepared with short_side=0"):
        prepare(f"folder:{images}", str(output), short_side=16)
    assert sorted(path.name for path in tmp_path.iterdir()) == before == ["images", "set"]


def test_nothing_is_left_in_the_temporary_directory(images, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    prepare(f"folder:{images}", str(tmp_path / "set"))
    assert list(scratch.iterdir()) == []


def test_what_another_preparation_has_left_goes_but_not_what_it_links_to(images, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/film").touch()
    work = tmp_path / "set.incomplete"
    (work / "tmpfolder").mkdir(parents=True)
    (work / "train-00000.json").symlink_to(tmp_path / "mine")
    (work / "plan.json").write_text("{}")
    prepare(f"folder:{images}", str(tmp_path / "set"))
    assert (tmp_path / "mine/film").exists() and not work.exists()
    begins = f"{work} is left of another preparation, which begins anew\n"
    assert capsys.readouterr().err.startswith(begins)


def test_a_user_s_own_folders_of_such_names_stay(images, tmp_path, monkeypatch):
    """`set.incomplete` may hold somebody's films, `incomplete.…_set` their notes."""
    work = tmp_path / "set.incomplete"
    for folder in ("set.incomplete", "incomplete.old_set", "incomplete.ABCDE0_set"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "film.avi").touch()
    (tmp_path / "incomplete.ABCDE1_set").mkdir()
    (tmp_path / "incomplete.ABCDE1_set/dataset_info.json").touch()
    with pytest.raises(UserError) as told:
        prepare(f"folder:{images}", str(tmp_path / "set"))
    film = work / "film.avi"
    assert str(told.value) == f"{film} is not part of a preparation in {work}: move it away first"
    film.rename(tmp_path / "film.avi")
    (tmp_path / "set").mkdir()
    monkeypatch.chdir(tmp_path / "set")
    with pytest.raises(UserError, match="set is replaced as a whole, and the current directory is"):
        prepare(f"folder:{images}", ".")
    monkeypatch.chdir(tmp_path)
    prepare(f"folder:{images}", "set")
    assert {path.name for path in tmp_path.iterdir()} == {
        "film.avi", "images", "incomplete.old_set", "incomplete.ABCDE0_set", "set",
    }  # fmt: skip


def test_nothing_behind_a_link_is_emptied(images, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/film").touch()
    (tmp_path / "set.incomplete").symlink_to(tmp_path / "mine")
    with pytest.raises(UserError) as told:
        prepare(f"folder:{images}", str(tmp_path / "set"))
    assert str(told.value) == (
        f"{tmp_path / 'set.incomplete'} cannot be written: it is a symbolic link, which is not "
        "followed"
    )
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["film"]


def test_an_output_that_is_a_link_to_nowhere(images, tmp_path):
    (tmp_path / "set").symlink_to(tmp_path / "set")
    with pytest.raises(UserError) as told:
        prepare(f"folder:{images}", str(tmp_path / "set"))
    assert str(told.value) == (
        f"{tmp_path / 'set'} is a symbolic link to nowhere: choose another `output`"
    )


@pytest.mark.parametrize("name", ["file", "file/below", "loop", "x" * 300])
def test_an_output_that_cannot_be_written(images, tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises((UserError, OSError)) as told:
        prepare(f"folder:{images}", str(tmp_path / name))
    assert "\n" not in str(told.value)
    assert np.isin([path.name for path in tmp_path.iterdir()], ["file", "loop", "images"]).all()

"""What `--data` may say: kinds with their prefix, and paths without."""

import dataclasses

import pytest

from a2keras.errors import UserError
from a2keras.training import recipes
from a2keras.training.config import Recipe
from a2keras.training.data import absolute_source, resolve
from a2keras.training.prepare.plan import plan
from a2keras.training.run.directory import Run


@pytest.fixture
def place(tmp_path, monkeypatch):
    for folder in ("photos", "digits", "folder", "a,b", "odd:photos", "stored"):
        (tmp_path / folder).mkdir()
    for file in ("list.csv", "test.csv", "c,d.csv", "stored/manifest.json", "stored/examples.csv"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("photos", "folder:{0}/photos"),
        ("./photos/", "folder:{0}/photos"),
        ("a,b", "folder:{0}/a,b"),
        ("list.csv", "csv:{0}/list.csv"),
        ("list.csv,test.csv", "csv:{0}/list.csv,{0}/test.csv"),
        ("c,d.csv,test.csv", "csv:{0}/c,d.csv,{0}/test.csv"),
        ("stored", "prepared:{0}/stored"),
        ("folder:stored", "folder:{0}/stored"),
        # A kind wins over a path of its name; a kind's name alone may be a path.
        ("digits", "digits"),
        ("./digits", "folder:{0}/digits"),
        ("folder:digits", "folder:{0}/digits"),
        ("folder", "folder:{0}/folder"),
        ("odd:photos", "folder:{0}/odd:photos"),
        # A kind need not be there to be one.
        ("csv:none.csv", "csv:{0}/none.csv"),
        ("tfds:mnist", "tfds:mnist"),
    ],
)
def test_a_path_needs_no_kind(place, given, meant):
    assert absolute_source(given) == meant.format(place)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "none is given"),
        ("folder:", "there is no such path"),
        ("folders:x", "there is no such path"),
        ("digit", "there is no such path"),
        ("digits:x", "there is no such path"),
        ("list.csv,none.csv", "there is no such path"),
        ("list.csv,photos", "there is no such path"),
        ("x" * 5000, "there is no such path"),
        ("gs://bucket/photos", "a place elsewhere needs its kind"),
    ],
)
def test_what_is_no_source_is_told_what_one_is(place, data, why):
    with pytest.raises(UserError) as error:
        resolve(Recipe("mine", data=data))
    assert str(error.value) == (
        "`data` must be one of digits, [folder:]DIR, [csv:]FILE[,TEST], tfds:NAME, "
        f"[prepared:]DIR: {why}. Received: `data={data}`"
    )


def test_with_and_without_its_kind_it_is_the_same_recipe(images, tmp_path, monkeypatch):
    monkeypatch.chdir(images.parent)
    named = dataclasses.replace(recipes.recipe("folder"), data=f"folder:{images}")
    Run(tmp_path / "run", resolve(named)).start({"fingerprint": "a"})
    Run(tmp_path / "run", resolve(dataclasses.replace(named, data="images"))).check()
    assert recipes.listed("folder", {"data": "images"})[0].name == "photos"


def test_prepare_takes_paths_and_names_what_it_takes(images):
    assert plan(str(images), "auto", "", 1)[1]["source"] == f"folder:{images}"
    nowhere = ": there is no such path"
    for source, why in {"none": nowhere, "tfds:": nowhere, "digits": "", "prepared:x": ""}.items():
        with pytest.raises(UserError) as error:
            plan(source, "auto", "", 1)
        assert str(error.value) == (
            "what to prepare must be one of [folder:]DIR, [csv:]FILE[,TEST], tfds:NAME"
            f"{why}. Received: {source}"
        )

"""Recipes of users: files that say what `--set` says, with its checks and words."""

import dataclasses
import tomllib

import pytest

from a2keras.errors import UserError
from a2keras.training import recipes
from a2keras.training.config import Recipe, values_of
from a2keras.training.recipe_files import as_toml


def written(tmp_path, text, name="mine.toml"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_a_file_changes_the_recipe_that_it_starts_from(tmp_path):
    path = written(tmp_path, 'recipe = "photos"\nepochs = 5\nlearning_rate = 1\nflip = false\n')
    expected = dataclasses.replace(
        recipes.recipe("photos"),
        name="mine",
        epochs=5,
        freeze_epochs=1,  # 4 of 14
        learning_rate=1.0,
        flip=False,
    )
    assert recipes.recipe(path) == expected
    listed, listing = recipes.listed(path, values_of(["epochs=6", "data=digits"]))
    assert (listed, listing) == (dataclasses.replace(expected, epochs=6, data="digits"), None)
    assert isinstance(recipes.recipe(path).learning_rate, float)


def test_a_file_that_starts_from_nothing_has_the_defaults_and_says_so(tmp_path, capsys):
    path = written(tmp_path, "")
    assert recipes.recipe(path) == Recipe("mine")
    assert capsys.readouterr().err == (
        f'{path} names no recipe to start from, such as recipe = "photos": what it leaves out has '
        "the default that `a2keras recipes folder` shows, weights none\n"
    )
    assert recipes.recipe(written(tmp_path, '{"size": 32}', "b.json")) == Recipe("b", size=32)
    assert "b.json names no recipe" in capsys.readouterr().err
    for said in ('recipe = "photos"', 'weights = "none"'):
        recipes.recipe(written(tmp_path, said))
        assert capsys.readouterr().err == ""


def test_a_file_may_start_from_what_the_data_decide(images, tmp_path):
    path = written(tmp_path, 'recipe = "folder"\nbatch_size = 8\n')
    listed = recipes.listed(path, values_of([f"data={images}"]))[0]
    assert listed == dataclasses.replace(
        recipes.recipe("photos"), name="mine", batch_size=8, data=str(images)
    )
    scratch = written(tmp_path, 'recipe = "folder"\nweights = "none"\n')
    listed = recipes.listed(scratch, values_of([f"data={images}"]))[0]
    assert listed == Recipe("mine", data=str(images))


@pytest.mark.parametrize("name", recipes.NAMES)
def test_every_recipe_is_itself_through_a_file(tmp_path, name):
    recipe = recipes.recipe(name)
    path = written(tmp_path, "\n".join(as_toml(recipe)))
    assert recipes.recipe(path) == recipe
    recipe.save(tmp_path / "recipe.json")
    assert recipes.recipe(str(tmp_path / "recipe.json")) == recipe


def test_odd_texts_are_themselves_through_a_file(tmp_path):
    text = 'a"b\\d\t\x7f é😀'
    recipe = Recipe("mine", group_pattern=text)
    assert tomllib.loads("\n".join(as_toml(recipe)))["group_pattern"] == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", ": recipes have no field 'epoch': did you mean 'epochs'?"),
        (
            "zzz = 3",
            ": recipes have no field 'zzz': `a2keras recipes folder` shows all there are",
        ),
        ("epochs = 3.0", ": recipe field epochs is of type int. Received: epochs=3.0"),
        ("epochs = true", ": recipe field epochs is of type int. Received: epochs=(bool)"),
        ("epochs = '3'", ": recipe field epochs is of type int. Received: epochs='3'"),
        ("epochs = [3]", ": recipe field epochs is of type int. Received: epochs=(list)"),
        (
            f"epochs = 0x{9000 * 'f'}",
            ": recipe field epochs is of type int. Received: epochs=(int)",
        ),
        ("flip = 1", ": recipe field flip is of type bool. Received: flip=1"),
        ("[model]\na = 1", ": recipe field model is of type str. Received: model=(dict)"),
        ("epochs = 0", ": recipe field epochs must be at least 1. Received: epochs=0"),
        ("hue = nan", ": recipe field hue must be at least 0. Received: hue=nan"),
        ("recipe = 'foto'", ": there is no recipe 'foto': the recipes are imagenet_a2_resnet50, "),
        ("recipe = 'folders'", ": there is no recipe 'folders': did you mean 'folder'?"),
        ("recipe = 3", ": recipe must be the name of a recipe, in quotes"),
        ("epochs = ", " is not a recipe: it is no valid TOML (Invalid value (at end of document)"),
        ("a = " + 5000 * "[", " is not a recipe: it is nested too deeply"),
    ],
)
def test_what_is_wrong_names_the_file_and_the_field(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(UserError) as error:
        recipes.listed(path, values_of([]))
    assert str(error.value).startswith(path + message)


def test_bytes_that_are_no_text_are_told(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(UserError, match=r"a.toml is not a recipe: it is no valid TOML \('utf-8' c"):
        recipes.recipe(str(tmp_path / "a.toml"))
    with pytest.raises(UserError, match=r"a\.json is not a recipe: it does not exist"):
        recipes.recipe(str(tmp_path / "a.json"))


def test_what_goes_along_with_a_change_does_so_in_a_file_too(tmp_path):
    path = written(tmp_path, 'recipe = "photos"\nepochs = 4\nmodel = "keras:MobileNetV2"\n')
    found = recipes.recipe(path)
    assert (found.epochs, found.freeze_epochs, found.freeze_until) == (4, 1, "")

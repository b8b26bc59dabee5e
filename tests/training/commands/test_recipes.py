"""`a2keras recipes`: what there is, what its fields mean, and a start for one's own."""

import dataclasses
import json
import tomllib

import pytest

from a2keras import __main__ as command
from a2keras.errors import UserError
from a2keras.training import recipes
from a2keras.training.descriptions import described
from a2keras.training.fields import FIELDS


def test_the_recipes_are_listed_with_a_line_each(run_command):
    lines = run_command("recipes").splitlines()
    assert lines[0].split() == ["recipe", "what"]
    assert [line.split()[0] for line in lines[1:-2]] == list(recipes.NAMES)
    assert lines[7].endswith("Your own class-per-folder images or videos: by `photos` or `videos`, "
                             "or from scratch.")  # fmt: skip


def test_one_is_shown_with_what_its_fields_mean(run_command):
    lines = run_command("recipes", "photos").splitlines()
    assert lines[0].startswith("Your own class-per-folder photographs")
    rows = {line.split("  ")[0]: line for line in lines}
    assert rows["size"].split() == ["size", "112", "pixels", "160", "height", "and", "width"]
    assert rows["flip"].split()[:3] == ["flip", "true", "mirror"]
    assert rows["precision"].endswith("one of float32, mixed_float16, mixed_bfloat16")
    assert [line.split("  ")[0] for line in lines if line.split("  ")[0] in FIELDS] == list(FIELDS)
    assert "How long, and how fast it learns" in lines


def test_every_field_has_a_meaning_of_its_own():
    fields = list(described())
    assert [each.name for each in fields] == list(FIELDS)
    assert all(each.meaning and each.group for each in fields)
    units = {each.name: each.unit for each in fields}
    assert (units["epochs"], units["memory_budget"], units["flip"]) == ("epochs", "GiB", "")


def test_its_files_are_recipes(run_command, tmp_path):
    printed = run_command("recipes", "videos", "--format=toml")
    assert printed.startswith("# Your own class-per-folder videos")
    assert tomllib.loads(printed) == dataclasses.asdict(recipes.recipe("videos"))
    printed = run_command("recipes", "videos", "--format=json")
    assert json.loads(printed) == dataclasses.asdict(recipes.recipe("videos"))
    (tmp_path / "mine.json").write_text(printed)
    assert "i3d" in run_command("recipes", tmp_path / "mine.json")


def test_programs_get_the_fields_too(run_command):
    document = json.loads(run_command("recipes", "--format=json"))
    assert [each["name"] for each in document["recipes"]] == list(recipes.NAMES)
    assert document["fields"][FIELDS.index("epochs")] == {
        "name": "epochs",
        "type": "int",
        "default": 30,
        "group": "How long, and how fast it learns",
        "unit": "epochs",
        "meaning": "in all, freeze_epochs included",
        "rules": ["must be at least 1"],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photo", "videos"], "recipes takes one NAME. Received: photo videos"),
        (["photo"], "there is no recipe 'photo': did you mean 'photos'?"),
        (["--format=toml"], "--format=toml is for one recipe: give a NAME"),
    ],
)
def test_mistakes(run_command, arguments, message):
    with pytest.raises(UserError) as error:
        run_command("recipes", *arguments)
    assert str(error.value) == message


def test_the_help_of_train_leaves_values_to_the_recipes(capsys):
    """The defaults of all fields are not what a recipe says."""
    with pytest.raises(SystemExit):
        command.run(["train", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "`a2keras recipes NAME` tells what they mean and what they are in that recipe: " in told
    fields = told.partition("in that recipe: ")[2].partition(".")[0].split(", ")
    assert set(fields) <= set(FIELDS) and {"epochs", "batch_size", "learning_rate"} <= set(fields)

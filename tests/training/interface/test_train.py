"""`a2keras.train` from a program: names, records and fields of their types; what comes back."""

import json
import typing

import keras
import numpy as np
import pytest

import a2keras
from a2keras.training import recipes
from a2keras.training.config import Recipe
from a2keras.training.interface.train import callbacks_of
from a2keras.training.keywords import Keywords

SMALL = {"size": 16, "batch_size": 12, "steps_per_epoch": 3, "epochs": 2}


def test_a_run_by_name_and_fields(tmp_path, tiny_network, capsys):
    run = a2keras.train("digits_image", output=tmp_path / "run", learning_rate=1, **SMALL)
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch 2/2: loss" in err
    assert (run.path, run.finished) == (tmp_path / "run", True)
    assert (run.recipe.size, run.recipe.learning_rate) == (16, 1.0)
    assert json.loads((run.path / "recipe.json").read_text())["learning_rate"] == 1.0
    assert [line["epoch"] for line in run.history] == [1, 2]
    assert run.results["steps"] == 6
    model = run.load_model()
    assert model.count_params() == run.results["parameters"]
    assert np.asarray(model(np.zeros((1, 16, 16, 3), "uint8"))).shape == (1, 10)
    # It goes on by its own recipe alone, and counts as a path.
    again = a2keras.train(output=run)
    assert again == run
    assert "nothing is left to do" in capsys.readouterr().err


def test_it_prints_in_a_line(tmp_path, tiny_network):
    run = a2keras.train("digits_image", output=tmp_path / "run", **SMALL)
    last = run.history[-1]
    assert repr(run) == (
        f"<Trained '{tmp_path}/run': digits_image, a2_resnet11, 2 of 2 epochs, accuracy "
        f"{last['accuracy']:.3f}, validation_accuracy {last['validation_accuracy']:.3f}>"
    )
    (run.path / "metrics.jsonl").write_text("damaged")
    assert repr(run) == f"<Trained '{tmp_path}/run': digits_image, a2_resnet11, 0 of 2 epochs>"
    assert repr(Recipe("mine", epochs=7, flip=False)) == "Recipe(name='mine', flip=False, epochs=7)"


def test_a_record(tmp_path, tiny_network):
    recipe = recipes.recipe("digits_image").with_fields(SMALL)
    run = a2keras.train(recipe, output=str(tmp_path / "run"), seed=3, epochs=1)
    assert (run.recipe.seed, run.recipe.epochs, run.recipe.size) == (3, 1, 16)


def test_the_fields_that_checkers_know_are_those_of_a_recipe():
    known = typing.get_type_hints(Keywords)
    assert list(known) == [*a2keras.training.config.FIELDS]
    for name, kind in typing.get_type_hints(Recipe).items():
        if name in known:
            assert kind in (known[name], *typing.get_args(known[name])), name


def test_paths_and_whole_numbers_become_what_the_fields_are(tmp_path):
    recipe = Recipe("mine").with_fields({"data": tmp_path, "learning_rate": 1, "flip": False})
    assert (recipe.data, recipe.learning_rate, recipe.flip) == (str(tmp_path), 1.0, False)
    assert type(recipe.learning_rate) is float


def test_numpy_s_numbers_are_numbers():
    fields = {"epochs": np.int64(3), "learning_rate": np.float32(0.5), "flip": np.bool_(False)}
    fields |= {"mixup": np.float64(0.25), "seed": np.array(7), "task": np.str_("image")}
    expected = {"epochs": 3, "learning_rate": 0.5, "flip": False}
    expected |= {"mixup": 0.25, "seed": 7, "task": "image"}
    for recipe in (Recipe("mine").with_fields(fields), Recipe("mine", **fields)):
        found = {name: getattr(recipe, name) for name in expected}
        assert found == expected
        assert list(map(type, found.values())) == list(map(type, expected.values()))
    for wrong in ({"epochs": "5"}, {"epochs": np.float32(5)}, {"learning_rate": 10**400}):
        with pytest.raises(a2keras.UserError, match=r"^recipe field (epochs|learning_rate) is of"):
            Recipe("mine", **wrong)


def test_callbacks_are_one_or_several_or_none():
    """A generator is read once, for all runs of a cross-validation."""
    one = keras.callbacks.Callback()
    assert callbacks_of(None) == callbacks_of(()) == []
    assert (
        callbacks_of(one) == callbacks_of([one]) == callbacks_of(each for each in (one,)) == [one]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": "5"}, "recipe field epochs is of type int. Received: epochs='5'"),
        ({"epochs": 5.0}, "recipe field epochs is of type int. Received: epochs=5.0"),
        ({"epochs": True}, "recipe field epochs is of type int. Received: epochs=(bool)"),
        ({"flip": 1}, "recipe field flip is of type bool. Received: flip=1"),
        ({"learning_rate": True}, "recipe field learning_rate is of type float. Received: learn"),
        ({"positions": ("a", "b")}, "recipe field positions is of type str. Received: positions=("),
        ({"epochs": 0}, "recipe field epochs must be at least 1. Received: epochs=0"),
        ({"epoch": 5}, "recipes have no field 'epoch': did you mean 'epochs'?"),
        ({"strategy": "horovod"}, "`strategy` must be one of auto, none, mirrored, multi_worker"),
        ({"replicas": 0}, "`replicas` must be a whole number of at least 1. Received: `replica"),
        (
            {"replicas": "2"},
            "`replicas` must be a whole number of at least 1. Received: `replicas='2'`",
        ),
        (
            {"checkpoint_minutes": "10"},
            "`checkpoint_minutes` must be a number of at least 0. Received",
        ),
        (
            {"checkpoint_keep": 0},
            "`checkpoint_keep` must be a whole number of at least 1. Received:",
        ),
        (
            {"callbacks": [3]},
            "`callbacks` must be objects of keras.callbacks.Callback. Received: 3",
        ),
        ({"callbacks": 3}, "`callbacks` must be objects of keras.callbacks.Callback. Received: 3"),
        ({"track": "file"}, "`track` must be mlflow or wandb. Received: `track=file`"),
        ({"data": "digit"}, "`data` must be one of digits, "),
    ],
)
def test_mistakes_name_arguments_and_write_nothing(tmp_path, arguments, message):
    with pytest.raises(a2keras.UserError) as error:
        a2keras.train("digits_image", output=tmp_path / "run", **arguments)
    assert str(error.value).startswith(message)
    assert not (tmp_path / "run").exists()


def test_without_a_recipe_there_must_be_a_run(tmp_path):
    for arguments in ({"output": 3}, {"recipe": 3, "output": tmp_path}):
        with pytest.raises(a2keras.UserError) as error:
            a2keras.train(**arguments)
        assert str(error.value) == "a path must be a text or a pathlib.Path. Received: 3"
    with pytest.raises(a2keras.UserError) as error:
        a2keras.train(output=tmp_path)
    assert str(error.value) == f"`recipe` is missing: {tmp_path} is not a run that could go on"

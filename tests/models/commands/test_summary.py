"""`a2keras summary`: all networks without building any, and the stages of one."""

import gc
import json
import re

import keras
import pytest

import a2keras
from a2keras import models
from a2keras.errors import UserError
from a2keras.models.commands.summary import summary
from a2keras.models.figures import FIGURES


def test_every_network_has_its_figures():
    assert list(FIGURES) == models.list_models()


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_the_figures_of_every_network_are_counted(name):
    model = models.build(name)
    count = a2keras.count(model)
    found = (model.input_shape[1:-1], count.parameters, count.multiply_adds)
    assert found == tuple(FIGURES[name])
    del model
    gc.collect()  # a model is full of cycles


def test_all_networks_are_listed(capsys):
    summary([])
    lines = capsys.readouterr().out.splitlines()
    assert re.split(r"\s{2,}", lines[0]) == [
        "network", "input", "parameters", "multiply-adds", "weights",
    ]  # fmt: skip
    (i3d,) = (line for line in lines if line.startswith("i3d "))
    assert i3d.split() == ["i3d", "64×224×224", "13.33", "M", "111.16", "G", "kinetics400,",
        "kinetics400+ut_interaction"]  # fmt: skip
    assert [line.split()[0] for line in lines[1:-2]] == models.list_models()
    summary(["--format=json"])
    documents = json.loads(capsys.readouterr().out)
    assert documents[models.list_models().index("resnet50")] == {
        "name": "resnet50",
        "takes": "images",
        "input_size": [224, 224],
        "parameters": 25_610_152,
        "multiply_adds": 3_857_973_248,
        "weights": [],
    }


def test_the_stages_of_one_are_printed(capsys):
    summary(["a2_resnet11", "--classes=10"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a2_resnet11, input 112×112×3"
    assert lines[2].split() == ["stage", "output", "parameters", "multiply-adds", "blocks"]
    conv4 = "conv4 14×14×256 164,608 37,732,352 conv4_1_attention"
    assert lines[6].split() == conv4.split()
    assert lines[8].split()[0] == "total"


def test_a_file_is_shown_as_it_is_or_as_train_builds_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, sizes in (("fixed", (29, 31)), ("open", (None, None))):
        pixels = keras.Input((*sizes, 3))
        maps = keras.layers.Conv2D(5, 3, name="maps")(pixels)
        x = keras.layers.Dense(7)(keras.layers.GlobalAveragePooling2D()(maps))
        keras.Model(pixels, x, name=name).save(f"{name}.keras")

    def shown(*arguments: str) -> dict:
        summary([*arguments, "--format=json"])
        return json.loads(capsys.readouterr().out)

    assert shown("fixed.keras")["stages"][-1]["output_shape"] == [7]
    setting = "--set=attention=a2"
    document = shown("fixed.keras", setting, "--classes=11")
    assert document["input_shape"] == [29, 31, 3]
    assert document["stages"][-1]["output_shape"] == [11]
    assert document["stages"][0]["attention"] == ["maps_double_attention"]
    assert shown("open.keras", setting, "--input=17x19")["input_shape"] == [17, 19, 3]
    with pytest.raises(UserError, match=r"^open.keras takes any size: --input=224x224 says which$"):
        shown("open.keras", setting)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/model.keras").touch()
    with pytest.raises(UserError) as error:
        shown("run", setting)
    assert str(error.value) == "run is shown as it is: --set and --input are not for runs"

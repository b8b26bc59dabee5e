"""`a2keras summary`: all networks without building any, and the stages of one."""

import gc
import json
import re

import pytest

import a2keras
from a2keras import models
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

"""What a command loads before it works: no mistake waits for TensorFlow, and no help does."""

import inspect
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from a2keras import models
from a2keras.__main__ import COMMANDS
from a2keras.models import hosts, names

HEAVY = ("tensorflow", "keras", "jax", "torch", "sklearn", "matplotlib", "tensorflow_datasets")
# Calls the command again and again in one process: what one call loads, the next ones see as well.
PROGRAM = """
import contextlib, io, json, sys
sys.argv = ["a2keras"]
from a2keras.__main__ import main
told = []
for arguments in json.loads(sys.stdin.read()):
    sys.argv = ["a2keras", *arguments]
    output, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(said):
        code = main()
    loaded = [name for name in HEAVY if name in sys.modules]
    told.append([code, said.getvalue(), loaded])
print(json.dumps(told))
""".replace("HEAVY", repr(HEAVY))

OUTPUT = "--output=new"
TRAIN = ["train", OUTPUT, "--data=folder:pictures"]
MISTAKES = {
    "flag": (["train", "--recipe=folder", OUTPUT, "--cuont=5"], "no flag --cuont: see --help"),
    "setting as flag": (["train", OUTPUT, "--epoch=5"], "did you mean '--set epochs=VALUE'?"),
    "value": (["train", "--recipe=folder", OUTPUT, "--replicas=x"], "flag --replicas=x"),
    "missing flag": (["train", "--recipe=folder"], "--output is missing"),
    "no recipe": (["train", OUTPUT], "--recipe is missing"),
    "recipe": ([*TRAIN, "--recipe=folders"], "no recipe 'folders': did you mean 'folder'?"),
    "recipe far off": ([*TRAIN, "--recipe=zzz"], "no recipe 'zzz': the recipes are imagenet_a2"),
    "recipe file": ([*TRAIN, "--recipe=none.toml"], "none.toml is not a recipe: it does not exist"),
    "recipes": (["recipes", "folders"], "no recipe 'folders': did you mean 'folder'?"),
    "setting": ([*TRAIN, "--recipe=folder", "--set=sise=32"], "no field 'sise': did you mean"),
    "setting's value": ([*TRAIN, "--recipe=folder", "--set=size=x"], "size is of type int"),
    "setting's rule": ([*TRAIN, "--recipe=folder", "--set=size=0"], "size must be at least 1"),
    "no data": (["train", "--recipe=folder", OUTPUT], "--data must be one of"),
    "data": (["train", "--recipe=folder", OUTPUT, "--data=folder:none"], "none does not exist"),
    "list": (["train", "--recipe=folder", OUTPUT, "--data=csv:none.csv"], "none.csv"),
    "prepared": (["train", "--recipe=photos", OUTPUT, "--data=prepared:none"], "none"),
    "network": ([*TRAIN, "--recipe=folder", "--model=a2_resnet"], "no network 'a2_resnet'"),
    "keras network": ([*TRAIN, "--recipe=folder", "--model=keras:VGG"], "did you mean 'keras:VGG"),
    "file": ([*TRAIN, "--recipe=folder", "--model=none.keras"], "there is no file"),
    "task": ([*TRAIN, "--recipe=videos"], "holds images, such as"),
    "videos' network": ([*TRAIN, "--recipe=photos", "--model=i3d"], "i3d takes videos"),
    "stem": ([*TRAIN, "--recipe=folder", "--set=stem=small"], "stem is for ResNets"),
    "weights": ([*TRAIN, "--recipe=folder", "--set=weights=none.pth"], "there is no"),
    "no weights": (
        [*TRAIN, "--recipe=folder", "--model=c3d", "--set=weights=auto"],
        "no weights are published for c3d",
    ),
    "replicas": (
        [*TRAIN, "--recipe=folder", "--replicas=3"],
        "batch_size must be divisible by the replicas",
    ),
    "strategy": ([*TRAIN, "--recipe=folder", "--strategy=none", "--replicas=2"], "is one replica"),
    "output": (
        ["train", "--recipe=folder", "--output=pictures", "--data=folder:pictures"],
        "exists and is not a run",
    ),
    "output elsewhere": (["train", "--recipe=folder", "--output=gs://a/b"], "of this machine"),
    "checkpoints": (
        [*TRAIN, "--recipe=folder", "--checkpoint_keep=0"],
        "flag --checkpoint_keep=0: 0 is not a positive integer",
    ),
    "evaluate": (["evaluate", "none"], "none is not a run"),
    "evaluate nothing": (["evaluate"], "evaluate takes a RUN"),
    "evaluate unfinished": (["evaluate", "unfinished"], "is not finished"),
    "explain": (["explain", "none", OUTPUT], "none is not a run"),
    "ablate": (["ablate", "--data=folder:pictures", OUTPUT, "--rows=none,x"], "no row x"),
    "ablate data": (["ablate", "--data=folder:none", OUTPUT], "none does not exist"),
    "ablate row": (["ablate", "--data=folder:pictures", OUTPUT, "--row=a sise=3"], "no field"),
    "prepare": (["prepare", "folder:none", OUTPUT], "none does not exist"),
    "prepare quality": (["prepare", "folder:pictures", OUTPUT, "--quality=0"], "from 1 to 100"),
    "predict": (["predict", "none", "a.jpg"], "none does not exist"),
    "predict title": (
        ["predict", "efficientnet_lite0", "a.jpg"],
        "efficientnet_lite0 does not exist: did you mean 'efficientnet_lite0:imagenet'?",
    ),
    "export": (["export", "none", OUTPUT], "none does not exist"),
    "format": (["export", "unfinished", OUTPUT, "--formats=tf"], "there is no format 'tf'"),
    "near format": (
        ["export", "unfinished", OUTPUT, "--formats=tflight"],
        "did you mean 'tflite_f",
    ),
    "weights' own": (
        ["export", "i3d:kinetics400", OUTPUT, "--preprocessing=none.json"],
        "i3d:kinetics400 has its own preprocessing: --preprocessing is for a model of your own",
    ),
    "benchmark": (["benchmark", "none"], "none does not exist"),
    "benchmark title": (["benchmark", "i3d"], "i3d does not exist: did you mean 'i3d:kinetics400'"),
    "summary": (["summary", "a2_resnet"], "there is no network 'a2_resnet'"),
    "summary input": (["summary", "a2_resnet11", "--input=3x"], "--input must be sizes"),
    "summary size 0": (["summary", "a2_resnet11", "--input=0x9"], "sizes must be at least 1"),
    "summary sizes": (["summary", "i3d", "--input=3x3"], "i3d takes 3 sizes. Received: --input="),
    "summary option": (["summary", "a2_resnet11", "--set=depth=3"], "--set takes option=value"),
    "convert": (["convert", "none.pth", "--model=c3d", "--output=a.keras"], "no file none.pth"),
    "convert model": (["convert", "a.pth", "--model=c4d", "--output=a.keras"], "--model must be"),
    "weights fetch": (["weights", "fetch", "none"], "no published weights 'none'"),
    "check": (["check", "all"], "check takes no arguments. Received: all"),
    "completion": (["completion", "csh"], "completion takes one of bash, zsh, fish"),
    "help": (["help", "trian"], "no command or topic 'trian': did you mean 'train'?"),
    "tables": (["tables", "--table=7"], "--table must be 1 to 6"),
    "demo": (["demo", "here"], "demo takes no arguments"),
    "demo setting": (["demo", OUTPUT, "--set=sise=3"], "no field 'sise'"),
}
NEEDS_BEAM = {"prepare", "prepare quality"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of two classes, and a run that has begun."""
    folder = tmp_path_factory.mktemp("start")
    for name in ("cat/0.png", "cat/1.png", "dog/2.png", "dog/3.png"):
        path = folder / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((7, 5, 3), int(path.stem), "uint8")
        Image.fromarray(pixels).save(path)
    (folder / "unfinished").mkdir()
    (folder / "unfinished/recipe.json").write_text('{"name": "mine"}')
    return folder


def answers(calls, folder):
    """Of each call its exit code, what it said, and what had been loaded by then."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(calls), capture_output=True, text=True,
        cwd=folder, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_mistakes_are_told_before_anything_heavy_is_loaded(folder):
    calls = [arguments for arguments, _ in MISTAKES.values()]
    told = zip(MISTAKES.items(), answers(calls, folder), strict=True)
    for (name, (_, sentence)), (code, said, loaded) in told:
        assert (code, loaded) == (2, []), (name, said)
        if name not in NEEDS_BEAM or "pip install 'a2keras[prepare]'" not in said:
            assert sentence in said.splitlines()[-1], (name, said)


def test_help_loads_nothing_heavy(folder):
    calls = [[name, "--help"] for name in COMMANDS]
    assert answers(calls, folder) == [[0, "", []]] * len(COMMANDS)


def test_what_is_known_of_networks_without_keras_is_true():
    assert list(names.NETWORKS) == models.list_models()
    for name, known in names.NETWORKS.items():
        parameters = inspect.signature(models.builder(name)).parameters.values()
        own = [each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY]
        assert (list(known.options), known.is_video) == (own, models.is_video(name))
    assert set(names.applications()) == set(hosts.applications())


@pytest.mark.slow
def test_tensorflow_starts_in_silence_whoever_needs_it_first(tmp_path):
    pytest.importorskip("tensorflow")
    code = (
        "import sys; sys.argv = ['a2keras']\n"
        "from a2keras.console import start_quietly\n"
        "start_quietly(); start_quietly()\n"
        "from importlib.util import find_spec; find_spec('tensorflow')\n"  # as etils.epath looks
        "import tensorflow as tf\n"
        "print(len(tf.config.list_physical_devices('CPU')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")

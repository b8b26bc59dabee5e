"""What runs out while data are read ends the command; no file is left out for it."""

import errno
import itertools
import subprocess
import sys
import threading

import keras
import pytest
from PIL import Image

from a2keras.errors import OutOfResources, UserError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data import open_source, resolve
from a2keras.training.data.files import MediaFile, read_all
from a2keras.training.evaluation.forward import predict_views
from a2keras.training.explanation.explain import _from_files
from a2keras.training.prepare import shards
from a2keras.training.prepare.encoding import Encoding
from a2keras.training.prepare.shards import FileShard
from a2keras.training.prepare.storing import prepare
from a2keras.training.run.train import train

TOO_MANY = OSError(errno.EMFILE, "Too many open files")


def recipe_of(folder, **settings) -> Recipe:
    given = {"size": 16, "frames": 4, "batch_size": 3, "epochs": 1, **settings}
    return resolve(Recipe("mine", data=f"folder:{folder}", **given))


@pytest.fixture
def no_more_files(monkeypatch):
    """What begins it: from the third file on the system opens no more."""
    opened = Image.open
    count = itertools.count()

    def fail(source, **options):
        if next(count) >= 2:
            raise TOO_MANY
        return opened(source, **options)

    return lambda: monkeypatch.setattr(Image, "open", fail)


def test_reading_all_files(images, no_more_files, capsys):
    no_more_files()
    with pytest.raises(OutOfResources, match=r"run out of open files while .*\.png was read"):
        open_source(recipe_of(images))
    assert "left out" not in capsys.readouterr().err


def test_no_thread_for_reading(tmp_path, write_video, monkeypatch):
    write_video(tmp_path / "a.avi", 9)

    def fail(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises((OutOfResources, RuntimeError), match="can't start new thread"):
        read_all([MediaFile(str(tmp_path / "a.avi"))], "video", 16, 1.0)


def test_training_stops(images, tmp_path, tiny_network, no_more_files):
    recipe = recipe_of(images, memory_budget=1e-9)  # every file is read anew for every step
    source = open_source(recipe)
    no_more_files()
    with pytest.raises(UserError) as caught:
        train(recipe, tmp_path / "run", source=source)
    assert str(caught.value).startswith(f"this process has run out of open files while {images}/")
    assert "\n" not in str(caught.value)


def test_evaluation_and_explanation_stop(images, no_more_files):
    recipe = recipe_of(images)
    preprocessing = Preprocessing(("blue", "red"), 16)
    examples = open_source(recipe).splits["train"]
    inputs = keras.Input(preprocessing.input_shape)
    means = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(means / 255))
    no_more_files()
    with pytest.raises(OutOfResources):
        predict_views(model, examples, preprocessing, recipe)
    with pytest.raises(OutOfResources):
        _from_files([str(images / "red/00.png"), str(images / "red/01.png")], preprocessing)


@pytest.mark.parametrize("task", ["image", "video"])
def test_a_shard_is_not_written_without(tmp_path, write_images, write_video, monkeypatch, task):
    def fail(*given):
        raise TOO_MANY

    write_images(tmp_path, 1, 0)
    write_video(tmp_path / "a.avi", 9)
    name = "a.avi" if task == "video" else "00.png"
    shard = FileShard("train", 0, 1, ((name, "train", "a", MediaFile(f"{tmp_path}/{name}")),))
    assert len(list(shard.contents(task, Encoding()))) == 1
    monkeypatch.setattr(shards, "read_bytes", fail)
    monkeypatch.setattr("a2keras.models.preprocessing.video.video_stream", fail)
    with pytest.raises(OutOfResources, match=rf"open files while {tmp_path}/{name} was read"):
        list(shard.contents(task, Encoding()))


def test_preparing_stops(tmp_path, write_images, monkeypatch):
    pytest.importorskip("apache_beam")
    for name in ("blue", "red"):
        write_images(tmp_path / f"pictures/{name}", 3, 0)

    def fail(path):
        raise TOO_MANY

    monkeypatch.setattr(shards, "read_bytes", fail)
    with pytest.raises(UserError) as caught:
        prepare(f"folder:{tmp_path}/pictures", str(tmp_path / "prepared"))
    told = str(caught.value)
    assert "this process has run out of open files while " in told
    assert told.endswith("the same command goes on with what is missing")
    assert "\n" not in told
    assert not (tmp_path / "prepared").exists()


@pytest.mark.slow
def test_the_command_ends_in_one_sentence(tmp_path, write_video):
    """Really: the system opens no more than 40 files, and all but a few are taken."""
    for name in ("dark", "light"):
        for i in range(4):
            write_video(tmp_path / name / f"{i}.avi", 9)
    program = """
import os, resource, sys
from a2keras import __main__ as command
import a2keras.training.commands.train
from a2keras.training.run import train
import a2keras.models.preprocessing.video, av, PIL.Image, a2keras.training.run.directory
from a2keras.models.preprocessing import decode_video
decode_video(sys.argv[1] + "/dark/0.avi")  # what is imported late is there
opened = train.open_listing
def with_few_files(*listed):
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
    held = []
    try:
        while True: held.append(open(os.devnull))
    except OSError: pass
    return opened(*listed)
train.open_listing = with_few_files
sys.argv = ["a2keras", "train", "--recipe=folder", "--set=weights=none",
            "--data=folder:" + sys.argv[1], "--output=" + sys.argv[1] + ".run"]
sys.exit(command.main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("a2keras ")]
    assert len(lines) == 1
    assert lines[0].startswith("a2keras train: this process has run out of open files while ")
    assert "Traceback" not in done.stderr
    assert "left out" not in done.stderr

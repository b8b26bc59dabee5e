"""Explanations: which descriptors are shown, what is written, and where nothing is written."""

import io
import json
import re
import sys

import keras
import numpy as np
import pytest

from a2keras import DoubleAttention
from a2keras.errors import UserError
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.data.source import Examples, Source
from a2keras.training.evaluation.held_out import HeldOut
from a2keras.training.explanation.attended import Block, ClassMap, Onlooker
from a2keras.training.explanation.explain import _held_out
from a2keras.training.explanation.overlays import _gathered, draw_attention


def block_of(gather: np.ndarray) -> Block:
    return Block("conv4_1_attention", gather, np.full_like(gather, 1 / gather.shape[-1]))


def test_the_most_concentrated_maps_come_first():
    gather = np.zeros((2, 3, 5, 3))
    gather[..., 0] = 1 / 30  # uniform
    gather[1, 2, 4, 1] = 1  # one position
    gather[0, :2, 0, 2] = 1 / 2  # two positions
    block = block_of(gather)
    assert block.most_concentrated(2) == [1, 2]
    assert block.peaks() == pytest.approx([1, 30, 15])


def test_a_clip_may_have_more_frames_than_a_block_has_time_steps(tmp_path):
    random = np.random.default_rng(0)
    frames = random.integers(0, 255, (7, 11, 13, 3), dtype="uint8")
    gather = random.random((3, 4, 5, 6))
    draw_attention(
        frames,
        [ClassMap("a", 0.5, np.zeros((1, 2, 2)))],
        [block_of(gather / gather.sum((0, 1, 2)))] * 2,
        "title",
        tmp_path / "a.png",
    )
    from PIL import Image

    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 900
        assert np.asarray(picture).std() > 20


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.slow
def test_videos_from_training_to_explanation(
    tmp_path, write_video, tiny_network, run_command, monkeypatch
):
    data, run, output = tmp_path / "data", tmp_path / "run", tmp_path / "maps"
    for name, shade in (("dark", 0), ("light", 90)):
        for i in range(6):
            write_video(data / name / f"{i}_{i % 3}.avi", 5 + i, shade=shade)
    settings = ["size=16", "frames=4", "batch_size=4", "epochs=1", "views=2", "test_groups=2"]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal := Terminal())
        run_command(
            "train",
            "--recipe=folder",
            "--set=weights=none",
            f"--data=folder:{data}",
            f"--output={run}",
            r"--set=group_pattern=_(\d)\.avi",
            *(f"--set={setting}" for setting in settings),
        )
    # How far, since when, how long yet, how fast.
    bar = r"training: 100%\|#+\| 4/4 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+( clips/s|s/ clips), epoch 1/1\]"
    assert re.search(bar, terminal.getvalue()), terminal.getvalue()
    scores = json.loads(run_command("evaluate", run, "--format=json"))
    assert scores["examples"] == 4
    assert {"clip@1", "video@1"} <= scores.keys()

    printed = json.loads(
        run_command("explain", run, f"--output={output}", "--samples=3", "--format=json")
    )
    assert printed == json.loads((output / "explain.json").read_text())
    assert [example["name"] for example in printed["explained"]] == [
        "dark/2_2.avi",
        "light/2_2.avi",
        "dark/5_2.avi",
    ]
    assert [example["label"] for example in printed["explained"]] == ["dark", "light", "dark"]
    (block,) = printed["explained"][0]["blocks"]
    assert (block["name"], block["positions"], block["descriptors"]) == ("attention", [2, 8, 8], 2)
    for example in printed["explained"]:
        assert (output / example["picture"]).read_bytes().startswith(b"\x89PNG")

    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"nothing")
    file = data / "dark/0_0.avi"
    printed = json.loads(
        run_command("explain", run, file, broken, f"--output={output}", "--format=json")
    )
    assert [example["name"] for example in printed["explained"]] == [str(file)]
    assert "label" not in printed["explained"][0]
    assert [skipped["path"] for skipped in printed["skipped"]] == [str(broken)]
    with pytest.raises(UserError, match=r"broken\.avi"):
        run_command("explain", run, broken, f"--output={output}")
    with pytest.raises(UserError) as error:
        run_command("explain", run, file, f"--output={data}")
    assert str(error.value) == f"{data} exists and holds something else: choose another --output"
    with pytest.raises(UserError, match=r"explain takes a RUN, and files. Received: none"):
        run_command("explain", f"--output={output}")

    # The same model without its run; a folder of files; and the deletion test.
    model = run / "model.keras"
    with pytest.raises(UserError) as error:
        run_command("explain", model, f"--output={output}")
    assert str(error.value) == f"{model} is no run, which would hold examples out: give files"
    command = ["explain", model, data / "light", f"--output={output}", "--deletion"]
    printed = json.loads(run_command(*command, "--format=json"))
    assert [each["name"] for each in printed["explained"]] == [
        str(data / f"light/{i}_{i % 3}.avi") for i in range(6)
    ]
    check_deletion(printed, output)
    assert "deletion by attention: area " in run_command(*command)


def check_deletion(document, output):
    page = (output / "index.html").read_text()
    for each in document["explained"]:
        shown = each["class_maps"][0]
        assert (shown["label"], shown["positions"]) == (each["prediction"], [2, 8, 8])
        assert shown["probability"] == each["probability"]
        methods = [entry["method"] for entry in each["deletion"]["maps"]]
        assert methods == ["class map", "attention"]
        for entry in each["deletion"]["maps"]:
            assert entry["probabilities"][0] == pytest.approx(each["probability"], abs=2e-4)
            assert len(entry["fractions"]) == 11
        for name in (each["picture"], each["deletion"]["picture"]):
            assert f"src='{name}'" in page and (output / name).is_file()
    (first, second) = document["deletion"]["maps"]
    assert (first["method"], first["examples"]) == ("class map", 6)
    areas = [each["deletion"]["maps"][1]["area"] for each in document["explained"]]
    assert second["area"] == pytest.approx(np.mean(areas), abs=1e-4)
    assert document["deletion"]["blanked_by"] in page


class Unreadable(Examples):
    labels, names, is_video = np.array([0, 1]), ("a", "b"), False

    def frames(self, index):
        raise DecodeError(self.names[index], "is no image")


def test_held_out_examples_that_cannot_be_read_are_told():
    source = Source(("a", "b"), {"test": Unreadable()}, "by hand", "")
    held_out = HeldOut(None, Preprocessing(("a", "b"), 16), "test", source)
    with pytest.raises(UserError) as error:
        _held_out(held_out, 4)
    assert str(error.value) == "none of the held-out examples can be read"


def saved(network, folder, labels):
    folder.mkdir()
    network.save(folder / "model.keras")
    Preprocessing(labels, network.input_shape[1]).save(folder)
    return folder / "model.keras"


def test_a_network_without_blocks_and_one_without_maps(tmp_path, write_images, run_command):
    write_images(tmp_path / "photos", 2, 0)
    inputs = keras.Input((16, 16, 3))
    maps = keras.layers.Conv2D(7, 3, name="maps")(inputs)
    dense = keras.layers.Dense(5, activation="softmax")
    plain = keras.Model(inputs, dense(keras.layers.GlobalAveragePooling2D()(maps)))
    labels = ("$x^2$", "<b>", "c\x1b[31m", "日本", "_e")
    model = saved(plain, tmp_path / "plain", labels)
    output = tmp_path / "maps"
    shown = run_command("explain", model, tmp_path / "photos", f"--output={output}")
    assert len(shown.splitlines()) == 2 and "\x1b" not in shown
    document = json.loads((output / "explain.json").read_text())
    assert document["class_maps"] == {"method": "Grad-CAM", "layer": "maps"}
    for each in document["explained"]:
        assert each["blocks"] == []
        assert len({entry["label"] for entry in each["class_maps"]}) == 3
        assert each["class_maps"][0]["label"] == each["prediction"]
    page = (output / "index.html").read_text()
    assert "\x1b" not in page and "<b>" not in page

    flat = keras.layers.Dense(5, activation="softmax")(keras.layers.Flatten()(inputs))
    model = saved(keras.Model(inputs, flat, name="flat"), tmp_path / "flat", labels)
    with pytest.raises(UserError) as error:
        run_command("explain", model, tmp_path / "photos", f"--output={output}")
    assert str(error.value) == (
        "there is nothing to explain: class maps need feature maps, and a layer that all of them "
        "go through. Received: model 'flat' without"
    )


def test_the_true_class_is_shown_where_it_is_not_among_the_likeliest():
    inputs = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(7, 3)(inputs)
    scores = keras.layers.Dense(5, activation="softmax")
    model = keras.Model(inputs, scores(keras.layers.GlobalAveragePooling2D()(maps)))
    model.layers[-1].set_weights([np.zeros((7, 5)), np.array([0.0, 4, 3, 2, 1])])
    onlooker = Onlooker(model, tuple("abcde"))
    pixels = np.zeros((8, 8, 3), "uint8")
    for labels, shown in (
        ((), "bcd"),
        (("c",), "bcd"),
        (("a",), "bca"),
        (("unknown",), "bcd"),
        (("a", "c", "e"), "bce"),  # the likelier ones of all that are true
        (("d", "e"), "bde"),
    ):
        attended = onlooker.look(pixels, labels)
        assert "".join(each.label for each in attended.class_maps) == shown
        assert attended.class_maps[0].peak() == 0  # no weight speaks for it
    assert attended.best == 1


def onlooker_of(inputs, x):
    """Of a network whose class maps are those of its first convolution."""
    x = keras.layers.GlobalAveragePooling1D()(x)
    return Onlooker(keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x)), ("a", "b"))


def test_a_block_of_a_sequence_is_told_once_and_not_drawn(capsys):
    inputs = keras.Input((6, 10, 3))
    x = keras.layers.Conv2D(7, 1, name="maps")(inputs)
    x = DoubleAttention(3, name="laid")(x)
    x = DoubleAttention(3, name="tokens")(keras.layers.Reshape((60, 7))(x))
    onlooker = onlooker_of(inputs, x)
    for _ in range(2):
        attended = onlooker.look(np.zeros((6, 10, 3), "uint8"))
        assert [block.name for block in attended.blocks] == ["laid"]
    assert capsys.readouterr().err == (
        "block tokens is not shown: its positions are not the view's\n"
    )


@pytest.mark.parametrize("timed", [True, False])
def test_a_block_of_every_frame_is_one_block_of_the_clip(timed):
    """Frame by frame in a TimeDistributed, and with the frames as the batch."""
    inputs = keras.Input((5, 6, 10, 3), batch_size=1)
    maps = keras.layers.Conv3D(7, 1, name="maps")(inputs)
    block = DoubleAttention(3, 2, name="block")
    if timed:
        x = keras.layers.TimeDistributed(block)(maps)
    else:
        x = block(keras.ops.reshape(maps, (5, 6, 10, 7)))
    onlooker = onlooker_of(inputs, keras.ops.reshape(x, (1, 300, 7)))
    pixels = np.random.default_rng(0).integers(0, 255, (5, 6, 10, 3), dtype="uint8")
    (found,) = onlooker.look(pixels).blocks
    assert found.name == "block"
    assert found.gather.shape == found.distribution.shape == (5, 6, 10, 2)
    # Each frame's map sums to 1 by itself; all that is shown is of the clip.
    assert found.gather.sum(axis=(0, 1, 2)) == pytest.approx([1, 1])
    assert found.gather.sum(axis=(1, 2)) == pytest.approx(np.full((5, 2), 0.2))
    assert found.distribution.sum(axis=-1) == pytest.approx(np.ones((5, 6, 10)))


def test_a_uniform_gather_map_is_of_medium_brightness():
    """That of one position has its full heat there, that of all the half of it everywhere."""
    gather = np.stack([np.full((2, 3, 5), 1 / 30), np.eye(30)[7].reshape(2, 3, 5)], axis=-1)
    block = Block("block", gather, gather)
    np.testing.assert_allclose(_gathered(block, 0), 0.5)
    np.testing.assert_allclose(_gathered(block, 1), gather[..., 1])


def test_a_network_that_gives_no_numbers_is_told(tmp_path, write_images, run_command):
    write_images(tmp_path / "photos", 1, 0)
    inputs = keras.Input((16, 16, 3))
    maps = keras.layers.Conv2D(7, 3, name="maps")(inputs)
    dense = keras.layers.Dense(2, activation="softmax")
    network = keras.Model(inputs, dense(keras.layers.GlobalAveragePooling2D()(maps)))
    network.layers[-1].set_weights([np.full((7, 2), np.nan), np.zeros(2)])
    model = saved(network, tmp_path / "diverged", ("a", "b"))
    command = ["explain", model, tmp_path / "photos", f"--output={tmp_path / 'maps'}"]
    for _ in range(2):  # what it has begun stays its own
        with pytest.raises(UserError) as error:
            run_command(*command)
        assert str(error.value) == "the network's outputs are not numbers: it has diverged"
        (tmp_path / "maps/explain.json").write_text("an earlier one")
    assert (tmp_path / "maps/explain.json").read_text() == "an earlier one"


def test_an_explanation_that_was_killed_is_done_again(tmp_path):
    from a2keras.training.explanation import explain

    output = tmp_path / "maps"
    output.mkdir()
    (output / ".explain.json.7.partial.json").touch()
    assert explain._is_ours(output)
    (output / "01_photo.png").touch()
    assert not explain._is_ours(output)
    (output / "explain.json").touch()
    assert explain._is_ours(output)


def test_published_weights_explain_photographs(tmp_path, write_images, run_command):
    from a2keras.models.weights import fetching, published

    if not fetching.is_kept(published.find("efficientnet_lite0:imagenet")):
        pytest.skip("efficientnet_lite0:imagenet is not in the cache")
    write_images(tmp_path / "photos", 1, 0)
    arguments = ["explain", "efficientnet_lite0:imagenet", tmp_path / "photos/00.png"]
    printed = run_command(*arguments, f"--output={tmp_path / 'maps'}", "--format=json")
    document = json.loads(printed)
    assert document["class_maps"]["layer"] == "conv9_relu"
    (each,) = document["explained"]
    assert each["class_maps"][0]["positions"] == [1, 7, 7]

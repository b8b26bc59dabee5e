"""Explanations: which descriptors are shown, what is written, and where nothing is written."""

import io
import json
import re
import sys

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.training.attended import Block, ClassMap
from a2keras.training.pictures import draw_attention


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
    bar = r"training: 100%\|#+\| 4/4 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+ clips/s, epoch 1/1\]"
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

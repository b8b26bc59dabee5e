"""Stretches of time, and the files that tell them."""

import csv
import dataclasses
import io
import json

import numpy as np
import pytest
from PIL import Image, ImageColor

from a2keras.errors import UserError
from a2keras.export import timeline as module
from a2keras.export.predict import load
from a2keras.export.timeline import COLOURS, Timeline, timeline
from a2keras.models.preprocessing import DecodeError

LABELS = ("left", "right", "up")
PROBABILITIES = np.array(
    [[0.7, 0.2, 0.1], [0.9, 0.0, 0.1], [0.1, 0.8, 0.1], [0.0, 0.25, 0.75], [0.0, 0.4, 0.6]],
    np.float32,
)
TIMES = np.array([0.5, 1.5, 2.5, 3.75, 4.5])


def made(probabilities=PROBABILITIES, times=TIMES, labels=LABELS) -> Timeline:
    return Timeline("a/film.mp4", labels, times, probabilities, 1.0, 0.8, "time stamps")


def test_segments_by_hand():
    expected = [
        (0.1, 2.0, "left", 0.8),
        (2.0, 3.125, "right", 0.8),
        (3.125, 4.9, "up", 0.675),
    ]
    found = [tuple(each.values()) for each in made().segments()]
    for one, other in zip(found, expected, strict=True):
        assert one[2] == other[2]
        assert (one[0], one[1], one[3]) == pytest.approx((other[0], other[1], other[3]), abs=1e-3)


def test_one_clip_is_one_segment():
    (segment,) = made(PROBABILITIES[3:4], np.array([0.3])).segments()
    assert segment == {"from": 0.0, "to": 0.7, "label": "up", "probability": 0.75}


@pytest.mark.parametrize(("every", "step"), [(0.5, 0.5), (0.001, 0.04)])
def test_frames_one_by_one_have_stretches_of_some_length(every, step):
    """Of a network that takes images; from frame to frame it is 0.04 s at least."""
    frames = dataclasses.replace(made(times=step * np.arange(5)), every=every, seconds=0.0)
    found = [(each["label"], each["from"], each["to"]) for each in frames.segments()]
    assert found == [
        ("left", 0.0, pytest.approx(1.5 * step)),
        ("right", pytest.approx(1.5 * step), pytest.approx(2.5 * step)),
        ("up", pytest.approx(2.5 * step), pytest.approx(4.5 * step)),
    ]
    one = dataclasses.replace(frames, times=np.zeros(1), probabilities=PROBABILITIES[:1])
    (only,) = one.segments()
    assert (only["from"], only["to"]) == (0.0, pytest.approx(every / 2, abs=5e-4))


def test_names_are_drawn_as_they_are(tmp_path):
    labels = ("$5", "_$a_", "caf\udce9 \x1b{")
    odd = dataclasses.replace(made(labels=labels), file=f"x/$_$ {'n' * 230}.mp4")
    odd.draw(tmp_path / "timeline.png")
    with Image.open(tmp_path / "timeline.png") as picture:
        assert picture.size == (990, 352)
        assert np.asarray(picture).std() > 10


def test_files(tmp_path):
    made().save(tmp_path / "new" / "folder")
    directory = tmp_path / "new" / "folder"
    assert sorted(path.name for path in directory.iterdir()) == [
        "timeline.csv",
        "timeline.json",
        "timeline.png",
    ]
    document = json.loads((directory / "timeline.json").read_text())
    assert document == made().document()
    assert (document["every"], document["clip_seconds"]) == (1.0, 0.8)
    np.testing.assert_allclose(document["probabilities"], PROBABILITIES, atol=1e-6)
    heading, *rows = csv.reader((directory / "timeline.csv").open())
    assert heading == ["time", *LABELS]
    numbers = np.array(rows, float)
    np.testing.assert_allclose(numbers[:, 0], TIMES)
    np.testing.assert_allclose(numbers[:, 1:], PROBABILITIES, atol=1e-6)


def test_names_are_no_formulas_and_steer_no_terminal(tmp_path):
    labels = ("=cmd|' /C calc'!A0", "-1.5", "a\x1b[2J\n+b")
    made(labels=labels).save(tmp_path)
    text = (tmp_path / "timeline.csv").read_text()
    heading = next(csv.reader(io.StringIO(text)))
    assert heading == ["time", "'=cmd|' /C calc'!A0", "-1.5", "a\\x1b[2J\\n+b"]
    assert "\x1b" not in text + (tmp_path / "timeline.json").read_text()
    assert json.loads((tmp_path / "timeline.json").read_text())["labels"] == list(labels)


def test_links_in_the_output_are_not_written_through(tmp_path):
    (tmp_path / "victim").write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    for name in ("timeline.csv", "timeline.json", "timeline.png"):
        (out / name).symlink_to(tmp_path / "victim")
    made().save(out)
    assert (tmp_path / "victim").read_text() == "mine"
    assert not any(path.is_symlink() for path in out.iterdir())
    assert len(list(out.iterdir())) == 3


def test_a_directory_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=f"^{tmp_path / 'file'} cannot be written: "):
        made().save(tmp_path / "file")


def areas(path) -> np.ndarray:
    """How much of the plotted area has each of the first three colours; they add up to 1."""
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    counts = [(pixels == ImageColor.getrgb(colour)).all(axis=1).sum() for colour in COLOURS[:3]]
    return np.array(counts) / sum(counts)


def test_the_picture_shows_the_shares(tmp_path):
    """Equal steps: a class's share of the area is its mean probability."""
    made(times=np.arange(5.0) + 0.5).draw(tmp_path / "drawn.png")
    order = [0, 1, 2]  # as their peaks come
    np.testing.assert_allclose(
        areas(tmp_path / "drawn.png"), PROBABILITIES.mean(axis=0)[order], atol=0.02
    )


def test_the_picture_of_one_clip(tmp_path):
    one = made(PROBABILITIES[3:4], np.array([0.4]))
    one.draw(tmp_path / "drawn.png")
    # Only one peak: the classes come in the order of their probability.
    np.testing.assert_allclose(areas(tmp_path / "drawn.png"), [0.75, 0.25, 0], atol=0.02)


def test_many_classes_are_drawn_as_others():
    probabilities = np.full((4, 13), 0.01)
    probabilities[[0, 1, 2, 3], [11, 2, 7, 2]] = 0.88
    labels = tuple("abcdefghijklm")
    chosen = made(probabilities, np.arange(4.0), labels)._highest(7)
    assert [labels[index] for index in chosen if probabilities[:, index].max() > 0.5] == [
        "l",
        "c",
        "h",
    ]
    assert len(set(chosen)) == 7
    certain = np.eye(13)[[4, 4, 6, 6]]
    assert made(certain, np.arange(4.0), labels)._highest(7).tolist() == [4, 6]
    unsure = np.full((4, 13), 0.004)
    assert len(made(unsure, np.arange(4.0), labels)._highest(7)) == 1


@pytest.mark.parametrize("crops", [1, 3])
def test_crops_are_averaged(video_run, video, crops):
    artefact = load(video_run)
    found = timeline(artefact, video, every=0.2, crops=crops)
    frames = artefact.preprocessing.read(video)
    views = artefact.preprocessing.crops(frames[5:14:2], crops)
    assert len(views) == crops
    np.testing.assert_allclose(
        found.probabilities[1], artefact.probabilities(views).mean(axis=0), atol=1e-6
    )


def test_too_many_numbers(video_run, video, monkeypatch):
    monkeypatch.setattr(module, "MAX_NUMBERS", 32)
    with pytest.raises(DecodeError) as caught:
        timeline(load(video_run), video, every=0.001)
    assert str(caught.value) == (
        f"{video}: gives 11 clips of 3 classes: make them fewer by `every`"
    )


def test_a_model_whose_outputs_are_found_to_be_too_few(video_run):
    artefact = load(video_run)
    shorter = dataclasses.replace(artefact, compute=lambda batch: np.zeros((len(batch), 2)))
    with pytest.raises(UserError) as caught:
        shorter.probabilities(np.zeros((1, 5, 13, 13, 3), np.uint8))
    assert str(caught.value) == (
        f"{video_run / 'model.keras'} gives outputs of shape (2,), but its preprocessing names "
        "3 classes"
    )


def test_labels_of_a_multi_label_model_overlap(tmp_path):
    probabilities = np.array(
        [[0.7, 0.2, 0.6], [0.9, 0.5, 0.1], [0.1, 0.8, 0.1], [0.0, 0.25, 0.75], [0.6, 0.4, 0.6]],
        np.float32,
    )
    several = dataclasses.replace(made(probabilities), multi_label=True)
    found = [(each["label"], each["from"], each["to"]) for each in several.segments()]
    assert found == [
        ("up", 0.1, 1.0),
        ("left", 0.1, 2.0),
        ("right", 1.0, 3.125),
        ("up", 3.125, 4.9),
        ("left", 4.125, 4.9),
    ]
    assert several.segments()[1]["probability"] == pytest.approx(0.8)
    nothing = dataclasses.replace(several, probabilities=np.full((5, 3), 0.1, np.float32))
    assert nothing.segments() == []
    several.draw(tmp_path / "timeline.png")
    with Image.open(tmp_path / "timeline.png") as picture:
        assert np.asarray(picture).std() > 10

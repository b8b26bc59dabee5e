"""Records that were made by hand: what can be read of them, and what is said of the others."""

import numpy as np
import pytest
import tensorflow as tf

from a2keras.errors import UserError
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.training.config import Recipe
from a2keras.training.data.records.listing import RecordListing
from a2keras.training.data.records.manifest import features_of
from a2keras.training.data.source import Examples

PICTURE = tf.io.encode_jpeg(np.zeros((7, 11, 3), "uint8")).numpy()


class Records(list):
    def __getitems__(self, places):
        return [self[i] for i in places]


class Torn(Records):
    def __getitems__(self, places):
        raise OSError("torn")


def record(pixels: list[bytes], kind: str = "image") -> bytes:
    lists = {kind: tf.train.Feature(bytes_list=tf.train.BytesList(value=pixels))}
    if kind == "video":
        times = tf.train.FloatList(value=range(len(pixels)))
        lists["timestamps"] = tf.train.Feature(float_list=times)
    return tf.train.Example(features=tf.train.Features(feature=lists)).SerializeToString()


def examples_of(records: Records, kind: str = "image") -> Examples:
    listing = RecordListing(
        place="prepared:x",
        task=kind,
        classes=("a", "b"),
        names=("first", "second"),
        labels=np.array([0, 1]),
        splits=np.array(["train", "train"]),
        split_rule="",
        source_hash="",
        records=records,
        places=np.arange(2),
        features=features_of(kind, ("a", "b")),
        pixels=kind,
    )
    return listing.examples(Recipe("mine"), False)


def test_records_that_cannot_be_read_are_told():
    start = "^prepared:x has no records that can be read: "
    with pytest.raises(UserError, match=rf"{start}prepared:x: has damaged records \(torn\)$"):
        examples_of(Torn([b"", b""]))
    with pytest.raises(UserError, match=start):
        examples_of(Records([b"no record", b"none, either"]))


def test_a_record_that_cannot_be_read_is_told_beside_another():
    examples = examples_of(Records([record([PICTURE]), record([b"no picture"])]))
    assert examples.frames(0).shape == (7, 11, 3)
    with pytest.raises(DecodeError, match=r"^prepared:x: has a damaged record \(\S"):
        examples.frames(1)


def test_a_video_without_frames_is_told():
    films = Records([record([PICTURE] * 5, "video"), record([], "video")])
    examples = examples_of(films, "video")
    assert examples.frames(0).shape == (5, 7, 11, 3)
    with pytest.raises(DecodeError, match=r"^prepared:x: has a damaged record \("):
        examples.frames(1)


def test_a_picture_without_pixels_is_told(monkeypatch):
    examples = examples_of(Records([record([PICTURE])] * 2))
    monkeypatch.setattr(examples, "load", lambda index: tf.zeros((0, 11, 3), "uint8"))
    with pytest.raises(DecodeError) as error:
        examples.frames(1)
    assert str(error.value) == "second: has no pixels"

"""The views of examples through networks that are known by hand."""

import dataclasses

import keras
import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data import open_held_out
from a2keras.training.data.source import Examples
from a2keras.training.evaluation.forward import predict_views


def test_views_are_those_of_prediction(tmp_path, write_video):
    for name, shade in (("dark", 0), ("light", 90)):
        for i in range(3):
            write_video(tmp_path / name / f"{i}.avi", 9 + i, shade=shade)
    (tmp_path / "dark/broken.avi").write_bytes(b"nothing")
    preprocessing = Preprocessing(("dark", "light"), 16, frames=4)
    recipe = Recipe("mine", data=f"folder:{tmp_path}", task="video", size=16, frames=4, views=3)
    split, source = open_held_out(recipe, preprocessing.labels, data=f"folder:{tmp_path}")
    assert (split, source.split_rule) == ("test", "all examples")
    inputs = keras.Input(preprocessing.input_shape)
    means = keras.layers.GlobalAveragePooling3D()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(means / 255))
    examples = source.splits["test"]
    probabilities, read, skipped = predict_views(model, examples, preprocessing, recipe)
    assert probabilities.shape == (6, 4, 2)
    assert read == [0, 1, 2, 4, 5, 6]
    assert [file.path for file in skipped] == ["dark/broken.avi"]
    assert str(tmp_path / "dark/broken.avi") in skipped[0].reason
    views = preprocessing.views(tmp_path / "dark/2.avi", 3).astype("float32")
    np.testing.assert_allclose(probabilities[2, 1:], model.predict_on_batch(views), atol=1e-6)
    middle = preprocessing.views(tmp_path / "dark/2.avi").astype("float32")
    np.testing.assert_allclose(probabilities[2, :1], model.predict_on_batch(middle), atol=1e-6)
    one = dataclasses.replace(recipe, views=1)
    probabilities, _, _ = predict_views(model, examples, preprocessing, one)
    assert probabilities.shape == (6, 1, 2)


class Stripes(Examples):
    """A video of 3 × 9 pixels in three stripes, and one of 9 × 3; stripes and frames differ."""

    labels, names, is_video = np.array([0, 1]), ("wide", "high"), True

    def frames(self, index):
        stripes = np.repeat([10, 60, 110], 3)[None] + np.array([0, 20, 40, 60])[:, None]  # (T, 9)
        video = np.broadcast_to(stripes[:, None, :, None], (4, 3, 9, 3)).astype("uint8")
        return video if index == 0 else video.transpose(0, 2, 1, 3)


def test_views_are_clips_by_crops_along_the_longer_side():
    preprocessing = Preprocessing(("a", "b"), 3, frames=1)
    inputs = keras.Input(preprocessing.input_shape)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling3D()(inputs))
    recipe = Recipe("mine", task="video", size=3, frames=1, views=2, crops=3)
    values, read, _ = predict_views(model, Stripes(), preprocessing, recipe)
    middle, first, last = 60 + 40, [10, 60, 110], [70, 120, 170]  # third, first and last frame
    for example in values[..., 0]:
        np.testing.assert_allclose(example, [middle, *first, *last])
    assert read == [0, 1]


class Unreadable(Examples):
    labels, names, is_video = np.array([0, 1]), ("a", "b"), False

    def frames(self, index):
        raise DecodeError(self.names[index], "is no image")


def test_where_nothing_can_be_read_there_is_no_score():
    preprocessing = Preprocessing(("a", "b"), 3)
    with pytest.raises(UserError) as error:
        predict_views(None, Unreadable(), preprocessing, Recipe("mine", task="image", size=3))
    assert str(error.value) == "none of the files to evaluate can be read"

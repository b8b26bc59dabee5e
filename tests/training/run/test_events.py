"""Event files, read back record by record; and the pictures of what enters the network."""

import io
import resource

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from a2keras.errors import UserError
from a2keras.training import recipes
from a2keras.training.data import open_source, resolve
from a2keras.training.data.pipeline import training_batches
from a2keras.training.run.events import EventFile, first_examples, grid
from a2keras.training.run.train import preprocessing_of, train


def read(directory) -> list[tf.compat.v1.Event]:
    files = sorted(map(str, directory.iterdir()))
    records = tf.data.TFRecordDataset(files).as_numpy_iterator()
    return [tf.compat.v1.Event.FromString(record) for record in records]


def scalars(events, name: str) -> dict[int, float]:
    return {e.step: v.simple_value for e in events for v in e.summary.value if v.tag == name}


def pictures(events) -> list:
    return [v.image for e in events for v in e.summary.value if v.tag == "examples"]


def test_a_run_can_be_watched(tmp_path, tiny_network):
    recipe = recipes.recipe("digits_image").override(
        ["size=16", "batch_size=12", "epochs=2", "steps_per_epoch=15"]
    )
    run = train(recipe, tmp_path / "run")
    events = read(run.path / "tensorboard")
    assert events[0].file_version == "brain.Event:2"
    assert set(scalars(events, "step/loss")) == {10, 20, 30}
    history = run.history()
    for key in ("loss", "accuracy", "validation_accuracy", "learning_rate"):
        expected = {line["step"]: pytest.approx(line[key], rel=1e-6) for line in history}
        assert scalars(events, f"epoch/{key}") == expected
    (image,) = pictures(events)
    shown = np.array(Image.open(io.BytesIO(image.encoded_image_string)))
    assert (image.height, image.width) == shown.shape[:2] == (4 * 17 - 1, 4 * 17 - 1)
    # The first image of the run, as it entered.
    recipe = run.recipe
    source = open_source(recipe)
    preprocessing = preprocessing_of(recipe, source.classes)
    pixels, _ = next(iter(training_batches(source.splits["train"], recipe, preprocessing)))
    assert np.array_equal(shown[:16, :16], np.round(pixels[0]))
    # One that starts from weights shows them, too; one that goes on does not show them again.
    weights = f"weights={run.path / 'model.keras'}"
    recipe = recipe.override([weights, "epochs=1", "steps_per_epoch=1"])
    (tmp_path / "from_weights").mkdir()
    for _ in range(2):
        start = train(recipe, tmp_path / "from_weights")
        (again,) = pictures(read(start.path / "tensorboard"))
        assert again.encoded_image_string == image.encoded_image_string


def test_clips_are_rows_of_frames():
    recipe = resolve(recipes.recipe("digits_video"))
    source = open_source(recipe)
    preprocessing = preprocessing_of(recipe, source.classes)
    views = first_examples(source.splits["train"], recipe, preprocessing)
    assert views.shape == (4, 8, 32, 32, 3)
    picture = grid(views)
    assert picture.shape == (4 * 33 - 1, 8 * 33 - 1, 3)
    assert np.array_equal(picture[33:65, 5 * 33 : 5 * 33 + 32], views[1, 5])
    assert (picture[32] == 255).all()
    # Of many frames eight, the first and the last among them.
    long = np.arange(17, dtype="float32")[None, :, None, None, None] * np.ones((1, 17, 2, 3, 3))
    assert grid(long)[0, ::4, 0].tolist() == [0, 2, 5, 7, 9, 11, 14, 16]


def test_events_that_cannot_be_written_are_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"the events cannot be written to .*file/events: .*Not a"):
        EventFile(tmp_path / "file/events")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    events = EventFile(tmp_path / "events")
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        with pytest.raises(UserError, match="the events cannot be written to "):
            for step in range(9999):
                events.scalars(step, {"loss": 1.0})
                events.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

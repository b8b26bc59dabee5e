import dataclasses
import gc
import json
import os
import shutil
import signal
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from a2keras.errors import UserError
from a2keras.export.parity import natural_pixels
from a2keras.export.predict import load
from a2keras.models.preprocessing import Preprocessing


def message_of(path) -> str:
    with pytest.raises(UserError) as caught:
        load(path, apart=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_kind_is_found(image_run, image_export):
    for path, kind, model in (
        (image_run, "keras", image_run / "model.keras"),
        (image_run / "model.keras", "keras", image_run / "model.keras"),
        (image_export, "saved_model", image_export / "saved_model"),
        (image_export / "saved_model", "saved_model", image_export / "saved_model"),
        (image_export / "model_float32.tflite", "tflite", image_export / "model_float32.tflite"),
    ):
        artefact = load(path, apart=False)
        assert (artefact.kind, artefact.path) == (kind, model)


def test_a_saved_model_may_carry_its_preprocessing(image_export, tmp_path, copy_of):
    moved = copy_of(image_export).joinpath("saved_model").rename(tmp_path / "moved")
    assert load(moved, apart=False).preprocessing == Preprocessing.load(image_export)
    (moved / "1" / "preprocessing.json").unlink()
    assert "preprocessing.json is missing" in message_of(moved)
    Preprocessing.load(image_export).save(moved)
    assert load(moved, apart=False).kind == "saved_model"


def test_the_newest_version_has_its_own_preprocessing(image_export, tmp_path, copy_of):
    spec = Preprocessing.load(image_export)
    newer = dataclasses.replace(spec, labels=tuple(f"new {label}" for label in spec.labels))
    export = copy_of(image_export)
    assert load(export, apart=False).preprocessing == spec
    shutil.copytree(export / "saved_model" / "1", export / "saved_model" / "11")
    newer.save(export / "saved_model" / "11")
    moved = tmp_path / "photos"
    for path in (export, export / "saved_model", export / "saved_model" / "11"):
        assert load(path, apart=False).preprocessing == newer
    shutil.copytree(export / "saved_model", moved)  # a server's folder, nothing beside it
    assert load(moved, apart=False).preprocessing == newer


def test_batches_of_another_shape(image_run):
    with pytest.raises(ValueError) as caught:
        load(image_run, apart=False).probabilities(np.zeros((2, 17, 19, 3), np.uint8))
    assert str(caught.value) == ("`batch` must have shape (B, 17, 17, 3). Received: (2, 17, 19, 3)")


def test_what_is_no_model(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"")
    for path in (tmp_path, tmp_path / "photo.jpg"):
        assert message_of(path) == (
            f"{path} is no model: expected a run, an export directory, a SavedModel, "
            "a .keras, .tflite or .onnx file, or an OpenVINO .xml file"
        )
    assert message_of(tmp_path / "absent") == f"{tmp_path / 'absent'} does not exist"
    (tmp_path / "recipe.json").write_text("{}")
    assert message_of(tmp_path) == (
        f"the run {tmp_path} holds no model.keras: its training has not finished"
    )


@pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 0.99])
def test_truncated_artefacts(image_run, image_export, copy_of, part):
    run, exported = copy_of(image_run), copy_of(image_export)
    (exported / "manifest.json").unlink()  # whose hashes would tell at once
    for file, message in (
        (run / "model.keras", "{} is no whole .keras file: "),
        (exported / "model_float32.tflite", "{} cannot be loaded as tflite: "),
        (
            exported / "saved_model/1/variables/variables.data-00000-of-00001",
            "cannot be loaded as saved_model: ",
        ),
        (exported / "saved_model/1/variables/variables.index", "cannot be loaded as saved_model: "),
        (exported / "saved_model/1/saved_model.pb", "cannot be loaded as saved_model: "),
    ):
        content = file.read_bytes()
        file.write_bytes(content[: int(part * len(content))])
        path = exported / "saved_model" if "saved_model" in str(file) else file
        assert message.format(file) in message_of(path)


def test_damage_is_seen_by_the_hashes(image_export, copy_of):
    directory = copy_of(image_export)
    file = directory / "model_float32.tflite"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert message_of(file) == f"{file} is damaged: {file} is not the file that was exported"
    index = directory / "saved_model/1/variables/variables.index"
    index.unlink()
    assert message_of(directory) == f"{directory / 'saved_model'} is damaged: {index} is missing"
    (directory / "manifest.json").write_text("{}")
    assert message_of(directory).startswith(
        f"{directory / 'manifest.json'} is not a manifest of a2keras: versions: field required"
    )


def test_code_in_a_model_is_not_run(image_run, copy_of):
    run = copy_of(image_run)
    pixels = keras.Input((17, 17, 3))
    x = keras.layers.Lambda(lambda x: x[:, 0, 0])(pixels)
    keras.Model(pixels, keras.layers.Dense(3, "softmax")(x)).save(run / "model.keras")
    assert message_of(run) == (
        f"{run / 'model.keras'} holds a Lambda layer, that is code of its own, which is not run"
    )


def test_a_layer_that_is_not_known(image_run, copy_of):
    run = copy_of(image_run)
    rewrite_config(run / "model.keras", '"GlobalAveragePooling2D"', '"GlobalPoolParty"')
    assert message_of(run).startswith(f"{run / 'model.keras'} cannot be loaded as keras: ")


def rewrite_config(path, old: str, new: str) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = members["config.json"].decode()
    assert old in config
    members["config.json"] = config.replace(old, new).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("name", ["model.keras", "saved_model", "model_float32.tflite"])
def test_a_preprocessing_that_does_not_fit(image_run, image_export, copy_of, name):
    directory = copy_of(image_run if name == "model.keras" else image_export)
    path = directory / name
    Preprocessing(("left", "right"), 17).save(directory)
    if name == "saved_model":  # what lies in its version comes first
        (directory / "manifest.json").unlink()
        (path / "1" / "preprocessing.json").unlink()
    assert message_of(path) == (
        f"{path} gives outputs of shape (3,), but its preprocessing names 2 classes"
    )
    Preprocessing(("left", "right", "up"), 17, frames=5).save(directory)
    shape = "(None, None, 3)" if name == "saved_model" else "(17, 17, 3)"  # servers' is open
    assert message_of(path).replace("(17, 17, 3)", shape, 1) == (
        f"{path} takes pixels of shape {shape}, but its preprocessing makes (5, 17, 17, 3)"
    )
    (directory / "preprocessing.json").write_text(json.dumps({"labels": "left"}))
    assert "is not a description of a model's input: " in message_of(path)


def test_a_model_of_two_inputs(image_run, copy_of):
    run = copy_of(image_run)
    inputs = [keras.Input((17, 17, 3)), keras.Input((17, 17, 3))]
    keras.Model(inputs, keras.layers.Add()(inputs)).save(run / "model.keras")
    assert message_of(run) == (
        f"{run / 'model.keras'} cannot be loaded as keras: it must have one input and one output"
    )


def test_a_model_that_gives_nan(image_run, copy_of):
    run = copy_of(image_run)
    model = keras.models.load_model(run / "model.keras")
    model.layers[-1].bias.assign([np.nan, 0.0, 0.0])
    model.save(run / "model.keras")
    with pytest.raises(UserError) as caught:
        load(run, apart=False).probabilities(natural_pixels((17, 17, 3), 1))
    assert str(caught.value) == (
        f"{run / 'model.keras'} gives NaN or infinity instead of probabilities"
    )


@pytest.mark.slow
def test_uint8_and_float_pixels_are_the_same(image_run, tmp_path):
    Image.fromarray(natural_pixels((23, 31, 3), 1)[0]).save(tmp_path / "photo.png")
    artefact = load(image_run)
    views = artefact.preprocessing.views(tmp_path / "photo.png")
    np.testing.assert_array_equal(
        artefact.probabilities(views), artefact.probabilities(views.astype(np.float32))
    )


def children() -> set[int]:
    """The processes that this one has started and that are still there, zombies among them."""
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model_float32.tflite", "saved_model"])
def test_a_model_is_in_a_process_of_its_own(image_export, name):
    pixels = natural_pixels((17, 17, 3), 3)
    before = children()
    with load(image_export / name) as artefact:
        (child,) = children() - before
        np.testing.assert_array_equal(
            artefact.probabilities(pixels),
            load(image_export / name, apart=False).probabilities(pixels),
        )
        os.kill(child, signal.SIGSEGV)
        for reason in ("by signal 11 (SIGSEGV)", None):
            with pytest.raises(UserError) as caught:
                artefact.probabilities(pixels)
            ended = f"its process was ended {reason}" if reason else "its process has been ended"
            assert str(caught.value) == f"{image_export / name} cannot be run: {ended}"
    assert children() == before


def test_a_model_that_is_no_longer_used_leaves_no_process(image_export):
    before = children()
    artefact = load(image_export / "model_float32.tflite")
    assert len(children() - before) == 1
    del artefact
    gc.collect()
    assert children() == before


def test_a_model_that_does_not_load_leaves_no_process(image_export, copy_of):
    before = children()
    directory = copy_of(image_export)
    (directory / "manifest.json").unlink()
    path = directory / "model_float32.tflite"
    Preprocessing(("left", "right"), 17).save(directory)
    with pytest.raises(UserError, match="gives outputs of shape"):
        load(path)
    path.write_bytes(path.read_bytes()[:999])
    with pytest.raises(UserError, match="is damaged, cut off or no LiteRT model"):
        load(path)
    assert children() == before


def test_classes_of_this_program_are_loaded_in_it(image_run, copy_of):
    @keras.saving.register_keras_serializable("of_this_test")
    class Pool(keras.layers.GlobalAveragePooling2D):
        pass

    run = copy_of(image_run)
    pixels = keras.Input((17, 17, 3))
    x = keras.layers.Dense(3, activation="softmax")(Pool()(pixels))
    keras.Model(pixels, x).save(run / "model.keras")
    before = children()
    try:
        artefact = load(run)
        assert artefact.probabilities(natural_pixels((17, 17, 3), 2)).shape == (2, 3)
        assert children() == before
    finally:
        del keras.saving.get_custom_objects()["of_this_test>Pool"]

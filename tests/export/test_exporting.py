import dataclasses
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from a2keras import files, models
from a2keras.errors import UserError
from a2keras.export import saved_model
from a2keras.export.commands import export as commands
from a2keras.export.exporting import export
from a2keras.export.formats import FORMATS, Format
from a2keras.export.litert import convert
from a2keras.export.manifest import sha256
from a2keras.export.parity import Signature, natural_pixels
from a2keras.export.predict import load
from a2keras.models.keras_files import load_single
from a2keras.models.preprocessing import Pixels, Preprocessing


def listing(directory: Path) -> dict[str, bytes]:
    files = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


def swap_writer(monkeypatch, name: str, write) -> None:
    def written(classifier, path):
        write(classifier.model, path)
        return {}

    monkeypatch.setitem(FORMATS, name, Format(FORMATS[name].file_name, written))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["image", "video"])
def test_artefacts_equal_their_model(kind, request):
    run = request.getfixturevalue(f"{kind}_run")
    directory = request.getfixturevalue(f"{kind}_export")
    reference = load(run)
    pixels = natural_pixels(reference.preprocessing.input_shape, 3, seed=11)
    expected = reference.probabilities(pixels)
    assert np.abs(expected[0] - expected[1]).max() > 0.01  # the inputs matter
    for name in ("saved_model", "model_float32.tflite"):
        artefact = load(directory / name)
        assert artefact.preprocessing == reference.preprocessing
        np.testing.assert_allclose(artefact.probabilities(pixels), expected, atol=2e-6)
    manifest = json.loads((directory / "manifest.json").read_text())
    for entry in manifest["artefacts"].values():
        parity = entry["parity"]["serving_default"]
        assert parity["max_error"] < 2e-6
        assert parity["top1_agreement"] == 1.0
        assert (parity["samples"], parity["real_samples"]) == (8, 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a2_resnet11", "a2_resnet11_video"])
def test_the_small_networks_export(name, tmp_path):
    frames = 3 if models.is_video(name) else None
    preprocessing = Preprocessing(("a", "b", "c", "d", "e"), size=32, frames=frames)
    pixels = keras.Input(preprocessing.input_shape)
    network = models.build(name, classes=5, input_tensor=Pixels().layer()(pixels))
    generator = np.random.default_rng(5)
    for weight in network.weights:  # fresh blocks are the identity: nothing would be compared
        noise = generator.normal(0, 0.1, weight.shape)
        weight.assign(np.abs(weight.numpy() + noise) + (0.5 if "variance" in weight.path else 0))
    network.save(tmp_path / "model.keras")
    preprocessing.save(tmp_path)
    manifest = export(tmp_path, tmp_path / "export")
    for entry in manifest["artefacts"].values():
        assert entry["parity"]["serving_default"]["max_error"] < 1e-5


def test_the_manifest(image_run, image_export):
    manifest = json.loads((image_export / "manifest.json").read_text())
    assert manifest["versions"]["keras"] == keras.__version__
    assert manifest["versions"]["tensorflow"] == tf.__version__
    assert manifest["model"] == {
        "name": "classifier",
        "sha256": sha256(image_run / "model.keras"),
    }
    assert manifest["input"]["shape"] == [None, 17, 17, 3]
    assert manifest["output"]["shape"] == [None, 3]
    assert manifest["labels"] == ["left", "right", "up"]
    assert Preprocessing(**manifest["preprocessing"]) == Preprocessing.load(image_export)
    hashed = {}
    for entry in manifest["artefacts"].values():
        hashed |= entry["sha256"]
        assert entry["bytes"] == sum(
            (image_export / file).stat().st_size for file in entry["sha256"]
        )
    assert hashed == {file: sha256(image_export / file) for file in hashed}
    assert set(listing(image_export)) == {*hashed, "manifest.json", "preprocessing.json"}
    assert not list(image_export.parent.glob(".*"))


def test_the_saved_model_takes_any_batch(image_run, image_export):
    serve = tf.saved_model.load(str(image_export / "saved_model/1")).signatures["serving_default"]
    model = load_single(image_run / "model.keras")
    for batch in (1, 7):
        pixels = natural_pixels((17, 17, 3), batch).astype(np.float32)
        served = serve(pixels=tf.constant(pixels))["probabilities"]
        np.testing.assert_allclose(served, model(pixels), atol=1e-6)


def test_open_sizes_stay_open(tmp_path):
    pixels = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D()(Pixels().layer()(pixels))
    model = keras.Model(pixels, keras.layers.Dense(3, "softmax")(x))
    saved_model.write(model, tmp_path / "open")
    serve = tf.saved_model.load(str(tmp_path / "open")).signatures["serving_default"]
    for height, width in ((7, 11), (13, 5)):
        batch = natural_pixels((height, width, 3), 2).astype(np.float32)
        served = serve(pixels=tf.constant(batch))["probabilities"]
        np.testing.assert_allclose(served, model(batch), atol=1e-6)


def test_the_tflite_file_is_static_and_built_in(video_export):
    interpreter = convert.interpreter(video_export / "model_float32.tflite")
    (entry,) = interpreter.get_input_details()
    assert entry["shape_signature"].tolist() == [1, 5, 13, 13, 3]
    assert entry["dtype"] == np.float32
    operations = {detail["op_name"] for detail in interpreter._get_ops_details()}
    assert "CONV_2D" in operations
    assert "CONV_3D" not in operations  # it stays float in an int8 file
    assert not [name for name in operations if "Flex" in name or name == "SHAPE"]


@pytest.mark.slow
def test_exporting_again_changes_nothing_and_keeps_other_formats(
    image_run, image_export, copy_of, capsys
):
    directory = copy_of(image_export)
    export(image_run, directory, ["saved_model"])
    present = json.loads((image_export / "manifest.json").read_text())["artefacts"]
    others = ", ".join(each for each in FORMATS if each in present and each != "saved_model")
    assert (
        f"{directory} has {others} already: all of an export is of one model, so that it is "
        in (capsys.readouterr().err)
    )
    assert set(listing(directory)) == set(listing(image_export))
    assert load(directory / "model_float32.tflite").kind == "tflite"
    tflite = "model_float32.tflite"
    assert (directory / tflite).stat().st_size == (image_export / tflite).stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_exported_as_float32(
    precision, image_run, image_export, classifier, tmp_path
):
    keras.config.set_dtype_policy(precision)
    try:
        mixed = classifier(Preprocessing.load(image_run))
    finally:
        keras.config.set_dtype_policy("float32")
    assert mixed.layers[2].compute_dtype == precision.removeprefix("mixed_")
    mixed.save(tmp_path / "model.keras")
    shutil.copy(image_run / "preprocessing.json", tmp_path)
    export(tmp_path, tmp_path / "out", ["saved_model"])
    pixels = natural_pixels((17, 17, 3), 3)
    np.testing.assert_allclose(
        load(tmp_path / "out").probabilities(pixels),
        load(image_export).probabilities(pixels),
        atol=1e-6,
    )


def test_an_empty_directory_is_taken(image_run, tmp_path):
    export(image_run, tmp_path, ["tflite_float32"])
    assert set(listing(tmp_path)) == {
        "manifest.json",
        "preprocessing.json",
        "model_float32.tflite",
    }


def test_what_is_there_is_not_overwritten(image_run, image_export, copy_of, tmp_path):
    thesis = tmp_path / "papers/thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    ours = copy_of(image_export)
    (ours / "notes.txt").write_text("mine")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "manifest.json").write_text('{"versions": {}}')
    before = listing(tmp_path)
    for output, message in (
        (thesis.parent, "{} exists and is not an export of a2keras: choose another `output`"),
        (thesis, "{} exists and is not an export of a2keras: choose another `output`"),
        (ours, f"{ours / 'notes.txt'} is not part of the export in {{}}: move it away first"),
        (foreign, f"{foreign / 'manifest.json'} is not a manifest of a2keras"),
        (thesis / "below", "{} cannot be written: "),
    ):
        with pytest.raises(UserError) as caught:
            export(image_run, output)
        assert str(caught.value).startswith(message.format(output))
    assert listing(tmp_path) == before


def test_the_current_directory_is_not_replaced(image_run, image_export, copy_of, monkeypatch):
    ours = copy_of(image_export)
    before = listing(ours)
    for here, output in ((ours, "."), (ours / "saved_model", "..")):
        monkeypatch.chdir(here)
        with pytest.raises(UserError) as caught:
            export(image_run, output)
        assert str(caught.value) == (
            f"{output} is replaced as a whole, and the current directory is it or within it: "
            "choose another `output`"
        )
    assert listing(ours) == before
    assert Path.cwd() == ours / "saved_model"


def test_an_artefact_of_other_weights_is_removed(
    image_run, image_export, copy_of, tmp_path, monkeypatch
):
    """A really mismatching artefact: one kernel value is off by one hundredth."""

    def write_wrong(model, path):
        wrong = keras.models.clone_model(model)
        wrong.set_weights(model.get_weights())
        kernel = wrong.layers[-1].kernel
        kernel.assign(kernel.numpy() + np.eye(*kernel.shape) * 0.01)
        saved_model.write(wrong, path)

    right = copy_of(image_export)
    before = listing(right)
    swap_writer(monkeypatch, "saved_model", write_wrong)
    for output in (tmp_path / "new", right):
        with pytest.raises(UserError) as caught:
            export(image_run, output, ["saved_model"])
        message = str(caught.value)
        assert message.startswith(
            f"saved_model does not compute what {image_run} does: the largest error is 0.0"
        )
        assert message.endswith("over 8 samples, the tolerance 0.0001; nothing was written")
    assert not (tmp_path / "new").exists()
    assert listing(right) == before  # the earlier export is untouched
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export"]


def test_a_further_signature_of_other_numbers_is_named(image_run, tmp_path, monkeypatch):
    def signatures(classifier, path):
        thirds = np.full((1, 3), 1 / 3)
        return {"halved": Signature(lambda pixels: thirds / 2, lambda pixels: thirds)}

    halved = FORMATS["tflite_float32"]._replace(signatures=signatures)
    monkeypatch.setitem(FORMATS, "tflite_float32", halved)
    with pytest.raises(UserError) as caught:
        export(image_run, tmp_path / "out", ["tflite_float32"])
    assert str(caught.value) == (
        f"tflite_float32 (halved) does not compute what {image_run} does: the largest error is "
        "0.167 over 8 samples, the tolerance 0.0001; nothing was written"
    )


def test_a_corrupted_tflite_file_is_removed(image_run, tmp_path, monkeypatch):
    def write_corrupted(classifier, path):
        report = convert.write_float32(classifier, path)
        content = bytearray(path.read_bytes())
        weights = classifier.model.layers[-1].kernel.numpy().T.tobytes()
        at = content.index(weights[:16])
        content[at : at + 16] = bytes(16)
        path.write_bytes(content)
        return report

    broken = Format("model_float32.tflite", write_corrupted)
    monkeypatch.setitem(FORMATS, "tflite_float32", broken)
    with pytest.raises(UserError, match=r"tflite_float32 does not compute what .* does"):
        export(image_run, tmp_path / "out", ["tflite_float32"])
    assert not list(tmp_path.iterdir())


def test_what_passes_is_kept_and_what_fails_is_told(image_run, tmp_path, monkeypatch, capsys):
    def raises(model, path):
        path.write_bytes(b"half")
        raise RuntimeError("of a converter\nin two lines")

    swap_writer(monkeypatch, "onnx", raises)
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as end:
        commands.export([str(image_run), f"--output={out}", "--formats=tflite_float32,onnx"])
    assert end.value.code == 1
    manifest = json.loads((out / "manifest.json").read_text())
    assert list(manifest["artefacts"]) == ["tflite_float32"]
    reason = "onnx cannot be written: of a converter"
    assert manifest["failed"] == {"onnx": reason}
    assert sorted(listing(out)) == ["manifest.json", "model_float32.tflite", "preprocessing.json"]
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-2:] == [
        reason,
        "a2keras export: 1 of 2 formats failed: onnx",
    ]
    assert printed.out.splitlines()[-1] == f"written to {out}"
    before = (out / "manifest.json").read_bytes()
    with pytest.raises(UserError, match=r"^onnx cannot be written: .*; nothing was written$"):
        export(image_run, out, ["onnx"])  # what was asked for has not passed
    assert (out / "manifest.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_tolerance_may_be_chosen(image_run, tmp_path):
    formats = ["tflite_float16"]
    with pytest.raises(UserError, match=r"^tflite_float16 does not .*, the tolerance 1e-09; nothi"):
        export(image_run, tmp_path / "out", formats, tolerance=1e-9)
    entry = export(image_run, tmp_path / "out", formats, tolerance=0.5)["artefacts"]
    assert entry["tflite_float16"]["tolerance"]["max_error"] == 0.5
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(UserError, match=r"^`tolerance` must be from 0 to 1\. Received: `tol"):
            export(image_run, tmp_path / "other", formats, tolerance=wrong)


def test_what_killed_exports_have_left_is_removed(image_run, tmp_path):
    for name in ("11.partial/saved_model", "12.partial/saved_model", "13.earlier"):
        (tmp_path / f".out.{name}").mkdir(parents=True)
    (tmp_path / ".out.notes").mkdir()
    (tmp_path / ".other.11.partial").mkdir()
    with files.locked(tmp_path / ".out.12.partial"):  # as by an export that runs
        export(image_run, tmp_path / "out", ["tflite_float32"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".other.11.partial", ".out.12.partial", ".out.notes", "out",
    ]  # fmt: skip
    # One that was killed between its two renames has left what was there before.
    (tmp_path / "out").rename(tmp_path / ".out.14.earlier")
    with pytest.raises(UserError, match="holds no image"):
        commands.export([str(image_run), f"--output={tmp_path / 'out'}", f"--samples={tmp_path}"])
    export(image_run, tmp_path / "out", ["tflite_float16"])
    assert not (tmp_path / ".out.14.earlier").exists()


def test_a_place_that_cannot_be_written_is_told(image_run, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, reason in (
        ("file", "exists and is not an export of a2keras: choose another `output`"),
        ("file/below", "cannot be written: Not a directory"),
        ("loop", "cannot be written: "),
        ("x" * 300, "cannot be written: File name too long"),
    ):
        with pytest.raises(UserError) as caught:
            export(image_run, tmp_path / name, ["tflite_float32"])
        assert str(caught.value).startswith(f"{tmp_path / name} {reason}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "loop"]


def test_a_full_disk_leaves_nothing_behind(image_run, tmp_path, monkeypatch):
    def write_some(model, path):
        path.write_bytes(b"some")
        raise OSError(28, "No space left on device")

    swap_writer(monkeypatch, "tflite_float32", write_some)
    with pytest.raises(UserError) as caught:
        export(image_run, tmp_path / "out", ["tflite_float32"])
    assert str(caught.value) == (f"{tmp_path / 'out'} cannot be written: No space left on device")
    assert not list(tmp_path.iterdir())


def test_what_litert_lacks_is_named(tmp_path):
    preprocessing = Preprocessing(("a", "b"), size=8, frames=4)
    pixels = keras.Input(preprocessing.input_shape)
    x = keras.ops.erfinv(keras.layers.GlobalAveragePooling3D()(pixels) / 300)
    model = keras.Model(pixels, keras.layers.Dense(2, "softmax")(x), name="bent")
    model.save(tmp_path / "model.keras")
    preprocessing.save(tmp_path)
    with pytest.raises(UserError) as caught:
        export(tmp_path, tmp_path / "out", ["tflite_float32"])
    assert str(caught.value) == (
        "no .tflite of bent: LiteRT's built-in operations lack tf.Erfinv; nothing was written"
    )
    assert not (tmp_path / "out").exists()


def test_only_probabilities_are_exported(image_run, tmp_path):
    pixels = keras.Input((17, 17, 3))
    x = keras.layers.GlobalAveragePooling2D()(pixels)
    keras.Model(pixels, x).save(tmp_path / "model.keras")
    shutil.copy(image_run / "preprocessing.json", tmp_path)
    with pytest.raises(UserError) as caught:
        export(tmp_path / "model.keras", tmp_path / "out", ["saved_model"])
    assert str(caught.value) == (
        f"{tmp_path / 'model.keras'} does not give probabilities: export is for softmax "
        "classifiers (put keras.layers.Softmax() behind logits), and for sigmoids where the "
        "preprocessing says multi_label"
    )
    spec = Preprocessing.load(tmp_path)
    several = dataclasses.replace(spec, labels=("a", "b", "c"), multi_label=True)
    with pytest.raises(UserError) as caught:
        export(tmp_path / "model.keras", tmp_path / "out", ["saved_model"], preprocessing=several)
    assert str(caught.value).endswith(
        "of multi-label models they are from 0 to 1 (put a sigmoid behind logits)"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"formats": ["coreml"]},
            f"there is no format 'coreml': choose from {', '.join(FORMATS)}",
        ),
        ({"formats": []}, f"no formats are given: choose from {', '.join(FORMATS)}"),
        ({"samples": ["absent.png"]}, "a sample cannot be read: absent.png: does not exist"),
        ({"source": "absent"}, "absent does not exist"),
    ],
)
def test_messages(image_run, tmp_path, arguments, message):
    with pytest.raises(UserError) as caught:
        export(**{"source": image_run, "output": tmp_path / "out", **arguments})
    assert str(caught.value) == message
    assert not list(tmp_path.iterdir())


def test_export_starts_from_keras(image_export, tmp_path):
    with pytest.raises(UserError) as caught:
        export(image_export, tmp_path / "out")
    assert str(caught.value) == (
        f"{image_export} is a saved_model: export starts from a run or a .keras file"
    )

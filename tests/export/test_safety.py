"""Files that would run code, read or write: all are refused before anything of that happens."""

import json
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from a2keras.errors import UserError
from a2keras.export import safety
from a2keras.export.loaders import load_model


def message_of(path) -> str:
    with pytest.raises(UserError) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def rewritten(image_run, tmp_path):
    """A copy of a `.keras` file whose config was changed."""

    def rewrite(change) -> Path:
        path = tmp_path / "model.keras"
        with zipfile.ZipFile(image_run / "model.keras") as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        config = json.loads(members["config.json"])
        members["config.json"] = json.dumps(change(config) or config).encode()
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return rewrite


def pooling_of(config: dict) -> dict:
    (layer,) = (layer for layer in config["config"]["layers"] if "Pooling" in layer["class_name"])
    return layer


@pytest.fixture
def module_that_tells(tmp_path, monkeypatch):
    """A module on the path that writes a file when it is imported."""
    marker = tmp_path / "imported"
    (tmp_path / "malice.py").write_text(
        f"import keras, pathlib\npathlib.Path({str(marker)!r}).touch()\n"
        "class Pool(keras.layers.GlobalAveragePooling2D): pass\ndef run(x): return x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield marker
    sys.modules.pop("malice", None)


@pytest.mark.parametrize(
    "entry",
    [
        {"module": "malice", "class_name": "Pool", "registered_name": "malice>Pool"},
        {"module": "malice", "class_name": "Pool", "registered_name": None},
        {"module": "malice", "class_name": "GlobalAveragePooling2D", "registered_name": None},
        {"module": "malice", "class_name": "function", "config": "run", "registered_name": "run"},
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_no_module_is_imported_for_a_file(rewritten, module_that_tells, entry, nested):
    def change(config: dict) -> None:
        layer = pooling_of(config)
        if nested:
            layer["config"]["activity_regularizer"] = [{"deep": [entry]}]
        else:
            layer |= entry

    name = "run" if entry["class_name"] == "function" else entry["class_name"]
    path = rewritten(change)
    assert message_of(path) == (
        f"{path} asks for {name} of malice: only what belongs to Keras and a2keras is loaded, and "
        "no module is imported for a file"
    )
    assert "malice" not in sys.modules
    assert not module_that_tells.exists()
    __import__("malice")
    assert module_that_tells.exists()  # so it would have told


@pytest.mark.parametrize(
    ("module", "class_name", "registered_name", "told"),
    [
        ("keras.layers", "Lambda", None, "Lambda"),
        ("keras.src.layers.core.lambda_layer", "Lambda", "Lambda", "Lambda"),
        ("keras.layers", "Dense", "keras>Lambda", "Lambda"),
        ("builtins", "__lambda__", None, "Lambda"),
        ("keras.layers", "TorchModuleWrapper", None, "TorchModuleWrapper"),
        ("keras.src.utils.torch_utils", "TorchModuleWrapper", None, "TorchModuleWrapper"),
        ("keras.layers", "TFSMLayer", None, "TFSMLayer"),
        ("keras.layers", "JaxLayer", None, "JaxLayer"),
        ("keras.layers", "FlaxLayer", None, "FlaxLayer"),
    ],
)
def test_layers_that_hold_code(rewritten, module, class_name, registered_name, told):
    layer = {"module": module, "class_name": class_name, "registered_name": registered_name}
    inside = {"module": "keras.layers", "class_name": "TimeDistributed", "config": {"layer": layer}}
    path = rewritten(lambda config: pooling_of(config)["config"].update(wrapped=[inside]))
    assert message_of(path) == (
        f"{path} holds a {told} layer, that is code of its own, which is not run"
    )


@pytest.mark.parametrize(
    "module", ["os", "keras.utils", "keras.src.utils.file_utils", "keras.saving", "keras_hub.x"]
)
def test_modules_beside_those_that_make_networks(rewritten, module):
    function = {"module": module, "class_name": "function", "config": "get_file"}
    path = rewritten(lambda config: pooling_of(config)["config"].update(activation=function))
    assert f"asks for get_file of {module}: only" in message_of(path)


@pytest.mark.parametrize("name", ["utils.get_file", "src.utils.file_utils.get_file", ""])
def test_names_that_lead_into_another_module(rewritten, name):
    function = {"module": "keras", "class_name": "function", "config": name}
    path = rewritten(lambda config: pooling_of(config)["config"].update(activation=function))
    assert f"asks for {name} of keras: only" in message_of(path)


def test_a_layer_that_the_caller_has_registered(rewritten):
    @keras.saving.register_keras_serializable("of_this_test")
    class Pool(keras.layers.GlobalAveragePooling2D):
        pass

    name = {"module": "anywhere", "class_name": "Pool", "registered_name": "of_this_test>Pool"}
    path = rewritten(lambda config: pooling_of(config).update(name))
    assert load_model(path).output_shape == (3,)
    del keras.saving.get_custom_objects()["of_this_test>Pool"]
    assert "asks for Pool of anywhere" in message_of(path)


def test_a_compiled_model_with_a_loss_of_its_own(rewritten):
    loss = {"module": "mine", "class_name": "function", "config": "loss"}
    path = rewritten(lambda config: config.update(compile_config={"loss": loss}))
    assert load_model(path).output_shape == (3,)  # it is not needed, and not loaded


def test_configs_beyond_all_bounds(rewritten, monkeypatch, tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "[" * 200_000)
    assert message_of(path).startswith(f"{path} is no whole .keras file: ")
    monkeypatch.setattr(safety, "MAX_CONFIG_BYTES", 1000)
    path = rewritten(lambda config: None)
    size = zipfile.ZipFile(path).getinfo("config.json").file_size
    assert message_of(path) == (
        f"{path} is no whole .keras file: its config.json has {size} bytes, more than 1000"
    )


def saved(path: Path, probabilities, **attributes) -> Path:
    """A SavedModel whose only signature is a function of the pixels."""
    module = tf.Module()
    for name, value in attributes.items():
        setattr(module, name, value)
    signature = tf.TensorSpec((None, 17, 17, 3), tf.float32, name="pixels")

    @tf.function(input_signature=[signature])
    def serve(pixels):
        return {"probabilities": probabilities(pixels)}

    module.serve = serve
    tf.saved_model.save(module, str(path), signatures=serve)
    return path


def thirds(pixels):
    return tf.ones((tf.shape(pixels)[0], 3)) / 3


def test_a_saved_model_that_writes(tmp_path):
    target = tmp_path / "written"

    def write(pixels):
        with tf.control_dependencies([tf.io.write_file(str(target), "something")]):
            return thirds(pixels)

    def write_sometimes(pixels):
        return tf.cond(tf.reduce_sum(pixels) >= 0, lambda: write(pixels), lambda: thirds(pixels))

    for name, function in (("plain", write), ("branch", write_sometimes)):
        path = saved(tmp_path / name, function)
        assert message_of(path) == (
            f"{path} cannot be loaded as saved_model: it holds the operation WriteFile, which "
            "reaches beyond the network and is not run"
        )
        assert not target.exists()
    pixels = tf.zeros((1, 17, 17, 3))
    tf.saved_model.load(str(path)).signatures["serving_default"](pixels=pixels)
    assert target.read_text() == "something"  # so it would have written


def test_saved_models_that_reach_elsewhere(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("1\n")

    def read(pixels):
        return thirds(pixels) + tf.cast(tf.strings.length(tf.io.read_file(str(secret))), "float32")

    def python(pixels):
        return tf.ensure_shape(tf.numpy_function(np.ones_like, [thirds(pixels)], "float32"), (1, 3))

    def log(pixels):
        with tf.control_dependencies([tf.print(1, output_stream=f"file://{tmp_path / 'log'}")]):
            return thirds(pixels)

    file = tf.lookup.TextFileInitializer(str(secret), tf.string, 0, tf.string, 0, delimiter=",")
    table = tf.lookup.StaticHashTable(file, "")

    def look_up(pixels):
        found = tf.strings.length(table.lookup(tf.constant(["1"])))
        return thirds(pixels) + tf.cast(found, "float32")

    for operation, path in (
        ("ReadFile", saved(tmp_path / "read", read)),
        ("PyFunc", saved(tmp_path / "python", python)),
        ("PrintV2", saved(tmp_path / "log", log)),
        # This one would be run by the loading itself.
        ("InitializeTableFromTextFileV2", saved(tmp_path / "table", look_up, table=table)),
    ):
        assert f"it holds the operation {operation}, which reaches beyond" in message_of(path)


def test_tables_in_the_graph_are_no_files(tmp_path):
    names = tf.lookup.KeyValueTensorInitializer(tf.constant([0]), tf.constant([5.0]))
    table = tf.lookup.StaticHashTable(names, 0.0)
    path = saved(
        tmp_path / "model", lambda pixels: thirds(pixels) * table.lookup(tf.constant([0])), t=table
    )
    given = load_model(path).compute(np.zeros((2, 17, 17, 3), np.float32))
    np.testing.assert_allclose(given, np.full((2, 3), 5 / 3), atol=1e-6)


def test_a_saved_model_of_tensorflow_1(tmp_path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        pixels = tf.compat.v1.placeholder(tf.float32, (None, 17, 17, 3))
        tf.compat.v1.saved_model.simple_save(
            session, str(tmp_path / "old"), {"pixels": pixels}, {"probabilities": thirds(pixels)}
        )
    assert message_of(tmp_path / "old") == (
        f"{tmp_path / 'old'} cannot be loaded as saved_model: it was not written by TensorFlow 2"
    )


@pytest.mark.parametrize("name", ["ReadVariableOp", "StatefulPartitionedCall", "ResizeBilinear",
                                  "DecodePng", "TensorListReserve", "LookupTableFindV2",
                                  "LookupTableImportV2", "RandomUniform", "TopKV2"])  # fmt: skip
def test_what_networks_need_is_not_refused(name):
    assert hasattr(tf.raw_ops, name)
    assert not safety.REACHING.search(name)


@pytest.mark.parametrize(
    "name",
    ["WriteFile", "ReadFile", "MatchingFiles", "SaveV2", "Restore", "RestoreV2", "EagerPyFunc",
     "PyFuncStateless", "Print", "TextLineDataset", "TFRecordReaderV2", "SqlDataset", "Send",
     "InfeedDequeue", "CreateSummaryFileWriter", "DecodeProtoV2", "LoadAndRemapMatrix",
     "MergeV2Checkpoints", "RemoteCall", "WorkerHeartbeat", "DebugIdentityV2", "RecordInput",
     "FileSystemSetConfiguration", "GetSessionHandleV2", "CollectiveBcastSendV2"],
)  # fmt: skip
def test_what_reaches_beyond_a_network_is_refused(name):
    assert hasattr(tf.raw_ops, name)
    assert safety.REACHING.search(name)


def test_tensorflow_operations_in_a_tflite_file(tmp_path):
    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 17, 17, 3), tf.float32)])
        def serve(self, pixels):
            found = tf.strings.length(tf.strings.as_string(tf.reduce_sum(pixels, axis=(1, 2))))
            return tf.cast(found, "float32")

    network = Network()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [network.serve.get_concrete_function()], network
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.SELECT_TF_OPS]
    path = tmp_path / "model.tflite"
    path.write_bytes(converter.convert())
    text = message_of(path)
    assert text.startswith(f"{path} cannot be loaded as tflite: it holds Flex")
    assert text.endswith(", which is none of LiteRT's built-in operations")

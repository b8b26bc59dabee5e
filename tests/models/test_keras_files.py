"""`.keras` files that would run code, read other files or fill the memory: all are refused."""

import io
import json
import re
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.measuring import forget_peak, peak_resident
from a2keras.models import keras_files
from a2keras.models.preprocessing import Pixels


def message_of(path) -> str:
    with pytest.raises(UserError) as caught:
        keras_files.load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    pixels = keras.Input((17, 17, 3))
    x = keras.layers.Conv2D(7, 3, name="conv")(Pixels().layer()(pixels))
    x = keras.layers.GlobalAveragePooling2D()(x)
    made = keras.Model(pixels, keras.layers.Dense(3, activation="softmax")(x))
    path = tmp_path_factory.mktemp("models") / "model.keras"
    made.save(path)
    return path


@pytest.fixture
def repacked(model, tmp_path):
    """A copy of a `.keras` file whose members, {name: bytes}, were changed."""

    def repack(change) -> Path:
        path = tmp_path / "model.keras"
        with zipfile.ZipFile(model) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        change(members)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return repack


@pytest.fixture
def rewritten(repacked):
    """A copy of a `.keras` file whose config was changed."""

    def rewrite(change) -> Path:
        def change_member(members) -> None:
            config = json.loads(members["config.json"])
            members["config.json"] = json.dumps(change(config) or config).encode()

        return repacked(change_member)

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
    assert keras_files.load(path).output_shape == (None, 3)
    del keras.saving.get_custom_objects()["of_this_test>Pool"]
    assert "asks for Pool of anywhere" in message_of(path)


def test_whether_only_this_program_knows_a_class(rewritten, model):
    @keras.saving.register_keras_serializable("of_this_test")
    class Pool(keras.layers.GlobalAveragePooling2D):
        pass

    name = {"module": "anywhere", "class_name": "Pool", "registered_name": "of_this_test>Pool"}
    path = rewritten(lambda config: pooling_of(config).update(name))
    assert keras_files.needs_this_program(path)
    assert not keras_files.needs_this_program(model)  # a2keras's and Keras's are known anywhere
    del keras.saving.get_custom_objects()["of_this_test>Pool"]
    assert not keras_files.needs_this_program(path)


def test_a_compiled_model_with_a_loss_of_its_own(rewritten):
    loss = {"module": "mine", "class_name": "function", "config": "loss"}
    path = rewritten(lambda config: config.update(compile_config={"loss": loss}))
    assert keras_files.load(path).output_shape == (None, 3)  # it is not needed, and not loaded


def test_configs_beyond_all_bounds(rewritten, monkeypatch, tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "[" * 200_000)
    assert message_of(path).startswith(f"{path} is no whole .keras file: ")
    monkeypatch.setattr(keras_files, "MAX_CONFIG_BYTES", 1000)
    path = rewritten(lambda config: None)
    size = zipfile.ZipFile(path).getinfo("config.json").file_size
    assert message_of(path) == (
        f"{path} is no whole .keras file: its config.json has {size} bytes, more than 1000"
    )


@pytest.fixture
def with_weights(repacked):
    """A copy of a `.keras` file whose HDF5 part was changed."""

    def change_weights(change) -> Path:
        def change_member(members) -> None:
            content = io.BytesIO(members["model.weights.h5"])
            with h5py.File(content, "r+") as h5:
                change(h5)
            members["model.weights.h5"] = content.getvalue()

        return repacked(change_member)

    return change_weights


KERNEL = "layers/conv2d/vars/0"


@pytest.fixture
def secret(tmp_path) -> Path:
    """Another file, with an array of the shape of the kernel."""
    with h5py.File(tmp_path / "secret.h5", "w") as h5:
        h5["numbers"] = np.full((3, 3, 3, 7), 42, np.float32)
    return tmp_path / "secret.h5"


def external_link(h5, secret):
    h5[KERNEL] = h5py.ExternalLink(str(secret), "/numbers")


def link_to_a_group_elsewhere(h5, secret):
    h5["elsewhere"] = h5py.ExternalLink(str(secret), "/")


def soft_link(h5, secret):
    h5[KERNEL] = h5py.SoftLink("/layers/dense/vars/0")


def virtual_array(h5, secret):
    layout = h5py.VirtualLayout((3, 3, 3, 7), np.float32)
    layout[:] = h5py.VirtualSource(str(secret), "numbers", (3, 3, 3, 7))
    h5.create_virtual_dataset(KERNEL, layout)


def external_storage(h5, secret):
    h5.create_dataset(
        KERNEL, (3, 3, 3, 7), np.float32, external=[(str(secret), 0, h5py.h5f.UNLIMITED)]
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (external_link, f"links to something else at /{KERNEL}"),
        (link_to_a_group_elsewhere, "links to something else at /elsewhere"),
        (soft_link, f"links to something else at /{KERNEL}"),
        (virtual_array, f"has no plain array at /{KERNEL}"),
        (external_storage, f"has no plain array at /{KERNEL}"),
    ],
)
def test_weights_that_lie_in_another_file(with_weights, secret, change, told):
    def replace_kernel(h5):
        if KERNEL in h5:
            del h5[KERNEL]
        change(h5, secret)

    path = with_weights(replace_kernel)
    assert message_of(path) == f"{path} {told}"


def test_weights_that_would_fill_the_memory(with_weights):
    def inflate(h5):
        del h5[KERNEL]
        h5.create_dataset(KERNEL, (2**40,), "float32", chunks=(2**20,), compression="gzip")

    path = with_weights(inflate)
    assert message_of(path) == (
        f"{path} declares {2**42} bytes at /{KERNEL} and holds 0: it would fill the memory"
    )


def test_weights_that_would_fill_the_memory_together(with_weights):
    def inflate(h5):
        for number in range(4):
            chunks = {"chunks": (2**20,), "compression": "gzip"}
            h5.create_dataset(f"layers/empty_{number}", (2**25,), "float32", **chunks)

    path = with_weights(inflate)
    assert re.fullmatch(
        rf"{path} declares \d+ bytes at all places together and holds \d+: "
        "it would fill the memory",
        message_of(path),
    )


def test_an_array_at_two_places(with_weights):
    def link(h5):
        h5["layers/again"] = h5[KERNEL]

    path = with_weights(link)
    assert re.fullmatch(rf"{path} holds the array /layers/\S+ a second time", message_of(path))


def test_groups_of_weights_that_lead_in_circles(with_weights):
    def close_circle(h5):
        h5["layers/again"] = h5["layers"]

    path = with_weights(close_circle)
    assert message_of(path) == f"{path} holds the group /layers/again a second time"


def test_weights_of_another_kind_and_shape(with_weights, repacked):
    def as_text(h5):
        del h5[KERNEL]
        h5[KERNEL] = "text"

    path = with_weights(as_text)
    assert message_of(path) == f"{path} holds no numbers at /{KERNEL}"

    def smaller(h5):
        del h5[KERNEL]
        h5[KERNEL] = np.zeros((3, 3, 3, 5), np.float32)

    assert message_of(with_weights(smaller)).startswith(f"{path} cannot be loaded as keras: ")
    path = repacked(lambda members: members.update({"model.weights.h5": b"no HDF5"}))
    assert message_of(path).startswith(f"{path} is no Keras archive, or a part of one: ")
    path = repacked(lambda members: members.pop("model.weights.h5"))
    assert message_of(path) == (f"{path} holds no model.weights.h5: no Keras model was saved there")


@pytest.mark.parametrize(
    "name", ["../outside", "/outside", "assets/../../outside", "model.weights.npz", "run.py"]
)
def test_members_beside_the_model(repacked, name):
    path = repacked(lambda members: members.update({name: b"x"}))
    assert message_of(path) == (f"{path} is no whole .keras file: it holds {name} beside the model")


def test_damaged_archives(model, tmp_path):
    content = model.read_bytes()
    path = tmp_path / "model.keras"
    generator = np.random.default_rng(7)
    for number in range(40):
        damaged = bytearray(content)
        if number % 2:
            damaged = damaged[: generator.integers(len(damaged))]
        for place in generator.integers(0, len(damaged), 20) if len(damaged) else ():
            damaged[place] ^= 1 << generator.integers(8)
        path.write_bytes(damaged)
        try:
            keras_files.check(path)
        except UserError as error:
            assert str(error).startswith(str(path))  # some damage does not matter


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Dense(300_000),
        keras.layers.Conv1D(70_001, 61, padding="same"),
        keras.layers.Embedding(2**33, 5),
        keras.layers.Bidirectional(keras.layers.LSTM(50_021, return_sequences=True)),
        keras.layers.MultiHeadAttention(30_011, 40_009),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_config_that_asks_for_more_weights_than_there_are(repacked, layer):
    """Keras would take the memory of all of them (360 GB) before it compares the two."""
    config = keras.saving.serialize_keras_object(layer)

    def change(members) -> None:
        ends = ["pixels", 0, 0]
        tensor = {"class_name": "__keras_tensor__",
                  "config": {"shape": [None, 11, 300_000], "dtype": "float32",
                             "keras_history": ends}}  # fmt: skip
        twice = [tensor] * (1 + isinstance(layer, keras.layers.MultiHeadAttention))
        inner = {**config, "name": "large",
                 "inbound_nodes": [{"args": twice, "kwargs": {}}]}  # fmt: skip
        first = keras.layers.InputLayer(batch_shape=(None, 11, 300_000), name="pixels")
        first = {**keras.saving.serialize_keras_object(first), "name": "pixels",
                 "inbound_nodes": []}  # fmt: skip
        inner["config"]["name"] = "large"
        model = {"name": "m", "trainable": True, "layers": [first, inner],
                 "input_layers": [ends], "output_layers": [["large", 0, 0]]}  # fmt: skip
        document = {"module": "keras.src.models.functional", "class_name": "Functional",
                    "config": model, "registered_name": None}  # fmt: skip
        members["config.json"] = json.dumps(document).encode()

    path = repacked(change)
    made = keras.Variable.__init__
    before = forget_peak()
    message = message_of(path)
    reason = "its config.json asks for more weights than the 220 that it has"
    assert message == f"{path} cannot be loaded as keras: {reason}"
    assert peak_resident() - before < 300e6
    assert keras.Variable.__init__ is made

"""Graphs that would read, write or reach elsewhere: all are refused before any of them runs."""

import re
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from a2keras.errors import UserError
from a2keras.export import safety
from a2keras.export.allowed_operations import (
    TENSORFLOW,
    TENSORFLOW_GROUPS,
    TENSORFLOW_SAVER,
)
from a2keras.export.reading.loaders import load_model


def message_of(path) -> str:
    with pytest.raises(UserError) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused(path, operation: str) -> str:
    return (
        f"{path} cannot be loaded as saved_model: it holds the operation {operation}, which is "
        "none of those that computing a network needs, and is not run"
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
        assert message_of(path) == refused(path, "WriteFile")
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
        assert message_of(path) == refused(path, operation)


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


def read_immutable(file):
    return tf.raw_ops.ImmutableConst(
        dtype=tf.uint8, shape=(5,), memory_region_name=f"file://{file}"
    )


def read_vocabulary(file):
    return tf.raw_ops.GenerateVocabRemapping(
        new_vocab_file=str(file),
        old_vocab_file=str(file),
        new_vocab_offset=0,
        num_new_vocab=1,
    ).remapping


def read_unigrams(file):
    return tf.raw_ops.FixedUnigramCandidateSampler(
        true_classes=tf.zeros((1, 1), tf.int64),
        num_true=1,
        num_sampled=1,
        unique=False,
        range_max=1,
        vocab_file=str(file),
    ).sampled_candidates


def end(file):
    with tf.control_dependencies([tf.raw_ops.Abort(error_msg=str(file))]):
        return tf.zeros((1,))


@pytest.mark.parametrize(
    ("operation", "function"),
    [
        ("ImmutableConst", read_immutable),
        ("GenerateVocabRemapping", read_vocabulary),
        ("FixedUnigramCandidateSampler", read_unigrams),
        ("Abort", end),
    ],
)
def test_operations_that_no_pattern_of_names_has_found(tmp_path, operation, function):
    file = tmp_path / "secret"
    file.write_text("words\n")

    def probabilities(pixels):
        return thirds(pixels) + tf.reduce_sum(tf.cast(function(file), tf.float32))

    path = saved(tmp_path / "model", probabilities)
    assert message_of(path) == refused(path, operation)


def test_what_one_of_them_would_have_read(tmp_path):
    file = tmp_path / "secret"
    file.write_text("words\n")
    path = saved(
        tmp_path / "model",
        lambda pixels: thirds(pixels) + tf.reduce_sum(tf.cast(read_immutable(file), tf.float32)),
    )
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    given = serve(pixels=tf.zeros((1, 17, 17, 3)))["probabilities"].numpy()
    assert given[0, 0] == pytest.approx(sum(b"words") + 1 / 3)


@pytest.fixture(scope="module")
def many_functions(tmp_path_factory) -> Path:
    """A loop, a branch, a table, a variable and a gradient of its own, each with functions."""

    @tf.custom_gradient
    def squared(x):
        return x * x, lambda upstream: 2 * x * upstream

    names = tf.lookup.KeyValueTensorInitializer(tf.constant([0]), tf.constant([5.0]))
    table = tf.lookup.StaticHashTable(names, 0.0)
    entries = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)
    variable = tf.Variable(2.0)

    def probabilities(pixels):
        found = table.lookup(tf.constant([0])) + entries.lookup(tf.constant([0], tf.int64))
        looped = tf.while_loop(lambda x: x < 9, lambda x: x + squared(variable), [0.0])[0]
        factor = found * tf.cond(looped > 3, lambda: looped, lambda: 1.0)
        return tf.ensure_shape(thirds(pixels) * factor, (None, 3))

    path = tmp_path_factory.mktemp("models") / "many"
    return saved(path, probabilities, table=table, entries=entries, variable=variable)


@pytest.fixture
def rewritten(many_functions, tmp_path):
    """A copy of a SavedModel whose document was changed."""
    import shutil

    def rewrite(change) -> Path:
        path = Path(shutil.copytree(many_functions, tmp_path / "copy", dirs_exist_ok=True))
        document = saved_model_pb2.SavedModel()
        document.ParseFromString((many_functions / "saved_model.pb").read_bytes())
        change(document.meta_graphs[0], document)
        (path / "saved_model.pb").write_bytes(document.SerializeToString())
        return path

    return rewrite


def functions_of(graph) -> dict:
    return {each.signature.name: each for each in graph.graph_def.library.function}


def test_a_model_with_all_of_that_is_known(many_functions):
    given = load_model(many_functions).compute(np.zeros((2, 17, 17, 3), np.float32))
    np.testing.assert_allclose(given, np.full((2, 3), 5 * 12 / 3), rtol=1e-6)


@pytest.mark.parametrize("operation", ["DumpTensor", "Skipgram", "ImmutableConst", "NoSuchThing"])
@pytest.mark.parametrize(
    "place", ["while_body", "cond_true", "grad_fn", "traced_save", "traced_restore", "signature",
              "initializer", "restore_fn", "unreachable", "graph"]
)  # fmt: skip
def test_wherever_it_is(rewritten, operation, place):
    def change(graph, _):
        if place == "graph":
            graph.graph_def.node.add(name="reads", op=operation)
            return
        if place == "unreachable":
            graph.graph_def.library.function.add().signature.name = place
        (function, *_) = (each for name, each in functions_of(graph).items() if place in name)
        function.node_def.add(name="reads", op=operation)

    path = rewritten(change)
    assert message_of(path) == refused(path, operation)


def test_saving_and_restoring_outside_of_their_functions(rewritten):
    def saver_of(graph, what):
        (name,) = (name for name in functions_of(graph) if f"traced_{what}" in name)
        return name

    def in_a_body(graph, _):
        (body,) = (each for name, each in functions_of(graph).items() if "while_body" in name)
        body.node_def.add(name="saves", op="SaveV2")

    def called_from_a_body(graph, _):
        (body,) = (each for name, each in functions_of(graph).items() if "while_body" in name)
        node = body.node_def.add(name="saves", op="StatefulPartitionedCall")
        node.attr["f"].func.name = saver_of(graph, "save")

    def called_through_an_argument(graph, _):
        (body,) = (each for name, each in functions_of(graph).items() if "while_body" in name)
        node = body.node_def.add(name="saves", op="StatefulPartitionedCall")
        node.attr["f"].func.name = next(iter(graph.object_graph_def.concrete_functions))
        node.attr["f"].func.attr["g"].func.name = saver_of(graph, "restore")

    def called_from_the_graph(graph, _):
        node = graph.graph_def.node.add(name="saves", op="StatefulPartitionedCall")
        node.attr["f"].func.name = saver_of(graph, "restore")

    def of_the_objects(graph, _):
        node = graph.object_graph_def.nodes.add()
        node.bare_concrete_function.concrete_function_name = saver_of(graph, "restore")

    def as_a_gradient(graph, _):
        graph.graph_def.library.registered_gradients.add(
            gradient_func=saver_of(graph, "save"), registered_op_type="Add"
        )

    for change, operation in (
        (in_a_body, "SaveV2"),
        (called_from_a_body, "ShardedFilename"),
        (called_through_an_argument, "RestoreV2"),
        (called_from_the_graph, "RestoreV2"),
        (of_the_objects, "RestoreV2"),
        (as_a_gradient, "ShardedFilename"),
    ):
        path = rewritten(change)
        assert message_of(path) == refused(path, operation)


def add_save(function, target: Path) -> None:
    """Lets a function of a SavedModel write a checkpoint."""
    for each, value in (
        ("file", tf.constant(str(target))),
        ("names", tf.constant(["x"])),
        ("slices", tf.constant([""])),
        ("numbers", tf.constant([1.0])),
    ):
        node = function.node_def.add(name=f"our_{each}", op="Const")
        node.attr["dtype"].type = value.dtype.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value.numpy()))
    node = function.node_def.add(name="our_save", op="SaveV2")
    node.input.extend(f"our_{each}:output:0" for each in ("file", "names", "slices"))
    node.input.append("our_numbers:output:0")
    node.attr["dtypes"].list.type.append(tf.float32.as_datatype_enum)
    function.control_ret["our_save"] = "our_save"
    function.signature.control_output.append("our_save")


def test_the_functions_that_save_and_restore_are_not_loaded(rewritten, tmp_path):
    """They may hold anything of their kind, such as a file name of their own."""

    def save_elsewhere(graph, _):
        for name, function in functions_of(graph).items():
            if "traced_" in name:
                add_save(function, tmp_path / "written")

    path = rewritten(save_elsewhere)
    (graph,) = safety.check_saved_model(path).meta_graphs
    assert not [name for name in functions_of(graph) if "traced_" in name]
    assert not graph.HasField("saver_def")
    loaded = load_model(path)
    assert loaded.compute(np.zeros((1, 17, 17, 3))).shape == (1, 3)
    assert not list(tmp_path.glob("written*"))
    # So they would have written: TensorFlow 1 calls the one that restores.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(path))
    assert list(tmp_path.glob("written*"))


def called_by(node) -> str:
    return node.attr["f"].func.name if "f" in node.attr else ""


def test_a_function_that_an_optimizer_would_put_in_the_place_of_another(tmp_path):
    """Of two functions that say that they do the same, it takes the one for the device."""

    @tf.function(input_signature=[tf.TensorSpec((None, 3))], autograph=False)
    def inner(x):
        return tf.nn.softmax(x)

    path = saved(tmp_path / "model", lambda pixels: inner(tf.reduce_sum(pixels, (1, 2))))
    document = saved_model_pb2.SavedModel()
    document.ParseFromString((path / "saved_model.pb").read_bytes())
    (graph,) = document.meta_graphs
    (name, called), *_ = ((k, v) for k, v in functions_of(graph).items() if "_inner_" in k)
    for function in graph.graph_def.library.function:
        for node in function.node_def:
            if name in called_by(node):
                node.device = "/job:localhost/replica:0/task:0/device:CPU:0"
    other = graph.graph_def.library.function.add()
    other.CopyFrom(called)
    other.signature.name, other.signature.is_stateful = "other", True
    add_save(other, tmp_path / "written")
    for node in other.node_def:
        if node.op == "Identity":
            node.input.append("^our_save")
    for function, device in ((called, b"GPU"), (other, b"CPU")):
        function.attr["api_implements"].s = b"inner"
        function.attr["api_preferred_device"].s = device
    # As if it were one of those for other loaders.
    call = graph.graph_def.node.add(name="calls", op="StatefulPartitionedCall")
    call.attr["f"].func.name = "other"
    graph.saver_def.save_tensor_name = "calls:0"
    for function in list(graph.graph_def.library.function):
        if "_traced_" in function.signature.name:
            graph.graph_def.library.function.remove(function)
    for node in list(graph.graph_def.node):
        if "_traced_" in called_by(node):
            graph.graph_def.node.remove(node)
    (path / "saved_model.pb").write_bytes(document.SerializeToString())
    given = load_model(path).compute(np.zeros((2, 17, 17, 3), np.float32))
    np.testing.assert_allclose(given, np.full((2, 3), 1 / 3), atol=1e-6)
    assert not list(tmp_path.glob("written*"))
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    serve(pixels=tf.zeros((1, 17, 17, 3)))
    assert list(tmp_path.glob("written*"))  # so it would have written


def test_settings_of_optimizers_are_not_loaded(rewritten):
    from tensorflow.core.protobuf import config_pb2

    def change(graph, _):
        settings = config_pb2.ConfigProto()
        settings.graph_options.rewrite_options.optimizers.append("of the file")
        for function in graph.graph_def.library.function:
            function.attr["api_implements"].s = b"of the file"
            for node in function.node_def:
                if "config_proto" in node.attr:
                    node.attr["config_proto"].s = settings.SerializeToString()

    path = rewritten(change)
    assert (path / "saved_model.pb").read_bytes().count(b"of the file") > 3
    assert b"of the file" not in safety.check_saved_model(path).SerializeToString()
    given = load_model(path).compute(np.zeros((2, 17, 17, 3), np.float32))
    np.testing.assert_allclose(given, np.full((2, 3), 5 * 12 / 3), rtol=1e-6)


def test_what_is_loaded_does_not_stay(many_functions, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    loaded = load_model(many_functions)
    assert list(tmp_path.iterdir()) == []
    assert loaded.compute(np.zeros((1, 17, 17, 3), np.float32)).shape == (1, 3)


def test_functions_that_it_does_not_hold(rewritten):
    def change(graph, _):
        node = graph.graph_def.node.add(name="calls", op="PartitionedCall")
        node.attr["f"].func.name = "of another model"

    path = rewritten(change)
    assert message_of(path) == (
        f"{path} cannot be loaded as saved_model: it calls of another model, which it does not hold"
    )


def test_a_function_with_the_name_of_an_operation(rewritten):
    def change(graph, _):
        graph.graph_def.library.function.add().signature.name = "WriteFile"
        graph.graph_def.node.add(name="calls", op="WriteFile")

    path = rewritten(change)
    assert message_of(path) == refused(path, "WriteFile")


@pytest.mark.parametrize("name", ["../../secret", "/secret", "a/../../b", "..\\secret"])
def test_assets_outside_of_the_model(rewritten, name):
    path = rewritten(lambda graph, _: graph.asset_file_def.add(filename=name))
    assert message_of(path) == (
        f"{path} cannot be loaded as saved_model: it names the file {name} outside of its own"
    )


def test_several_graphs(rewritten):
    """TensorFlow 2 would load these as version 1 does, which runs the restoring function."""
    path = rewritten(lambda graph, document: document.meta_graphs.add().CopyFrom(graph))
    assert message_of(path) == (
        f"{path} cannot be loaded as saved_model: it must hold one graph. Received: 2"
    )


def test_nesting_without_end(rewritten):
    def change(graph, _):
        value = graph.graph_def.node.add(name="deep", op="NoOp").attr["f"]
        for _ in range(200):
            value.func.name = next(iter(graph.object_graph_def.concrete_functions))
            value = value.func.attr["f"]

    path = rewritten(change)
    assert message_of(path) == (
        f"{path} cannot be loaded as saved_model: its saved_model.pb is damaged or cut off"
    )


def all_operations() -> dict:
    """Every operation that is registered, hidden ones among them, by name.

    Private: `tf.raw_ops` has the public ones only, and no definitions.
    """
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    listed = op_def_pb2.OpList()
    buffer = pywrap_tf_session.TF_GetAllOpList()
    listed.ParseFromString(pywrap_tf_session.TF_GetBuffer(buffer))
    return {each.name: each for each in listed.op}


# What the texts are that an allowed operation may be given: none is the name of anything outside.
TEXTS = {
    "the bytes of a file": "contents input_bytes bytes serialized xmp_metadata",
    "a text to work on": """
        input inputs data string_tensor pattern rewrite delimiter sep separator left_pad right_pad
        fill template placeholder encoding""",
    "names of features within the bytes": "names sparse_keys dense_keys ragged_keys",
    "a choice of the kernel": """
        dct_method src_format dst_format equation bad_indices_policy interpolation fill_mode
        kernel_type row_partition_types padding dimension_numbers""",
    "what an error says": "message",
    "names of variables and tables of this process": """
        container shared_name debug_name allowed_devices""",
    "how a function is run": "config config_proto executor_type",
}


def texts_of(operation) -> set[str]:
    """The inputs and attributes of an operation that are texts, but for those of a fixed list."""
    text = tf.string.as_datatype_enum
    return {each.name for each in operation.input_arg if each.type == text} | {
        each.name
        for each in operation.attr
        if each.type in ("string", "list(string)") and not each.HasField("allowed_values")
    }


# Parts of the names of operations that speak of what is outside of a network: files, Python, other
# processes and devices, the process itself, what others have prepared.
OUTSIDE = re.compile(
    r"File|Reader|Writer|Save|Restore|Checkpoint|LoadAndRemap|Dataset|Iterator|Snapshot|RecordInput"
    r"|PyFunc|Print|Summary|Debug|Sql|DecodeProto|EncodeProto|Session|Send|Recv|Remote|Rpc|Nccl"
    r"|Collective|TPU|Tpu|Heartbeat|feed(En|De)queue|Abort|Dump|Vocab|Skipgram|Xla|ImmutableConst"
    r"|UnigramCandidate|Queue|Barrier|Stage|Mutex|Throw|Coordination|Mesh|Host|Worker|Compile"
    r"|Accumulator|Bigtable|Cloud|Kafka|Timestamp|GetDeadline|Test|^_"
)
# And words of the names of inputs and attributes.
WORDS = re.compile(
    r"(^|_)(file(s|name|names|system|_pattern)?|path|dir|directory|address|hosts?|port|url|uri|sql"
    r"|script|module|library|command|server|cluster|protocol|token|callable|group_key|instance_key"
    r"|tasks?|worker|summary|memory_region|vocab|pid|process|prefix|checkpoint|session|tensor_name"
    r"|send_device|recv_device|communication_hint|writer|reader|handle_name|program|key_value)(_|$)"
)


def speaks_of_outside(operation) -> bool:
    arguments = [each.name for each in (*operation.input_arg, *operation.attr)]
    return bool(OUTSIDE.search(operation.name)) or any(map(WORDS.search, arguments))


def test_no_allowed_operation_can_be_told_a_name_of_anything_outside():
    operations = all_operations()
    known = {name for names in TEXTS.values() for name in names.split()}
    told = {name: texts_of(operations[name]) - known for name in TENSORFLOW & set(operations)}
    assert {name: texts for name, texts in told.items() if texts} == {}
    assert TENSORFLOW.isdisjoint(TENSORFLOW_SAVER)


def test_what_speaks_of_anything_outside_is_refused():
    """The same from the other side: of all that are registered."""
    outside = {name for name, each in all_operations().items() if speaks_of_outside(each)}
    assert len(outside) > 400
    assert outside & TENSORFLOW == set()
    for name in ("WriteFile", "ReadFile", "MatchingFiles", "SaveV2", "Restore", "RestoreV2",
                 "EagerPyFunc", "PyFuncStateless", "Print", "TextLineDataset", "TFRecordReaderV2",
                 "SqlDataset", "Send", "InfeedDequeue", "CreateSummaryFileWriter", "DecodeProtoV2",
                 "LoadAndRemapMatrix", "MergeV2Checkpoints", "RemoteCall", "WorkerHeartbeat",
                 "DebugIdentityV2", "RecordInput", "FileSystemSetConfiguration", "DumpTensor",
                 "GetSessionHandleV2", "CollectiveBcastSendV2", "ImmutableConst", "Skipgram",
                 "GenerateVocabRemapping", "FixedUnigramCandidateSampler", "Abort",
                 "XlaCallModule", "InitializeTableFromTextFileV2"):  # fmt: skip
        assert name in outside, name


def test_what_layers_of_keras_and_pictures_need_is_allowed(tmp_path):
    layers = keras.layers
    pixels = keras.Input((None, None, 3), name="pixels")
    x = layers.Resizing(12, 12, interpolation="lanczos3", crop_to_aspect_ratio=True)(pixels)
    x = layers.RandomRotation(0.1)(
        layers.RandomZoom(0.2)(layers.RandomContrast(0.1)(x)), training=True
    )
    x = layers.GroupNormalization(1)(layers.SeparableConv2D(4, 3, activation="gelu")(x))
    x = layers.UpSampling2D(interpolation="bicubic")(layers.MaxPooling2D()(x))
    x = layers.Reshape((-1, 4))(x)
    x = layers.MultiHeadAttention(2, 2)(x, x, use_causal_mask=True)
    x = layers.Bidirectional(layers.GRU(3))(layers.LSTM(3, return_sequences=True)(x))
    network = keras.Model(pixels, layers.Dense(3, activation="softmax")(x))
    archive = keras.export.ExportArchive()
    archive.track(network)

    def serve(files):
        def decoded(file):
            picture = tf.io.decode_image(file, 3, expand_animations=False)
            picture = tf.image.adjust_hue(tf.image.convert_image_dtype(picture, tf.float32), 0.1)
            return tf.image.resize(picture, (20, 20), antialias=True)

        return {"probabilities": network(tf.map_fn(decoded, files, tf.float32))}

    archive.add_endpoint("serve", serve, [tf.TensorSpec((None,), tf.string, name="files")])
    archive.write_out(str(tmp_path / "model"), verbose=False)
    safety.check_saved_model(tmp_path / "model")


def test_the_list_is_of_this_tensorflow_and_names_nothing_twice():
    if tf.version.VERSION.startswith("2.21"):
        assert set(all_operations()) >= TENSORFLOW
    names = [name for group in TENSORFLOW_GROUPS.values() for name in group.split()]
    assert len(names) == len(TENSORFLOW)


# ONNX


@pytest.fixture
def onnx_file(tmp_path):
    """An `.onnx` file of one dense layer whose model was changed before it was written."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    def write(change) -> Path:
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3])
            for name in ("pixels", "probabilities")
        ]
        kernel = numpy_helper.from_array(np.eye(3, dtype=np.float32), "kernel")
        nodes = [
            helper.make_node("MatMul", ["pixels", "kernel"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ]
        graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], [kernel])
        opsets = [helper.make_opsetid("", 18)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        change(model)
        path = tmp_path / "folder" / "model.onnx"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(model.SerializeToString())
        return path

    assert onnx
    return write


def keep_outside(location):
    """Lets the kernel be read from another file."""

    def change(model):
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = 1
        for key, value in (("location", location), ("offset", "0"), ("length", "36")):
            tensor.external_data.add(key=key, value=value)

    return change


@pytest.mark.parametrize("location", ["../secret", "/secret", "a/../../secret", "..\\secret"])
def test_weights_outside_of_the_folder(onnx_file, tmp_path, location):
    (tmp_path / "secret").write_bytes(bytes(36))
    path = onnx_file(keep_outside(location))
    assert message_of(path) == (
        f"{path} cannot be loaded as onnx: it names the file {location} outside of its folder"
    )


def test_weights_behind_a_link_out_of_the_folder(onnx_file, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(36))
    path = onnx_file(keep_outside("kernel.bin"))
    (path.parent / "kernel.bin").symlink_to(tmp_path / "secret")
    assert message_of(path).endswith("it names the file kernel.bin outside of its folder")


def test_weights_that_are_a_folder(onnx_file):
    path = onnx_file(keep_outside("kernel.bin"))
    (path.parent / "kernel.bin").mkdir()
    assert message_of(path) == (
        f"{path} cannot be loaded as onnx: it names kernel.bin, which is no file"
    )


def test_what_is_no_onnx_model(onnx_file):
    path = onnx_file(lambda model: None)
    path.write_bytes(b"no model")
    assert message_of(path) == (
        f"{path} cannot be loaded as onnx: it is damaged, cut off or no ONNX model"
    )


def test_weights_beside_the_model(onnx_file):
    path = onnx_file(keep_outside("kernel.bin"))
    (path.parent / "kernel.bin").write_bytes(np.zeros((3, 3), np.float32).tobytes())
    given = load_model(path).compute(np.arange(6, dtype=np.float32).reshape(2, 3))
    np.testing.assert_allclose(given, np.full((2, 3), 1 / 3), atol=1e-6)


@pytest.mark.parametrize(
    ("domain", "name", "told"),
    [
        ("com.stranger", "Softmax", "com.stranger.Softmax"),
        ("com.microsoft", "EPContext", "com.microsoft.EPContext"),
        ("", "NoSuchThing", "NoSuchThing"),
        ("ai.onnx.contrib", "PyOp", "ai.onnx.contrib.PyOp"),
    ],
)
@pytest.mark.parametrize("place", ["graph", "branch", "function"])
def test_operators_of_others(onnx_file, domain, name, told, place):
    def change(model):
        from onnx import helper

        node = helper.make_node(name, [], ["x"], domain=domain)
        if place == "graph":
            model.graph.node.append(node)
        elif place == "function":
            model.functions.add(name="Ours", domain="ours").node.append(node)
        else:
            branch = helper.make_graph([node], "branch", [], [])
            model.graph.node.append(
                helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
            )

    path = onnx_file(change)
    assert message_of(path) == (
        f"{path} cannot be loaded as onnx: it holds the operation {told}, which is none of ONNX's, "
        "and is not run"
    )


def test_functions_that_the_file_itself_defines(onnx_file):
    def change(model):
        from onnx import helper

        body = [helper.make_node("Softmax", ["a"], ["b"])]
        opsets = [helper.make_opsetid("", 18)]
        model.functions.append(helper.make_function("ours", "Ours", ["a"], ["b"], body, opsets))
        model.opset_import.append(helper.make_opsetid("ours", 1))
        model.graph.node[1].CopyFrom(
            helper.make_node("Ours", ["logits"], ["probabilities"], domain="ours")
        )

    given = load_model(onnx_file(change)).compute(np.zeros((2, 3)))
    np.testing.assert_allclose(given, np.full((2, 3), 1 / 3), atol=1e-6)

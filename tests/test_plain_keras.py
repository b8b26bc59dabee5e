"""docs/plain-keras.md: its programs, and what it says of `fit` under TensorFlow's strategies.

What fails does so for a plain model of a convolution and a batch normalisation: a test that fails
here may tell that Keras or TensorFlow has been mended, and the page is to be changed.
"""

import functools
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from PIL import Image

from a2keras import DoubleAttention
from a2keras.__main__ import main

PAGE = Path(__file__).parents[1] / "docs" / "plain-keras.md"


def conv_bn(synchronized=True):
    return [layers.BatchNormalization(synchronized=synchronized), layers.ReLU()]


def attention(synchronized=True):
    start = {"output_initializer": "he_normal"}  # from the first step on it is not the identity
    return [DoubleAttention(3, pre_activation=True, synchronized=synchronized, **start)]


def mirrored():
    reduction = tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], reduction)


STRATEGIES = {
    "none": tf.distribute.get_strategy,
    "one": lambda: tf.distribute.OneDeviceStrategy("CPU:0"),
    "mirrored": mirrored,
    "central": lambda: tf.distribute.experimental.CentralStorageStrategy(["CPU:0", "CPU:1"]),
}


@functools.cache
def fitted(inner, strategy="none", examples=16, synchronized=True, **compiled):
    """Weights, statistics, losses and predictions after two epochs on batches of 8."""
    with STRATEGIES[strategy]().scope():
        keras.utils.set_random_seed(3)
        ends = [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
        model = keras.Sequential([layers.Conv2D(5, 3), *inner(synchronized), *ends])
        model.build((None, 9, 7, 3))
        model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy", **compiled)
    x = np.random.default_rng(0).normal(2, 2, (examples, 9, 7, 3)).astype("float32")
    x += np.linspace(-2, 2, examples)[:, None, None, None].astype("float32")
    data = tf.data.Dataset.from_tensor_slices((x, np.arange(examples) % 3)).batch(8)
    history = model.fit(data, validation_data=data, epochs=2, shuffle=False, verbose=0).history
    return [*model.get_weights(), *history.values(), model.predict(x[:8], verbose=0)]


def difference(one, other):
    return max(np.abs(np.subtract(a, b)).max() for a, b in zip(one, other, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("inner", [conv_bn, attention])
@pytest.mark.parametrize(
    "how",
    [
        {"strategy": "one", "examples": 14},
        {"strategy": "mirrored", "examples": 14, "steps_per_execution": 2},  # 3 + 3 at last
    ],
    ids=["one", "mirrored"],
)
def test_what_works(inner, how):
    assert difference(fitted(inner, **how), fitted(inner, examples=14)) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [{"synchronized": False, "examples": 14}, {"examples": 15}],  # 4 + 3 at last
    ids=["not-synchronized", "uneven"],
)
def test_what_computes_something_else(how):
    one = fitted(conv_bn, examples=how["examples"])
    assert difference(fitted(conv_bn, "mirrored", **how), one) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"strategy": "mirrored", "examples": 17}, tf.errors.OpError, "Graph execution error"),
        (
            {"strategy": "mirrored", "jit_compile": True},
            tf.errors.InvalidArgumentError,
            "located in device .*CPU:1 from device .*CPU:0",
        ),
        ({"strategy": "central"}, ValueError, "must specify an aggregation method"),
    ],
    ids=["replica-without-examples", "jit", "central"],
)
def test_what_fails_with_a_plain_model(how, error, message):
    with pytest.raises(error, match=message):
        fitted(conv_bn, **how)


# In processes of their own.
START = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np, tensorflow as tf
from keras import layers
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
generator = np.random.default_rng(0)
"""
PLAIN = (
    START
    + """
def fit(strategy, channels=5, **arguments):
    with strategy.scope():
        model = keras.Sequential(
            [keras.Input((9, 7, 3)), layers.Conv2D(channels, 3),
             layers.BatchNormalization(synchronized=True), layers.GlobalAveragePooling2D(),
             layers.Dense(3, activation="softmax")]
        )
        model.compile("sgd", "sparse_categorical_crossentropy")
    x = generator.normal(size=(16, 9, 7, 3)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((x, np.arange(16) % 3)).batch(8)
    model.fit(data, epochs=1, verbose=0)
    print("fitted", flush=True)
"""
)
TWO_STRATEGIES = """
fit(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
fit(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), channels=7)
"""
ONE_STRATEGY = """
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
fit(strategy)
fit(strategy, channels=7)
"""
PARAMETER_SERVER = """
ports = list(map(int, sys.argv[1:]))
spec = tf.train.ClusterSpec(
    {"worker": [f"localhost:{ports[0]}"], "ps": [f"localhost:{ports[1]}"]}
)
servers = [tf.distribute.Server(spec, job_name=job, task_index=0) for job in ("worker", "ps")]
resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(spec, rpc_layer="grpc")
fit(tf.distribute.ParameterServerStrategy(resolver))
"""
WORKERS = "fit(tf.distribute.MultiWorkerMirroredStrategy())"


def free_ports():
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("localhost", 0))
        return [each.getsockname()[1] for each in (one, other)]


def started(program, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", **environment},
    )  # fmt: skip


def ended(process):
    """What a program printed and said, and its exit code."""
    try:
        return *process.communicate(timeout=200), process.returncode
    finally:
        process.kill()


@pytest.mark.slow
def test_a_second_strategy_collides_with_the_first():
    printed, said, code = ended(started(PLAIN + TWO_STRATEGIES))
    assert (printed, code) == ("fitted\n", 1)
    assert "Shape mismatch in the collective instance" in said
    printed, said, code = ended(started(PLAIN + ONE_STRATEGY))
    assert (printed, code) == ("fitted\nfitted\n", 0), said


@pytest.mark.slow
def test_several_workers_cannot_fit_a_plain_model():
    cluster = {"worker": [f"localhost:{port}" for port in free_ports()]}
    tasks = [{"cluster": cluster, "task": {"type": "worker", "index": i}} for i in range(2)]
    workers = [started(PLAIN + WORKERS, TF_CONFIG=json.dumps(task)) for task in tasks]
    for printed, said, code in map(ended, workers):
        assert (printed, code) == ("", 1)
        assert "PerReplica'>) to a Tensor" in said


@pytest.mark.slow
def test_parameter_servers_cannot_fit_a_plain_model():
    printed, said, code = ended(started(PLAIN + PARAMETER_SERVER, *free_ports()))
    assert (printed, code) == ("", 1)
    assert "pass this dataset to ClusterCoordinator.create_per_worker_dataset" in said


@pytest.mark.slow
def test_on_jax_two_devices_learn_what_one_does():
    pytest.importorskip("jax")
    program = """
import sys
import keras, numpy as np
from keras import layers
from a2keras import DoubleAttention
def fitted(distribution, examples):
    keras.distribution.set_distribution(distribution)
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [keras.Input((9, 7, 3)), layers.Conv2D(5, 3), layers.BatchNormalization(),
         DoubleAttention(3, pre_activation=True, output_initializer="he_normal"),
         layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    )
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(2, 2, (examples, 9, 7, 3)).astype("float32")
    model.fit(x, np.arange(examples) % 3, batch_size=8, epochs=2, shuffle=False, verbose=0)
    return model.get_weights()
devices = keras.distribution.list_devices()
one, two = fitted(None, 16), fitted(keras.distribution.DataParallel(devices=devices), 16)
print(len(devices), max(np.abs(a - b).max() for a, b in zip(one, two)) < 1e-5, flush=True)
fitted(keras.distribution.DataParallel(devices=devices), 15)
"""
    devices = "--xla_force_host_platform_device_count=2"
    printed, said, code = ended(started(program, KERAS_BACKEND="jax", XLA_FLAGS=devices))
    assert (printed, code) == ("2 True\n", 1), said
    assert "the dimension size is 7" in said


# What the page's programs find, and what must hold after each.
GIVEN = (
    START
    + """
images = generator.normal(size=(128, 32, 32, 3)).astype("float32")
labels = np.arange(128) % 10
"""
)
AFTERWARDS = {
    "On several devices": "assert strategy.num_replicas_in_sync == 2",
    "In another program": """
assert np.abs(model.predict(images) - probabilities.numpy()).max() < 1e-5
from a2keras import DoubleAttention
""",
    "Freezing": "assert not any('gamma' in each.path for each in model.trainable_variables)",
    "LoRA": """
paths = [each.path for each in model.trainable_variables]
assert sum("lora_kernel" in each for each in paths) == 4
assert sum("attention" in each for each in paths) == 4 * 3 + 4  # and what was inserted
again = keras.models.load_model("adapted.keras")
assert np.abs(again.predict(images) - model.predict(images)).max() < 1e-6
assert len(again.trainable_variables) == len(paths)
""",
    "int8": """
assert [each.dtype_policy.name for each in model.layers][-1] == "int8_from_float32"
assert not any("int8" in each.dtype for each in model.get_layer("double_attention").weights)
again = keras.models.load_model("small.keras")
assert np.abs(again.predict(images) - model.predict(images)).max() < 1e-6
""",
    "TensorFlow Lite": """
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter("model.tflite")
(given,), (got,) = interpreter.get_input_details(), interpreter.get_output_details()
interpreter.allocate_tensors()
interpreter.set_tensor(given["index"], images[:1])
interpreter.invoke()
assert np.abs(interpreter.get_tensor(got["index"]) - model.predict(images[:1])).max() < 1e-5
""",
}


def sections():
    """{heading: its programs as one, its commands}."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.M)
    found = {}
    for heading, part in zip(parts[1::2], parts[2::2], strict=True):
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", part, re.M | re.S)
        programs = [text for language, text in blocks if language == "python"]
        found[heading] = (
            "".join(programs),
            [text for language, text in blocks if language == "bash"],
        )
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the page's first program has left its file."""
    folder = tmp_path_factory.mktemp("page")
    run_section("On several devices", folder)
    return folder


def run_section(heading, folder):
    program = GIVEN + f"os.chdir({str(folder)!r})\n" + sections()[heading][0] + AFTERWARDS[heading]
    printed, said, code = ended(started(program))
    assert code == 0, said
    return printed, said


def test_every_section_has_its_test():
    assert list(sections()) == list(AFTERWARDS)
    assert all(program for program, _ in sections().values())
    fences = re.findall(r"^```.*$", PAGE.read_text(), re.M)
    assert (fences.count("```python"), len(fences)) == (7, 2 * (7 + 1))  # and one command


@pytest.mark.slow
@pytest.mark.parametrize("heading", list(AFTERWARDS)[1:])
def test_the_programs_of_the_page(folder, heading):
    _, said = run_section(heading, folder)
    if heading == "int8":
        assert "DoubleAttention 'double_attention' is not quantised" in said


@pytest.mark.slow
def test_without_the_import_the_layer_is_not_found(folder):
    program = f"import keras\nkeras.models.load_model({str(folder / 'mine.keras')!r})"
    _, said, code = ended(started(program))
    assert code == 1 and "Could not locate class 'DoubleAttention'" in said
    program = f"""import keras
from a2keras.double_attention import DoubleAttention
objects = {{"DoubleAttention": DoubleAttention}}
keras.models.load_model({str(folder / "mine.keras")!r}, custom_objects=objects)"""
    assert ended(started(program))[2] == 0


@pytest.mark.slow
def test_the_command_of_the_page(folder, monkeypatch):
    for name in ("cat", "dog"):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(8):
            pixels = np.random.default_rng([i, ord(name[0])]).integers(0, 255, (33, 35, 3), "uint8")
            Image.fromarray(pixels).save(folder / "photos" / name / f"{name}{i}.png")
    ((command,),) = [commands for _, commands in sections().values() if commands]
    small = "--set size=32 --set epochs=2 --set freeze_epochs=1 --set batch_size=4"
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", [*command.replace("\\\n", "").split(), *small.split()])
    assert main() == 0
    assert (folder / "runs/mine/model.keras").is_file()

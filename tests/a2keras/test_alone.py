"""`pip install --no-deps a2keras` beside Keras: the layer and the networks need nothing else."""

import subprocess
import sys

import keras

# Refuses every package that is installed here but for Keras's and its backend's own.
PROGRAM = """
import re, sys
from importlib import metadata
from importlib.machinery import ModuleSpec

def required(name, seen):
    if name in seen:
        return
    seen.add(name)
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:  # for another platform or Python
        return
    for line in lines:
        if "extra ==" not in line:
            required(re.match(r"[A-Za-z0-9._-]+", line)[0].lower().replace("_", "-"), seen)

wanted = set()
for name in ["keras", "numpy", BACKEND]:
    required(name, wanted)
REFUSED = {
    module
    for module, names in metadata.packages_distributions().items()
    if module != "a2keras" and not wanted & {name.lower().replace("_", "-") for name in names}
}
class Refusing:
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name.partition(".")[0] in REFUSED else None

    def create_module(self, spec):
        raise ModuleNotFoundError(f"{spec.name} is not installed", name=spec.name)

    def exec_module(self, module):
        pass
sys.meta_path.insert(0, Refusing())

import numpy as np
import keras
import a2keras
from a2keras import models

x = np.ones((2, 3, 5, 7), "float32")
assert a2keras.DoubleAttention(3, 2)(x).shape == x.shape
model = models.build("a2_resnet11", classes=3, input_shape=(32, 32, 3))
model.save("model.keras")
assert keras.models.load_model("model.keras").count_params() == model.count_params()
model.save_weights("model.weights.h5")
models.build("a2_resnet11", classes=3, input_shape=(32, 32, 3), weights="model.weights.h5")
with_blocks = a2keras.insert_blocks(model, after=["conv2_1_out"])
print(a2keras.count(with_blocks).multiply_adds > a2keras.count(model).multiply_adds)
print(sorted({"pydantic", "sklearn", "av"} & REFUSED))
"""


def test_layers_and_networks_need_keras_alone(tmp_path):
    program = PROGRAM.replace("BACKEND", repr(keras.backend.backend()))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "True"
    assert "pydantic" in done.stdout  # which the commands need: the refusal works

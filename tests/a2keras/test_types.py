"""What type checkers, and editors with them, know of the public names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Lines that are right, and those that are not with what mypy says of them.
RIGHT = """
import a2keras
from a2keras import DoubleAttention, NonLocal, SqueezeExcitation, models

a2keras.models.build("a2_resnet11", classes=3)
models.list_models()
a2keras.count(a2keras.models.build("c3d"))
DoubleAttention(8, 4, association="left", name="block", dtype="mixed_float16")
NonLocal(kernel_initializer="he_normal", kernel_regularizer=None, trainable=False)

run = a2keras.train("folder", data="folder:photos", output="runs/photos", epochs=6)
top1: float = a2keras.evaluate(run)["top1"]
mean: float = a2keras.evaluate([run, "runs/other"])["mean"]["top1"]["mean"]
label: str = a2keras.predict(run, ["a.jpg"])[0].label
path: str = a2keras.export(run, "out", "onnx")["artefacts"]["onnx"]["path"]
"""
WRONG = {
    "a2keras.DoubleAttentoin": 'Module has no attribute "DoubleAttentoin"',
    "DoubleAttention(descriptor=3)": 'Unexpected keyword argument "descriptor"',
    "NonLocal(kernel_initialiser='zeros')": 'Unexpected keyword argument "kernel_initialiser"',
    "SqueezeExcitation(ratio='16')": 'Argument "ratio" to "SqueezeExcitation" has incompatible',
    "a2keras.train('folder', output='x', epoch=6)": 'Unexpected keyword argument "epoch"',
    "a2keras.train('folder', output='x', epochs='6')": 'Argument "epochs" to "train" has incompat',
    "a2keras.evaluate(run)['topp1']": 'has no key "topp1"',
    "a2keras.export(run)": 'Missing positional argument "output"',
}


@pytest.mark.slow
def test_a_misspelt_name_or_argument_is_an_error(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "a2keras").mkdir()  # as it is installed
    for path in (ROOT / "a2keras").iterdir():
        (tmp_path / "a2keras" / path.name).symlink_to(path)
    for room in ("models", "training", "export"):
        (tmp_path / "a2keras" / room).symlink_to(ROOT / room)
    (tmp_path / "program.py").write_text(RIGHT + "\n".join(WRONG) + "\n")
    options = ["--ignore-missing-imports", "--follow-imports=silent", "--cache-dir=cache"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "program.py"],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "MYPYPATH": "."},
    )  # fmt: skip
    first = RIGHT.count("\n") + 1
    errors = [line for line in done.stdout.splitlines() if "error:" in line]
    assert [int(line.split(":")[1]) for line in errors] == list(range(first, first + len(WRONG)))
    for line, sentence in zip(errors, WRONG.values(), strict=True):
        assert sentence in line

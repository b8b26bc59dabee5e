"""No reader of foreign files waits for a pipe or reads a device, which has no end."""

import subprocess
import sys

import pytest

# Every reader in turn, in a process of its own: a native library that waits does so for ever. The
# last line that is printed is the reader that waits.
READERS = """
import os
import sys
from pathlib import Path

from a2keras import files
from a2keras.arrays import read_npy, read_npz
from a2keras.documents import read_json
from a2keras.export import openvino, safety
from a2keras.export.litert import convert
from a2keras.export.reading import loaders
from a2keras.models import keras_files
from a2keras.models.weights import checkpoints, weight_files
from a2keras.models.preprocessing.image import read_image
from a2keras.models.preprocessing.places import read_bytes
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.models.preprocessing.video import decode_video
from a2keras.training.data.records.manifest import Manifest, read_examples
from a2keras.training.data.records.prepared import list_source
from a2keras.training.data.lists.tables import read_table
from a2keras.training.data.records.tfds_descriptions import check
from a2keras.training.config import Recipe

def whole(path):
    path.touch()
    return path

READERS = {
    "read_json": ("x.json", read_json),
    "read_npz": ("x.npz", read_npz),
    "read_npy": ("x.npy", lambda path: read_npy(path, 100)),
    "sha256": ("x", files.sha256),
    "bytes": ("x", read_bytes),
    "image": ("x.png", read_image),
    "video": ("x.mp4", decode_video),
    "list": ("x.csv", lambda path: read_table(str(path))),
    "keras": ("x.keras", keras_files.load),
    "weights.h5": ("x.weights.h5", weight_files.read),
    "weights of keras": ("x.keras", weight_files.read),
    **{kind: ("x" + kind, checkpoints.read) for kind in checkpoints._READERS},
    **{f"reader of {kind}": ("x" + kind, read) for kind, read in checkpoints._READERS.items()},
    "tflite": ("x.tflite", convert.interpreter),
    "onnx": ("x.onnx", loaders.load_model),
    "openvino": ("x.xml", openvino.compiled),
    "its weights": ("x.bin", lambda path: openvino.compiled(whole(path.with_suffix(".xml")))),
    "saved_model": ("saved_model.pb", lambda path: safety.check_saved_model(path.parent)),
    "its variables": (
        "variables/variables.index",
        lambda path: files.check_all_files(path.parents[1]),
    ),
    "examples": ("examples.csv", lambda path: read_examples(path.parent, ("a",))),
    "manifest": ("manifest.json", lambda path: Manifest.load(path.parent)),
    "preprocessing": ("preprocessing.json", lambda path: Preprocessing.load(path.parent)),
    "samples": ("samples.npz", lambda path: read_npz(path)),
    "prepared": (
        "prepared-train.array_record-00000-of-00001",
        lambda path: list_source(str(path.parent), Recipe("x", data="prepared:x")),
    ),
    "tfds": (
        "set/1.0.0/set-train.tfrecord-00000-of-00001",
        lambda path: check("set", str(path.parents[2])),
    ),
    "recipe": ("recipe.json", Recipe.load),
}
make = sys.argv[1]
for number, (what, (name, read)) in enumerate(READERS.items()):
    path = Path(f"{number}") / name
    path.parent.mkdir(parents=True)
    print(what, end=": ", flush=True)
    os.mkfifo(path) if make == "pipe" else path.symlink_to("/dev/zero")
    try:
        read(path)
    except Exception as error:
        print(f"{type(error).__name__} {error}", flush=True)
    else:
        print("READ", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["pipe", "device"])
def test_nothing_but_a_file_is_opened(tmp_path, what):
    with (tmp_path / "out").open("w") as out:
        command = [sys.executable, "-c", READERS, what]
        done = subprocess.run(command, cwd=tmp_path, stdout=out, timeout=100, check=False)
    lines = (tmp_path / "out").read_text().splitlines()
    assert done.returncode == 0, lines
    reasons = ("a pipe or a device, not a file", "is not a file", "there is no file", "is no model")
    assert len(lines) > 25
    assert [line for line in lines if not any(reason in line for reason in reasons)] == []

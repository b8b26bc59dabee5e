"""Models and weights, ours and others', in every kind of file."""

import functools
import pickle
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from reader import Reader

LABELS = ("left", "right")
SIZE = 8


@functools.cache
def network() -> Any:
    """The smallest network with a double attention block, and with numbers that are not zero."""
    import keras

    from a2keras import DoubleAttention
    from a2keras.models.preprocessing import Pixels

    keras.utils.set_random_seed(3)
    pixels = keras.Input((SIZE, SIZE, 3), name="pixels")
    x = keras.layers.Conv2D(4, 3, strides=2)(Pixels().layer()(pixels))
    x = keras.layers.ReLU(name="relu")(keras.layers.BatchNormalization()(x))
    x = DoubleAttention(2, 2, output_initializer="glorot_uniform", name="attention")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(len(LABELS), activation="softmax")(x)
    return keras.Model(pixels, x, name="tiny")


def saved(folder: Path) -> Path:
    from a2keras.models.preprocessing import Preprocessing

    Preprocessing(LABELS, size=SIZE).save(folder)
    network().save(folder / "model.keras")
    return folder / "model.keras"


def exported(kind: str) -> Callable[[Path], Iterable[Path]]:
    """The seeds of one of the export's formats. No manifest: it would notice every change."""

    def seeds(folder: Path) -> Iterable[Path]:
        from a2keras.export.formats import FORMATS
        from a2keras.export.manifest import files_of
        from a2keras.export.reading.trained import load_classifier

        classifier = load_classifier(saved(folder))
        path = folder / FORMATS[kind].file_name
        FORMATS[kind].write(classifier, path)
        (folder / "model.keras").unlink()
        return [file for file in files_of(path) if "assets" not in str(file)]

    return seeds


def predict(path: Path) -> None:
    """As `a2keras predict` does, whatever the model is: in a process of its own."""
    import numpy as np

    from a2keras.export.predict import load

    if path.suffix == ".bin":  # of OpenVINO: the weights of the model beside it
        path = path.with_suffix(".xml")
    inside = [each for each in path.parents if each.name == "saved_model"]
    artefact = load(inside[0] if inside else path)
    artefact.probabilities(np.full((1, SIZE, SIZE, 3), 99, np.float32))


def load_keras(path: Path) -> None:
    """As `evaluate`, `explain` and `export` do, in this process."""
    from a2keras.models.keras_files import load_classifier
    from a2keras.models.preprocessing import Preprocessing

    load_classifier(path, Preprocessing.load(path.parent))


def build_host(path: Path) -> None:
    """As `train --model=FILE.keras` does, which makes a sentence of a ValueError."""
    from a2keras.models import hosts

    hosts.build(str(path), (SIZE + 3, SIZE, 3), 5, "se", ("relu",), fresh=True)


def check_saved_model(path: Path) -> None:
    """What is looked at before TensorFlow is asked; a ValueError becomes a sentence."""
    from a2keras.export.safety import check_saved_model

    check_saved_model(path.parent)


def check_tflite(path: Path) -> None:
    """What is looked at before LiteRT is asked; a ValueError becomes a sentence."""
    from a2keras.export.litert.tables import check_tflite

    check_tflite(path.read_bytes())


def graph_seeds(folder: Path) -> Iterable[Path]:
    return [each for each in exported("saved_model")(folder) if each.name == "saved_model.pb"]


def weight_seeds(folder: Path) -> Iterable[Path]:
    network().save_weights(folder / "tiny.weights.h5")
    network().save(folder / "tiny.keras")
    return [folder / "tiny.weights.h5", folder / "tiny.keras"]


def load_weights(path: Path) -> None:
    from a2keras.models import weights

    weights.load(network(), path, skip_mismatch=True)


# Some of torchvision's names of ResNet-50: (key, shape).
FOREIGN = (
    ("conv1.weight", (64, 3, 7, 7)),
    ("bn1.weight", (64,)),
    ("bn1.running_var", (64,)),
    ("layer1.0.conv1.weight", (64, 64, 1, 1)),
    ("layer1.0.conv3.weight", (256, 64, 1, 1)),
    ("layer1.0.bn3.bias", (256,)),
    ("fc.weight", (1000, 3)),
)


def foreign_state() -> dict[str, Any]:
    """Small arrays: the shapes are told in what is left out."""
    import numpy as np

    generator = np.random.default_rng(5)
    return {key: generator.normal(size=shape).astype("float32") for key, shape in FOREIGN[1:]} | {
        FOREIGN[0][0]: np.zeros(FOREIGN[0][1], "float16")
    }


def foreign_seeds(folder: Path) -> Iterable[Path]:
    import json

    import numpy as np

    state = foreign_state()
    np.savez(folder / "resnet.npz", **state)
    for protocol in (2, 4):
        document = {"state_dict": state, "epoch": 3, "names": ["a", "b"]}
        (folder / f"protocol{protocol}.pkl").write_bytes(pickle.dumps(document, protocol))
    header, data = {}, b""
    for key, array in state.items():
        kind = {"float32": "F32", "float16": "F16"}[str(array.dtype)]
        offsets = [len(data), len(data) + array.nbytes]
        header[key] = {"dtype": kind, "shape": list(array.shape), "data_offsets": offsets}
        data += array.tobytes()
    text = json.dumps(header).encode()
    (folder / "resnet.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    return [path for path in folder.iterdir() if path.is_file()]


def torch_seeds(folder: Path) -> Iterable[Path]:
    """As `torch.save` writes them: an archive, and as before 1.6 a row of pickles."""
    arrays = list(foreign_state().values())
    new, old = folder / "resnet.pt", folder / "old.pth"
    with zipfile.ZipFile(new, "w") as archive:
        archive.writestr("resnet/data.pkl", torch_pickle(foreign_state(), b"t"))
        archive.writestr("resnet/version", "3\n")
        for number, array in enumerate(arrays):
            archive.writestr(f"resnet/data/{number}", array.tobytes())
    head = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True})
    row = [*(pickle.dumps(each, 2) for each in head), torch_pickle(foreign_state(), b"Nt")]
    row += [pickle.dumps([str(number) for number in range(len(arrays))], 2)]
    row += [array.size.to_bytes(8, "little") + array.tobytes() for array in arrays]
    old.write_bytes(b"".join(row))
    return [new, old]


def torch_pickle(state: dict[str, Any], storage_end: bytes) -> bytes:
    """Tensors are views of storages, which lie elsewhere: (kind, number, place, count)."""

    def text(value: str) -> bytes:
        return b"X" + len(value).to_bytes(4, "little") + value.encode()

    def whole(*values: int) -> bytes:
        return b"".join(b"J" + value.to_bytes(4, "little") for value in values)

    made = b"\x80\x02}" + text("epoch") + whole(3) + b"s" + text("state_dict") + b"}"
    for number, (key, array) in enumerate(state.items()):
        kind = {"float32": b"Float", "float16": b"Half"}[str(array.dtype)]
        made += text(key) + b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage")
        made += b"ctorch\n" + kind + b"Storage\n" + text(str(number)) + text("cpu")
        made += whole(array.size) + storage_end + b"Q" + whole(0)
        steps = [step // array.itemsize for step in array.strides]
        made += b"(" + whole(*array.shape) + b"t(" + whole(*steps) + b"t"
        made += b"\x89ccollections\nOrderedDict\n)RtRs"
    return made + b"s."


@functools.cache
def resnet50() -> Any:
    from a2keras import models

    return models.build(
        "resnet50", classes=1000, input_shape=(32, 32, 3), padding="symmetric", stride_on="3x3"
    )


def convert(path: Path) -> None:
    """As `a2keras convert` does, which makes a sentence of a ValueError."""
    from a2keras.models import weights

    weights.convert(path, resnet50(), skip_mismatch=True)


READERS = (
    # Each input starts a process: of the last two, with TensorFlow.
    Reader("predict_tflite", exported("tflite_float32"), predict, 20),
    Reader("predict_onnx", exported("onnx"), predict, 20, needs=("onnx", "tf2onnx", "onnxruntime")),
    Reader("predict_openvino", exported("openvino"), predict, 20, needs=("openvino",)),
    Reader("predict_keras", lambda folder: [saved(folder)], predict, 2, seconds=180.0),
    Reader("predict_saved_model", exported("saved_model"), predict, 2, seconds=180.0),
    Reader("keras_files", lambda folder: [saved(folder)], load_keras, 30),
    Reader(
        "hosts", lambda folder: [saved(folder)], build_host, 30, clean=("UserError", "ValueError")
    ),
    Reader("saved_model_graphs", graph_seeds, check_saved_model, 100, clean=("ValueError",)),
    Reader("tflite_tables", exported("tflite_float32"), check_tflite, 100, clean=("ValueError",)),
    Reader("weights", weight_seeds, load_weights, 75, clean=("ValueError",)),
    Reader("foreign_weights", foreign_seeds, convert, 30, clean=("ValueError",)),
    Reader("torch_weights", torch_seeds, convert, 50, clean=("ValueError",)),
)

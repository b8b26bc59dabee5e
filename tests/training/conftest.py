"""Small media, a small network, and the command as a user calls it."""

from pathlib import Path

import numpy as np
import pytest

import a2keras.__main__ as command


@pytest.fixture
def run_command(capsys):
    """Calls the command with arguments; returns what it printed as a result."""

    def call(*arguments: object) -> str:
        command.run([str(argument) for argument in arguments])
        return capsys.readouterr().out

    return call


@pytest.fixture
def tiny_network(monkeypatch):
    """Puts a network that trains in no time in the place of every network."""
    _put_tiny_network(monkeypatch, pre_activation=False)


@pytest.fixture
def tiny_network_of_the_paper(monkeypatch):
    """The same with the paper's block, which has batch normalisations inside: slower to trace."""
    _put_tiny_network(monkeypatch, pre_activation=True)


def _put_tiny_network(monkeypatch, pre_activation: bool) -> None:
    import keras

    from a2keras import DoubleAttention, models

    def build(
        name: str, input_tensor, classes: int, classifier_activation: str = "softmax"
    ) -> keras.Model:
        rank = len(input_tensor.shape) - 2
        convolution = getattr(keras.layers, f"Conv{rank}D")
        x = convolution(7, 3, strides=2, padding="same", use_bias=False)(input_tensor)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
        x = DoubleAttention(3, 2, pre_activation=pre_activation, name="attention")(x)
        x = getattr(keras.layers, f"GlobalAveragePooling{rank}D")()(x)
        x = keras.layers.Dense(classes, activation=classifier_activation)(x)
        return keras.Model(keras.utils.get_source_inputs(input_tensor), x)

    monkeypatch.setattr(models, "build", build)


def _write_images(folder: Path, count: int, hue: int, size: tuple[int, int] = (23, 19)) -> None:
    """Writes `count` PNGs of `size` (height, width) whose colour tells the class."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(hue)
    for i in range(count):
        pixels = random.integers(0, 60, (*size, 3), dtype="uint8")
        pixels[..., hue % 3] += 150
        Image.fromarray(pixels).save(folder / f"{i:02}.png")


def _write_video(path: Path, frames: int, size: tuple[int, int] = (34, 46), shade: int = 0) -> None:
    """Encodes a real MPEG-4 video whose frames grow brighter."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for i in range(frames):
            pixels = np.full((*size, 3), 40 + shade + 5 * i, "uint8")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="session")
def write_images():
    return _write_images


@pytest.fixture(scope="session")
def write_video():
    return _write_video


def _write_squares(folder: Path, count: int) -> Path:
    """A list of PNGs with a square of each of three colours or not; its labels tell which."""
    from PIL import Image

    folder.mkdir(parents=True)
    random = np.random.default_rng(5)
    rows = ["file,labels"]
    for i in range(count):
        pixels = random.integers(0, 40, (19, 23, 3), dtype="uint8")
        names = []
        for colour, name in enumerate(("red", "green", "blue")):
            if random.random() < (0.5, 0.4, 0.3)[colour]:
                top, left = random.integers(0, 10, 2)
                pixels[top : top + 9, left : left + 11, colour] += 200
                names.append(name)
        Image.fromarray(pixels).save(folder / f"{i:03}.png")
        rows.append(f"{i:03}.png,{'|'.join(names)}")
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    return folder / "list.csv"


@pytest.fixture(scope="session")
def write_squares():
    return _write_squares


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with 12 images of each of two classes."""
    _write_images(tmp_path / "images/blue", 12, 2)
    _write_images(tmp_path / "images/red", 12, 0)
    return tmp_path / "images"

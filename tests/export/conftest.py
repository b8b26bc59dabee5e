"""Small classifiers on disk, as training leaves them, and their exports."""

from pathlib import Path

import av
import keras
import numpy as np
import pytest
from PIL import Image

from a2keras.export.exporting import export
from a2keras.export.parity import natural_pixels
from a2keras.models.preprocessing import Pixels, Preprocessing

LABELS = ("left", "right", "up")
IMAGE = Preprocessing(LABELS, size=17)
VIDEO = Preprocessing(LABELS, size=13, frames=5, stride=2)


def build_classifier(preprocessing: Preprocessing, seed: int = 3) -> keras.Model:
    """Convolution, batch normalisation with statistics, pooling, dense: random, but not flat."""
    rank = 3 if preprocessing.is_video else 2
    keras.utils.set_random_seed(seed)
    pixels = keras.Input(preprocessing.input_shape, name="pixels")
    x = Pixels().layer()(pixels)
    x = getattr(keras.layers, f"Conv{rank}D")(7, 3, padding="same")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Activation("relu")(x)
    x = getattr(keras.layers, f"GlobalAveragePooling{rank}D")()(x)
    x = keras.layers.Dense(len(preprocessing.labels), activation="softmax")(x)
    model = keras.Model(pixels, x, name="classifier")
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        noise = generator.normal(0, 0.5, weight.shape)
        value = np.abs(noise) + 0.5 if "variance" in weight.path else weight.numpy() + noise
        weight.assign(value)
    return model


@pytest.fixture
def classifier():
    return build_classifier


def save_run(directory: Path, preprocessing: Preprocessing, model: keras.Model) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    model.save(directory / "model.keras")
    preprocessing.save(directory)
    return directory


@pytest.fixture(scope="session")
def image_run(tmp_path_factory) -> Path:
    return save_run(tmp_path_factory.mktemp("image") / "run", IMAGE, build_classifier(IMAGE))


@pytest.fixture(scope="session")
def video_run(tmp_path_factory) -> Path:
    return save_run(tmp_path_factory.mktemp("video") / "run", VIDEO, build_classifier(VIDEO))


@pytest.fixture(scope="session")
def image_export(image_run) -> Path:
    export(image_run, image_run.parent / "export")
    return image_run.parent / "export"


@pytest.fixture(scope="session")
def video_export(video_run) -> Path:
    export(video_run, video_run.parent / "export")
    return video_run.parent / "export"


@pytest.fixture
def copy_of(tmp_path):
    """Copies a run or an export, so that a test may damage it."""
    import shutil

    def copy(directory: Path) -> Path:
        return Path(shutil.copytree(directory, tmp_path / directory.name))

    return copy


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    directory = tmp_path_factory.mktemp("photos")
    for number, pixels in enumerate(natural_pixels((37, 41, 3), 3, seed=5)):
        Image.fromarray(pixels).save(directory / f"{number}.png")
    return sorted(directory.iterdir())


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 24, 40, "yuv420p"
        for pixels in natural_pixels((19, 24, 40, 3), 1)[0]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path

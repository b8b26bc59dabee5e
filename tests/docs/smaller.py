"""The commands of the documentation with less to do, and stand-ins for what they name."""

from pathlib import Path

import keras

# In place of published weights, whose files are large: networks that were trained by the tests.
PUBLISHED = {"i3d:kinetics400": "clip run", "efficientnet_lite0:imagenet": "photo run"}
# In the text of Python: networks that are built in no time, and no weights to fetch.
NAMES = {
    "A2ResNet50Video(": "A2ResNet11Video(",
    "A2ResNet50(": "A2ResNet11(",
    "models.I3D(": "models.A2ResNet11Video(",
    'weights="kinetics400"': "weights=None",
    'weights="imagenet"': "weights=None",
    "num_threads=2": "num_threads=1",
    "epochs=6)": "epochs=1, steps_per_epoch=1, warmup_epochs=0, size=32, batch_size=4, "
    "weights='none')",
}
STEP = ("epochs=1", "steps_per_epoch=1", "warmup_epochs=0", "size=32", "batch_size=4", "views=1",
        "precise_bn=0", "schedule=cosine", "memory_budget=0.1")  # fmt: skip


def python(text: str) -> str:
    for long, short in NAMES.items():
        text = text.replace(long, short)
    return text


def train(arguments: list[str]) -> list[str]:
    """One step from scratch; of a run that goes on, what it was."""
    if not any(each.startswith("--recipe") for each in arguments):
        return arguments
    settings = [*STEP, "test_short_side=0", "frames=4", "stride=1", "freeze_until="]
    if "freeze_epochs=8" in arguments:  # fine-tuning needs weights to start from
        settings += ["epochs=2", "freeze_epochs=1", "weights=runs/start/model.keras"]
    else:
        settings += ["freeze_epochs=0", "freeze_rate=0", "weights=none"]
    arguments = [each.replace("=keras:MobileNetV2", "=mine.keras") for each in arguments]
    return [*arguments, *(f"--set={each}" for each in settings)]


def export(arguments: list[str]) -> list[str]:
    """Without the page's runtime, which is fetched from npm."""
    return [each.replace(",web", "") for each in arguments]


def predict(arguments: list[str]) -> list[str]:
    return [each.replace("/web", "/model.onnx") for each in arguments]


def summary(arguments: list[str]) -> list[str]:
    return [each.replace("keras:ResNet50", "keras:MobileNetV2") for each in arguments]


def benchmark(arguments: list[str]) -> list[str]:
    """The last artefact alone: each is loaded in a process of its own."""
    last = [each for each in arguments if not each.startswith("-")][-1]
    flags = [each for each in arguments if each.startswith("-") and "repeats" not in each]
    return [last, *flags, "--repeats=1", "--warm_up=1"]


def preprocessing(arguments: list[str]) -> list[str]:
    return [each.replace("=224", "=32") for each in arguments]


def explain(arguments: list[str]) -> list[str]:
    return [*arguments, "--samples=1"]


COMMANDS = {
    "train": train,
    "export": export,
    "predict": predict,
    "benchmark": benchmark,
    "explain": explain,
    "preprocessing": preprocessing,
    "summary": summary,
}


def network(name: str, input_tensor: keras.KerasTensor, classes: int, **_: object) -> keras.Model:
    """A network that trains in no time, in the place of every network of the zoo."""
    from a2keras import DoubleAttention

    rank = len(input_tensor.shape) - 2
    x = getattr(keras.layers, f"Conv{rank}D")(7, 3, strides=2, padding="same")(input_tensor)
    x = keras.layers.ReLU()(x)
    x = DoubleAttention(3, 2, name="attention")(x)
    x = getattr(keras.layers, f"GlobalAveragePooling{rank}D")()(x)
    x = keras.layers.Dense(classes, activation="softmax", name="predictions")(x)
    return keras.Model(keras.utils.get_source_inputs(input_tensor), x)


def image_weights(path: Path) -> None:
    from a2keras import models

    models.A2ResNet11().save_weights(path)


def video_weights(path: Path) -> None:
    from a2keras import models

    models.A2ResNet11Video().save_weights(path)

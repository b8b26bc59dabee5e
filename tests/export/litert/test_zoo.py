"""Whether LiteRT's built-in operations suffice for every network of the zoo.

A whole network takes ten seconds and more to convert, all of them seven minutes (docs/litert.md has
that walk). What may fail is a kind of layer, though, not its hundredth copy: here every kind that
any network has, with its kernel, strides, padding and groups, is converted once, and every kind of
head. There is no list of excuses, because none is needed.
"""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from a2keras import DoubleAttention, NonLocal, SqueezeExcitation, models
from a2keras.copying import copy_operation
from a2keras.export.litert import convert
from a2keras.export.litert.report import report

SIZES = {2: (13, 11, 32), 3: (9, 13, 11, 32)}
# What decides whether a layer can be converted.
_DECIDING = (
    "kernel_size",
    "pool_size",
    "strides",
    "padding",
    "groups",
    "dilation_rate",
    "use_bias",
)
_MERGING = (layers.Add, layers.Concatenate)


def walk() -> tuple[dict, dict]:
    """Of all networks: {kind: layer} of what works on feature maps, {kinds: head} of the rest."""
    kinds: dict[tuple, Any] = {}
    heads: dict[tuple, keras.Model] = {}
    for name in models.list_models():
        shape = (16, 32, 32, 3) if models.is_video(name) else (32, 32, 3)
        network = models.build(name, classes=3, input_shape=shape)
        spatial = [
            each
            for each in network.operations
            if not isinstance(each, layers.InputLayer)
            and len(keras.tree.flatten(each.output)[0].shape) > 3
        ]
        for each in spatial:
            kinds.setdefault(kind_of(each, len(shape) - 1), each)
        features = spatial[-1].output
        behind = network.operations[network.operations.index(spatial[-1]) + 1 :]
        key = (len(shape), *(type(each).__name__ for each in behind))
        heads.setdefault(key, keras.Model(features, network.output, name=f"{name}_head"))
    return kinds, heads


def kind_of(operation: Any, rank: int) -> tuple:
    config = operation.get_config()
    decides = {key: config[key] for key in _DECIDING if key in config}
    return type(operation), rank, json.dumps(decides, sort_keys=True)


def one_of_each(found: list[Any], rank: int) -> keras.Model:
    """A model in which every layer stands once, beside the others."""
    pixels = keras.Input(SIZES[rank])
    ends = []
    for number, layer in enumerate(found):
        changes: dict[str, Any] = {"name": f"{type(layer).__name__}_{number}", "filters": 16}
        if isinstance(layer, DoubleAttention | NonLocal):
            changes["value_channels"] = 5
        copy = copy_operation(layer, **changes)
        x = copy([pixels, pixels] if isinstance(layer, _MERGING) else pixels)
        x = keras.tree.flatten(x)[0]  # an operation that splits gives a list
        x = getattr(layers, f"GlobalAveragePooling{rank}D")()(x)
        ends.append(layers.Dense(3)(x))
    return keras.Model(pixels, layers.Activation("softmax")(layers.Add()(ends)), name="each")


def check(model: keras.Model, path: Path) -> set[str]:
    """Converts a model, runs it, and returns the names of its operations."""
    generator = np.random.default_rng(11)
    for weight in model.weights:
        weight.assign(np.abs(generator.normal(0, 0.05, weight.shape)) + 0.01)
    shape = model.input_shape[1:]
    path.write_bytes(convert.convert(model, shape))
    features = generator.normal(0, 1, (1, *shape)).astype(np.float32)
    runtime = convert.interpreter(path)
    runtime.set_tensor(runtime.get_input_details()[0]["index"], features)
    runtime.invoke()
    actual = runtime.get_tensor(runtime.get_output_details()[0]["index"])
    expected = model(features, training=False)
    np.testing.assert_allclose(actual, expected, atol=2e-5)  # the logits are tens
    return set(report(path.read_bytes())["operations"])


@pytest.mark.slow
def test_every_kind_of_layer_and_head(tmp_path):
    kinds, heads = walk()
    assert {SqueezeExcitation, DoubleAttention} <= {kind[0] for kind in kinds}
    for rank in (2, 3):
        found = [layer for kind, layer in kinds.items() if kind[1] == rank]
        operations = check(one_of_each(found, rank), tmp_path / "each.tflite")
        assert "CONV_3D" not in operations and not any("FLEX" in each for each in operations)
    for head in heads.values():
        check(head, tmp_path / "head.tflite")

"""ShuffleNetV2 is torchvision's, to the number; its blocks cost what they should."""

import dataclasses

import keras
import numpy as np
import pytest

import a2keras
from a2keras import models
from a2keras.models import shufflenet_v2
from a2keras.models.builders import builder_of
from a2keras.models.stages import Stage

# The places of the paper's networks, with their channels and positions at 224×224.
FIVE = {"stage2_1": (116, 784), "stage2_3": (116, 784), "stage3_1": (232, 196),
        "stage3_3": (232, 196), "stage3_5": (232, 196)}  # fmt: skip
DEFAULT = {"stage3_4": (232, 196), "stage3_8": (232, 196)}


def numbers(x):
    return keras.ops.convert_to_numpy(x)


def pixels(*size, seed=0):
    return np.random.default_rng(seed).normal(size=(2, *size, 3)).astype("float32")


def small(**arguments):
    """A network of the same family: two stages of two and three units."""
    network = dataclasses.replace(
        models.builder("shufflenet_v2").network,
        stem=7,
        stages=(Stage(12, 2, (1, 2, 2)), Stage(20, 3, (1, 2, 2))),
        head=13,
        positions=("stage3_2",),
    )
    arguments = {"input_shape": (None, None, 3), "classes": 5, **arguments}
    return builder_of(network, shufflenet_v2.shufflenet_v2)(**arguments)


def test_size_and_cost():
    counted = a2keras.count(models.ShuffleNetV2())
    # torchvision publishes 2,278,604 parameters for its shufflenet_v2_x1_0.
    assert (counted.parameters, counted.trainable_parameters) == (2_294_784, 2_278_604)
    assert round(counted.multiply_adds / 1e6, 1) == 144.9


@pytest.mark.parametrize(
    ("places", "reduction", "parameters", "millions"),
    [(DEFAULT, 4, 113_680, 23.7), (FIVE, 2, 389_760, 131.9), (FIVE, 4, 200_448, 59.3)],
)
def test_blocks_cost(places, reduction, parameters, millions):
    arguments = {"positions": tuple(FIVE), "reduction": reduction} if places is FIVE else {}
    plain = a2keras.count(models.ShuffleNetV2())
    blocks = a2keras.count(models.A2ShuffleNetV2(**arguments))
    assert blocks.parameters - plain.parameters == parameters
    added = blocks.multiply_adds - plain.multiply_adds
    assert round(added / 1e6, 1) == millions
    # 4cm + 2m² for every position, m = c / r.
    assert added == sum(
        length * (4 * c * (c // reduction) + 2 * (c // reduction) ** 2)
        for c, length in places.values()
    )


def test_stages_and_places_of_the_blocks():
    model = models.A2ShuffleNetV2()
    stages = models.features(model).output
    assert {name: each.shape[1:] for name, each in stages.items()} == {
        "conv1": (56, 56, 24),
        "stage2": (28, 28, 116),
        "stage3": (14, 14, 232),
        "stage4": (7, 7, 464),
        "conv5": (7, 7, 1024),
    }
    blocks = [each for each in model.layers if isinstance(each, a2keras.DoubleAttention)]
    assert [each.name for each in blocks] == ["stage3_4_attention", "stage3_8_attention"]
    assert [each.value_channels for each in blocks] == [58, 58]
    assert blocks[0].input is model.get_layer("stage3_4_out").output
    assert stages["stage3"] is blocks[1].output
    units = [name for name in (each.name for each in model.layers) if name.endswith("_out")]
    assert units == [
        f"stage{s}_{u}_out" for s, n in ((2, 4), (3, 8), (4, 4)) for u in range(1, n + 1)
    ]


def test_a_unit_passes_one_half_on_and_shuffles_it_with_the_other():
    model = small()
    names = ["stage3_1_out", "stage3_2_branch2_3_relu", "stage3_2_out"]
    outputs = keras.Model(model.input, [model.get_layer(name).output for name in names])
    before, transformed, after = map(numbers, outputs(pixels(37, 45)))
    assert before.shape == (2, 3, 3, 20)
    assert np.array_equal(after[..., 0::2], before[..., :10])
    assert np.array_equal(after[..., 1::2], transformed)
    # The other half goes through 1×1, depthwise and 1×1; there is no ReLU behind the depthwise.
    assert model.get_layer("stage3_2_branch2_1_conv").input.shape[-1] == 10
    normalization = model.get_layer("stage3_2_branch2_2_bn")
    assert model.get_layer("stage3_2_branch2_3_conv").input is normalization.output


def test_fresh_blocks_change_nothing_and_files_keep_them(tmp_path):
    x = pixels(37, 45)
    blocks, plain = small(attention="a2"), small()
    plain.set_weights([w for w in blocks.weights if "attention" not in w.path])
    assert len(blocks.weights) - len(plain.weights) == 4 * 5
    want = numbers(plain(x))
    assert np.array_equal(want, numbers(blocks(x)))
    blocks.save(tmp_path / "model.keras")
    assert np.array_equal(want, numbers(keras.models.load_model(tmp_path / "model.keras")(x)))


def torch_network(torch):
    """The network of `small` in PyTorch, its weights named as torchvision names them."""
    nn = torch.nn

    def convolution(before, after, window, stride=1, groups=1):
        return nn.Conv2d(before, after, window, stride, window // 2, groups=groups, bias=False)

    def stem_or_head(before, after, window, stride):
        norm = nn.BatchNorm2d(after)
        return nn.Sequential(convolution(before, after, window, stride), norm, nn.ReLU())

    class Unit(nn.Module):
        def __init__(self, before, after):
            super().__init__()
            self.first = before != after
            stride, half = (2, after // 2) if self.first else (1, after // 2)
            if self.first:
                self.branch1 = nn.Sequential(
                    convolution(before, before, 3, 2, before), nn.BatchNorm2d(before),
                    convolution(before, half, 1), nn.BatchNorm2d(half), nn.ReLU(),
                )  # fmt: skip
            self.branch2 = nn.Sequential(
                convolution(before if self.first else half, half, 1), nn.BatchNorm2d(half),
                nn.ReLU(),
                convolution(half, half, 3, stride, half), nn.BatchNorm2d(half),
                convolution(half, half, 1), nn.BatchNorm2d(half), nn.ReLU(),
            )  # fmt: skip

        def forward(self, x):
            one, other = (self.branch1(x), x) if self.first else x.chunk(2, dim=1)
            x = torch.cat([one, self.branch2(other)], dim=1)
            return x.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = stem_or_head(3, 7, 3, 2)
            self.maxpool = nn.MaxPool2d(3, 2, 1)
            self.stage2 = nn.Sequential(Unit(7, 12), Unit(12, 12))
            self.stage3 = nn.Sequential(Unit(12, 20), Unit(20, 20), Unit(20, 20))
            self.conv5 = stem_or_head(20, 13, 1, 1)
            self.fc = nn.Linear(13, 5)

        def forward(self, x):
            x = self.stage3(self.stage2(self.maxpool(self.conv1(x))))
            return self.fc(self.conv5(x).mean((2, 3)))

    return Network()


def torch_name(layer):
    """The module of torchvision's network that holds the weights of a layer."""
    if layer == "predictions":
        return "fc"
    stage, *rest, kind = layer.split("_")
    offset = {"conv": 0, "bn": 1}[kind]
    if not rest:
        return f"{stage}.{offset}"
    unit, branch, part = rest
    place = {"branch1": [0, 2], "branch2": [0, 3, 5]}[branch][int(part) - 1]
    return f"{stage}.{int(unit) - 1}.{branch}.{place + offset}"


def test_symmetric_padding_gives_the_outputs_of_pytorch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    reference = torch_network(torch).eval()
    for name, value in reference.state_dict().items():
        if value.dim() == 1:
            low = 0.5 if name.endswith("var") else -0.5
            value.copy_(torch.rand(value.shape) + low)
    state = {name: value.numpy() for name, value in reference.state_dict().items()}
    model = small(padding="symmetric", classifier_activation=None)
    orders = {"depthwise": (2, 3, 0, 1), "kernel": (2, 3, 1, 0), "dense": (1, 0)}
    for layer in model.layers:
        if not layer.weights:
            continue
        name = torch_name(layer.name)
        values = [state.pop(f"{name}.weight")]
        if isinstance(layer, keras.layers.BatchNormalization):
            values += [
                state.pop(f"{name}.{each}") for each in ("bias", "running_mean", "running_var")
            ]
        else:
            kind = "depthwise" if isinstance(layer, keras.layers.DepthwiseConv2D) else "kernel"
            kind = "dense" if layer.name == "predictions" else kind
            values[0] = values[0].transpose(orders[kind])
            values += [state.pop("fc.bias")] if kind == "dense" else []
        layer.set_weights(values)
    assert all(name.endswith("num_batches_tracked") for name in state), "weights left over"
    # Even sizes at every stride, where "same" would differ, and odd ones.
    for size in ((64, 96), (37, 45)):
        x = pixels(*size)
        with torch.no_grad():
            want = reference(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()
        assert want.std() > 0.05
        assert np.allclose(numbers(model(x)), want, atol=1e-5)

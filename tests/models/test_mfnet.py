"""MF-Net is the authors', to the number; its blocks cost what they should."""

import dataclasses
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import a2keras
from a2keras import models
from a2keras.channel_groups import GroupedConv2D, GroupedConv3D
from a2keras.models import mfnet
from a2keras.models.builders import builder_of
from a2keras.models.stages import Stage

sys.path.insert(0, str(Path(__file__).parent))

# Channels and positions of the five places in a clip of 16×224×224.
PLACES = [(192, 8 * 28 * 28)] * 2 + [(384, 8 * 14 * 14)] * 3
# Times, heights and widths are even before some strides and odd before others.
CLIP = (4, 22, 40)


def numbers(x):
    return keras.ops.convert_to_numpy(x)


def pixels(*size, seed=0):
    return np.random.default_rng(seed).normal(size=(2, *size, 3)).astype("float32")


def small(name="mfnet_3d", **arguments):
    """A network of the same family, with four fibers and two stages of two units."""
    network = dataclasses.replace(
        models.builder(name).network,
        stem=8,
        stages=(Stage(16, 2, (2, 1, 1)), Stage(24, 2, (1, 2, 2))),
        fibers=4,
        positions=("conv3_1",),
    )
    unknown = (None,) * len(network.input_size)
    arguments = {"input_shape": (*unknown, 3), "classes": 5, **arguments}
    return builder_of(network, mfnet.mfnet)(**arguments)


def randomise(model, seed=0):
    """Normalisations as after training: with 0 and 1 a forgotten one would not show."""
    rng = np.random.default_rng(seed)
    ranges = {"gamma": (0.5, 1.5), "beta": (-0.5, 0.5), "moving_mean": (-0.5, 0.5),
              "moving_variance": (0.5, 1.5)}  # fmt: skip
    for weight in model.weights:
        if weight.name in ranges:
            weight.assign(rng.uniform(*ranges[weight.name], weight.shape))


def test_size_and_cost():
    counted = a2keras.count(models.MFNet3D(classes=400))
    assert round(counted.parameters / 1e6, 4) == 8.0331
    assert round(counted.trainable_parameters / 1e6, 4) == 7.9964
    assert round(counted.multiply_adds / 1e9, 3) == 11.045
    counted = a2keras.count(models.MFNet2D())
    assert round(counted.parameters / 1e6, 3) == 5.753
    assert round(counted.multiply_adds / 1e6, 1) == 859.4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reduction", "parameters", "giga"), [(2, 1_053_696, 2.89), (4, 536_064, 1.30)]
)
def test_five_blocks_cost(reduction, parameters, giga):
    plain = a2keras.count(models.MFNet3D(classes=400))
    five = a2keras.count(models.A2MFNet3D(classes=400, reduction=reduction))
    assert five.parameters - plain.parameters == parameters
    added = five.multiply_adds - plain.multiply_adds
    assert round(added / 1e9, 2) == giga

    # 4cm + 2m² for every position, m = c / r.
    def cost(channels, positions):
        m = channels // reduction
        return positions * (4 * channels * m + 2 * m * m)

    assert added == sum(cost(*place) for place in PLACES)
    # In an image at an eighth of the positions.
    plain = a2keras.count(models.MFNet2D())
    five = a2keras.count(models.A2MFNet2D(reduction=reduction))
    assert five.parameters - plain.parameters == parameters
    assert five.multiply_adds - plain.multiply_adds == added // 8


def test_stages_and_places_of_the_blocks():
    model = models.A2MFNet3D()
    stages = models.features(model).output
    assert {name: each.shape[1:] for name, each in stages.items()} == {
        "conv1": (16, 56, 56, 16),
        "conv2": (8, 56, 56, 96),
        "conv3": (8, 28, 28, 192),
        "conv4": (8, 14, 14, 384),
        "conv5": (8, 7, 7, 768),
    }
    blocks = [each for each in model.layers if isinstance(each, a2keras.DoubleAttention)]
    places = ["conv3_1", "conv3_3", "conv4_1", "conv4_3", "conv4_5"]
    assert [each.name for each in blocks] == [f"{place}_attention" for place in places]
    assert blocks[0].input is model.get_layer("conv3_1_out").output
    assert [each.value_channels for each in blocks] == [c // 2 for c, _ in PLACES]


@pytest.mark.slow
def test_convolutions_of_the_units():
    model = models.MFNet3D()
    layers = {each.name: each for each in model.layers}
    kernels = {
        part: tuple(layers[f"conv3_{part}_conv"].kernel.shape)
        for part in ("1_w1", "1_i1", "1_i2", "1_m1", "1_m2", "2_i1", "2_i2", "2_m1", "2_m2")
    }
    assert kernels == {
        "1_w1": (1, 1, 1, 96, 192),
        "1_i1": (1, 1, 1, 96, 48),
        "1_i2": (1, 1, 1, 48, 96),
        "1_m1": (3, 3, 3, 6, 192),
        "1_m2": (1, 1, 1, 192, 192),
        "2_i1": (1, 1, 1, 192, 48),
        "2_i2": (1, 1, 1, 48, 192),
        "2_m1": (3, 3, 3, 12, 192),
        "2_m2": (1, 3, 3, 12, 192),
    }
    strides = {
        each.name: each.strides
        for each in model.layers
        if getattr(each, "kernel", None) is not None and max(getattr(each, "strides", [1])) > 1
    }
    assert strides == {"conv1_conv": (1, 2, 2)} | {
        f"conv{stage}_1_{part}_conv": (2, 1, 1) if stage == 2 else (1, 2, 2)
        for stage in (2, 3, 4, 5)
        for part in ("w1", "m1")
    }
    grouped = [each for each in model.layers if isinstance(each, GroupedConv3D)]
    assert {each.groups for each in grouped} == {16}
    assert len(grouped) == 2 * 16 - 4
    normalizations = [e for e in model.layers if isinstance(e, keras.layers.BatchNormalization)]
    assert {(each.epsilon, each.momentum) for each in normalizations} == {(1e-5, 0.9)}
    images = models.MFNet2D().layers
    assert sum(isinstance(each, GroupedConv2D) for each in images) == len(grouped)


def test_the_shortcut_takes_the_input_as_it_was():
    """Without the main branch a unit is the identity, whatever the multiplexer adds."""
    model = small("mfnet_2d")
    randomise(model)
    last = model.get_layer("conv3_2_m2_conv")
    last.set_weights([np.zeros(last.kernel.shape, "float32")])
    names = ["conv3_1_out", "conv3_2_multiplexed", "conv3_2_out"]
    outputs = keras.Model(model.input, [model.get_layer(name).output for name in names])
    before, multiplexed, after = map(numbers, outputs(pixels(22, 40)))
    assert np.array_equal(before, after)
    assert not np.allclose(before, multiplexed, atol=0.1)
    assert model.get_layer("conv3_2_m1_bn").input is model.get_layer("conv3_2_multiplexed").output


def test_a_still_clip_is_its_image_where_kernels_see_one_frame():
    clips, images = small(), small("mfnet_2d")
    randomise(images)
    values = []
    for video, image in zip(clips.weights, images.get_weights(), strict=True):
        if len(video.shape) == 5:
            kernel = np.zeros(video.shape, "float32")
            kernel[video.shape[0] // 2] = image
            image = kernel
        values.append(image)
    clips.set_weights(values)
    x = pixels(*CLIP[1:])
    still = np.repeat(x[:, None], CLIP[0], axis=1)
    assert numbers(images(x)).std() > 0.05
    assert np.allclose(numbers(clips(still)), numbers(images(x)), atol=1e-5)


@pytest.mark.parametrize("name", ["mfnet_3d", "mfnet_2d"])
def test_fresh_blocks_change_nothing_and_files_keep_them(name, tmp_path):
    x = pixels(*(CLIP if name == "mfnet_3d" else CLIP[1:]))
    blocks, plain = small(name, attention="a2"), small(name)
    plain.set_weights([w for w in blocks.weights if "attention" not in w.path])
    assert len(blocks.weights) - len(plain.weights) == 4 * 5
    want = numbers(plain(x))
    assert np.array_equal(want, numbers(blocks(x)))
    blocks.save(tmp_path / "model.keras")
    assert np.array_equal(want, numbers(keras.models.load_model(tmp_path / "model.keras")(x)))


def torch_name(layer):
    """The module of the authors' network that holds the weights of a layer."""
    if layer in ("predictions", "final_bn"):
        return {"predictions": "classifier", "final_bn": "tail.bn"}[layer]
    stage, *rest, kind = layer.split("_")
    if not rest:
        return f"{stage}.{kind}"
    unit, part = rest
    return f"{stage}.B{int(unit):02d}.conv_{part}.{kind}"


def test_symmetric_padding_gives_the_outputs_of_pytorch():
    torch = pytest.importorskip("torch")
    import pytorch_networks

    torch.manual_seed(0)
    sizes = ((16, 2), (24, 2))
    reference = pytorch_networks.mfnet(3, stem=8, sizes=sizes, fibers=4, classes=5).eval()
    for name, value in reference.state_dict().items():
        if value.dim() == 1:
            low = 0.5 if name.endswith("var") else -0.5
            value.copy_(torch.rand(value.shape) + low)
    state = {name: value.numpy() for name, value in reference.state_dict().items()}
    model = small(padding="symmetric", classifier_activation=None)
    for layer in model.layers:
        if not layer.weights:
            continue
        name = torch_name(layer.name)
        weight = state.pop(f"{name}.weight")
        rest = {"bn": ("bias", "running_mean", "running_var"), "predictions": ("bias",)}
        values = [np.moveaxis(weight, (0, 1), (-1, -2))] if weight.ndim > 1 else [weight]
        names = rest.get(layer.name.rpartition("_")[2], ())
        layer.set_weights(values + [state.pop(f"{name}.{each}") for each in names])
    assert all(name.endswith("num_batches_tracked") for name in state), "weights left over"
    # Even sizes at every stride, where "same" would differ, and odd ones.
    for size in ((4, 32, 48), (3, 22, 41)):
        x = pixels(*size)
        with torch.no_grad():
            want = reference(torch.from_numpy(np.moveaxis(x, -1, 1).copy())).numpy()
        assert want.std() > 0.05
        assert np.allclose(numbers(model(x)), want, atol=1e-5)

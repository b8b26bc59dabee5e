"""Every registered layer on a device that is not the CPU: PyTorch's "meta" stands for a GPU.

An operation that makes a tensor on the CPU by itself, as some of Keras's PyTorch backend do, fails
there as on a GPU: "Expected all tensors to be on the same device".
"""

import itertools

import keras
import numpy as np
import pytest

import a2keras
from a2keras import DoubleAttention, NonLocal, SqueezeExcitation, models
from a2keras.channel_groups import ChannelShuffle, GroupedConv2D, GroupedConv3D

FORMATS = ("channels_last", "channels_first")


def forms(kind):
    """Layers of a registered class in the forms in which they compute, and whether they mask."""
    return {
        a2keras.DoubleAttention: [
            *({"pre_activation": p, "association": a}
              for p, a in itertools.product((False, True), ("auto", "left", "right"))),
            {"use_bias": True}, {"residual": False}, {"dtype": "mixed_bfloat16"},
            {"dtype": "mixed_float16", "pre_activation": True},
        ],
        a2keras.NonLocal: [
            {}, {"pre_activation": True}, {"use_bias": True}, {"dtype": "mixed_float16"},
        ],
        a2keras.SqueezeExcitation: [{"ratio": 3}, {"dtype": "mixed_float16"}],
        GroupedConv2D: [{"filters": 6, "kernel_size": 3, "groups": 3, "padding": "same"}],
        GroupedConv3D: [{"filters": 6, "kernel_size": 3, "groups": 3, "padding": "same"}],
        ChannelShuffle: [{"groups": 3}],
    }[kind]  # fmt: skip


def registered():
    """Every layer that a2keras registers with Keras: a new one has no forms, and its test fails."""
    objects = keras.saving.get_custom_objects().items()
    return [kind for name, kind in sorted(objects) if name.startswith("a2keras>")]


KINDS = pytest.mark.parametrize("kind", registered(), ids=lambda kind: kind.__name__)
ON_PYTORCH = pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's devices")


@KINDS
def test_every_registered_layer_has_forms(kind):
    assert forms(kind)


def shape_of(kind, data_format):
    spatial = (5, 7, 11) if kind is GroupedConv3D else (5, 7)
    return (2, *spatial, 9) if data_format == "channels_last" else (2, 9, *spatial)


@pytest.fixture
def on_meta(monkeypatch):
    """Weights and tensors on PyTorch's "meta" device by default."""
    import torch
    from keras.src.backend.torch import core

    # Not `keras.device("meta")`, which is for making weights alone: Keras compares its string with
    # tensors' devices, finds them different and puts an empty tensor without gradients for each.
    monkeypatch.setattr(core, "DEFAULT_DEVICE", torch.device("meta"))


@ON_PYTORCH
@KINDS
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("training", [False, True])
def test_a_layer_computes_where_its_input_is(kind, data_format, training, on_meta):
    import torch

    shape = shape_of(kind, data_format)
    attention = kind.__name__ in a2keras.__all__
    for form, masked in itertools.product(forms(kind), (False, True)):
        if masked and not attention:
            continue
        layer = kind(**form, data_format=data_format)
        with keras.device("meta"):
            layer.build(shape)
        x = torch.ones(shape, device="meta", requires_grad=True)
        arguments = {"return_attention_scores": True} if attention else {}
        if masked:
            arguments["mask"] = torch.ones((2, 5, 7), dtype=torch.bool, device="meta")
        outputs = layer(x, training=training, **arguments)
        outputs = outputs if attention else [outputs]
        sum(each.float().sum() for each in outputs).backward()
        assert {each.device.type for each in (*outputs, x.grad)} == {"meta"}
        for variable in layer.trainable_variables:
            assert variable.value.grad is not None, (form, variable.path)


@ON_PYTORCH
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("a2_resnet11", (19, 23, 3)),
        ("a2_resnet11_video", (3, 19, 23, 3)),
        ("a2_shufflenet_v2", (37, 41, 3)),
        ("convnet_lstm", (3, 37, 41, 3)),
    ],
)
def test_a_network_trains_where_its_input_is(name, shape, on_meta):
    import torch

    with keras.device("meta"):
        model = models.build(name, input_shape=shape, classes=5)
    outputs = model(torch.ones((2, *shape), device="meta"), training=True)
    outputs.sum().backward()
    assert outputs.device.type == "meta"
    assert all(v.value.grad is not None for v in model.trainable_variables)


@ON_PYTORCH
@pytest.mark.parametrize("kind", [DoubleAttention, NonLocal, SqueezeExcitation])
def test_pytorch_compiles_a_layer_as_one_graph(kind):
    import torch

    layer = kind()
    layer.build((2, 5, 7, 12))
    x = torch.randn(2, 5, 7, 12)
    compiled = torch.compile(lambda x: layer(x, training=False), fullgraph=True, backend="eager")
    np.testing.assert_allclose(
        compiled(x).detach(), layer(x, training=False).detach(), rtol=1e-5, atol=1e-6
    )

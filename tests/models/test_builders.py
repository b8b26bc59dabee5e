"""What every builder takes, and the stages of every network."""

import inspect

import keras
import numpy as np
import pytest

from a2keras import models

# The last output of each stage, as powers of two that the sides of the input are divided by.
HALVINGS = {
    "a2_mfnet_2d": "conv1:2 conv2:2 conv3:3 conv4:4 conv5:5",
    "a2_mobilenet_v2": "conv1:1 conv2:1 conv3:2 conv4:3 conv5:4 conv6:4 conv7:5 conv8:5 conv9:5",
    "a2_resnet11": "conv1:1 conv2:1 conv3:2 conv4:3",
    "a2_resnet50": "conv1:2 conv2:2 conv3:3 conv4:4 conv5:5",
    "a2_shufflenet_v2": "conv1:2 stage2:3 stage3:4 stage4:5 conv5:5",
    "c3d": "conv1:1 conv2:2 conv3:3 conv4:4 conv5:5",
    "convnet_lstm": "conv1:1 conv2:2 conv3:3 conv4:4 conv5:5",
    "i3d": "conv1:1 conv2:2 conv3:3 conv4:4 conv5:5",
    "r2plus1d_18": "conv1:1 conv2:1 conv3:2 conv4:3 conv5:4",
    "r2plus1d_34": "conv1:1 conv2:1 conv3:2 conv4:3 conv5:4",
    "res3d_18": "conv1:1 conv2:1 conv3:2 conv4:3 conv5:4",
    "resnet152": "conv1:2 conv2:2 conv3:3 conv4:4 conv5:5",
    "resnet20": "conv1:1 conv2:2 conv3:3 conv4:4",
    "resnet26_video": "conv1:1 conv2:1 conv3:2 conv4:3 conv5:4",
}
HALVINGS |= {
    name: HALVINGS[like]
    for name, like in {
        "a2_efficientnet_lite0": "a2_mobilenet_v2",
        "a2_mfnet_3d": "a2_mfnet_2d",
        "a2_resnet11_video": "a2_resnet11",
        "a2_resnet50_video": "a2_resnet50",
        "efficientnet_lite0": "a2_mobilenet_v2",
        "inception_v1": "i3d",
        "mfnet_2d": "a2_mfnet_2d",
        "mfnet_3d": "a2_mfnet_2d",
        "mobilenet_v2": "a2_mobilenet_v2",
        "resnet29_video": "resnet26_video",
        "resnet50": "resnet152",
        "resnet50_lite": "a2_resnet50",
        "resnet50_video": "a2_resnet50",
        "se_resnet50": "resnet152",
        "shufflenet_v2": "a2_shufflenet_v2",
    }.items()
}
EVERY_NETWORK = pytest.mark.parametrize("name", models.list_models())


@EVERY_NETWORK
def test_the_signature_is_that_of_keras_applications(name):
    theirs = list(inspect.signature(keras.applications.ResNet50).parameters)
    builder = models.builder(name)
    ours = inspect.signature(builder).parameters
    own = ["attention", "positions", "reduction", "padding"]
    assert list(ours)[: len(theirs) + len(own)] == theirs + own
    assert getattr(models, builder.__name__) is builder
    assert builder.__name__ in models.__all__
    for argument in ours:
        assert f"\n    {argument}: " in builder.__doc__


@pytest.mark.slow
@EVERY_NETWORK
def test_unknown_sizes_no_top_and_the_stages(name):
    """Built for any size, without a top; its stages have the sizes that their strides give."""
    video = models.is_video(name)
    any_size = models.build(
        name, include_top=False, pooling="avg", input_shape=(*[None] * (2 + video), 3), name="any"
    )
    assert any_size.output.shape[0] is None
    assert len(any_size.output.shape) == 2
    assert any_size.name == "any"
    stages = models.features(any_size)
    halvings = {k: int(n) for k, n in (s.split(":") for s in HALVINGS[name].split())}
    assert list(stages.output) == list(halvings)
    # By shape inference, which costs no computation. 96 · 160 is divided without a remainder.
    inputs = keras.KerasTensor((2, *[16] * video, 96, 160, 3))
    for stage, output in stages.compute_output_spec(inputs).items():
        sides = (96 // 2 ** halvings[stage], 160 // 2 ** halvings[stage])
        assert output.shape[-3:-1] == sides, stage


def test_a_builder_that_there_is_not():
    message = r"module 'a2keras\.models' has no attribute 'ResNet5'"
    with pytest.raises(AttributeError, match=message):
        models.ResNet5  # noqa: B018


def test_features_follow_the_blocks_and_share_the_layers():
    model = models.A2ResNet11(include_top=False, input_shape=(19, 23, 3))
    stages = models.features(model)
    assert stages.name == "a2_resnet11_features"
    assert stages.output["conv3"] is model.get_layer("conv3_1_attention").output
    x = np.random.default_rng(0).normal(size=(2, 19, 23, 3)).astype("float32")
    features = stages(x)
    assert {key: each.shape for key, each in features.items()} == {
        "conv1": (2, 10, 12, 16),
        "conv2": (2, 10, 12, 64),
        "conv3": (2, 5, 6, 128),
        "conv4": (2, 3, 3, 256),
    }
    kernel = model.get_layer("conv2_1_1_conv").kernel
    kernel.assign(kernel * 2)
    assert not np.allclose(*(keras.ops.convert_to_numpy(f["conv2"]) for f in (stages(x), features)))


def test_a_model_without_stages_is_refused():
    inputs = keras.Input((5,))
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs), name="plain")
    with pytest.raises(ValueError, match=r"such as 'conv3_1_out'\. Received: model 'plain'"):
        models.features(model)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"padding": "valid"}, ValueError, r"`padding` must be 'same' or 'symmetric'.*'valid'"),
        ({"input_shape": (0, 9, 3)}, ValueError, r"at least 1. Received: input_shape=\(0, 9, 3\)"),
        (
            {"reduction": 0},
            ValueError,
            r"`reduction` must be a whole number .* Received: reduction=0",
        ),
        ({"variant": "c"}, ValueError, r"`variant` must be 'a' or 'b'. Received: variant='c'"),
        ({"depth": 3}, TypeError, r"A2ResNet11\(\) has no argument 'depth'"),
    ],
)
def test_bad_arguments_are_told(arguments, error, message):
    with pytest.raises(error, match=message):
        models.A2ResNet11(**arguments)

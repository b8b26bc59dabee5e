"""One network of every family of keras.applications as a host."""

import inspect
import sys
from pathlib import Path

import keras
import pytest

from a2keras import DoubleAttention

sys.path.insert(0, str(Path(__file__).parent))
from hosts import check, noise, randomise

# One of every family: its smallest member, its smallest legal input, and three places.
FAMILIES = {
    "convnext": ("ConvNeXtTiny", 32, {}, ["convnext_tiny_stage_1_block_2_layer_scale",
        "convnext_tiny_stage_2_block_0_pointwise_conv_1", "convnext_tiny_downsampling_block_2"]),
    "densenet": ("DenseNet121", 32, {}, ["pool2_conv", "conv4_block9_concat", "bn"]),
    "efficientnet": ("EfficientNetB0", 32, {}, ["block2b_add", "block4a_dwconv", "top_activation"]),
    "efficientnet_v2": ("EfficientNetV2B0", 32, {}, ["block2b_add", "block4b_drop", "top_bn"]),
    "inception_resnet_v2": ("InceptionResNetV2", 75, {},
        ["block35_4_ac", "custom_scale_layer_20", "block8_9_mixed"]),
    "inception_v3": ("InceptionV3", 75, {}, ["mixed2", "mixed6", "mixed10"]),
    "mobilenet": ("MobileNet", 32, {"alpha": 0.25},
        ["conv_pw_3_relu", "conv_dw_5", "conv_pw_13_bn"]),
    "mobilenet_v2": ("MobileNetV2", 32, {"alpha": 0.35},
        ["block_3_project_BN", "block_9_add", "Conv_1"]),
    "mobilenet_v3": ("MobileNetV3Small", 32, {"alpha": 0.75},
        ["expanded_conv_2_add", "expanded_conv_3_squeeze_excite_mul", "expanded_conv_7_depthwise"]),
    "nasnet": ("NASNetMobile", 32, {},
        ["normal_concat_1", "adjust_relu_1_5", "separable_conv_1_normal_left2_9"]),
    "resnet": ("ResNet50", 32, {}, ["conv2_block2_out", "conv4_block4_add", "conv5_block3_2_conv"]),
    "resnet_v2": ("ResNet50V2", 32, {}, ["conv2_block2_out", "conv4_block4_1_relu", "post_bn"]),
    "vgg16": ("VGG16", 32, {}, ["block2_pool", "block3_conv1", "block5_conv3"]),
    "vgg19": ("VGG19", 32, {}, ["block2_pool", "block3_conv4", "block5_conv1"]),
    "xception": ("Xception", 71, {}, ["add_2", "block9_sepconv2", "block14_sepconv2_act"]),
}  # fmt: skip
HEAVY = {"densenet", "inception_resnet_v2", "nasnet"}
# On the other backends those that are quick there: JAX compiles every operation of every shape.
CHOSEN = {"jax": {"vgg16"}, "torch": {"convnext", "mobilenet_v3"}}


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(family, marks=[pytest.mark.slow] * (family in HEAVY))
        for family in FAMILIES
        if family in CHOSEN.get(keras.backend.backend(), FAMILIES)
    ],
)
@pytest.mark.usefixtures("zero_weights")
def test_every_family_of_keras_applications(family):
    keras.utils.clear_session()  # numbers in names that Keras makes begin anew
    builder, size, arguments, places = FAMILIES[family]
    model = getattr(keras.applications, builder)(
        input_shape=(size, size, 3), weights=None, include_top=False, pooling="avg", **arguments
    )
    copy = check(randomise(model), 255 * noise(2, size, size, 3), places)
    blocks = [layer for layer in copy.layers if isinstance(layer, DoubleAttention)]
    assert {b.name for b in blocks} == {f"{place}_double_attention" for place in places}
    for block in blocks:
        followed = block.input._keras_history.operation
        assert f"{followed.name}_double_attention" == block.name
        assert block.output_projection.kernel.shape[-1] == block.input.shape[-1]


def test_no_family_is_missing():
    found = {n for n, m in inspect.getmembers(keras.applications) if inspect.ismodule(m)}
    # "resnet50" is another name of "resnet".
    assert found - {"imagenet_utils", "resnet50"} == set(FAMILIES)

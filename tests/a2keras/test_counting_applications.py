"""The networks of keras.applications against the figures that their authors and docs publish."""

import itertools

import keras
import pytest
from keras import applications, layers

import a2keras

# Name: (all parameters, trainable parameters, multiply-adds as printed, the unit). All parameters
# are those of https://keras.io/api/applications, the trainable ones torchvision's where it has the
# same network. Multiply-adds: [T] torchvision's metadata of its weights, [N] Tables 2 and 3 of the
# NASNet paper (arXiv:1707.07012).
PUBLISHED = {
    "ConvNeXtTiny": (None, 28_589_128, "4.456", 1e9),  # [T]
    "EfficientNetB0": (5_330_571, 5_288_548, "0.386", 1e9),  # [T]; the paper: 0.39 B
    "MobileNet": (4_253_864, None, "569", 1e6),  # Table 4 of arXiv:1704.04861
    "MobileNetV2": (3_538_984, 3_504_872, "0.301", 1e9),  # [T]; the paper: 300 M
    "MobileNetV3Large": (None, 5_483_032, "0.217", 1e9),  # [T]; the paper: 219 M
    "MobileNetV3Small": (None, 2_542_856, "0.057", 1e9),  # [T]; the paper: 56 M
    "ResNet50": (25_636_712, None, "3.858", 1e9),  # spec.md §3.3
    "DenseNet121": (8_062_504, 7_978_856, "2.834", 1e9),  # [T]
    "EfficientNetV2S": (None, 21_458_488, "8.366", 1e9),  # [T]; google/automl prints 8.4 B
    "InceptionResNetV2": (55_873_736, None, "13.2", 1e9),  # [N]
    "InceptionV3": (23_851_784, None, "5.713", 1e9),  # [T]; [N]: 5.72 B
    "NASNetMobile": (5_326_716, None, "564", 1e6),  # [N]
    "ResNet50V2": (25_613_800, None, None, None),
    "VGG16": (138_357_544, 138_357_544, "15.47", 1e9),  # [T]
    "VGG19": (143_667_240, 143_667_240, "19.63", 1e9),  # [T]
    "Xception": (22_910_480, None, "8.4", 1e9),  # [N] prints 8.38 B; by hand below: 8.357
}
# On the other backends those that are built quickly: the arithmetic is the same.
NAMES = list(PUBLISHED)[: None if keras.backend.backend() == "tensorflow" else 7]
pytestmark = pytest.mark.usefixtures("zero_weights")


@pytest.fixture(scope="module")
def count():
    counted = {}

    def counted_once(name):
        if name not in counted:
            # MobileNetV3 has no size of its own.
            size = {"input_shape": (224, 224, 3)} if name.startswith("MobileNetV3") else {}
            model = getattr(applications, name)(weights=None, **size)
            counted[name] = a2keras.count(model)
            assert counted[name].parameters == model.count_params()
        return counted[name]

    return counted_once


@pytest.mark.parametrize("name", NAMES)
def test_published_figures(name, count):
    parameters, trainable, printed, unit = PUBLISHED[name]
    counted = count(name)
    assert counted.parameters == sum(each.parameters for each in counted.by_layer)
    if parameters:
        assert counted.parameters == parameters
    if trainable:
        assert counted.trainable_parameters == trainable
    if printed:
        digits = len(printed.partition(".")[2])
        assert f"{counted.multiply_adds / unit:.{digits}f}" == printed


def test_every_family_is_here():
    builders = [each for name, each in vars(applications).items() if name[0].isupper()]
    families = {each.__module__ for each in builders}
    assert families == {getattr(applications, name).__module__ for name in PUBLISHED}


def inverted_residuals(stages, squeezed):
    """At 224 × 224, from a table of (expansion, channels, repeats, stride, kernel)."""
    size, channels, total = 112, 32, 112**2 * 27 * 32
    for expansion, outputs, repeats, stride, kernel in stages:
        for repeat in range(repeats):
            wide, after = expansion * channels, size // (1 if repeat else stride)
            total += size**2 * channels * wide if expansion > 1 else 0
            total += after**2 * (kernel**2 * wide + wide * outputs)
            total += 2 * wide * (channels // 4) if squeezed else 0
            size, channels = after, outputs
    return total + size**2 * channels * 1280 + 1280 * 1000


def mobilenet_v2():
    """Table 2 of arXiv:1801.04381."""
    stages = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3)]
    stages += [(6, 96, 3, 1, 3), (6, 160, 3, 2, 3), (6, 320, 1, 1, 3)]
    return inverted_residuals(stages, squeezed=False)


def efficientnet_b0():
    """Table 1 of arXiv:1905.11946, with squeeze-and-excitation to a quarter of a block's inputs."""
    stages = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)]
    stages += [(6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]
    return inverted_residuals(stages, squeezed=True)


def resnet50(strided_last):
    """Table 1 of arXiv:1512.03385: a stage shrinks in its first 1×1, or (V2) in its last 3×3."""
    channels, total = 64, 112**2 * 49 * 3 * 64 + 2048 * 1000
    for width, units, size in [(64, 3, 56), (128, 4, 28), (256, 6, 14), (512, 3, 7)]:
        for unit in range(units):
            shrinks = strided_last and unit == units - 1 and size > 7
            after = size // 2 if shrinks else size
            total += size**2 * channels * width + after**2 * (9 * width**2 + 4 * width**2)
            total += size**2 * channels * 4 * width if unit == 0 else 0
            channels = 4 * width
    return total


def xception():
    """Figure 5 of arXiv:1610.02357, at 299 × 299."""

    def separable(size, *channels):
        return sum(size**2 * (9 * c + c * o) for c, o in itertools.pairwise(channels))

    entry = 149**2 * 27 * 32 + 147**2 * 9 * 32 * 64
    entry += separable(147, 64, 128, 128) + separable(74, 128, 256, 256)
    entry += separable(37, 256, 728, 728)
    middle = 8 * separable(19, *[728] * 4)
    leave = separable(19, 728, 728, 1024) + separable(10, 1024, 1536, 2048) + 2048 * 1000
    shortcuts = 74**2 * 64 * 128 + 37**2 * 128 * 256 + 19**2 * 256 * 728 + 10**2 * 728 * 1024
    return entry + middle + leave + shortcuts


BY_HAND = {
    "MobileNetV2": mobilenet_v2(),
    "EfficientNetB0": efficientnet_b0(),
    "ResNet50": resnet50(strided_last=False),
    "ResNet50V2": resnet50(strided_last=True),
    "Xception": xception(),
}


@pytest.mark.parametrize("name", [name for name in BY_HAND if name in NAMES])
def test_multiply_adds_by_hand(name, count):
    assert count(name).multiply_adds == BY_HAND[name]


def test_private_layers_of_applications_are_known_by_their_full_name():
    from keras.src.applications.convnext import LayerScale, StochasticDepth
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    x = keras.Input((13, 17, 3))
    y = CustomScaleLayer(0.5)([x, StochasticDepth(0.1)(LayerScale(1e-6, 3)(x))])
    counted = a2keras.count(keras.Model(x, y))
    assert (counted.multiply_adds, counted.parameters) == (0, 3)

    other = type("LayerScale", (layers.Layer,), {"call": lambda self, x: x})
    with pytest.raises(ValueError, match="a call of kind LayerScale costs"):
        a2keras.count(keras.Model(x, other()(x)))

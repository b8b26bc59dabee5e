"""What every network costs at the input that it takes by default, known without building it.

`a2keras summary` lists them: to build all takes minutes. A test counts them anew.
"""

from typing import NamedTuple


class Figures(NamedTuple):
    """Of a network with 1000 classes, the paper's number of classes of images.

    Attributes:
        input_size: height and width; of a video frames, height and width.
        parameters: all, those that are not trained included.
        multiply_adds: for one example, in the paper's order of products.
    """

    input_size: tuple[int, ...]
    parameters: int
    multiply_adds: int


FIGURES = {
    "a2_efficientnet_lite0": Figures((224, 224), 4_756_040, 403_878_112),
    "a2_mfnet_2d": Figures((224, 224), 6_806_936, 1_220_646_912),
    "a2_mfnet_3d": Figures((16, 224, 224), 9_548_216, 13_936_048_128),
    "a2_mobilenet_v2": Figures((224, 224), 3_581_928, 313_318_272),
    "a2_resnet11": Figures((112, 112), 471_128, 93_934_592),
    "a2_resnet11_video": Figures((8, 112, 112), 570_296, 1_156_712_448),
    "a2_resnet50": Figures((224, 224), 32_982_216, 6_538_174_464),
    "a2_resnet50_video": Figures((8, 224, 224), 42_055_560, 40_801_157_120),
    "a2_shufflenet_v2": Figures((224, 224), 2_408_464, 168_644_376),
    "c3d": Figures((16, 112, 112), 82_092_776, 38_551_060_480),
    "convnet_lstm": Figures((25, 224, 224), 9_275_240, 37_525_248_000),
    "efficientnet_lite0": Figures((224, 224), 4_694_024, 385_187_552),
    "i3d": Figures((64, 224, 224), 13_326_824, 111_157_444_608),
    "inception_v1": Figures((224, 224), 6_639_464, 1_498_376_192),
    "mfnet_2d": Figures((224, 224), 5_753_240, 859_379_712),
    "mfnet_3d": Figures((16, 224, 224), 8_494_520, 11_045_910_528),
    "mobilenet_v2": Figures((224, 224), 3_538_984, 300_774_272),
    "r2plus1d_18": Figures((16, 112, 112), 31_838_475, 40_519_388_160),
    "r2plus1d_34": Figures((32, 112, 112), 64_055_263, 152_356_022_272),
    "res3d_18": Figures((8, 112, 112), 33_693_224, 20_451_446_784),
    "resnet152": Figures((224, 224), 60_344_232, 11_282_415_616),
    "resnet20": Figures((112, 112), 478_296, 30_110_720),
    "resnet26_video": Figures((16, 112, 112), 7_662_776, 8_274_042_880),
    "resnet29_video": Figures((16, 112, 112), 8_239_288, 9_173_196_800),
    "resnet50": Figures((224, 224), 25_610_152, 3_857_973_248),
    "resnet50_lite": Figures((224, 224), 25_584_840, 3_969_163_264),
    "resnet50_video": Figures((8, 224, 224), 34_658_184, 30_525_112_320),
    "se_resnet50": Figures((224, 224), 28_141_144, 3_860_488_192),
    "shufflenet_v2": Figures((224, 224), 2_294_784, 144_907_992),
}

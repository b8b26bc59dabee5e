"""The networks of the paper's tables as data: one frozen record each."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Stage:
    """Residual units of one resolution.

    Attributes:
        middle: channels of the unit's first two convolutions.
        channels: output channels.
        units: number of residual units.
        strides: (time, height, width) of the first unit.
        temporal: temporal kernel of each unit's middle convolution (videos), repeated as needed.
    """

    middle: int
    channels: int
    units: int
    strides: tuple[int, int, int]
    temporal: tuple[int, ...] = (3,)


@dataclasses.dataclass(frozen=True)
class ResNet:
    """A pre-activation residual network for images (rank 2) or videos (rank 3).

    Attributes:
        name: what `models.build` calls it.
        builder: the name of its function.
        input_size: (frames, height, width) of the paper's table; 1 frame for images.
        rank: 2 or 3; in rank 2 every temporal kernel and stride is left away.
        stem: channels of conv1, a 3×5×5 convolution of stride (1, 2, 2).
        stem_pool: whether a 1×3×3 max pooling of stride (1, 2, 2) follows it.
        stages: conv2 and what follows.
        attention: "a2", "non_local" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: channels of a block's projections are its input's divided by this.
        source: the table or section that the record comes from.
    """

    name: str
    builder: str
    input_size: tuple[int, int, int]
    rank: int
    stem: int
    stem_pool: bool
    stages: tuple[Stage, ...]
    attention: str | None = None
    positions: tuple[str, ...] = ()
    reduction: int = 4
    source: str = ""


def _ablation_stages(conv4_units: int) -> tuple[Stage, ...]:
    return (
        Stage(32, 128, 2, (2, 1, 1)),
        Stage(64, 256, 2, (1, 2, 2)),
        Stage(128, 512, conv4_units, (1, 2, 2)),
        Stage(256, 1024, 2, (1, 2, 2)),
    )


# Table 1's k is the temporal kernel of the middle convolutions: only there do the parameters come
# out as printed. It prints [3, 1, 3] for conv3, which has four units: the pattern goes on.
_RESNET50_STAGES = (
    Stage(64, 256, 3, (1, 1, 1), (3,)),
    Stage(128, 512, 4, (2, 2, 2), (3, 1)),
    Stage(256, 1024, 6, (1, 2, 2), (3, 1)),
    Stage(512, 2048, 3, (1, 2, 2), (1, 3)),
)
_FIVE_BLOCKS = ("conv3_1", "conv3_3", "conv4_1", "conv4_3", "conv4_5")
_SMALL_STAGES = (
    Stage(16, 64, 1, (1, 1, 1)),
    Stage(32, 128, 1, (1, 2, 2)),
    Stage(64, 256, 1, (1, 2, 2)),
)

_RESNET26_VIDEO = ResNet(
    name="resnet26_video",
    builder="ResNet26Video",
    input_size=(16, 112, 112),
    rank=3,
    stem=16,
    stem_pool=False,
    stages=_ablation_stages(conv4_units=2),
    positions=("conv4_2",),
    source="Table 1",
)
_RESNET50_VIDEO = ResNet(
    name="resnet50_video",
    builder="ResNet50Video",
    input_size=(8, 224, 224),
    rank=3,
    stem=32,
    stem_pool=True,
    stages=_RESNET50_STAGES,
    positions=_FIVE_BLOCKS,
    reduction=2,
    source="Table 1",
)
_A2_RESNET50_VIDEO = dataclasses.replace(
    _RESNET50_VIDEO,
    name="a2_resnet50_video",
    builder="A2ResNet50Video",
    attention="a2",
    source="Tables 5 and 6: Table 1's ResNet-50 with five blocks at conv3 and conv4",
)
_A2_RESNET11_VIDEO = ResNet(
    name="a2_resnet11_video",
    builder="A2ResNet11Video",
    input_size=(8, 112, 112),
    rank=3,
    stem=16,
    stem_pool=False,
    stages=_SMALL_STAGES,
    attention="a2",
    positions=("conv3_1", "conv4_1"),
    source="a small network of Table 1's kind, for demonstrations and small data",
)

RESNETS = (
    _RESNET26_VIDEO,
    dataclasses.replace(
        _RESNET26_VIDEO,
        name="resnet29_video",
        builder="ResNet29Video",
        stages=_ablation_stages(conv4_units=3),
    ),
    _RESNET50_VIDEO,
    _A2_RESNET50_VIDEO,
    dataclasses.replace(
        _A2_RESNET50_VIDEO,
        name="a2_resnet50",
        builder="A2ResNet50",
        input_size=(1, 224, 224),
        rank=2,
        source="Table 4: Table 1's ResNet-50 without its temporal dimension, with five blocks",
    ),
    _A2_RESNET11_VIDEO,
    dataclasses.replace(
        _A2_RESNET11_VIDEO,
        name="a2_resnet11",
        builder="A2ResNet11",
        input_size=(1, 112, 112),
        rank=2,
    ),
)

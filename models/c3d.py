"""C3D: eight 3×3×3 convolutions, five poolings and three dense layers, without normalisation.

Layers are named so that checkpoints of other libraries map onto them by rule: `conv1_1_conv`,
`conv2_1_conv`, `conv3_1_conv`, `conv3_2_conv` … `conv5_2_conv` with biases, then `fc6`, `fc7` and
`predictions`. Caffe's `conv3a` is conv3_1_conv, its `fc8` predictions.

In two things the released networks differ from each other or from this one:

- Padding "same" is Caffe's: its poolings round sizes up, so that the last one takes 7 rows as 2, 2,
  2 and 1. The ports to PyTorch set padding before and behind and take 1, 2, 2 and 2: "symmetric".
- `fc6` takes (frames, height, width, channels) flattened, in whichever data format; Caffe's and
  PyTorch's takes (channels, frames, height, width). Their weights (4096, 8192) are here
  `w.reshape(4096, 512, 1, 4, 4).transpose(2, 3, 4, 1, 0).reshape(8192, 4096)`.
"""

import dataclasses
from typing import Any

import keras
from keras import layers

from a2keras.models.blocks import Blocks
from a2keras.models.builders import Network, builder_of
from a2keras.models.convolutions import convolution, max_pooling
from a2keras.models.stages import FOUR_BLOCKS

_DENSE = 4096


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoVGG(Network):
    """3×3×3 convolutions in stages that each end in a pooling.

    Attributes:
        stages: channels of the convolutions of each stage.
    """

    stages: tuple[tuple[int, ...], ...]


def gaussian(deviation: float, bias: float) -> dict[str, Any]:
    """Where a layer begins, as in C3D-v1.0's conv3d prototxt files."""
    # A new one for every layer: the same gives the same numbers.
    return {
        "kernel_initializer": keras.initializers.RandomNormal(stddev=deviation),
        "bias_initializer": keras.initializers.Constant(bias),
    }


def c3d(x: Any, network: VideoVGG, blocks: Blocks, padding: str) -> Any:
    """Builds a record up to its last feature maps, those of the last pooling."""
    for stage, units in enumerate(network.stages, 1):
        for number, channels in enumerate(units, 1):
            name = f"conv{stage}_{number}"
            start = gaussian(0.01, bias=0.0 if stage == 1 else 1.0)
            x = convolution(x, channels, (3, 3, 3), name=f"{name}_conv", use_bias=True, **start)
            x = blocks(layers.ReLU(name=f"{name}_relu")(x), name)
        if padding == "symmetric" and stage == len(network.stages):
            x = layers.ZeroPadding3D((0, 1, 1), name=f"conv{stage}_pad")(x)
        window = (1 if stage == 1 else 2, 2, 2)
        x = max_pooling(x, window, window, name=f"conv{stage}_pool", padding=padding)
    return x


def dense_top(x: Any, classes: int) -> Any:
    """Two dense layers of every position, ReLU and dropout after each, and the classifier."""
    if None in x.shape[1:]:
        shape = tuple(keras.utils.get_source_inputs(x)[0].shape)[1:]
        raise ValueError(
            "with `include_top=True` all sizes of `input_shape` must be known: a dense layer takes "
            f"all positions of the feature maps. Received: input_shape={shape}"
        )
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc6", "fc7"):
        x = layers.Dense(_DENSE, name=name, **gaussian(0.005, bias=1.0))(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
        x = layers.Dropout(0.5, name=f"{name}_dropout")(x)
    return layers.Dense(classes, name="predictions", **gaussian(0.01, bias=0.0))(x)


_C3D = VideoVGG(
    name="c3d",
    builder="C3D",
    input_size=(16, 112, 112),
    stages=((64,), (128,), (256, 256), (512, 512), (512, 512)),
    positions=FOUR_BLOCKS,
    reduction=2,
    source="Table 6: C3D (Tran et al., 2015). Its weights for Caffe want padding 'same', their\n"
    "ports to PyTorch 'symmetric'",
)
BUILDERS = {_C3D.name: builder_of(_C3D, c3d, dense_top)}

"""ConvNet+LSTM: an image network on every frame, and a recurrent layer over what it sees.

The image network is Inception-v1 as a video network whose kernels, windows and strides extend over
one frame. That is the image network's arithmetic on every frame, its layers stand in the graph like
those of any other network (stages, blocks), and the number of frames may be unknown. Measured on
two CPU cores: on TensorFlow and JAX a training step takes no longer than with time folded into the
batch, on PyTorch twice as long; `TimeDistributed` takes ten times as long to begin.
`weights.inflate` from an `InceptionV1` gives that network's features.

A block gathers from all frames of the clip, not from one.
"""

import dataclasses
from typing import Any

from keras import layers

from a2keras.models.builders import Option, builder_of
from a2keras.models.inception import INCEPTION_V1, frame_vectors, inception


def recurrent_top(x: Any, classes: int, all_steps: bool = False) -> Any:
    """Means over space, LSTM, a classifier at every step; the last step's logits, or all."""
    x = layers.LSTM(512, return_sequences=True, name="lstm")(frame_vectors(x))
    x = layers.Dense(classes, name="predictions")(x)
    return x if all_steps else x[:, -1]


_CONVNET_LSTM = dataclasses.replace(
    INCEPTION_V1,
    name="convnet_lstm",
    builder="ConvNetLSTM",
    input_size=(25, 224, 224),
    temporal=False,
    source="Table 5: ConvNet+LSTM (Carreira and Zisserman, 2017) on 25 frames, 5 a second",
)

_ALL_STEPS = Option(
    False,
    "whether the classifier gives (B, frames, classes), a prediction after every\n"
    "        frame, for a loss on all of them, instead of the last step's (B, classes).",
)
BUILDERS = {
    _CONVNET_LSTM.name: builder_of(_CONVNET_LSTM, inception, recurrent_top, all_steps=_ALL_STEPS)
}

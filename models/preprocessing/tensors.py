"""Lets one definition of clip sampling and geometry serve NumPy and tf.data's graphs."""

from typing import Any

import numpy as np


def is_tensorflow(*values: Any) -> bool:
    """Whether one of the values is a TensorFlow tensor. Does not import TensorFlow to find out."""
    return any(type(value).__module__.startswith("tensorflow.") for value in values)


def namespace(*values: Any) -> Any:
    """`tf.experimental.numpy` where one of the values is a TensorFlow tensor, else `numpy`.

    Inside `tf.data` the tensors are TensorFlow's whatever the Keras backend is, so `keras.ops`
    would not do there.
    """
    if not is_tensorflow(*values):
        return np
    import tensorflow.experimental.numpy as tnp

    return tnp

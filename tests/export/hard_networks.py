"""Networks that use what converters find hard, as what an export starts from."""

import keras
import numpy as np

from a2keras import DoubleAttention, NonLocal
from a2keras.export.classifier import Classifier
from a2keras.models.preprocessing import Pixels, Preprocessing


def randomise(model: keras.Model, seed: int = 5) -> keras.Model:
    """Statistics, offsets and the projections that start at zero: all of them matter then."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        value = weight.numpy()
        if "variance" in weight.path or "gamma" in weight.path:
            value = generator.uniform(0.5, 1.5, value.shape)
        elif not value.any():
            value = generator.normal(0, 0.1, value.shape)
        weight.assign(value)
    return model


def as_classifier(model: keras.Model, frames: int | None = None) -> Classifier:
    labels = tuple(f"class {i}" for i in range(model.output_shape[-1]))
    spec = Preprocessing(labels, size=model.input_shape[-2], frames=frames)
    nothing = np.zeros((0, *spec.input_shape), np.uint8)
    return Classifier(model, spec, nothing, nothing)


def classifier_with_pools() -> Classifier:
    """Convolution, both poolings and two attention layers in three dimensions, of one's own."""
    pixels = keras.Input((5, 17, 17, 3))
    x = Pixels().layer()(pixels)
    x = keras.layers.Conv3D(7, 3, strides=(1, 2, 2), padding="same", activation="relu")(x)
    x = keras.layers.MaxPooling3D((1, 3, 3), (1, 2, 2), padding="same")(x)
    x = DoubleAttention(3, 11, name="first")(x)
    x = keras.layers.AveragePooling3D((2, 2, 2), (1, 1, 1))(x)
    x = NonLocal(3, name="rival")(x)
    x = DoubleAttention(5, 2, pre_activation=True, name="second")(x)
    x = keras.layers.GlobalAveragePooling3D()(x)
    x = keras.layers.Dense(13, activation="softmax")(x)
    return as_classifier(randomise(keras.Model(pixels, x, name="pools")), frames=5)

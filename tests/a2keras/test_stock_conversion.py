"""A user's own trained model with the layers in it, through stock converters: TF Lite's, Keras's.

Nothing of `a2keras.export` helps here: what the layers compute must survive stock conversion.
"""

import functools

import keras
import numpy as np
import pytest

from a2keras import DoubleAttention, NonLocal, SqueezeExcitation

if keras.backend.backend() != "tensorflow":
    pytest.skip("TensorFlow Lite converts TensorFlow", allow_module_level=True)

import tensorflow as tf

BLOCKS = {
    "DoubleAttention": lambda: DoubleAttention(8, 8),
    "DoubleAttention, pre-activation": lambda: DoubleAttention(8, 8, pre_activation=True),
    "NonLocal": lambda: NonLocal(8),
    "NonLocal, pre-activation": lambda: NonLocal(8, pre_activation=True),
    "SqueezeExcitation": lambda: SqueezeExcitation(4),
}
EVERY_BLOCK = pytest.mark.parametrize("name", BLOCKS)


@functools.cache
def digits():
    """Scanned digits, (1797, 8, 8, 1) from 0 to 1, and their classes; 497 are for tests."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return data.images[..., None].astype("float32") / 16, data.target


@functools.cache
def trained(name):
    """As in a tutorial: two convolutions, a block behind each, 15 epochs."""
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((8, 8, 1))
    for _ in range(2):
        x = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(x)
        x = BLOCKS[name]()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    images, classes = digits()
    model.fit(images[:1300], classes[:1300], batch_size=64, epochs=15, verbose=0)
    return model


def accuracy(probabilities):
    return (probabilities.argmax(-1) == digits()[1][1300:]).mean()


def run(content, images):
    """Probabilities of a .tflite file; integers in and out are scaled as the file says."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    (first,), (last,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(first["index"], images.shape)
    interpreter.allocate_tensors()
    if first["dtype"] == np.int8:
        scale, zero = first["quantization"]
        images = np.clip(np.round(images / scale) + zero, -128, 127).astype("int8")
    interpreter.set_tensor(first["index"], images)
    interpreter.invoke()
    outputs = interpreter.get_tensor(last["index"])
    if last["dtype"] == np.int8:
        scale, zero = last["quantization"]
        outputs = (outputs.astype("float32") - zero) * scale
    return outputs


@pytest.mark.slow
@EVERY_BLOCK
def test_full_integer_quantization(name):
    """8-bit integers throughout; a softmax over 64 positions then has steps of 1/256."""
    model = trained(name)
    images, _ = digits()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[None]] for x in images[:200])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    content = converter.convert()
    float_accuracy = accuracy(model.predict(images[1300:], verbose=0))
    int8_accuracy = accuracy(run(content, images[1300:]))
    assert float_accuracy > 0.75
    # The products of queries and keys reach far without a scale: 8 bits are coarse for them.
    coarse = name == "NonLocal, pre-activation"
    assert int8_accuracy > float_accuracy - (0.1 if coarse else 0.03)


@pytest.mark.slow
@EVERY_BLOCK
def test_float_conversions(name, tmp_path):
    model = trained(name)
    images = digits()[0][1300:]
    want = model.predict(images, verbose=0)

    def error(**settings):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.target_spec.supported_types = settings.get("types", [])
        converter.optimizations = settings.get("optimizations", [])
        return np.abs(run(converter.convert(), images) - want).max()

    optimize = [tf.lite.Optimize.DEFAULT]
    assert error() < 1e-4
    assert error(optimizations=optimize, types=[tf.float16]) < 0.03
    assert error(optimizations=optimize) < 0.15  # weights of 8 bits
    model.export(tmp_path / "model.tflite", format="litert", verbose=False)
    content = (tmp_path / "model.tflite").read_bytes()
    assert np.abs(run(content, images) - want).max() < 1e-4

"""Numbers of a model, whatever its batch and the type of its input and output."""

import numpy as np
import pytest
import tensorflow as tf

from a2keras.errors import UserError
from a2keras.export.parity import natural_pixels
from a2keras.export.predict import load
from a2keras.export.reading.loaders import load_model
from a2keras.models.preprocessing import Preprocessing

PIXELS = natural_pixels((17, 17, 3), 7, seed=11).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    """Mean colour to three probabilities: its numbers can be computed by hand."""
    weights = np.random.default_rng(5).normal(0, 0.02, (3, 3)).astype(np.float32)

    class Network(tf.Module):
        def __call__(self, pixels):
            return tf.nn.softmax(tf.reduce_mean(pixels, axis=(1, 2)) @ weights)

    return Network(), weights


def by_hand(weights: np.ndarray) -> np.ndarray:
    logits = PIXELS.mean(axis=(1, 2)) @ weights
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def converter_of(network, batch=1):
    signature = tf.TensorSpec((batch, 17, 17, 3), tf.float32, name="pixels")
    function = tf.function(network, input_signature=[signature])
    return tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], network
    )


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8", "int16"])
def test_quantised_inputs_and_outputs(network, tmp_path, dtype):
    converter = converter_of(network[0])
    if dtype != "float32":
        sets = tf.lite.OpsSet
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([each[None]] for each in PIXELS)
        int8, int16 = (
            sets.TFLITE_BUILTINS_INT8,
            sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
        )
        converter.target_spec.supported_ops = [int16 if dtype == "int16" else int8]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, dtype)
    path = tmp_path / "model.tflite"
    path.write_bytes(converter.convert())
    (taken,) = tf.lite.Interpreter(str(path)).get_input_details()
    assert taken["dtype"] == np.dtype(dtype)
    loaded = load_model(path, "tflite")
    assert (loaded.input_shape, loaded.output_shape, loaded.batch) == ((17, 17, 3), (3,), 1)
    given = loaded.compute(PIXELS)
    assert given.dtype == np.float32
    most = {"float32": 1e-6, "int16": 2e-3}.get(dtype, 0.03)
    np.testing.assert_allclose(given, by_hand(network[1]), atol=most)
    assert np.ptp(given) > 0.1  # not flat, so that the tolerance says something


def test_a_tflite_of_a_fixed_batch(network, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(converter_of(network[0], batch=3).convert())
    loaded = load_model(path, "tflite", threads=2)
    assert loaded.batch == 3
    np.testing.assert_allclose(loaded.compute(PIXELS), by_hand(network[1]), atol=1e-6)


@pytest.mark.parametrize("batch", [None, 1, 3])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_saved_models(network, tmp_path, batch, dtype):
    signature = tf.TensorSpec((batch, 17, 17, 3), dtype, name="pixels")

    @tf.function(input_signature=[signature])
    def serve(pixels):
        probabilities = network[0](tf.cast(pixels, tf.float32))
        return {"classes": tf.argmax(probabilities, -1), "probabilities": probabilities}

    tf.saved_model.save(network[0], str(tmp_path / "saved"), signatures=serve)
    loaded = load_model(tmp_path / "saved", "saved_model")
    assert loaded.batch == batch
    np.testing.assert_allclose(loaded.compute(PIXELS), by_hand(network[1]), atol=1e-6)


def test_a_graph_that_loads_and_does_not_run(network, tmp_path):
    signature = tf.TensorSpec((None, 17, 17, 3), tf.float32, name="pixels")

    @tf.function(input_signature=[signature])
    def serve(pixels):
        tf.debugging.assert_less(tf.shape(pixels)[0], 2, "one at a time")
        return {"probabilities": network[0](pixels)}

    tf.saved_model.save(network[0], str(tmp_path / "saved"), signatures=serve)
    Preprocessing(("left", "right", "up"), 17).save(tmp_path / "saved")
    artefact = load(tmp_path / "saved")
    assert artefact.probabilities(PIXELS[:1]).shape == (1, 3)
    with pytest.raises(UserError) as caught:
        artefact.probabilities(PIXELS)
    assert str(caught.value).startswith(f"{tmp_path / 'saved'} cannot be run: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (None, "it has no serving_default signature"),
        (
            tf.TensorSpec((None, 17, 17, 3), name="images"),
            "it must take pixels and give probabilities. Received: images → probabilities",
        ),
        (
            tf.TensorSpec(None, name="pixels"),
            "its signature leaves open how many axes there are",
        ),
    ],
)
def test_what_a_saved_model_must_serve(tmp_path, signature, reason):
    path, module = tmp_path / "saved", tf.Module()
    module.serve = tf.function(lambda images: {"probabilities": tf.nn.softmax(images)})
    served = signature and module.serve.get_concrete_function(signature)
    tf.saved_model.save(module, str(path), signatures=served)
    with pytest.raises(UserError) as caught:
        load_model(path)
    assert str(caught.value) == f"{path} cannot be loaded as saved_model: {reason}"


def test_a_tflite_without_a_batch(tmp_path):
    class Double(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((), tf.float32)])
        def double(self, pixels):
            return 2 * pixels

    module = Double()
    functions = [module.double.get_concrete_function()]
    converter = tf.lite.TFLiteConverter.from_concrete_functions(functions, module)
    path = tmp_path / "model.tflite"
    path.write_bytes(converter.convert())
    with pytest.raises(UserError) as caught:
        load_model(path)
    assert str(caught.value) == f"{path} cannot be loaded as tflite: its input has no batch"


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(UserError) as caught:
        load_model(tmp_path / ("x" * 300))
    assert str(caught.value) == f"{tmp_path / ('x' * 300)} cannot be opened: File name too long"


def test_a_tflite_of_two_outputs(tmp_path):
    class Two(tf.Module):
        def __call__(self, pixels):
            mean = tf.reduce_mean(pixels, axis=(1, 2))
            return mean, 2 * mean

    path = tmp_path / "model.tflite"
    path.write_bytes(converter_of(Two()).convert())
    with pytest.raises(UserError) as caught:
        load_model(path)
    assert str(caught.value) == (
        f"{path} cannot be loaded as tflite: it must have one input and one output"
    )


def test_a_damaged_onnx_file_is_told_by_us_alone(tmp_path, capfd):
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper

    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3])
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3])
    node = helper.make_node("Softmax", ["pixels"], ["probabilities"])
    graph = helper.make_graph([node], "graph", [pixels], [probabilities])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    given = load_model(path).compute(np.zeros((2, 3), np.float32))
    np.testing.assert_allclose(given, np.full((2, 3), 1 / 3), atol=1e-6)
    path.write_bytes(model.SerializeToString().replace(b"Softmax", b"\xffoftmax"))
    capfd.readouterr()
    with pytest.raises(UserError, match=r"model\.onnx cannot be loaded as onnx: \S+"):
        load_model(path)
    assert capfd.readouterr().out == ""

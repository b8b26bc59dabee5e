"""`.tflite` files whose tables lead nowhere: all are refused before an interpreter sees them."""

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from a2keras.errors import UserError
from a2keras.export.litert.tables import check_tflite
from a2keras.export.reading.loaders import load_model


def message_of(path) -> str:
    with pytest.raises(UserError) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def rewritten(image_export, tmp_path):
    """A copy of a `.tflite` file whose tables were changed."""

    def rewrite(change):
        content = (image_export / "model_float32.tflite").read_bytes()
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        change(model)
        builder = flatbuffers.Builder(len(content))
        builder.Finish(model.Pack(builder), b"TFL3")
        path = tmp_path / "model.tflite"
        path.write_bytes(builder.Output())
        return path

    return rewrite


def test_a_file_that_was_only_written_again(rewritten):
    pixels = np.zeros((2, 17, 17, 3), np.float32)
    assert load_model(rewritten(lambda model: None)).compute(pixels).shape == (2, 3)


def test_two_bytes_that_take_the_subgraphs_away(image_export, tmp_path):
    content = bytearray((image_export / "model_float32.tflite").read_bytes())
    content[16:18] = b"\0\0"
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    assert message_of(path) == f"{path} cannot be loaded as tflite: it holds no subgraph"


def graph(model):
    return model.subgraphs[0]


def set_shape(model, shape):
    graph(model).tensors[1].shape = shape


def set_scales(model):
    quantisation = schema.QuantizationParametersT()
    quantisation.scale, quantisation.zeroPoint = [0.1] * 5, [0] * 5
    quantisation.quantizedDimension = 9
    graph(model).tensors[0].quantization = quantisation


def run_itself(model):
    options = schema.WhileOptionsT()
    options.condSubgraphIndex = options.bodySubgraphIndex = 0
    operator = graph(model).operators[0]
    operator.builtinOptionsType, operator.builtinOptions = (
        schema.BuiltinOptions.WhileOptions,
        options,
    )


def run_another(model):
    run_itself(model)
    graph(model).operators[0].builtinOptions.bodySubgraphIndex = 5


def signature(model, **changed):
    entry = schema.SignatureDefT()
    tensor = schema.TensorMapT()
    tensor.name, tensor.tensorIndex = "pixels", changed.get("tensor", 0)
    entry.inputs, entry.subgraphIndex = [tensor], changed.get("subgraph", 0)
    model.signatureDefs = [entry]


def describe(model):
    entry = schema.MetadataT()
    entry.name, entry.buffer = "x", 999
    model.metadata = [entry]


def elsewhere(model):
    group = schema.ExternalBufferGroupT()
    group.name = "/secret"
    model.externalBufferGroups = [group]


def custom(model):
    model.operatorCodes[0].customCode = "Ours"
    model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = 32


def custom_without_name(model):
    custom(model)
    model.operatorCodes[0].customCode = None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: setattr(m, "subgraphs", []), "it holds no subgraph"),
        (lambda m: setattr(m, "subgraphs", None), "it holds no subgraph"),
        (lambda m: setattr(graph(m), "inputs", [7777]), "it names tensor 7777 of "),
        (lambda m: setattr(graph(m), "outputs", [-1]), "it names tensor -1 of "),
        (lambda m: setattr(graph(m), "tensors", None), "it names tensor 0 of 0"),
        (lambda m: setattr(graph(m).operators[0], "inputs", [0, -2]), "it names tensor -2 of "),
        (lambda m: setattr(graph(m).operators[0], "outputs", [-1]), "it names tensor -1 of "),
        (lambda m: setattr(graph(m).operators[0], "intermediates", [88]), "it names tensor 88 of "),
        (lambda m: setattr(graph(m).operators[0], "opcodeIndex", 99), "it names operation 99 of "),
        (lambda m: setattr(m, "operatorCodes", None), "it names operation 0 of 0"),
        (lambda m: setattr(graph(m).tensors[0], "buffer", 12345), "it names buffer 12345 of "),
        (lambda m: setattr(m, "buffers", None), "it names buffer "),
        (lambda m: set_shape(m, [2**16, 2**16, 3]), "a tensor has the shape [65536, 65536, 3]"),
        (lambda m: set_shape(m, [1, -5]), "a tensor has the shape [1, -5]"),
        (set_scales, "a tensor of shape [1, 17, 17, 3] has 5 scales along axis 9"),
        (run_itself, "a subgraph runs itself"),
        (run_another, "it names subgraph 5 of 1"),
        (lambda m: signature(m, subgraph=3), "it names subgraph 3 of 1"),
        (lambda m: signature(m, tensor=4444), "it names tensor 4444 of "),
        (describe, "it names buffer 999 of "),
        (elsewhere, "it keeps numbers in other files"),
        (custom, "it holds Ours, which is none of LiteRT's built-in operations"),
        (custom_without_name, "it holds an operation without a name, which is none of LiteRT's"),
        (
            lambda m: setattr(graph(m).operators[0], "largeCustomOptionsOffset", 7),
            "an operation has options outside of its table",
        ),
    ],
)
def test_tables_that_lead_nowhere(rewritten, change, reason):
    path = rewritten(change)
    assert message_of(path).startswith(f"{path} cannot be loaded as tflite: {reason}")


def test_a_buffer_behind_the_end(rewritten):
    def change(model):
        model.buffers[1].data, model.buffers[1].offset, model.buffers[1].size = None, 2**33, 4

    path = rewritten(change)
    assert message_of(path).endswith("a buffer reaches beyond the end of the file")


def test_every_offset_of_the_tables_is_followed_within_the_file(image_export):
    """Numbers of all kinds in their place: refused in a sentence or sound, never another error."""
    content = (image_export / "model_float32.tflite").read_bytes()
    generator = np.random.default_rng(3)
    refused = 0
    for place in generator.integers(0, len(content) - 4, 300):
        damaged = bytearray(content)
        value = generator.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1])
        damaged[place : place + 4] = int(value).to_bytes(4, "little")
        try:
            check_tflite(bytes(damaged))
        except ValueError as error:
            refused += 1
            assert str(error).startswith(("it ", "a tensor ", "a buffer ", "an operation "))
    assert refused > 50


def test_tensorflow_operations_in_a_tflite_file(tmp_path):
    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 17, 17, 3), tf.float32)])
        def serve(self, pixels):
            found = tf.strings.length(tf.strings.as_string(tf.reduce_sum(pixels, axis=(1, 2))))
            return tf.cast(found, "float32")

    network = Network()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [network.serve.get_concrete_function()], network
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.SELECT_TF_OPS]
    path = tmp_path / "model.tflite"
    path.write_bytes(converter.convert())
    text = message_of(path)
    assert text.startswith(f"{path} cannot be loaded as tflite: it holds Flex")
    assert text.endswith(", which is none of LiteRT's built-in operations")

"""What layers cost: multiply-adds by arithmetic on the shapes of their inputs and weights."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from a2keras.counting_operations import (
    Call,
    Rule,
    Shape,
    attention,
    convolution,
    einsum,
    operation_rule,
    separable,
    transposed,
)


def multiply_adds(call: Call, planned: bool = False) -> int:
    """Multiply-adds of one call of a layer or an operation: as the paper counts, or as planned.

    A layer may count itself for one example, with a method `multiply_adds(input_shape)`, and one
    with an order to choose with `multiply_adds(input_shape, planned=True)` too. Like `build`, it
    gets the shape of its first argument, or the structure of the shapes.

    Raises:
        ValueError: the layer or the operation is not known.
    """
    operation = call.operation
    if hasattr(operation, "multiply_adds"):
        has_plan = "planned" in inspect.signature(operation.multiply_adds).parameters
        shapes = keras.tree.map_structure(lambda each: (None, *each.shape[1:]), call.first)
        examples = keras.tree.flatten(call.first)[0].shape[0]
        return examples * operation.multiply_adds(
            shapes, **{"planned": planned} if has_plan else {}
        )
    unwrap = _by_kind(_WRAPPERS, operation)
    if unwrap is not None:
        return sum(multiply_adds(inner, planned) for inner in unwrap(call))
    return _rule(operation)(call)


def called(layer: Any, *args: Any) -> Call:
    """A call of a layer that is not in the graph itself, such as one in a wrapper."""
    return Call(layer, args, {}, keras.tree.flatten(layer.compute_output_spec(*args)))


def step(call: Call) -> Any:
    """What `TimeDistributed` gives its layer, with all steps of all examples as one batch."""
    batch, steps, *rest = call.first.shape
    return keras.KerasTensor((batch * steps, *rest), call.first.dtype)


def _rule(operation: Any) -> Rule:
    kind = type(operation)
    if f"{kind.__module__}.{kind.__name__}" in APPLICATIONS:
        return _free
    is_layer = isinstance(operation, layers.Layer)
    rule = _by_kind(_RULES, operation) if is_layer else operation_rule(operation)
    if rule is None:
        noun = "layer" if is_layer else "operation"
        raise ValueError(
            f"count does not know what a call of kind {kind.__name__} costs ({noun} "
            f"{operation.name!r}). Use a layer with a method `multiply_adds(input_shape)`."
        )
    return rule


def _by_kind(table: dict[Any, Any], layer: Any) -> Any:
    """The entry of a layer's class or of the nearest one that it extends, or None.

    A class that extends a known one with a `call` of its own computes something else.
    """
    kind: Any = type(layer)
    for base in kind.__mro__:
        if base in table:
            return table[base] if kind.call is base.call else None
    return None


def _free(call: Call) -> int:
    return 0


def _dense(call: Call) -> int:
    return math.prod(call.first.shape) * call.operation.units


def _einsum_dense(call: Call) -> int:
    return einsum(call.operation.equation, call.first.shape, call.shape("kernel"))


def _dot(call: Call) -> int:
    axes = call.operation.axes
    axis = axes if isinstance(axes, int) else axes[0]
    return math.prod(call.output) * call.first[0].shape[axis]


def _reversible_embedding(call: Call) -> int:
    backwards = call.arguments.get("reverse", False)
    return math.prod(call.first.shape) * call.operation.input_dim if backwards else 0


def _recurrent(call: Call) -> int:
    batch, steps, *features = call.first.shape
    return batch * steps * _cell(call.operation.cell, (None, *features))


def _called_cell(call: Call) -> int:
    return call.first.shape[0] * _cell(call.operation, (None, *call.first.shape[1:]))


def _cell(cell: Any, inputs: tuple) -> int:
    """Multiply-adds of one step of one example; `inputs` is (None, features)."""
    if hasattr(cell, "multiply_adds"):
        return cell.multiply_adds(inputs)
    if isinstance(cell, layers.StackedRNNCells):
        sizes = [inputs, *((None, below.output_size) for below in cell.cells)]
        return sum(_cell(each, size) for each, size in zip(cell.cells, sizes, strict=False))
    _rule(cell)
    return math.prod(cell.kernel.shape) + math.prod(cell.recurrent_kernel.shape)


def _convolutional_recurrent(call: Call) -> int:
    layer, steps = call.operation, call.first.shape[1]
    # The recurrent convolution is padded, so it has the positions of the first one's output.
    positions = math.prod(call.output) // layer.filters * (1 if layer.return_sequences else steps)
    kernels = (layer.cell.kernel, layer.cell.recurrent_kernel)
    return positions * sum(math.prod(kernel.shape) for kernel in kernels)


def _dot_attention(call: Call) -> int:
    query, value, key = _query_value_key(call.first)
    scored = query[-1] if call.operation.score_mode == "dot" else 0
    return attention(math.prod(query[:-1]), key[-2], scored, value[-1])


def _additive_attention(call: Call) -> int:
    query, value, key = _query_value_key(call.first)
    # The sum over tanh(query + key) times `scale` is a product with a vector of weights.
    scored = query[-1] if call.operation.use_scale else 0
    return attention(math.prod(query[:-1]), key[-2], scored, value[-1])


def _multi_head_attention(call: Call) -> int:
    layer, given = call.operation, call.arguments
    query, value, key = _query_value_key([given["query"], given["value"], given.get("key")])
    heads, queries = layer.num_heads, math.prod(query[:-1])
    pairs = (layer.query_dense, query), (layer.key_dense, key), (layer.value_dense, value)
    projected = sum(einsum(dense.equation, shape, dense.kernel.shape) for dense, shape in pairs)
    gate = math.prod(query) * heads * layer.value_dim if layer.get_config()["use_gate"] else 0
    keys = math.prod(key[axis] for axis in layer.attention_axes)
    attended = attention(queries * heads, keys, layer.key_dim, layer.value_dim)
    return projected + gate + attended + queries * math.prod(layer.output_dense.kernel.shape)


def _grouped_attention(call: Call) -> int:
    layer, given = call.operation, call.arguments
    query, value, key = _query_value_key([given["query"], given["value"], given.get("key")])
    heads, width = layer.num_query_heads, layer.head_dim
    # The queries' projection, the output's and perhaps the gate's are of one size.
    projected = math.prod(query) * heads * width * (3 if layer.use_gate else 2)
    projected += (math.prod(key) + math.prod(value)) * layer.num_key_value_heads * width
    return projected + attention(math.prod(query[:-1]) * heads, key[1], width, width)


def _query_value_key(tensors: list) -> tuple[Shape, Shape, Shape]:
    query, value, *rest = tensors
    key = rest[0] if rest and rest[0] is not None else value
    return tuple(query.shape), tuple(value.shape), tuple(key.shape)


def _pipeline(call: Call) -> list[Call]:
    calls: list[Call] = []
    for layer in call.operation.layers:
        calls.append(called(layer, calls[-1].outputs[0] if calls else call.first))
    return calls


# Layers around others, which are counted in their place. Power iterations are training's.
_WRAPPERS: dict[type, Callable[[Call], list[Call]]] = {
    layers.TimeDistributed: lambda call: [called(call.operation.layer, step(call))],
    layers.Bidirectional: lambda call: [
        called(call.operation.forward_layer, call.first),
        called(call.operation.backward_layer, call.first),
    ],
    layers.SpectralNormalization: lambda call: [called(call.operation.layer, call.first)],
    layers.Pipeline: _pipeline,
}
_RULES: dict[type, Rule] = {
    kind: rule
    for rule, kinds in [
        (convolution, (layers.Conv1D, layers.Conv2D, layers.Conv3D)),
        (convolution, (layers.DepthwiseConv1D, layers.DepthwiseConv2D)),
        (separable, (layers.SeparableConv1D, layers.SeparableConv2D)),
        (transposed, (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)),
        (_dense, (layers.Dense,)),
        (_einsum_dense, (layers.EinsumDense,)),
        (_dot, (layers.Dot,)),
        (_reversible_embedding, (layers.ReversibleEmbedding,)),
        (_recurrent, (layers.RNN, layers.LSTM, layers.GRU, layers.SimpleRNN)),
        (_called_cell, (layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell)),
        (_called_cell, (layers.StackedRNNCells,)),
        (_convolutional_recurrent, (layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D)),
        (_dot_attention, (layers.Attention,)),
        (_additive_attention, (layers.AdditiveAttention,)),
        (_multi_head_attention, (layers.MultiHeadAttention,)),
        (_grouped_attention, (layers.GroupQueryAttention,)),
    ]
    for kind in kinds
}
# As at inference, where dropout, noise and random augmentation pass their inputs through.
_FREE = """
    InputLayer Identity Masking Flatten Reshape Permute RepeatVector Embedding
    Cropping1D Cropping2D Cropping3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
    UpSampling1D UpSampling2D UpSampling3D CenterCrop Resizing
    Add Subtract Multiply Average Maximum Minimum Concatenate
    Activation ReLU LeakyReLU PReLU ELU Softmax
    BatchNormalization LayerNormalization GroupNormalization UnitNormalization RMSNormalization
    Normalization Rescaling
    MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling1D
    GlobalAveragePooling2D GlobalAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D
    AdaptiveMaxPooling3D AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
    Dropout AlphaDropout GaussianDropout GaussianNoise SpatialDropout1D SpatialDropout2D
    SpatialDropout3D ActivityRegularization
    CategoryEncoding Discretization Hashing HashedCrossing IntegerLookup StringLookup
    TextVectorization
    AugMix AutoContrast ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization
    MaxNumBoundingBoxes MixUp RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter
    RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur
    RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation
    RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom Solarization
"""
_RULES |= {getattr(layers, name): _free for name in _FREE.split()}
# Layers of keras.applications that `keras.layers` has not: products with one number per channel or
# per tensor, and a residual branch that training drops at random.
APPLICATIONS = {
    "keras.src.applications.convnext.LayerScale",
    "keras.src.applications.convnext.StochasticDepth",
    "keras.src.applications.inception_resnet_v2.CustomScaleLayer",
}

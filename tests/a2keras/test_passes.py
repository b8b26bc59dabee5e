"""What the traced layer does over and over again: a guard of its speed at any load.

A pass makes a tensor of as many elements as a map (B, L, n) or as the features (B, L, c) have. On
a CPU each is a trip through memory; XLA fuses some of them.
"""

import math
from collections import Counter

import keras
import numpy as np
import pytest

from a2keras import DoubleAttention

BACKEND = keras.backend.backend()
ON_TENSORFLOW = pytest.mark.skipif(BACKEND != "tensorflow", reason="a graph of TensorFlow")
ON_JAX = pytest.mark.skipif(BACKEND != "jax", reason="a graph of JAX")
SHAPE, M, N = (2, 5, 7, 11), 3, 2  # 770 features, 140 logits
MAP, FEATURES = 2 * 5 * 7 * N, 2 * 5 * 7 * 11
VIEWS = {"Reshape", "Identity", "Placeholder", "Shape", "reshape", "pjit", "jit", "squeeze"}


def built(**arguments):
    layer = DoubleAttention(M, N, **arguments)
    layer.build(SHAPE)
    return layer


def traced(function, weights, shape=SHAPE, gradients=True):
    """The operations of TensorFlow's graph of a function and its gradients."""
    import tensorflow as tf

    def train(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return (y, tape.gradient(y, [x, *weights], x)) if gradients else y

    step = tf.function(train).get_concrete_function(tf.TensorSpec(shape))
    return step.graph.get_operations()


def passes(operations, size):
    """How often each operation makes a tensor of `size` elements."""
    made = Counter()
    for operation in operations:
        if operation.type not in VIEWS:
            shapes = [output.shape for output in operation.outputs]
            made[operation.type] += sum(
                shape.is_fully_defined() and shape.num_elements() == size for shape in shapes
            )
    return +made


def of_the_layer(layer, training):
    weights = [variable.value for variable in layer.trainable_variables]
    return traced(lambda x: layer(x, training=training), weights, gradients=training)


@ON_TENSORFLOW
def test_passes_in_inference():
    operations = of_the_layer(built(), training=False)
    # Two softmaxes; the one over positions is turned, turned back, and turned for the product:
    # of which TensorFlow leaves the first.
    made = passes(operations, MAP)
    assert made == {"MatMul": 2, "Softmax": 2, "Transpose": 3}
    # Distributing, and the residual.
    assert passes(operations, FEATURES) == {"BatchMatMulV2": 1, "AddV2": 1}
    layer, mask = built(), np.ones(SHAPE[:-1], bool)
    masked = traced(lambda x: layer(x, mask=mask), [], gradients=False)
    assert passes(masked, MAP)["SelectV2"] == 2  # what is masked, before the softmax and after it


@ON_TENSORFLOW
def test_passes_in_training():
    operations = of_the_layer(built(), training=True)
    made = passes(operations, MAP)
    # θ, ρ, and their gradients behind the distribution and behind the gather.
    assert made["MatMul"] + made["BatchMatMulV2"] == 4
    assert made["Exp"] == made["Softmax"] == 1
    assert made["Transpose"] == 2  # the weights for their product, which is folded into it; back
    assert sum(made.values()) <= 15
    made = passes(operations, FEATURES)
    # Three gradients of X besides the residual's, added up at once.
    assert made == {"BatchMatMulV2": 2, "MatMul": 2, "AddV2": 1, "AddN": 1}


@ON_TENSORFLOW
def test_the_statistics_of_the_features_are_computed_once():
    operations = of_the_layer(built(pre_activation=True), training=True)
    made = passes(operations, FEATURES)
    assert made["SquaredDifference"] == 1
    assert made["Relu"] == made["ReluGrad"] == 3
    assert sum(made.values()) <= 38
    assert sum(o.type == "SquaredDifference" for o in operations) == 2  # and those of Z


def equations(equation_list):
    for equation in equation_list:
        yield equation
        for inner in equation.params.values():
            if hasattr(inner, "jaxpr"):
                yield from equations(inner.jaxpr.eqns)


# Whether on processors alone, training, products that read X for several projections, passes.
PRODUCTS = [(False, False, 1, 8), (True, False, 0, 8), (False, True, 1, 23), (True, True, 1, 23)]


@ON_JAX
@pytest.mark.parametrize(("processor", "training", "wide", "most"), PRODUCTS)
def test_products_of_the_features_in_jax(monkeypatch, processor, training, wide, most):
    """[W_θ W_ρ W_φ] or [W_θ W_ρ] at once, but in inference on a processor; no other pass."""
    import jax

    import a2keras.position_attention

    monkeypatch.setattr(a2keras.position_attention, "on_processor", lambda: processor)

    layer = built()
    weights = [v.value for v in layer.trainable_variables]

    def function(weights, x):
        return layer.stateless_call(weights, [], x, training=training)[0]

    def train(weights, x):
        y, backward = jax.vjp(function, weights, x)
        return y, backward(x)

    trace = jax.make_jaxpr(train if training else function)(weights, np.zeros(SHAPE, "float32"))
    made, found = Counter(), 0
    for equation in equations(trace.jaxpr.eqns):
        name = equation.primitive.name
        for output in equation.outvars:
            made[name] += name not in VIEWS and math.prod(output.aval.shape) == MAP
            found += name == "dot_general" and output.aval.shape[-1] in (2 * N, 2 * N + M)
    assert found == wide
    assert sum(made.values()) <= most, made
    assert training or not made["transpose"]  # of a single example XLA would make a copy of it


LARGE, LARGE_M = (1, 32, 28, 28, 512), 128


def kept(operations, least):
    """Elements that a graph's forward part hands to its gradients, but for small tensors."""

    def of_gradients(operation):
        return operation.name.startswith("gradient_tape") or operation.type == "AddN"

    found = {}
    for operation in filter(of_gradients, operations):
        for tensor in operation.inputs:
            # What is turned for a product is turned within it.
            while tensor.op.type in VIEWS | {"Transpose"} and tensor.op.inputs:
                tensor = tensor.op.inputs[0]
            if not of_gradients(tensor.op) and tensor.shape.rank:
                found[tensor.name] = tensor.shape.num_elements() or 0
    return sum(size for size in found.values() if size >= least)


@ON_TENSORFLOW
def test_training_keeps_no_more_than_the_plain_version():
    import tensorflow as tf

    layer = DoubleAttention(LARGE_M)
    layer.build(LARGE)
    weights = [variable.value for variable in layer.trainable_variables]
    theta, rho, phi, output = weights

    def plain(x):  # Eq. 6
        x = tf.reshape(x, (1, -1, 512))
        gather = tf.nn.softmax(tf.matmul(x, theta), axis=1)
        descriptors = tf.matmul(gather, tf.matmul(x, phi), transpose_a=True)
        z = tf.matmul(tf.nn.softmax(tf.matmul(x, rho)), descriptors)
        return tf.reshape(x + tf.matmul(z, output), LARGE)

    positions = 32 * 28 * 28
    ours = kept(traced(lambda x: layer(x, training=True), weights, LARGE), positions * LARGE_M)
    theirs = kept(traced(plain, weights, LARGE), positions * LARGE_M)
    # X, the weights of the gather and the distribution maps; theirs besides: values and Z.
    assert ours == positions * (512 + 2 * LARGE_M)
    assert theirs == positions * (512 + 4 * LARGE_M)


@ON_JAX
def test_inference_takes_a_small_part_of_the_memory_of_a_relation():
    """Of positions to positions, which the right association makes where XLA does not refuse to."""
    import jax

    layer = DoubleAttention(LARGE_M)
    layer.build(LARGE)
    weights = [v.value for v in layer.trainable_variables]
    forward = jax.jit(lambda w, x: layer.stateless_call(w, [], x)[0])
    compiled = forward.lower(weights, jax.ShapeDtypeStruct(LARGE, "float32")).compile()
    memory = compiled.memory_analysis()
    relation = 4 * (32 * 28 * 28) ** 2
    assert memory.temp_size_in_bytes + memory.output_size_in_bytes <= 0.05 * relation

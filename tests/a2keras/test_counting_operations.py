"""What operations of `keras.ops` in a functional model cost."""

import importlib

import keras
import numpy as np
import pytest
from keras import ops

import a2keras
from a2keras import counting_operations
from a2keras.counting_operations import einsum


def count(function, *shapes):
    inputs = [keras.Input(shape) for shape in shapes]
    return a2keras.count(keras.Model(inputs, function(*inputs)))


def array(*shape):
    return np.zeros(shape, "float32")


@pytest.mark.parametrize(
    ("function", "shapes", "multiply_adds"),
    [
        (ops.matmul, [(7, 5), (5, 11)], 7 * 5 * 11),
        (ops.matmul, [(2, 7, 5), (1, 5, 11)], 2 * 7 * 5 * 11),
        (lambda x: ops.matmul(x, array(5, 11)), [(7, 5)], 7 * 5 * 11),
        (lambda x: ops.matmul(x, array(5)), [(7, 5)], 7 * 5),
        (lambda x: x @ keras.Variable(array(5, 11)), [(7, 5)], 7 * 5 * 11),
        (lambda x: ops.dot(x, array(3, 5, 11)), [(7, 5)], 7 * 5 * 3 * 11),
        (lambda x: ops.dot(x, array()), [(7, 5)], 0),
        (lambda x: ops.inner(x, array(11, 5)), [(7, 5)], 7 * 11 * 5),
        (ops.vdot, [(7, 5), (7, 5)], 7 * 5),
        (lambda x: ops.tensordot(x, array(7, 5, 11)), [(7, 5)], 7 * 5 * 11),
        (lambda x: ops.tensordot(x, array(5, 11), 1), [(7, 5)], 7 * 5 * 11),
        (lambda x: ops.tensordot(x, array(11, 7), [[1], [1]]), [(7, 5)], 5 * 7 * 11),
        (lambda x: ops.tensordot(x, array(5, 7, 11), [[1, 2], [1, 0]]), [(7, 5)], 7 * 5 * 11),
        (lambda x: ops.tensordot(x, array(11), 0), [(7, 5)], 0),
        (lambda x, y: ops.einsum("bqd,bkd->bqk", x, y), [(7, 5), (11, 5)], 7 * 11 * 5),
        (lambda x: ops.conv(x, array(3, 3, 3, 5)), [(13, 17, 3)], 11 * 15 * 27 * 5),
        (lambda x: ops.conv(x, array(3, 3, 5), 2, "same"), [(13, 3)], 7 * 9 * 5),
        (
            lambda x: ops.conv(x, array(3, 3, 3, 5), data_format="channels_first"),
            [(3, 13, 17)],
            11 * 15 * 27 * 5,
        ),
        (lambda x: ops.depthwise_conv(x, array(3, 3, 5, 2)), [(13, 17, 5)], 11 * 15 * 9 * 5 * 2),
        (
            lambda x: ops.separable_conv(x, array(3, 3, 3, 2), array(1, 1, 6, 5)),
            [(13, 17, 3)],
            11 * 15 * (27 * 2 + 6 * 5),
        ),
        (lambda x: ops.conv_transpose(x, array(2, 5, 3), 2), [(13, 3)], 13 * 2 * 5 * 3),
        (ops.dot_product_attention, [(7, 2, 5), (13, 2, 5), (13, 2, 5)], 2 * 7 * 13 * (5 + 5)),
    ],
)
def test_by_hand(function, shapes, multiply_adds):
    counted = count(function, *shapes)
    assert counted.multiply_adds == counted.planned_multiply_adds == multiply_adds


@pytest.mark.parametrize(
    ("equation", "shapes", "multiply_adds"),
    [
        ("ij,jk->ik", [(2, 3), (3, 5)], 2 * 3 * 5),
        ("ij, jk", [(2, 3), (3, 5)], 2 * 3 * 5),
        ("ij,ij->", [(2, 3), (2, 3)], 2 * 3),
        ("...ij,...jk->...ik", [(7, 11, 2, 3), (11, 3, 5)], 7 * 11 * 2 * 3 * 5),
        ("...ij,jk", [(7, 2, 3), (3, 5)], 7 * 2 * 3 * 5),
        ("i...,ij->j...", [(2, 7, 11), (2, 3)], 2 * 7 * 11 * 3),
        ("bij,bjk->bik", [(7, 2, 3), (1, 3, 5)], 7 * 2 * 3 * 5),
        ("...i,...i->...", [(7, 3), (3,)], 7 * 3),
        ("...i,...i", [(7, 3), (7, 3)], 7 * 3),
        # j is summed before the product
        ("ij,ik->k", [(2, 3), (2, 5)], 2 * 5),
        # scalings, sums and transpositions
        ("bhwc,bc->bhwc", [(7, 2, 3, 5), (7, 5)], 0),
        ("i,j->ij", [(2,), (3,)], 0),
        ("ij,k->k", [(2, 3), (5,)], 0),
        ("ij->ji", [(2, 3)], 0),
        ("...ij->...", [(7, 2, 3)], 0),
    ],
)
def test_einsum_by_hand(equation, shapes, multiply_adds):
    assert einsum(equation, *shapes) == multiply_adds


def test_einsum_of_three_operands_is_refused():
    message = r"at most two operands: .* Received: equation='bi,ij,jk->bk'"
    with pytest.raises(ValueError, match=message):
        count(lambda x: ops.einsum("bi,ij,jk->bk", x, array(3, 5), array(5, 7)), (3,))


def test_free_operations_are_layers_of_the_count():
    def hard_sigmoid(x):
        gate = ops.relu6(x + 3.0) / 6
        moved = ops.transpose(ops.reshape(x * gate, (-1, 221, 3)), (0, 2, 1))
        parts = ops.concatenate([moved[:, :, 1:], ops.expand_dims(ops.mean(moved, -1), -1)], -1)
        return ops.softmax(ops.where(parts > 0, parts, ops.zeros_like(parts)))

    counted = count(hard_sigmoid, (13, 17, 3))
    assert counted.multiply_adds == counted.parameters == 0
    kinds = [each.kind for each in counted.by_layer]
    assert sorted(kinds) == [
        *["Add", "Concatenate", "ExpandDims", "GetItem", "Greater", "InputLayer", "Mean"],
        *["Multiply", "Relu6", "Reshape", "Softmax", "Transpose", "TrueDivide", "Where"],
        "ZerosLike",
    ]
    assert counted.by_layer[-1].output_shape == (None, 3, 221)


@pytest.mark.parametrize(
    ("function", "shape", "size"),
    [
        (lambda x: x > 0, (13, 3), 1),
        (lambda x: ops.cast(x, "int16"), (13, 3), 2),
        (lambda x: ops.cast(x, "bfloat16"), (13, 3), 2),
        (lambda x: ops.cast(x, "uint32"), (13, 3), 4),
        (lambda x: ops.argmax(x, -1), (13,), 4),
        (lambda x: ops.mean(x), (), 4),
    ],
)
def test_activation_bytes_of_operations(function, shape, size):
    last = count(function, (13, 3)).by_layer[-1]
    assert last.activation_bytes == size * int(np.prod(shape))
    assert last.output_shape == ((None, *shape) if shape else ())


def test_an_unknown_operation_is_refused():
    class Add(keras.Operation):
        def call(self, x):
            return x

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    with pytest.raises(ValueError, match=r"of kind Add costs \(operation 'own'\)"):
        count(Add(name="own"), (7, 3))
    with pytest.raises(ValueError, match=r"of kind Cholesky costs \(operation 'cholesky"):
        count(ops.cholesky, (3, 3))


def test_the_names_of_known_operations_are_those_of_keras():
    names = "numpy", "nn", "core", "math", "image", "linalg", "einops"
    modules = [importlib.import_module(f"keras.src.ops.{name}") for name in names]
    for name in counting_operations._RULES:
        assert any(issubclass(getattr(each, name, int), keras.Operation) for each in modules), name

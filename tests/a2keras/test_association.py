"""The planner against an enumeration of all orders."""

import itertools
import random

import keras
import numpy as np
import pytest

from a2keras import DoubleAttention
from a2keras.association import (
    cheapest_order,
    cost,
    left_order,
    multiply,
    multiply_adds,
    products_of,
    right_order,
)

CHAINS = {
    "bare": ("distribution", "gather", "features"),
    "pre-activation": ("distribution", "gather", "features", "phi"),
    "with bias": ("distribution", "gather", "features", "output"),
    "linear": ("distribution", "gather", "features", "phi", "output"),
}


def sizes_of(chain, positions, channels, m, n):
    width = m if "phi" not in chain else channels
    sizes = {
        "distribution": (positions, n),
        "gather": (n, positions),
        "features": (positions, width),
        "phi": (channels, m),
        "output": (m, channels),
    }
    return {name: sizes[name] for name in chain}


def every_order(names):
    if len(names) == 1:
        yield names[0]
    for i in range(1, len(names)):
        yield from itertools.product(every_order(names[:i]), every_order(names[i:]))


def cost_by_hand(order, sizes):
    """Multiplies shapes pair by pair: rows × inner × columns of every product."""
    if isinstance(order, str):
        return *sizes[order], 0
    rows, inner, a = cost_by_hand(order[0], sizes)
    also_inner, columns, b = cost_by_hand(order[1], sizes)
    assert inner == also_inner
    return rows, columns, a + b + rows * inner * columns


def moved_by_hand(order, sizes, beside):
    """Elements read and written, product by product; kernels are read for the whole batch."""
    if isinstance(order, str):
        return 0
    elements = np.prod(cost_by_hand(order, sizes)[:2])
    for operand in order:
        free = operand in ("phi", "output") or (
            beside and operand == "features" and order == ("features", "phi")
        )
        elements += 0 if free else np.prod(cost_by_hand(operand, sizes)[:2])
    return elements + sum(moved_by_hand(each, sizes, beside) for each in order)


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_the_plan_is_the_cheapest_of_all_orders(chain, beside):
    """An element that is read or written weighs 64 multiply-adds."""
    draw = random.Random(7)
    for _ in range(60):
        sizes = sizes_of(chain, *(draw.choice([2, 3, 7, 31, 127, 521, 2053]) for _ in range(4)))
        costs = [
            cost_by_hand(order, sizes)[2] + 64 * moved_by_hand(order, sizes, beside)
            for order in every_order(chain)
        ]
        planned = cheapest_order(sizes, beside)
        assert cost_by_hand(planned, sizes)[2] == multiply_adds(planned, sizes)
        assert cost(planned, sizes, beside) == min(costs)


# Descriptors first, and values first with (G W_out) formed before distributing.
FOLDED = ("distribution", ((("gather", "features"), "phi"), "output"))
VALUES_FIRST = ("distribution", (("gather", ("features", "phi")), "output"))


@pytest.mark.parametrize(
    ("positions", "channels", "m", "beside", "best"),
    [
        (6_272, 256, 64, False, FOLDED),
        (6_272, 256, 64, True, VALUES_FIRST),
        (3_136, 256, 64, True, VALUES_FIRST),
        (25_088, 512, 128, False, FOLDED),
        (25_088, 512, 128, True, VALUES_FIRST),
        (784, 512, 256, False, FOLDED),
        (784, 512, 256, True, FOLDED),
    ],
)
def test_what_was_fastest_is_planned(positions, channels, m, beside, best):
    """Without kernels side by side on TensorFlow, with them on PyTorch (docs/performance.md)."""
    sizes = sizes_of(CHAINS["linear"], positions, channels, m, m)
    planned = cheapest_order(sizes, beside)
    assert multiply_adds(planned, sizes) == multiply_adds(best, sizes)
    assert (("features", "phi") in products_of(planned)) == (best == VALUES_FIRST)


def drawn(sizes, generator):
    """Matrices of these sizes; the gather maps turned, as softmaxes leave them."""
    matrices = {name: generator.normal(size=shape) for name, shape in sizes.items()}
    return {**matrices, "gather": matrices["gather"].T}


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_every_order_gives_the_same_product(chain):
    sizes = sizes_of(chain, positions=13, channels=7, m=5, n=3)
    generator = np.random.default_rng(0)
    matrices = drawn(sizes, generator)
    results = [np.asarray(multiply(order, matrices)) for order in every_order(chain)]
    assert len(results) == {3: 2, 4: 5, 5: 14}[len(chain)]
    for result in results[1:]:
        assert np.allclose(result, results[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_gather_maps_may_be_divided_by_their_sums_afterwards(chain):
    sizes = sizes_of(chain, positions=13, channels=7, m=5, n=3)
    generator = np.random.default_rng(0)
    matrices = drawn(sizes, generator)
    sums = generator.uniform(1, 13, size=(3, 1))
    divided = {**matrices, "gather": matrices["gather"] / sums.T}
    for order in every_order(chain):
        if any(left == "gather" for left, _ in products_of(order)):
            got = np.asarray(multiply(order, matrices, sums))
            assert np.allclose(got, np.asarray(multiply(order, divided)), rtol=1e-5, atol=1e-5)


def test_left_and_right_are_equations_6_and_7():
    chain = CHAINS["linear"]
    values = ("features", "phi")
    assert left_order(chain) == (("distribution", ("gather", values)), "output")
    assert right_order(chain) == ((("distribution", "gather"), values), "output")
    # The paper's costs of the two products: 2mnL against mL² + nL².
    sizes = sizes_of(CHAINS["bare"], positions=31, channels=0, m=5, n=7)
    assert multiply_adds(left_order(CHAINS["bare"]), sizes) == 2 * 5 * 7 * 31
    assert multiply_adds(right_order(CHAINS["bare"]), sizes) == (5 + 7) * 31 * 31


def test_the_papers_example_is_gathered_before_it_is_projected():
    """32×28×28 positions, 512 channels: projecting n descriptors beats projecting X."""
    sizes = sizes_of(CHAINS["linear"], positions=25_088, channels=512, m=128, n=128)
    gathered_first = ("distribution", ((("gather", "features"), "phi"), "output"))
    assert multiply_adds(cheapest_order(sizes), sizes) == multiply_adds(gathered_first, sizes)
    # Among the first products there is none of positions × positions.
    assert "('distribution', 'gather')" not in repr(cheapest_order(sizes))


def test_few_positions_and_many_descriptors_are_related_directly():
    sizes = sizes_of(CHAINS["bare"], positions=5, channels=0, m=31, n=37)
    assert cheapest_order(sizes) == right_order(CHAINS["bare"])


def test_unknown_sizes_and_ties_fall_back_to_left():
    for chain in CHAINS.values():
        assert cheapest_order(sizes_of(chain, None, 7, 5, 3)) == left_order(chain)
    tie = sizes_of(CHAINS["bare"], positions=4, channels=0, m=4, n=4)
    assert cheapest_order(tie) == left_order(CHAINS["bare"])


def test_multiply_adds_of_unknown_sizes_are_refused():
    sizes = sizes_of(CHAINS["bare"], None, 0, 5, 3)
    with pytest.raises(
        ValueError, match=r"need known sizes. Received: \{'distribution': \(None, 3"
    ):
        multiply_adds(left_order(CHAINS["bare"]), sizes)


def test_what_may_be_reordered_depends_on_what_stands_between():
    assert tuple(DoubleAttention().chain(8, 9)) == CHAINS["linear"]
    assert tuple(DoubleAttention(pre_activation=True).chain(8, 9)) == CHAINS["pre-activation"]
    assert tuple(DoubleAttention(use_bias=True).chain(8, 9)) == CHAINS["with bias"]


@pytest.mark.parametrize("form", [{}, {"pre_activation": True}, {"use_bias": True}], ids=str)
def test_the_layer_counts_what_it_multiplies(form):
    """At c=7, m=5, n=3 and 11 positions, by hand: theta and rho, phi, the two products, output."""
    left = 2 * 7 * 3 * 11 + 7 * 5 * 11 + 2 * 5 * 3 * 11 + 5 * 7 * 11
    shape = (None, 11, 7)
    assert DoubleAttention(5, 3, **form).multiply_adds(shape) == left
    assert DoubleAttention(5, 3, association="left", **form).multiply_adds(shape) == left
    right = 2 * 7 * 3 * 11 + 7 * 5 * 11 + (3 + 5) * 11 * 11 + 5 * 7 * 11
    assert DoubleAttention(5, 3, association="right", **form).multiply_adds(shape) == right
    assert DoubleAttention(5, 3, **form).multiply_adds(shape, planned=True) <= left


class Symbol:
    """A size of JAX's or PyTorch's export, which does not say how large it is."""

    def refuse(self, *_):
        raise RuntimeError("a symbol has no number")

    __add__ = __radd__ = __mul__ = __rmul__ = __lt__ = __gt__ = __eq__ = __bool__ = refuse
    __hash__ = object.__hash__


@pytest.mark.parametrize("unknown", [None, Symbol()])
@pytest.mark.parametrize("chain", CHAINS.values())
def test_of_unknown_sizes_the_left_order_is_taken(chain, unknown):
    assert cheapest_order(sizes_of(chain, unknown, 13, 5, 3)) == left_order(chain)
    assert cheapest_order(sizes_of(chain, 7, 13, 5, unknown)) == left_order(chain)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="an export of JAX")
@pytest.mark.parametrize("pre_activation", [False, True])
def test_jax_exports_open_sizes(pre_activation):
    import jax
    from jax import export

    layer = DoubleAttention(8, 5, pre_activation=pre_activation, output_initializer="he_normal")
    layer.build((None, None, None, 16))
    shape = jax.ShapeDtypeStruct(export.symbolic_shape("b, h, w, 16"), "float32")
    exported = export.export(jax.jit(lambda x: layer(x, training=False)))(shape)
    for batch, height, width in ((2, 3, 5), (1, 17, 29)):
        x = np.random.default_rng(0).normal(size=(batch, height, width, 16)).astype("float32")
        np.testing.assert_allclose(exported.call(x), layer(x, training=False), atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="an export of PyTorch")
def test_pytorch_exports_open_sizes():
    import torch

    layer = DoubleAttention(8, 5, output_initializer="he_normal")
    layer.build((None, None, None, 16))
    x = torch.randn(2, 9, 11, 16)
    height, width = (torch.export.Dim(name, min=2, max=64) for name in ("height", "width"))
    exported = torch.export.export(layer, (x,), dynamic_shapes=(({1: height, 2: width},),))
    other = torch.randn(2, 20, 30, 16)
    np.testing.assert_allclose(exported.module()(other).detach(), layer(other).detach(), atol=1e-5)

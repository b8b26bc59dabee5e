"""In which order to multiply: double attention is a chain of matrices, every order is right.

Written with positions as rows (the transpose of Eq. 6), a block with L positions, c channels,
m value channels and n descriptors computes

    distribution (L × n) · gather (n × L) · features (L × c) · phi (c × m) · output (m × c)

of which Eq. 6, the left association, multiplies features by phi first, and Eq. 7, the right one,
distribution by gather. Any other order is as correct; which is cheapest depends on the sizes alone.
With BN–ReLU between two matrices the chain is cut there, and with a bias on phi it starts after it.

What an order costs, for one example:

    of a product (r × k) · (k × s)        counts as      because
    each multiply-add                     1
    each element of an operand            `ELEMENT`      it is read; a GPU makes some 200
    and of the result                                    multiply-adds meanwhile (H200, bfloat16),
                                                         two CPU cores 13
    … of a kernel                         0              it is read once for the whole batch
    … of features · phi, of features      0 if `beside`  one product reads them for theta, rho and
                                                         phi, whose kernels stand side by side

So where kernels stand side by side (`PositionAttention.side_by_side`), values come first where they
are much narrower than the features, and elsewhere the order with the fewest multiply-adds moves the
fewest elements too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

ASSOCIATIONS = ("auto", "left", "right")
ELEMENT = 64
KERNELS = ("phi", "output")

# An order is the name of a matrix, or a pair of orders whose results are multiplied.
Order = str | tuple["Order", "Order"]
# Rows and columns of each matrix of the chain, in the order of the chain; None where unknown.
Sizes = Mapping[str, tuple[int | None, int | None]]


def left_order(chain: Sequence[str]) -> Order:
    """Eq. 6: project, gather into the descriptors, distribute them."""
    values: Order = ("features", "phi") if "phi" in chain else "features"
    order: Order = ("distribution", ("gather", values))
    return (order, "output") if "output" in chain else order


def right_order(chain: Sequence[str]) -> Order:
    """Eq. 7: relate every position to every other first."""
    values: Order = ("features", "phi") if "phi" in chain else "features"
    order: Order = (("distribution", "gather"), values)
    return (order, "output") if "output" in chain else order


def multiply_adds(order: Order, sizes: Sizes) -> int:
    """Multiply-adds of an order for one example."""
    return _shape_and_costs(order, sizes)[2]


def cost(order: Order, sizes: Sizes, beside: bool = False) -> int:
    """Multiply-adds and moved elements of an order, as the table above weighs them."""
    _, _, products, elements = _shape_and_costs(order, sizes, beside)
    return products + ELEMENT * elements


def _shape_and_costs(order: Order, sizes: Sizes, beside: bool = False) -> tuple[int, int, int, int]:
    """Rows and columns of the result, multiply-adds and moved elements."""
    if isinstance(order, str):
        rows, columns = sizes[order]
        if rows is None or columns is None:
            raise ValueError(f"multiply-adds need known sizes. Received: {dict(sizes)}")
        return rows, columns, 0, 0
    rows, inner, *left = _shape_and_costs(order[0], sizes, beside)
    _, columns, *right = _shape_and_costs(order[1], sizes, beside)
    elements = rows * columns
    if order[0] not in KERNELS and not (beside and order == ("features", "phi")):
        elements += rows * inner
    if order[1] not in KERNELS:
        elements += inner * columns
    return rows, columns, left[0] + right[0] + rows * inner * columns, left[1] + right[1] + elements


def cheapest_order(sizes: Sizes, beside: bool = False) -> Order:
    """The order of the least `cost` (dynamic programming over the chain).

    The left association where a size is unknown, and where no other order is strictly cheaper.
    """
    chain = tuple(sizes)
    left = left_order(chain)
    # Exports with open sizes give JAX's and PyTorch's symbols for them, which have no order.
    if not all(isinstance(size, int) for shape in sizes.values() for size in shape):
        return left
    best: dict[tuple[int, int], Order] = {(i, i): name for i, name in enumerate(chain)}
    for length in range(1, len(chain)):
        for first in range(len(chain) - length):
            last = first + length
            splits = [(best[first, i], best[i + 1, last]) for i in range(first, last)]
            best[first, last] = min(splits, key=lambda order: cost(order, sizes, beside))
    order = best[0, len(chain) - 1]
    return order if cost(order, sizes, beside) < cost(left, sizes, beside) else left


def plan(association: str, sizes: Sizes, beside: bool = False) -> Order:
    """The order that `association` ("auto", "left", "right") means for these sizes."""
    if association == "auto":
        return cheapest_order(sizes, beside)
    return {"left": left_order, "right": right_order}[association](tuple(sizes))


def products_of(order: Order) -> set[tuple[Order, Order]]:
    """Which pairs an order multiplies."""
    if isinstance(order, str):
        return set()
    return {order} | products_of(order[0]) | products_of(order[1])


def multiply(order: Order, matrices: Mapping[Any, Any], sums: Any = None) -> Any:
    """Multiplies the matrices, (B, rows, columns) or (rows, columns), in the given order.

    Args:
        order: what is multiplied by what.
        matrices: by their names, "gather" turned, (B, L, n) or (L, n), as its softmax leaves it;
            also products that are there already, by their pairs.
        sums: (B, n, 1), by which the gather maps, "gather", are still to be divided: what they
            gather is divided instead, which is smaller.
    """
    if order in matrices:
        return _turned(matrices["gather"]) if order == "gather" else matrices[order]
    if order[0] != "gather":
        return ops.matmul(*(multiply(each, matrices, sums) for each in order))
    descriptors = _gathered(matrices["gather"], multiply(order[1], matrices, sums))
    return descriptors if sums is None else descriptors / ops.cast(sums, descriptors.dtype)


def _gathered(maps: Any, features: Any) -> Any:
    """(B, n, c) of the maps, (B, L, n), and features, (B, L, c)."""
    if keras.backend.backend() == "jax":
        # XLA has this product as it stands. Where the maps of a single example are turned first, it
        # copies them and multiplies slower: on a processor the whole block took 1.5 times as long.
        return ops.einsum("...ln,...lc->...nc", maps, features)
    return ops.matmul(_turned(maps), features)


def _turned(maps: Any) -> Any:
    """(B, L, n) → (B, n, L)."""
    return ops.swapaxes(maps, -1, -2)


def check_association(association: str) -> str:
    """Returns a known association; raises a `ValueError` for any other."""
    if association not in ASSOCIATIONS:
        raise ValueError(
            f"`association` must be one of {', '.join(map(repr, ASSOCIATIONS))}. "
            f"Received: association={association!r}"
        )
    return association

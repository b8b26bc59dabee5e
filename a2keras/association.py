"""In which order to multiply: double attention is a chain of matrices, every order is right.

Written with positions as rows (the transpose of Eq. 6), a block with L positions, c channels,
m value channels and n descriptors computes

    distribution (L × n) · gather (n × L) · features (L × c) · phi (c × m) · output (m × c)

of which Eq. 6, the left association, multiplies features by phi first, and Eq. 7, the right one,
distribution by gather. Any other order is as correct; which is cheapest depends on the sizes alone.
With BN–ReLU between two matrices the chain is cut there, and with a bias on phi it starts after it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from keras import ops

ASSOCIATIONS = ("auto", "left", "right")

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
    return _shape_and_cost(order, sizes)[2]


def _shape_and_cost(order: Order, sizes: Sizes) -> tuple[int, int, int]:
    if isinstance(order, str):
        rows, columns = sizes[order]
        if rows is None or columns is None:
            raise ValueError(f"multiply-adds need known sizes. Received: {dict(sizes)}")
        return rows, columns, 0
    rows, inner, left_cost = _shape_and_cost(order[0], sizes)
    _, columns, right_cost = _shape_and_cost(order[1], sizes)
    return rows, columns, left_cost + right_cost + rows * inner * columns


def cheapest_order(sizes: Sizes) -> Order:
    """The order with the fewest multiply-adds (dynamic programming over the chain).

    The left association where a size is unknown, and where no other order is strictly cheaper.
    """
    chain = tuple(sizes)
    left = left_order(chain)
    if any(size is None for shape in sizes.values() for size in shape):
        return left

    @cache
    def best(first: int, last: int) -> Order:
        if first == last:
            return chain[first]
        splits = [(best(first, i), best(i + 1, last)) for i in range(first, last)]
        return min(splits, key=lambda order: multiply_adds(order, sizes))

    order = best(0, len(chain) - 1)
    return order if multiply_adds(order, sizes) < multiply_adds(left, sizes) else left


def plan(association: str, sizes: Sizes) -> Order:
    """The order that `association` ("auto", "left", "right") means for these sizes."""
    if association == "auto":
        return cheapest_order(sizes)
    return {"left": left_order, "right": right_order}[association](tuple(sizes))


def multiply(order: Order, matrices: Mapping[str, Any]) -> Any:
    """Multiplies the matrices, (B, rows, columns) or (rows, columns), in the given order."""
    if isinstance(order, str):
        return matrices[order]
    return ops.matmul(multiply(order[0], matrices), multiply(order[1], matrices))


def check_association(association: str) -> str:
    """Returns a known association; raises a `ValueError` for any other."""
    if association not in ASSOCIATIONS:
        raise ValueError(
            f"`association` must be one of {', '.join(map(repr, ASSOCIATIONS))}. "
            f"Received: association={association!r}"
        )
    return association

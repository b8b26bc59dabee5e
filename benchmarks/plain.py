"""Double attention as a user would write it, from the equations, in whatever framework.

Every variant computes X + V(BᵀA)W_out with A = X W_φ, B = softmax over positions of X W_θ and
V = softmax over descriptors of X W_ρ, for X (B, L, c). They differ in what is multiplied first and
in where the softmax over positions is divided by its sums. `VARIANTS` has them by name.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any


class Parts:
    """What the variants put together: inputs and kernels of θ, ρ and φ, the kernel of the output.

    Args:
        f: the framework, of frameworks.py.
        inputs: X, once, or what each of θ, ρ and φ multiplies.
        kernels: theta (c, n), rho (c, n), phi (c, m), output (m, c), or None for what is not to be
            multiplied here.
    """

    def __init__(self, f: Any, inputs: Sequence, kernels: Sequence):
        self.f, self.product = f, f.matmul
        self.x_theta, self.x_rho, self.x_phi = inputs
        self.theta, self.rho, self.phi, self.output = kernels

    @cached_property
    def logits(self) -> Any:
        return self.product(self.x_theta, self.theta)  # (B, L, n)

    @cached_property
    def gather(self) -> Any:
        return self.f.softmax(self.logits, 1)

    @cached_property
    def distribution(self) -> Any:
        return self.f.softmax(self.product(self.x_rho, self.rho), -1)

    @cached_property
    def values(self) -> Any:
        return self.product(self.x_phi, self.phi)

    def exponentials(self) -> tuple[Any, Any]:
        """Un-normalised, the largest one 1, (B, L, n), and their sums as a column, (B, n, 1)."""
        f = self.f
        weights = f.exp(self.logits - f.stop(f.top(self.logits, 1)))
        return weights, f.turn(f.total(weights, 1))

    def side_by_side(self) -> tuple[Any, Any, Any]:
        """Gather maps, distribution maps and values of one product with the three kernels."""
        f, n, m = self.f, self.theta.shape[-1], self.phi.shape[-1]
        together = self.product(self.x_phi, f.concat([self.theta, self.rho, self.phi], -1))
        gather, distribution, values = f.split(together, [n, n, m], -1)
        return f.softmax(gather, 1), f.softmax(distribution, -1), values

    def out(self, z: Any) -> Any:
        return z if self.output is None else self.product(z, self.output)


def naive(p: Parts) -> Any:
    """Eq. 6."""
    return p.out(p.product(p.distribution, p.product(p.gather, p.values, True)))


def folded(p: Parts) -> Any:
    """V (((Bᵀ X) W_φ) W_out)."""
    descriptors = p.product(p.product(p.gather, p.x_phi, True), p.phi)
    return p.product(p.distribution, p.out(descriptors))


def folded_t(p: Parts) -> Any:
    """Folded, the softmax over positions along the last axis of the transposed logits."""
    gather = p.f.softmax(p.f.turn(p.logits), -1)
    return p.product(p.distribution, p.out(p.product(p.product(gather, p.x_phi), p.phi)))


def left_out_t(p: Parts) -> Any:
    """V ((Bᵀ (X W_φ)) W_out), the softmax as folded_t's."""
    gather = p.f.softmax(p.f.turn(p.logits), -1)
    return p.product(p.distribution, p.out(p.product(gather, p.values)))


def deferred(p: Parts) -> Any:
    """Values first, un-normalised exponentials, divided after the gather."""
    weights, sums = p.exponentials()
    return p.product(p.distribution, p.out(p.product(weights, p.values, True) / sums))


def deferred_folded(p: Parts) -> Any:
    """Folded, un-normalised exponentials, divided after the gather."""
    weights, sums = p.exponentials()
    descriptors = p.product(p.product(weights, p.x_phi, True) / sums, p.phi)
    return p.product(p.distribution, p.out(descriptors))


def merged(p: Parts) -> Any:
    """One product with [W_θ W_ρ W_φ], then Eq. 6."""
    gather, distribution, values = p.side_by_side()
    return p.out(p.product(distribution, p.product(gather, values, True)))


def merged_out(p: Parts) -> Any:
    """One product with [W_θ W_ρ W_φ], (G W_out) before distributing."""
    gather, distribution, values = p.side_by_side()
    return p.product(distribution, p.out(p.product(gather, values, True)))


def products(p: Parts) -> Any:
    """The matrix products alone, in the order of fewer multiply-adds, without softmaxes."""
    (positions, c), n, m = p.x_phi.shape[1:], p.theta.shape[-1], p.phi.shape[-1]
    distribution = p.product(p.x_rho, p.rho)
    if n * (positions * c + c * m) > positions * m * (c + n):  # few positions: values first
        return p.out(p.product(distribution, p.product(p.logits, p.values, True)))
    descriptors = p.product(p.product(p.logits, p.x_phi, True), p.phi)
    return p.product(distribution, p.out(descriptors))


VARIANTS: dict[str, Callable[[Parts], Any]] = {
    each.__name__: each
    for each in (
        naive, folded, folded_t, left_out_t, deferred, deferred_folded, merged, merged_out, products
    )
}  # fmt: skip
# With BN–ReLU each projection has an input of its own: there is nothing to put side by side.
LINEAR_ONLY = ("merged", "merged_out")


def block(
    f: Any, variant: str, shape: Sequence[int], dtype: str, form: str, training: bool
) -> Callable:
    """The variant as a function of X (B, *spatial, c) and its weights, in the given dtype.

    Weights: the four kernels, and for the form "pre_activation" gamma, beta, mean and variance of
    the four batch normalisations, (4, c) or (4, m). In training mean and variance are the batch's.
    `products` has neither residual nor BN–ReLU.
    """
    flat_shape = (shape[0], -1, shape[-1])

    def linear(x: Any, weights: Sequence) -> Any:
        flat = f.reshape(x, flat_shape)
        y = VARIANTS[variant](Parts(f, [flat] * 3, [f.cast(w, dtype) for w in weights[:4]]))
        return f.reshape(y if variant == "products" else flat + y, tuple(shape))

    def pre_activation(x: Any, weights: Sequence) -> Any:
        flat = f.reshape(x, flat_shape)
        kernels = [f.cast(w, dtype) for w in weights[:4]]
        statistics = f.moments(flat) if training else None  # once, for three normalisations
        inputs = [_activated(f, flat, statistics, w, dtype) for w in weights[4:7]]
        z = VARIANTS[variant](Parts(f, inputs, [*kernels[:3], None]))
        z = _activated(f, z, f.moments(z) if training else None, weights[7], dtype)
        return f.reshape(flat + f.matmul(z, kernels[3]), tuple(shape))

    return linear if form == "linear" or variant == "products" else pre_activation


def _activated(f: Any, x: Any, statistics: tuple | None, weights: Any, dtype: str) -> Any:
    """BN → ReLU, in float32."""
    gamma, beta, *moving = (weights[i] for i in range(4))
    mean, variance = statistics or moving
    scale = f.rsqrt(variance + 1e-4) * gamma
    return f.cast(f.relu(f.cast(x, "float32") * scale + (beta - mean * scale)), dtype)


def non_local(f: Any, shape: Sequence[int], dtype: str) -> Callable:
    """The non-local block with the framework's fused attention, and the same kernels."""

    def function(x: Any, weights: Sequence) -> Any:
        flat = f.reshape(x, (shape[0], -1, shape[-1]))
        theta, rho, phi, output = (f.cast(w, dtype) for w in weights)
        z = f.attention(*(f.matmul(flat, kernel) for kernel in (theta, rho, phi)))
        return f.reshape(flat + f.matmul(z, output), tuple(shape))

    return function

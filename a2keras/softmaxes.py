"""The softmaxes of attention blocks: over positions or descriptors, masked, at least in float32."""

from typing import Any

from keras import ops

from a2keras.positions import at_least_float32

LEAST = -3e38  # nearly the least number of float32


def masked_softmax(logits: Any, keep: Any, axis: int) -> Any:
    """Softmax along an axis over what is to be kept; all zeros where that is nothing.

    Keras's own function, which every converter knows: a softmax that is written out divides by
    sums that a stock int8 conversion rounds to zero.

    Args:
        logits: of any precision; the softmax is taken in float32 or wider.
        keep: boolean, of a shape that broadcasts to the logits', or None.

    Returns:
        The weights, in the dtype of the logits.
    """
    weights = ops.softmax(_lowered(at_least_float32(logits), keep), axis=axis)
    return ops.cast(weights if keep is None else ops.where(keep, weights, 0.0), logits.dtype)


def _lowered(logits: Any, keep: Any) -> Any:
    """Logits, float32 or wider, that no softmax sees where `keep` is False.

    Finite, since the difference of two infinities is no number.
    """
    return logits if keep is None else ops.where(keep, logits, LEAST)


def gather_softmax(logits: Any, mask: Any = None) -> Any:
    """B of Eq. 4: softmax over positions, one map per descriptor.

    Args:
        logits: theta(X), (B, L, n).
        mask: (B, L), True where a position may be gathered from. An example whose positions are
            all masked gathers nothing: its maps are zero.

    Returns:
        (B, L, n) in the dtype of the logits; each column sums to 1 over L.
    """
    return masked_softmax(logits, _column(mask), axis=1)


def gather_exponentials(logits: Any, mask: Any = None) -> tuple[Any, Any]:
    """`gather_softmax` before its division, for gathering first and dividing what was gathered.

    That is n rows of descriptors instead of the maps, L rows: fewer passes over the positions, in
    the gradients too.

    Args:
        logits, mask: as for `gather_softmax`.

    Returns:
        weights (B, L, n) in the dtype of the logits, the largest one of each map 1, and their sums
        (B, n, 1), which are no less than 1, at least in float32.
    """
    keep = _column(mask)
    x = _lowered(at_least_float32(logits), keep)
    weights = ops.exp(x - ops.stop_gradient(ops.amax(x, axis=1, keepdims=True)))
    weights = weights if keep is None else ops.where(keep, weights, 0)
    sums = ops.sum(weights, axis=1)
    sums = sums if keep is None else ops.maximum(sums, 1)  # 0 where all positions are masked
    return ops.cast(weights, logits.dtype), ops.expand_dims(sums, -1)


def distribution_softmax(logits: Any) -> Any:
    """V of Eq. 5: softmax over the descriptors per position, (B, L, n)."""
    return masked_softmax(logits, None, axis=-1)


def _column(mask: Any) -> Any:
    """(B, L) → (B, L, 1), for all columns of (B, L, n)."""
    return None if mask is None else ops.expand_dims(mask, -1)

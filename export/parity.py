"""Does an artefact compute what its model computes? In numbers, on the same pixels."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

# Of class probabilities in float32. What was measured is around 1e-7; a wrong weight gives 1e-2.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Parity:
    """How far the probabilities of an artefact are from those of its Keras model.

    Attributes:
        samples: how many inputs were compared.
        max_error: largest absolute difference of a probability; NaN if either has a NaN.
        mean_error: mean absolute difference.
        top1_agreement: share of the samples with the same most probable class.
        tolerance: the largest `max_error` that passes.
    """

    samples: int
    max_error: float
    mean_error: float
    top1_agreement: float
    tolerance: float = TOLERANCE

    @property
    def passed(self) -> bool:
        return self.max_error <= self.tolerance  # false for NaN


def compare(expected: np.ndarray, actual: np.ndarray, tolerance: float = TOLERANCE) -> Parity:
    """Compares probabilities (samples, classes) of a model and of its artefact.

    Raises:
        ValueError: they differ in shape, or there are no samples.
    """
    if expected.shape != actual.shape or expected.ndim != 2 or expected.size == 0:
        raise ValueError(
            "`expected` and `actual` must both have shape (samples, classes). "
            f"Received: {expected.shape} and {actual.shape}"
        )
    error = np.abs(expected.astype(np.float64) - actual.astype(np.float64))
    return Parity(
        samples=len(expected),
        max_error=float(error.max()),
        mean_error=float(error.mean()),
        top1_agreement=float(np.mean(expected.argmax(-1) == actual.argmax(-1))),
        tolerance=tolerance,
    )


def natural_pixels(shape: tuple[int, ...], count: int, seed: int = 0) -> np.ndarray:
    """Random inputs that look like clouds: their spectrum falls with frequency, as pictures' does.

    White noise would do less: its pixels average out in the first layers, and every sample then
    gives much the same output.

    Args:
        shape: ([T,] H, W, 3).
        count: how many.
        seed: equal seeds give equal pixels.

    Returns:
        uint8 (count, *shape).
    """
    *spatial, channels = shape
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=(count, *spatial, channels))
    axes = tuple(range(1, 1 + len(spatial)))
    grids = np.meshgrid(*[np.fft.fftfreq(length) for length in spatial], indexing="ij")
    frequency = np.sqrt(sum(grid**2 for grid in grids))
    falling = np.maximum(frequency, 1 / max(spatial)) ** -1.5
    picture = np.fft.ifftn(np.fft.fftn(noise, axes=axes) * falling[..., None], axes=axes).real
    picture /= picture.std(axis=axes, keepdims=True) + 1e-9
    brightness = generator.uniform(64, 192, size=(count,) + (1,) * len(shape))
    return np.clip(np.round(brightness + 50 * picture), 0, 255).astype(np.uint8)


@contextlib.contextmanager
def full_float32() -> Iterator[None]:
    """Switches TensorFloat-32 off: on recent GPUs it would make the reference the rougher one."""
    import tensorflow as tf

    settings: Any = tf.config.experimental
    before = settings.tensor_float_32_execution_enabled()
    settings.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        settings.enable_tensor_float_32_execution(before)


def probabilities_of(
    compute: Callable[[np.ndarray], np.ndarray], samples: np.ndarray
) -> np.ndarray:
    """Runs samples one by one, so that memory does not grow with their number."""
    with full_float32():
        return np.concatenate([compute(sample[None].astype(np.float32)) for sample in samples])

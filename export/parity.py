"""Does an artefact compute what its model computes? In numbers, on the same pixels."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from a2keras.models.preprocessing.spec import THRESHOLD

Compute = Callable[[np.ndarray], np.ndarray]


class Signature(NamedTuple):
    """One way to ask an artefact, beside the one that its format's loader gives.

    Both functions take pixels, uint8 (1, *input_shape), to an array (1, …).
    """

    actual: Compute  # what the artefact gives
    expected: Compute  # what its model gives
    classes: bool = True  # whether these are probabilities; other numbers have no top-1


@dataclass(frozen=True)
class Tolerance:
    """How far an artefact may be from its model.

    Attributes:
        max_error: largest absolute difference of a probability. In float32 around 1e-7 was
            measured, and a wrong weight gives 1e-2.
        mean_error: largest mean of the absolute differences.
        top1_agreement: smallest share of the real samples with the same most probable class, or
            of multi-label models of their labels that are said of both or of neither. Random
            pixels do not count here: often no class is ahead.
    """

    max_error: float = 1e-4
    mean_error: float = 1e-4
    top1_agreement: float = 0.99


@dataclass(frozen=True)
class Parity:
    """How far the outputs of an artefact are from those of its Keras model.

    Attributes:
        samples: how many inputs were compared.
        real_samples: how many of them were no random pixels.
        max_error: largest absolute difference; NaN if either has a NaN.
        mean_error: mean absolute difference.
        top1_agreement: share of the samples with the same most probable class; of multi-label
            models of all labels of all samples those that are said of both or of neither; None for
            outputs that are no probabilities.
        real_top1_agreement: the same of the real samples alone; None where there are none.
    """

    samples: int
    real_samples: int
    max_error: float
    mean_error: float
    top1_agreement: float | None
    real_top1_agreement: float | None

    def failure(self, tolerance: Tolerance, multi_label: bool = False) -> str | None:
        """What is past the tolerance, in words; None if nothing is. A NaN is past any."""
        for what, value, most in (
            ("largest", self.max_error, tolerance.max_error),
            ("mean", self.mean_error, tolerance.mean_error),
        ):
            if not value <= most:
                return (
                    f"the {what} error is {value:.3g} over {self.samples} samples, "
                    f"the tolerance {most:g}"
                )
        agreement, least = self.real_top1_agreement, tolerance.top1_agreement
        if agreement is not None and agreement < least:
            return (
                f"{agreement:.1%} of {self.real_samples} real samples have the same "
                f"{'labels' if multi_label else 'most probable class'}, fewer than {least:.1%}"
            )
        return None


def compare(
    expected: np.ndarray,
    actual: np.ndarray,
    real: int = 0,
    classes: bool = True,
    multi_label: bool = False,
) -> Parity:
    """Compares outputs (samples, values) of a model and of its artefact.

    Args:
        expected: of the model.
        actual: of the artefact.
        real: how many of the samples, the last ones, are no random pixels.
        classes: whether the outputs are probabilities. The errors of others are told in units of
            the largest expected magnitude.
        multi_label: whether each is the probability of a label by itself.

    Raises:
        ValueError: they differ in shape, or there are no samples.
    """
    if expected.shape != actual.shape or expected.ndim != 2 or expected.size == 0:
        raise ValueError(
            "`expected` and `actual` must both have shape (samples, values). "
            f"Received: {expected.shape} and {actual.shape}"
        )
    error = np.abs(expected.astype(np.float64) - actual.astype(np.float64))
    if not classes:
        error /= max(float(np.abs(expected).max()), 1e-12)
    same = expected.argmax(-1) == actual.argmax(-1)
    if multi_label and classes:
        same = ((expected >= THRESHOLD) == (actual >= THRESHOLD)).mean(-1)
    return Parity(
        samples=len(expected),
        real_samples=real,
        max_error=float(error.max()),
        mean_error=float(error.mean()),
        top1_agreement=float(same.mean()) if classes else None,
        real_top1_agreement=float(same[-real:].mean()) if classes and real else None,
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


def outputs_of(compute: Compute, samples: np.ndarray) -> np.ndarray:
    """Runs samples one by one, so that memory does not grow with their number.

    Args:
        compute: from pixels (1, *input_shape), of the type of `samples`, to an array (1, …).
        samples: (samples, *input_shape).

    Returns:
        (samples, values).
    """
    with full_float32():
        outputs = [np.asarray(compute(sample[None])) for sample in samples]
        return np.concatenate([output.reshape(1, -1) for output in outputs])

"""Is a network right as often as it says? Its confidence against its accuracy, bin by bin."""

from typing import Any, TypedDict

import numpy as np

BINS = 10


class Calibration(TypedDict):
    """See `calibration`."""

    expected_calibration_error: float
    bins: list[dict[str, Any]]


def calibration(probabilities: np.ndarray, labels: np.ndarray) -> Calibration:
    """The reliability diagram in numbers, and the expected calibration error (Guo et al., 2017).

    Args:
        probabilities: (N, classes). The confidence is that of the likeliest class.
        labels: int (N,).

    Returns:
        `expected_calibration_error`, the mean difference of confidence and accuracy over the bins,
        each weighted by its examples; and `bins`, equally wide ones from 0 to 1, without those that
        are empty: `above` and `up_to`, `examples`, their mean `confidence` and their `accuracy`.
    """
    return reliability(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)


def reliability(confidence: np.ndarray, right: np.ndarray) -> Calibration:
    """As `calibration`, of probabilities (n,) and of whether what each of them is of is so: (n,).

    Of multi-label data these are all labels of all examples: then a bin's `accuracy` is how often
    a label is there.
    """
    confidence = confidence.astype("float64")
    edges = np.linspace(0, 1, BINS + 1)
    member = np.searchsorted(edges[1:-1], confidence)  # an edge belongs to the bin below it
    bins, error = [], 0.0
    for number in np.unique(member):
        of_bin = member == number
        mean, accuracy = float(confidence[of_bin].mean()), float(right[of_bin].mean())
        error += float(of_bin.mean()) * abs(accuracy - mean)
        bins.append(
            {
                "above": round(float(edges[number]), 4),
                "up_to": round(float(edges[number + 1]), 4),
                "examples": int(of_bin.sum()),
                "confidence": mean,
                "accuracy": accuracy,
            }
        )
    return {"expected_calibration_error": error, "bins": bins}

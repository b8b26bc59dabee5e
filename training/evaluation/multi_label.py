"""Scores of examples that have any number of labels: mAP and F1, and a table of the classes."""

from typing import Any, NotRequired

import numpy as np
from typing_extensions import TypedDict

from a2keras.cells import csv_text
from a2keras.errors import printable
from a2keras.models.preprocessing.spec import THRESHOLD
from a2keras.training.data.source import Skipped
from a2keras.training.evaluation.calibration import reliability
from a2keras.training.labelling import average_precisions, f1, mean_average_precision

MEASURES = ("mAP", "clip_mAP", "micro_f1", "macro_f1")  # in the order in which they are told


class ClassScores(TypedDict):
    """Of a class; `average_precision` is None where no example has it."""

    examples: int
    average_precision: float | None
    precision: float
    recall: float
    f1: float


class MultiLabelEvaluation(TypedDict):
    """What an ablation reads again of a run's evaluation.json."""

    data: str
    split: str
    split_rule: str
    fingerprint: str
    groups: NotRequired[list[str]]
    examples: int
    skipped: list[Skipped]
    mAP: float
    clip_mAP: NotRequired[float]
    micro_f1: float
    macro_f1: float
    chance_mAP: float
    per_class: dict[str, ClassScores]
    protocol: list[str]


def scores(final: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]) -> dict[str, Any]:
    """What a network says of examples against what is there; a label is said from `THRESHOLD` on.

    Args:
        final: (N, classes), the mean probabilities of every example's views.
        labels: bool (N, classes).
        classes: their names.

    Returns:
        `mAP` (the mean over the classes that occur of scikit-learn's `average_precision_score`),
        `micro_f1` and `macro_f1` (its `f1_score`, over the classes that occur or are said),
        `chance_mAP` (what guessing gives: the mean share of the examples that have a class),
        `per_class` and `calibration`, of all labels of all examples.
    """
    shares = labels.mean(axis=0)
    return {
        "mAP": mean_average_precision(labels, final),
        "micro_f1": f1(labels, final, "micro"),
        "macro_f1": f1(labels, final, "macro"),
        "chance_mAP": float(shares[shares > 0].mean()) if labels.any() else 0.0,
        "per_class": _per_class(final, labels, classes),
        "calibration": reliability(final.ravel(), labels.ravel()),
    }


def _per_class(
    final: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]
) -> dict[str, ClassScores]:
    said = final >= THRESHOLD
    right = (said & labels).sum(axis=0)
    there, told = labels.sum(axis=0), said.sum(axis=0)
    precisions = average_precisions(labels, final)
    return {
        name: {
            "examples": int(there[i]),
            "average_precision": round(float(precisions[i]), 4) if there[i] else None,
            "precision": round(float(right[i] / max(told[i], 1)), 4),
            "recall": round(float(right[i] / max(there[i], 1)), 4),
            "f1": round(float(2 * right[i] / max(there[i] + told[i], 1)), 4),
        }
        for i, name in enumerate(classes)
    }


def class_table(document: dict[str, Any]) -> str:
    """`per_class` as CSV: a line for each class, and a heading."""
    heading = ["class", *ClassScores.__annotations__]
    rows = [[name, *of_class.values()] for name, of_class in document["per_class"].items()]
    return csv_text([heading, *rows])


def lines(document: dict[str, Any]) -> list[str]:
    """The scores as lines for a person."""
    of_all = [
        *((key.replace("_f1", " F1"), document[key]) for key in MEASURES if key in document),
        ("calibration error", document["calibration"]["expected_calibration_error"]),
        ("mAP by chance", document["chance_mAP"]),
    ]
    names = [f"  {printable(name)}" for name in document["per_class"]]
    width = max(map(len, [*(name for name, _ in of_all), *names]))
    heading = f"{'class':<{width}}  {'AP':>7}  precision   recall       F1  examples"
    rows = [f"{name:<{width}}  {value:7.2%}" for name, value in of_all]
    for name, each in zip(names, document["per_class"].values(), strict=True):
        average = each["average_precision"]
        rows.append(
            f"{name:<{width}}  {'–' if average is None else f'{average:.2%}':>7}  "
            f"{each['precision']:9.2%}  {each['recall']:7.2%}  {each['f1']:7.2%}  "
            f"{each['examples']:8}"
        )
    return [*rows[: len(of_all)], heading, *rows[len(of_all) :]]

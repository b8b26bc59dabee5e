"""From class probabilities to accuracies, and what it takes to judge them, in numbers and words."""

import statistics
from collections.abc import Mapping
from typing import Any, NotRequired

import numpy as np
from typing_extensions import TypedDict

from a2keras.errors import UserError, counted, printable
from a2keras.training.config import Recipe
from a2keras.training.data.source import Skipped
from a2keras.training.evaluation import multi_label
from a2keras.training.evaluation.calibration import Calibration, calibration
from a2keras.training.labelling import mean_average_precision

# In the order in which they are told.
ACCURACIES = ("top1", "top5", "clip@1", "clip@5", "video@1", "video@5")

# What an ablation reads again of a run's evaluation.json.
Evaluation = TypedDict(
    "Evaluation",
    {
        "data": str,
        "split": str,
        "split_rule": str,
        "fingerprint": str,
        "groups": NotRequired[list[str]],
        "examples": int,
        "skipped": list[Skipped],
        "top1": float,
        "top5": NotRequired[float],
        "clip@1": NotRequired[float],
        "clip@5": NotRequired[float],
        "video@1": NotRequired[float],
        "video@5": NotRequired[float],
        "majority_rate": float,
        "per_class": dict[str, float],
        "protocol": list[str],
        "confusion": list[list[int]],
    },
)


class Scores(Evaluation):
    """evaluation.json: how good a run is, and what it takes to judge the number, see `scores`.

    Of multi-label data it has what `MultiLabelEvaluation` has, `mAP` and others, and none of the
    accuracies and of the confusion matrix.
    """

    run: str
    balanced_accuracy: float
    macro_f1: float
    weighted_f1: float
    calibration: Calibration
    warning: str | None
    mAP: NotRequired[float]
    clip_mAP: NotRequired[float]
    micro_f1: NotRequired[float]
    chance_mAP: NotRequired[float]


class Spread(TypedDict):
    """Mean and sample standard deviation; of a single value there is no deviation."""

    mean: float
    std: float | None


class Folds(TypedDict):
    """folds.json: several runs as folds of one data set; `mean` by measure, such as "top1"."""

    mean: dict[str, Spread]
    examples: int
    skipped: int
    protocol: list[str]
    folds: list[Scores]


def scores(
    probabilities: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], recipe: Recipe
) -> dict[str, Any]:
    """Accuracies and the confusion matrix.

    Args:
        probabilities: (N, views, classes): the middle clip's centre crop, and where several views
            are averaged these views after it.
        labels: int (N,); of multi-label data bool (N, classes).
        classes: their names.
        recipe: says whether the task is a video's, and which views there are.

    Returns:
        `top1`, `balanced_accuracy` (mean over the classes that occur), `per_class`,
        `macro_f1` and `weighted_f1` (scikit-learn's `f1_score`, over the classes that occur or are
        predicted), `majority_rate` (of always answering the most frequent class), `protocol`,
        `confusion` (rows: true classes), `calibration` and, for videos, `clip@1` and `video@1`, of
        which the latter is what the other numbers are about. With more than five classes also
        `top5`, `clip@5`, `video@5`. Of multi-label data see `multi_label.scores`; for videos
        `clip_mAP` is the middle clip's.

    Raises:
        UserError: probabilities that are not numbers, which would count as right among five.
    """
    from sklearn.metrics import f1_score

    if not np.isfinite(probabilities).all():
        raise UserError("the network's outputs are not numbers: it has diverged")
    final = mean_of_views(probabilities)
    if recipe.multi_label:
        document = multi_label.scores(final, labels, classes)
        if recipe.task == "video":
            document["clip_mAP"] = mean_average_precision(labels, probabilities[:, 0])
        return {**document, "protocol": protocol(recipe, len(classes))}
    kinds = {"top": final}
    if recipe.task == "video":
        kinds |= {"clip@": probabilities[:, 0], "video@": final}
    ranks = (1, 5) if len(classes) > 5 else (1,)
    accuracies = {
        f"{kind}{rank}": among_first(values, labels, rank)
        for kind, values in kinds.items()
        for rank in ranks
    }
    confusion = np.zeros((len(classes), len(classes)), int)
    np.add.at(confusion, (labels, final.argmax(axis=1)), 1)
    totals = confusion.sum(axis=1)
    seen = totals > 0
    recalls = confusion.diagonal()[seen] / totals[seen]
    f1 = {
        f"{average}_f1": float(
            f1_score(labels, final.argmax(axis=1), average=average, zero_division=0)
        )
        for average in ("macro", "weighted")
    }
    return {
        **accuracies,
        "balanced_accuracy": float(recalls.mean()),
        **f1,
        "majority_rate": float(totals.max() / len(labels)),
        "per_class": dict(
            zip(np.array(classes)[seen].tolist(), recalls.round(4).tolist(), strict=True)
        ),
        "protocol": protocol(recipe, len(classes)),
        "confusion": confusion.tolist(),
        "calibration": calibration(final, labels),
    }


def mean_of_views(probabilities: np.ndarray) -> np.ndarray:
    """What is scored: the mean over the views that are averaged, (N, classes).

    Args:
        probabilities: see `scores`.
    """
    return (probabilities[:, 1:] if probabilities.shape[1] > 1 else probabilities).mean(axis=1)


def among_first(probabilities: np.ndarray, labels: np.ndarray, rank: int) -> float:
    """The share of examples whose class is among the `rank` most probable; of equals the first."""
    first = np.argsort(-probabilities, axis=1, kind="stable")[:, :rank]
    return float((first == labels[:, None]).any(axis=1).mean())


def protocol(recipe: Recipe, classes: int) -> list[str]:
    """Which views of an example are scored, and how they are averaged, in words."""
    whole = recipe.fit == "letterbox"
    crop = "whole frame, padded" if whole else "centre crop"
    crops = crop if recipe.crops == 1 else f"{recipe.crops} crops along the longer side"

    def names(kind: str) -> str:
        if recipe.multi_label:
            return "clip_mAP" if kind == "clip@" else "mAP and F1"
        return f"{kind}1 and {kind}5" if classes > 5 else f"{kind}1"

    if recipe.task == "image":
        mean = "" if recipe.crops == 1 else "mean probabilities of "
        return [f"{names('top-')}: {mean}{crops}"]
    clip = f"{recipe.frames} frames, stride {recipe.stride}"
    clips = counted(recipe.views, "evenly spaced clip")
    return [
        f"{names('clip@')}: the middle clip of {clip}, {crop}",
        f"{names('video@')}: mean probabilities of {clips} × {crops}",
    ]


def spread(values: list[float]) -> Spread:
    """Mean and sample standard deviation; of a single value there is no deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "std": deviation}


def percent(mean: float, deviation: float | None = None) -> str:
    """`63.1 ± 2.2 %`, or without a deviation where there is none."""
    spread = "" if deviation is None else f" ± {100 * deviation:.1f}"
    return f"{100 * mean:.1f}{spread} %"


def measures_of(document: Mapping[str, Any]) -> list[str]:
    """What of a run's scores is told together with those of others."""
    several = multi_label.MEASURES if "mAP" in document else (*ACCURACIES, "balanced_accuracy")
    return [name for name in several if name in document]


def headline(document: Mapping[str, Any], is_video: bool) -> str:
    """The score that counts, and of what, in a few words."""
    name, key = "video@1" if is_video else "top-1", "top1"
    if "mAP" in document:
        name = key = "mAP"
    return f"{name} {document[key]:.1%} of {document['examples']} {document['split']} examples"


def table(document: dict) -> str:
    """The scores of one run as lines for a person."""
    lines = _lines(document) if "mAP" not in document else multi_label.lines(document)
    return "\n".join(
        [
            f"{counted(document['examples'], 'example')} of the {document['split']} split "
            f"({document['split_rule']})",
            *provenance(document),
            *lines,
            *document["protocol"],
        ]
    )


def _lines(document: dict) -> list[str]:
    rows = [
        *((key, document[key]) for key in ACCURACIES if key in document),
        ("balanced accuracy", document["balanced_accuracy"]),
        ("macro F1", document["macro_f1"]),
        ("weighted F1", document["weighted_f1"]),
        ("calibration error", document["calibration"]["expected_calibration_error"]),
        ("always the most frequent class", document["majority_rate"]),
        *((f"  {printable(name)}", value) for name, value in document["per_class"].items()),
    ]
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {value:7.2%}" for name, value in rows]


def provenance(document: dict) -> list[str]:
    """On which files a score stands: without it two scores cannot be compared."""
    skipped = counted(len(document["skipped"]), "file")
    lines = [f"file list {document['fingerprint']}, {skipped} skipped"]
    return lines + ([document["warning"]] if document.get("warning") else [])

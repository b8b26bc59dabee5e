"""Charts of a run: curves, confusion matrix, calibration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from a2keras.drawing import drawable, figure, title_in_lines
from a2keras.training.labelling import words_of

INK, MUTED, BLUE, ORANGE = "#1f2933", "#7b8794", "#2f6fbb", "#d9730d"


def draw_curves(history: list[dict], figures: Sequence[str], path: Path) -> None:
    """Draws loss, figures such as the accuracy, and learning rate over the epochs."""
    keys = ["loss", *figures, "learning_rate"]
    with figure(path, 1, len(keys), size=(13 * len(keys) / 3, 3.8), dpi=130) as (_, axes):
        style = {"lw": 2, "marker": "o", "ms": 3.5 if len(history) <= 60 else 0}
        for axis, key in zip(axes, keys, strict=True):
            for name, label, colour in (
                (key, "training", BLUE),
                (f"validation_{key}", "validation", ORANGE),
            ):
                known = [line for line in history if name in line]
                values = [line[name] for line in known]
                at = [line["epoch"] for line in known]
                if known:
                    axis.plot(at, values, color=colour, label=label, **style)
            if any(f"validation_{key}" in line for line in history):
                axis.legend(frameon=False)
            title = words_of(key)
            axis.set_title(
                title[0].upper() + title[1:] if key != "mAP" else title,
                loc="left",
                color=INK,
                fontweight="bold",
            )
            axis.set_xlabel("epoch", color=MUTED)
            axis.grid(color="#e4e7eb")
            axis.set_axisbelow(True)
            axis.tick_params(colors=MUTED)
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.spines[["top", "right"]].set_visible(False)
        for axis in axes[1:-1]:
            axis.set_ylim(None, 1.01)
        axes[-1].set_ylim(0, None)


NUMBERED, NAMED = 30, 100  # classes: of more, numbers in the cells or names could not be read
PAIRS = 30  # that are named beside the matrix


def draw_confusion(matrix: np.ndarray, classes: tuple[str, ...], title: str, path: Path) -> None:
    """Draws a confusion matrix: rows are true classes, shades are shares of the row.

    Where the cells have no numbers, the most frequent confusions stand beside it.
    """
    from matplotlib.colors import PowerNorm

    count = len(classes)
    named = count <= NAMED
    side = min(max(4.5, 2.2 + 0.55 * count), 20) if named else 13
    wrong = confusions(matrix, classes) if count > NUMBERED else []
    beside = 6.5 if wrong else 0
    shape, ratios = (1, 2 if beside else 1), [side, beside] if beside else [1]
    size = (side + 0.8 + beside, side + (0.7 if beside else 0))
    with figure(path, *shape, size=size, dpi=130, squeeze=False, width_ratios=ratios) as (
        drawing,
        ((axis, *texts),),
    ):
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        # Of many classes the cells are small: rare confusions are to be seen, too.
        image = axis.imshow(shares, cmap="Blues", norm=PowerNorm(1 if named else 0.5, 0, 1))
        drawing.colorbar(image, ax=axis, label="share of the true class", shrink=0.8, aspect=30)
        if count <= NUMBERED:
            for row, column in np.ndindex(count, count):
                if matrix[row, column]:
                    colour = "white" if shares[row, column] > 0.5 else INK
                    axis.text(
                        column, row, matrix[row, column], ha="center", va="center", color=colour
                    )
        if named:
            names = [drawable(name, 30) for name in classes]
            axis.set_xticks(range(count), names, rotation=45, ha="right", rotation_mode="anchor")
            axis.set_yticks(range(count), names)
        by_number = "" if named else ", by its number"
        axis.set_xlabel(f"predicted class{by_number}")
        axis.set_ylabel(f"true class{by_number}")
        title = title_in_lines(title, size[0], 12)
        drawing.suptitle(title, x=0.01, ha="left", color=INK, fontweight="bold", fontsize=12)
        for text in texts:
            text.set_axis_off()
            lines = "\n".join(["Most often confused:", *wrong])
            text.text(0, 1, lines, va="top", color=INK, linespacing=1.7, transform=text.transAxes)


def confusions(matrix: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """The pairs of classes that are confused most often, in words; the more usual ones first."""
    wrong = matrix * (1 - np.eye(len(classes), dtype=int))
    of_class = matrix.sum(axis=1)
    rows, columns = np.nonzero(wrong)
    counts = wrong[rows, columns]
    order = np.lexsort((-counts / of_class[rows], -counts))[:PAIRS]
    numbers = len(classes) > NAMED

    def name(label: int) -> str:
        return f"{label} " * numbers + drawable(classes[label], 24).strip()

    return [
        f"{counts[i]} of {of_class[rows[i]]}: {name(rows[i])} → {name(columns[i])}" for i in order
    ]


def draw_calibration(document: dict[str, Any], of: str, path: Path) -> None:
    """Draws the reliability diagram, and how many examples are in each of its bins.

    Args:
        document: see `calibration`.
        of: what the confidence is the probability of.
        path: the PNG to write.
    """
    with figure(path, 2, 1, size=(5.2, 6), dpi=130, sharex=True, height_ratios=(3, 1)) as (_, axes):
        bins = document["bins"]
        left, right = ([each[side] for each in bins] for side in ("above", "up_to"))
        widths = [high - low for low, high in zip(left, right, strict=True)]
        bars = {"width": widths, "align": "edge", "edgecolor": "white"}
        axes[0].bar(left, [each["accuracy"] for each in bins], color=BLUE, label="accuracy", **bars)
        axes[0].plot([0, 1], [0, 1], color=MUTED, ls="--", lw=1.5, label="as often as it says")
        means = [each["confidence"] for each in bins]
        accuracies = [each["accuracy"] for each in bins]
        axes[0].vlines(means, accuracies, means, color=ORANGE, lw=3, label="difference")
        axes[0].set_ylabel("accuracy", color=MUTED)
        axes[0].set_ylim(0, 1.02)
        axes[0].legend(frameon=False, loc="upper left")
        error = document["expected_calibration_error"]
        title = f"Expected calibration error {error:.1%}"
        axes[0].set_title(title, loc="left", color=INK, fontweight="bold")
        axes[1].bar(left, [each["examples"] for each in bins], color=MUTED, **bars)
        axes[1].set_ylabel("examples", color=MUTED)
        axes[1].set_xlabel(f"confidence: probability of {of}", color=MUTED)
        axes[1].set_xlim(0, 1)
        for axis in axes:
            axis.spines[["top", "right"]].set_visible(False)
            axis.tick_params(colors=MUTED)

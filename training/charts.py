"""Charts of a run: curves, confusion matrix, calibration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from a2keras.drawing import drawable, figure
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


def draw_confusion(matrix: np.ndarray, classes: tuple[str, ...], title: str, path: Path) -> None:
    """Draws a confusion matrix: rows are true classes, shades are shares of the row."""
    count = len(classes)
    side = min(max(4.5, 2.2 + 0.55 * count), 20)
    with figure(path, size=(side + 0.8, side), dpi=130) as (drawing, axis):
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        drawing.colorbar(image, ax=axis, label="share of the true class", shrink=0.8)
        if count <= 30:  # more numbers could not be read
            for row, column in np.ndindex(count, count):
                if matrix[row, column]:
                    colour = "white" if shares[row, column] > 0.5 else INK
                    axis.text(
                        column, row, matrix[row, column], ha="center", va="center", color=colour
                    )
        names = [drawable(name, 30) for name in classes]
        axis.set_xticks(range(count), names, rotation=45, ha="right", rotation_mode="anchor")
        axis.set_yticks(range(count), names)
        axis.set_xlabel("predicted class")
        axis.set_ylabel("true class")
        axis.set_title(title, loc="left", color=INK, fontweight="bold")


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

"""A video's classes over time: the probabilities of sliding clips, in JSON, CSV and a picture."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from a2keras.cells import csv_text
from a2keras.console import progress
from a2keras.documents import write_json
from a2keras.drawing import drawable, figure
from a2keras.errors import counted, printable
from a2keras.export.predict import Artefact
from a2keras.files import write_text, writing_to
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.places import Path_
from a2keras.models.preprocessing.spec import THRESHOLD
from a2keras.models.preprocessing.windows import sliding_clips

MAX_NUMBERS = 50_000_000  # probabilities in memory: 200 MB
# Okabe's and Ito's colours, which the colour-blind can tell apart; without black and yellow.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D31")
INK, MUTED, REST = "#1f2933", "#7b8794", "#e4e7eb"


@dataclass(frozen=True)
class Timeline:
    """Class probabilities of the clips of a video.

    Attributes:
        file: the video.
        labels: of the classes.
        times: float64 (clips,), seconds: the middle of each clip, by the file's own time stamps.
        probabilities: float32 (clips, classes).
        every: seconds from clip to clip, as asked for.
        seconds: from the first to the last frame of a clip.
        clock: see `Windows.clock`.
        multi_label: whether each is the probability of a label by itself.
    """

    file: str
    labels: tuple[str, ...]
    times: np.ndarray
    probabilities: np.ndarray
    every: float
    seconds: float
    clock: str
    multi_label: bool = False

    def __repr__(self) -> str:
        labels = ", ".join(dict.fromkeys(each["label"] for each in self.segments()))
        clips = f"{counted(len(self.times), 'clip')} of {self.seconds:.2f} s"
        return f"<Timeline {self.file!r}: {clips}, every {self.every:g} s: {labels}>"

    def segments(self) -> list[dict[str, Any]]:
        """Stretches of time in which one class is the most probable, or a label is said.

        Returns:
            In order: `from` and `to` (seconds; where two meet, the middle between their clips; a
            single frame stands for what is nearer to it than to others), `label`, `probability`
            (the mean over the clips). Those of a multi-label model, from `THRESHOLD` on, may
            overlap.
        """
        if not self.multi_label:
            return self._stretches(self.probabilities.argmax(axis=1))
        said = self.probabilities >= THRESHOLD
        found = [
            each
            for label in np.flatnonzero(said.any(axis=0))
            for each in self._stretches(np.where(said[:, label], label, -1))
        ]
        return sorted(found, key=lambda each: (each["from"], each["to"]))

    def _stretches(self, best: np.ndarray) -> list[dict[str, Any]]:
        """Of the class of every clip, int (clips,), its stretches; -1 is none."""
        first = np.flatnonzero(np.diff(best, prepend=-2))
        last = np.append(first[1:], len(best)) - 1
        borders = (self.times[first[1:]] + self.times[last[:-1]]) / 2
        start, end = self._ends()
        borders = np.array([start, *borders, end])
        return [
            {
                "from": round(float(borders[number]), 3),
                "to": round(float(borders[number + 1]), 3),
                "label": self.labels[best[begin]],
                "probability": round(
                    float(self.probabilities[begin : end + 1, best[begin]].mean()), 6
                ),
            }
            for number, (begin, end) in enumerate(zip(first, last, strict=True))
            if best[begin] >= 0
        ]

    def _ends(self) -> tuple[float, float]:
        """Seconds at which the first clip begins and the last one ends."""
        half = (self.seconds or self._step()) / 2
        return max(self.times[0] - half, 0.0), self.times[-1] + half

    def _step(self) -> float:
        """Seconds from clip to clip: `every`, or what is between frames where that is more."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else self.every

    def document(self) -> dict[str, Any]:
        """Everything, as JSON holds it; times in seconds."""
        return {
            "file": self.file,
            "every": self.every,
            "clip_seconds": round(self.seconds, 6),
            "clock": self.clock,
            "segments": self.segments(),
            "labels": list(self.labels),
            "times": [round(float(time), 6) for time in self.times],
            "probabilities": [
                [round(float(value), 6) for value in row] for row in self.probabilities
            ],
        }

    def csv(self) -> str:
        """A row for every clip: its time in seconds, and the probability of every class."""
        document = self.document()
        rows = zip(document["times"], document["probabilities"], strict=True)
        heading = ["time", *map(printable, self.labels)]
        return csv_text([heading, *([time, *values] for time, values in rows)])

    def save(self, directory: str | Path) -> None:
        """Writes `timeline.json`, `timeline.csv` and `timeline.png` into a directory.

        Raises:
            UserError: it cannot be written.
        """
        directory = Path(directory)
        with writing_to(directory):
            directory.mkdir(parents=True, exist_ok=True)
            write_json(directory / "timeline.json", self.document())
            write_text(directory / "timeline.csv", self.csv())
            self.draw(directory / "timeline.png")

    def draw(self, path: Path) -> None:
        """Draws the probabilities of the classes with the highest peaks, one above the other.

        Those of a multi-label model do not add up to 1: they are lines, from a common floor.
        """
        chosen = self._highest(len(COLOURS))
        values = [self.probabilities[:, index] for index in chosen]
        names = [drawable(self.labels[index]) for index in chosen]
        colours = list(COLOURS[: len(chosen)])
        others = 0 if self.multi_label else len(self.labels) - len(chosen)
        if others:
            values.append(np.clip(1 - np.sum(values, axis=0), 0, 1))
            names.append(counted(others, "other"))
            colours.append(REST)
        # Steps: what lies between two clips is nobody's prediction.
        start, end = self._ends()
        times = np.array([start, *self.times, end])
        values = [np.concatenate([each[:1], each, each[-1:]]) for each in values]
        with figure(path, size=(9, 3.2), dpi=110) as (_, axis):
            if self.multi_label:
                for each, name, colour in zip(values, names, colours, strict=True):
                    axis.step(times, each, where="mid", label=name, color=colour, lw=2)
                axis.axhline(THRESHOLD, color=MUTED, lw=1, ls="--")
            else:
                axis.stackplot(times, *values, labels=names, colors=colours, step="mid", lw=0)
            axis.set(xlim=(start, end), ylim=(0, 1))
            axis.set_xlabel("seconds", color=MUTED)
            axis.set_ylabel("probability", color=MUTED)
            axis.tick_params(colors=MUTED)
            axis.spines[["top", "right"]].set_visible(False)
            title = drawable(Path(self.file).name, 80)
            axis.set_title(title, loc="left", color=INK, fontweight="bold")
            axis.legend(
                frameon=False,
                loc="upper left",
                bbox_to_anchor=(1.01, 1),
                reverse=not self.multi_label,
            )

    def _highest(self, most: int) -> np.ndarray:
        """The classes that are most probable somewhere, in the order in which they come.

        What rounds to 0 % everywhere is none of them, but for the first.
        """
        peaks = self.probabilities.max(axis=0).round(2)
        order = np.lexsort((-self.probabilities.mean(axis=0), -peaks))
        order = order[: min(most, max(1, np.count_nonzero(peaks)))]
        return order[np.argsort(self.probabilities[:, order].argmax(axis=0), kind="stable")]


def timeline(artefact: Artefact, file: Path_, every: float = 1.0, crops: int = 1) -> Timeline:
    """Classifies clips of a video that start every so many seconds.

    For a network that takes images, each is one frame. Memory holds the clips that overlap, however
    long the video is.

    Args:
        artefact: the model.
        file: the video.
        every: seconds, more than 0; no two clips start at the same frame.
        crops: of each clip, 1 or 3, whose probabilities are averaged.

    Raises:
        DecodeError: the file does not decode, see `Windows`, or its clips and the classes are too
            many.
        ValueError: other crops than the preprocessing can make.
        UserError: what the model gives is NaN.
    """
    preprocessing = artefact.preprocessing
    stride = preprocessing.stride if preprocessing.is_video else 1
    windows = artefact.windows(file, sliding_clips(every, preprocessing.frames or 1, stride))
    total, labels = len(windows), preprocessing.labels
    if total * len(labels) > MAX_NUMBERS:
        raise DecodeError(
            file, f"gives {total} clips of {len(labels)} classes: make them fewer by `every`"
        )
    bar = progress(windows, "predict", "clip", total)
    return Timeline(
        file=os.fsdecode(file),
        labels=labels,
        times=windows.times,
        probabilities=np.stack(list(artefact.over_time(bar, crops))),
        every=every,
        seconds=windows.seconds,
        clock=windows.clock,
        multi_label=preprocessing.multi_label,
    )

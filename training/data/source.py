"""What the run asks of any data: labelled examples that can be read in any order."""

import copy
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from a2keras.training.data.labels import are_sets, counts
from a2keras.training.data.reading import Kept

Choose = Callable[[Any], Any]  # number of frames of a video → int64 (T,), those of the clip


class Examples(ABC):
    """A numbered set of images or videos.

    Random access is what makes the order of training a function of (seed, epoch, step) alone.

    Attributes:
        labels: int64 (N,), the class of every example, or bool (N, classes), see `labels`.
        names: what to call each example in a report: its path, or a description.
        is_video: whether an example is (T, H, W, 3) or (H, W, 3).
    """

    labels: np.ndarray
    names: tuple[str, ...]
    is_video: bool

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def frames(self, index: int) -> np.ndarray:
        """The example as `predict` would see it: uint8 (H, W, 3), or (T, H, W, 3) of all frames."""

    def with_labels(self, labels: np.ndarray) -> Self:
        """The same examples with other numbers for their classes, see `labels`."""
        found = copy.copy(self)
        found.labels = labels
        return found

    def identities(self) -> list[str] | None:
        """What tells each example from all others, in any source; None where only names do."""
        return None

    def path(self, index: int) -> str | None:
        """The file that an example is, or is a part of; None where it is none of its own."""
        return None

    def training_frames(self, index: int) -> np.ndarray:
        """As `frames`, but what training can do with: possibly smaller and kept in memory."""
        return self.frames(index)

    def keys(self, indices: Any) -> Any:
        """What `load_clip` takes for examples, int64 (K,): the indices, or what is read together.

        Within a tf.data graph, too.
        """
        return indices

    def stacked(self) -> tuple[Any, np.ndarray] | None:
        """Images of one size in memory: uint8 (M, H, W, 3), and which of them is each example.

        None where there are no such.
        """
        return None

    def load(self, index: Any) -> Any:
        """The training frames of example `index` as a tensor, within a tf.data graph."""
        import tensorflow as tf

        frames = tf.numpy_function(self.training_frames, [index], "uint8")
        frames.set_shape((None,) * self.is_video + (None, None, 3))
        return frames

    def load_clip(self, key: Any, choose: Choose) -> Any:
        """The training frames that `choose` takes; an image is taken whole. See `keys`."""
        frames = self.load(key)
        if not self.is_video:
            return frames
        import tensorflow as tf

        return tf.gather(frames, choose(tf.shape(frames, out_type="int64")[0]))


class ArrayExamples(Examples):
    """Images of one size in memory: uint8 (N, H, W, 3)."""

    is_video = False

    def __init__(self, images: np.ndarray, labels: np.ndarray, names: tuple[str, ...]) -> None:
        self.kept = Kept.of(images)
        self.labels = labels.astype(bool if are_sets(labels) else "int64")
        self.names = names

    def frames(self, index: int) -> np.ndarray:
        return self.kept[index]

    def load(self, index: Any) -> Any:
        return self.kept.load(index)

    def stacked(self) -> tuple[Any, np.ndarray] | None:
        return self.kept.stacked()


def fingerprints_of(examples: Examples, of_source: str) -> list[str]:
    """Twelve hexadecimal digits for every example, the same for the same example elsewhere.

    Args:
        examples: of a source.
        of_source: its fingerprint, for examples that have nothing but a name in it.
    """
    identities = examples.identities()
    if identities is None:
        identities = [f"{of_source}\t{name}" for name in examples.names]
    encoded = [identity.encode(errors="surrogateescape") for identity in identities]
    return [hashlib.sha256(identity).hexdigest()[:12] for identity in encoded]


@dataclass(frozen=True)
class Skipped:
    """A file that could not be read, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Source:
    """Data that has been opened: its classes, its splits, and what was left out.

    Attributes:
        classes: names, in the order of the labels.
        splits: "train", "validation", "test", as far as there are any.
        skipped: files that could not be read.
        split_rule: how the splits came about, in words, for the report.
        fingerprint: changes when an example is added, removed or changed.
    """

    classes: tuple[str, ...]
    splits: Mapping[str, Examples]
    split_rule: str
    fingerprint: str
    skipped: tuple[Skipped, ...] = field(default=())

    def gaps(self) -> list[str]:
        """A sentence for each split that lacks a class: a score on it says nothing about that."""
        absent = {
            split: [name for name, count in of_split.items() if not count]
            for split, of_split in self._counts().items()
        }
        nowhere = [name for name in self.classes if all(name in names for names in absent.values())]
        sentences = [f"no split has an example of {', '.join(nowhere)}"] if nowhere else []
        for split, names in absent.items():
            if some := [name for name in names if name not in nowhere]:
                sentences.append(f"the {split} split has no example of {', '.join(some)}")
        return sentences

    def _counts(self) -> dict[str, dict[str, int]]:
        """Of every split how many examples each class has."""
        return {
            split: dict(
                zip(self.classes, counts(examples.labels, len(self.classes)).tolist(), strict=True)
            )
            for split, examples in self.splits.items()
        }

    def report(self) -> dict:
        """What was read, for `data.json`."""
        return {
            "classes": list(self.classes),
            "examples": {split: len(examples) for split, examples in self.splits.items()},
            "examples_by_class": self._counts(),
            "split_rule": self.split_rule,
            "fingerprint": self.fingerprint,
            "skipped": [vars(skipped) for skipped in self.skipped],
        }

    def trained_on(self) -> str:
        """The fingerprints of the training examples, for `data.json`.

        They are one string, since a line for each of a million files would bury the rest.
        """
        return " ".join(fingerprints_of(self.splits["train"], self.fingerprint))

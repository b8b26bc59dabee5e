"""What lies in a source, before any of it is decoded."""

import dataclasses
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from a2keras.errors import UserError, printable
from a2keras.training.config import Recipe
from a2keras.training.data.source import Examples, Skipped


def class_name(text: str) -> str:
    """A class as it is called everywhere: accents composed, safe to print and to store.

    macOS writes `é` as two characters, and what is not UTF-8 can be kept in no file of a run.
    """
    return printable(unicodedata.normalize("NFC", text))


@dataclass(frozen=True, kw_only=True)
class Listing(ABC):
    """The examples of a source by name.

    Attributes:
        place: what a message calls the source.
        task: "image" or "video".
        classes: names in the order of the labels.
        names: of the examples, such as relative paths; safe to print.
        labels: int64 (N,), the class of every example, or bool (N, classes), see `labels`.
        splits: where the source puts every example: "train", "validation", "test", or "" where it
            leaves that to us.
        split_rule: in words, where `splits` come from; "" where they are all open.
        skipped: what could not be read when the source was prepared.
        notes: what a user is to know, in sentences, such as what was passed over.
    """

    place: str
    task: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    labels: np.ndarray
    splits: np.ndarray
    split_rule: str
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A hash that changes with the examples, their classes and what is in them."""

    @abstractmethod
    def contents(self) -> tuple[str, ...]:
        """What tells each example from all others, in any source: what is in its file, and `@` and
        the part of it that is meant. () where only its name in this source does."""

    def originals(self) -> np.ndarray:
        """int64 (N,): of every example the first one of the same content."""
        return _first(self.contents() or self.names)

    def units(self) -> np.ndarray:
        """As `originals`, but for parts of one file, too, which are to stay together."""
        return _first([each.partition("@")[0] for each in self.contents()] or self.names)

    def select(self, members: np.ndarray) -> Self:
        """The listing of these examples alone (indices, ascending); the fingerprint stays."""
        return dataclasses.replace(
            self,
            names=tuple(self.names[i] for i in members),
            labels=self.labels[members],
            splits=self.splits[members],
        )

    @abstractmethod
    def examples(self, recipe: Recipe, in_memory: bool) -> Examples:
        """All examples of the listing; `in_memory`: with what `readable` has kept of them."""

    def readable(self, recipe: Recipe) -> tuple[Self, tuple[Skipped, ...]]:
        """The examples that can be read, and those that cannot with their reasons.

        A source of files reads them all here; records have been written by somebody who could.
        """
        return self, self.skipped

    def class_place(self, label: int) -> str:
        """What a message calls a class."""
        return f"class {self.classes[label]} of {self.place}"

    def refuse_single(self) -> None:
        """`UserError`: a single class."""
        raise UserError(
            f"{self.place} has only one class, {self.classes[0]}: training needs at least two"
        )

    def refuse_empty(self, label: int) -> None:
        """`UserError` where a class without any example is a mistake."""
        raise UserError(f"{self.class_place(label)} has no images or videos")

    def refuse_unknown(self, label: int) -> None:
        """`UserError`: a class of which nothing is there to train on, but something held out."""
        raise UserError(f"{self.class_place(label)} has nothing to train on")


def _first(keys: Sequence[str]) -> np.ndarray:
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(key, i) for i, key in enumerate(keys)], "int64")

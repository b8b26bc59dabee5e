"""What there is of records before any of them is read; nothing here needs TensorFlow."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from a2keras.training.config import Recipe
from a2keras.training.data.listing import Listing
from a2keras.training.data.source import Examples


@dataclass(frozen=True, kw_only=True)
class RecordListing(Listing):
    """Examples that are records.

    Attributes:
        source_hash: the fingerprint.
        hashes: see `Listing.contents`.
        records: all records of the source, each a serialized `tf.train.Example`, as TFDS's data
            source: `records[i]`, and `records.__getitems__([i, …])` for several at once.
        places: int64 (N,), where in `records` every example lies.
        features: of TFDS, what is in a record.
        pixels: name of the feature that holds the image or the frames.
    """

    source_hash: str
    hashes: tuple[str, ...] = ()
    records: Any
    places: np.ndarray
    features: Any
    pixels: str

    @property
    def fingerprint(self) -> str:
        return self.source_hash

    def contents(self) -> tuple[str, ...]:
        return self.hashes

    def refuse_empty(self, label: int) -> None:
        """A set says which classes it has, whether or not it has any examples of them."""

    def select(self, members: np.ndarray) -> Self:
        return dataclasses.replace(
            super().select(members),
            places=self.places[members],
            hashes=tuple(self.hashes[i] for i in members) if self.hashes else (),
        )

    def examples(self, recipe: Recipe, in_memory: bool) -> Examples:
        from a2keras.training.data.records.reading import RecordExamples

        return RecordExamples(
            self,
            records=self.records,
            places=self.places,
            features=self.features,
            pixels=self.pixels,
        )

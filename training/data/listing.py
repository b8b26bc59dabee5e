"""What lies in a source, before any of it is decoded; how it is split; and opening it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from a2keras.errors import UserError
from a2keras.training.config import Recipe
from a2keras.training.data.source import Examples, Skipped, Source
from a2keras.training.data.splits import groups_of, named_groups, random_groups, stratified

SPLITS = ("train", "validation", "test")
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "validate": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True, kw_only=True)
class Listing(ABC):
    """The examples of a source by name.

    Attributes:
        place: what a message calls the source.
        task: "image" or "video".
        classes: names in the order of the labels.
        names: of the examples, such as relative paths.
        labels: int64 (N,), the class of every example.
        splits: where the source puts every example: "train", "validation", "test", or "" where it
            leaves that to us.
        split_rule: in words, where `splits` come from; "" where they are all open.
        fingerprint: hash of the list of files with their sizes.
        skipped: what could not be read when the source was prepared.
    """

    place: str
    task: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    labels: np.ndarray
    splits: np.ndarray
    split_rule: str
    fingerprint: str
    skipped: tuple[Skipped, ...] = ()

    @abstractmethod
    def select(self, members: np.ndarray) -> Self:
        """The listing of these examples alone (indices, ascending); the fingerprint stays."""

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


def assign_splits(listing: Listing, recipe: Recipe) -> tuple[np.ndarray, str]:
    """The split of every example, and the rule in words. It depends on names and labels alone."""
    splits = listing.splits.astype("U10")  # as long as "validation"
    rules = [listing.split_rule] if listing.split_rule else []
    open_splits = splits == ""
    splits[open_splits] = "train"
    if recipe.test_groups and not recipe.group_pattern:
        raise UserError("test_groups needs group_pattern, which tells the group of a file")
    groups = groups_of(list(listing.names), recipe.group_pattern) if recipe.group_pattern else None
    fractions = {"test": recipe.test_fraction, "validation": recipe.validation_fraction}
    for name, fraction in fractions.items():
        if name in listing.splits or (name == "test" and not open_splits.any()):
            continue
        pool = np.flatnonzero(splits == "train")
        if groups is None:
            chosen = stratified(listing.labels[pool], fraction, recipe.seed)
            rules.append(f"{name}: {fraction:g} of every class (seed {recipe.seed})")
        elif name == "test" and recipe.test_groups:
            chosen = named_groups(groups[pool], recipe.test_groups)
            rules.append(f"test: groups {recipe.test_groups} of {recipe.group_pattern}")
        else:
            chosen = random_groups(groups[pool], fraction, recipe.seed)
            held = ", ".join(sorted(set(groups[pool][chosen].tolist())))
            rules.append(f"{name}: groups {held or 'none'} of {recipe.group_pattern}")
        splits[pool[chosen]] = name
    return splits, "; ".join(rules)


def open_listing(listing: Listing, recipe: Recipe) -> Source:
    """Finds out what can be read, and splits that.

    Raises:
        UserError: a class without a readable example to train on.
    """
    readable, skipped = listing.readable(recipe)
    given = np.isin(readable.splits, ["", "train"])
    for label in range(len(listing.classes)):
        if not (given & (readable.labels == label)).any():
            raise UserError(f"no file of {listing.class_place(label)} can be read")
    splits, rule = assign_splits(readable, recipe)
    for label in range(len(listing.classes)):
        if not ((splits == "train") & (readable.labels == label)).any():
            place = listing.class_place(label)
            raise UserError(f"the split leaves nothing of {place} to train on")
    return _source(readable, splits, rule, SPLITS, recipe, skipped)


def list_held_out(
    listing: Listing, recipe: Recipe, whole: bool, skipped: Sequence[Skipped] = ()
) -> Source:
    """What `open_listing` would hold out, without reading it.

    Args:
        listing: all examples.
        recipe: how to split them.
        whole: of a source without splits of its own, take all examples as "test".
        skipped: what `open_listing` could not read.
    """
    if whole and (listing.splits == "").all():
        splits, rule = np.full(len(listing.names), "test"), "all examples"
        return _source(listing, splits, rule, ("test",), recipe, listing.skipped)
    left_out = {each.path for each in skipped}
    members = [i for i, name in enumerate(listing.names) if name not in left_out]
    listing = listing.select(np.array(members, "int64"))
    splits, rule = assign_splits(listing, recipe)
    all_skipped = tuple(skipped) or listing.skipped
    return _source(listing, splits, rule, ("validation", "test"), recipe, all_skipped)


def _source(
    listing: Listing,
    splits: np.ndarray,
    rule: str,
    wanted: tuple[str, ...],
    recipe: Recipe,
    skipped: tuple[Skipped, ...] = (),
) -> Source:
    examples = {  # the test examples are only scored later, from the source itself
        name: listing.select(np.flatnonzero(splits == name)).examples(recipe, name != "test")
        for name in wanted
        if (splits == name).any()
    }
    return Source(listing.classes, examples, rule, listing.fingerprint, skipped)

"""From a listing to a source: what can be read of it, and which of its examples are held out."""

from collections.abc import Sequence

import numpy as np

from a2keras.console import say
from a2keras.errors import UserError, counted, printable
from a2keras.training.config import Recipe
from a2keras.training.data.labels import are_sets, counts, kinds
from a2keras.training.data.listing import Listing
from a2keras.training.data.source import Skipped, Source
from a2keras.training.data.split_names import SPLITS
from a2keras.training.data.splits import (
    fold_numbers,
    groups_of,
    lost_classes,
    merged,
    named_groups,
    overlapping,
    random_groups,
    spreading,
    stratified,
)

ALL_EXAMPLES = "all examples"  # the rule of other data than were trained on, without splits


def labelled_twice(listing: Listing) -> np.ndarray:
    """Whether the same content is in another class, too: bool (N,)."""
    original, labels = listing.originals(), kinds(listing.labels)
    return spreading(labels != labels[original], original)


def check_trainable(listing: Listing) -> None:
    """Refuses what nothing can be trained on, before any of it is read.

    Raises:
        UserError: nothing that is not held out, fewer than two classes, or a class that is empty by
            mistake or only held out.
    """
    given = np.isin(listing.splits, ["", "train"])
    if not given.any():
        held_out = " and ".join(sorted(set(listing.splits.tolist()), key=SPLITS.index))
        raise UserError(f"{listing.place} has nothing to train on: all of it is for {held_out}")
    classes = len(listing.classes)
    if classes < 2 and not are_sets(listing.labels):  # which a class may be missing from
        listing.refuse_single()
    trained, there = (counts(each, classes) for each in (listing.labels[given], listing.labels))
    for label in range(classes):
        if not there[label]:
            listing.refuse_empty(label)
        elif not trained[label]:
            listing.refuse_unknown(label)


def check_open(recipe: Recipe, place: str, is_open: bool) -> None:
    """`UserError` where the recipe asks for folds, and the data are split already."""
    if recipe.folds and not is_open:
        raise UserError(
            f"folds needs data without splits of their own, and {place} has them. "
            f"Received: folds={recipe.folds}"
        )


def _check_test_groups(recipe: Recipe, place: str, is_open: bool) -> None:
    """`UserError` where the recipe names test groups that the data cannot have."""
    if recipe.test_groups and not recipe.group_pattern:
        raise UserError(
            "test_groups needs group_pattern, which tells the group of a file. "
            f"Received: test_groups={recipe.test_groups}"
        )
    if recipe.test_groups and not is_open:
        raise UserError(
            f"test_groups is for data whose test split is open, and that of {place} is "
            f"given. Received: test_groups={recipe.test_groups}"
        )


def assign_splits(listing: Listing, recipe: Recipe) -> tuple[np.ndarray, str]:
    """The split of every example, and the rule in words.

    It depends on names, labels and contents alone. What is drawn keeps examples of equal content,
    and the parts of one video, on one side; groups that are named are the user's own choice.
    """
    splits = listing.splits.astype("U10")  # as long as "validation"
    rules = [listing.split_rule] if listing.split_rule else []
    units, twice = listing.units(), labelled_twice(listing)
    open_splits = splits == ""
    for name in SPLITS[1:]:  # what equals a held-out example is held out, too
        splits[open_splits & np.isin(units, units[splits == name])] = name
    splits[splits == ""] = "train"
    check_open(recipe, listing.place, bool((listing.splits == "").all()))
    is_open = "test" not in listing.splits and bool(open_splits.any())
    _check_test_groups(recipe, listing.place, is_open)
    groups = groups_of(list(listing.names), recipe.group_pattern) if recipe.group_pattern else None
    whole = units if groups is None else merged(groups, units)
    fractions = {"test": recipe.test_fraction, "validation": recipe.validation_fraction}
    for name, fraction in fractions.items():
        if name in listing.splits or (name == "test" and not open_splits.any()):
            continue
        by_name = name == "test" and bool(recipe.test_groups)
        kept = np.zeros(len(splits), bool)
        if name == "test" or open_splits.any():  # what is given to learn from stays, and its like
            like = units if by_name else whole
            kept = np.isin(like, like[listing.splits == "train"])
        pool = np.flatnonzero((splits == "train") & ~kept)
        if name == "test" and recipe.folds:
            chosen = _folds(listing, whole, recipe.folds) == recipe.fold
            of = "every class"
            if groups is not None:
                of = f"groups {', '.join(sorted(set(groups[chosen])))} of {recipe.group_pattern}"
            rules.append(f"test: fold {recipe.fold} of {recipe.folds}, {of}")
        elif groups is not None and by_name:
            chosen = _named(listing, groups, recipe.test_groups, kept & (splits == "train"))[pool]
            rules.append(f"test: groups {recipe.test_groups} of {recipe.group_pattern}")
        elif not pool.size:
            rules.append(f"{name}: nothing, since all goes with what is given to train")
            continue
        elif groups is None:
            labels = listing.labels[pool]
            chosen = stratified(labels, fraction, recipe.seed, units[pool], twice[pool])
            rules.append(f"{name}: {fraction:g} of every class (seed {recipe.seed})")
        else:
            within = merged(groups[pool], units[pool])
            chosen = random_groups(within, listing.labels[pool], fraction, recipe.seed)
            held = ", ".join(sorted(set(groups[pool][chosen].tolist())))
            rules.append(f"{name}: groups {held or 'none'} of {recipe.group_pattern}")
        splits[pool[chosen]] = name
    return splits, printable("; ".join(rules))


def _named(listing: Listing, groups: np.ndarray, names: str, kept: np.ndarray) -> np.ndarray:
    """`named_groups`; `UserError` where something of them is kept to learn from, bool (N,)."""
    named = named_groups(groups, names)
    for i in np.flatnonzero(named & kept):
        raise UserError(
            f"test_groups has {groups[i]}, of which {listing.names[i]} is given to train, or "
            "equals what is"
        )
    return named


def _folds(listing: Listing, groups: np.ndarray, folds: int) -> np.ndarray:
    """`fold_numbers`; `UserError` where a part has all of a class, which its run would not learn.

    Known at the first fold, though it is another one that could not be trained.
    """
    numbers = fold_numbers(listing.labels, groups, folds)
    for number in range(1, folds + 1):
        for label in lost_classes(listing.labels, numbers == number):
            raise UserError(
                f"folds needs every class in two of its parts at least, and all of "
                f"{listing.class_place(label)} is in part {number}. Received: folds={folds}"
            )
    return numbers


def open_listing(listing: Listing, recipe: Recipe) -> Source:
    """Finds out what can be read, and splits that.

    Raises:
        UserError: nothing to train on, see `check_trainable`, or a class of which nothing can be
            read or is left to train on.
    """
    for note in listing.notes:
        say(note)
    check_trainable(listing)
    readable, skipped = listing.readable(recipe)
    given = np.isin(readable.splits, ["", "train"])
    classes = len(listing.classes)
    present = np.flatnonzero(counts(listing.labels, classes)).tolist()
    left = counts(readable.labels[given], classes)
    for label in present:
        if not left[label]:
            raise UserError(f"no file of {listing.class_place(label)} can be read")
    splits, rule = assign_splits(readable, recipe)
    for label in lost_classes(readable.labels, splits != "train"):
        place = listing.class_place(label)
        raise UserError(f"the split leaves nothing of {place} to train on")
    for sentence in equal_files(readable, splits):
        say(sentence)
    return _source(readable, splits, rule, SPLITS, recipe, skipped)


def equal_files(listing: Listing, splits: np.ndarray) -> list[str]:
    """What a user should know about examples of equal content, in sentences."""
    original, labels = listing.originals(), kinds(listing.labels)
    another = "with other labels" if are_sets(listing.labels) else "in another class"
    sentences = []
    for found, words in (
        (labels != labels[original], f"WARNING: of equal content {another}"),
        (splits != splits[original], "WARNING: of equal content in another split"),
        (
            original != np.arange(len(original)),
            "of equal content, kept on one side where splits are drawn",
        ),
    ):
        if (where := np.flatnonzero(found)).size:
            names = listing.names[original[where[0]]], listing.names[where[0]]
            sentences.append(
                f"{words}: {counted(len(where), 'example')}, such as {' and '.join(names)}"
            )
    if pairs := overlapping(listing.contents(), splits):
        first, second = (listing.names[i] for i in pairs[0])
        sentences.append(
            "WARNING: of a video of which another split has the same frames: "
            f"{counted(len(pairs), 'example')}, such as {first} and {second}"
        )
    return sentences


def list_held_out(
    listing: Listing, recipe: Recipe, whole: bool, skipped: Sequence[Skipped] = ()
) -> Source:
    """What `open_listing` would hold out, without reading it.

    Args:
        listing: all examples.
        recipe: how to split them.
        whole: other data than were trained on: of a source without splits of its own take all
            examples as "test", and draw none.
        skipped: what `open_listing` could not read.
    """
    if whole:
        for note in listing.notes:
            say(note)
        splits, rule = listing.splits.astype("U10"), listing.split_rule
        if (splits == "").all():
            splits[:], rule = "test", ALL_EXAMPLES
        return _source(listing, splits, rule, SPLITS[1:], recipe, listing.skipped)
    left_out = {printable(each.path) for each in skipped}
    members = [i for i, name in enumerate(listing.names) if name not in left_out]
    listing = listing.select(np.array(members, "int64"))
    splits, rule = assign_splits(listing, recipe)
    all_skipped = tuple(skipped) or listing.skipped
    return _source(listing, splits, rule, SPLITS[1:], recipe, all_skipped)


def _source(
    listing: Listing,
    splits: np.ndarray,
    rule: str,
    wanted: tuple[str, ...],
    recipe: Recipe,
    skipped: tuple[Skipped, ...],
) -> Source:
    examples = {  # the test examples are only scored later, from the source itself
        name: listing.select(np.flatnonzero(splits == name)).examples(recipe, name != "test")
        for name in wanted
        if (splits == name).any()
    }
    return Source(listing.classes, examples, rule, listing.fingerprint, skipped)

"""What is to be prepared: the shards of a source, before any media is read."""

import math
from typing import Any

from a2keras.console import say
from a2keras.errors import UserError
from a2keras.models.preprocessing.places import absolute
from a2keras.training.config import Recipe
from a2keras.training.data import KINDS, absolute_source, list_source, why_none, with_kind
from a2keras.training.data.files import FileListing
from a2keras.training.prepare.shards import FileShard, Shard

PREPARABLE = ("folder", "csv", "tfds")  # kinds that can be prepared
LARGEST_SHARD = {"image": 2048, "video": 128}  # examples; some 100 MB
SMALLEST_NUMBER = 16  # of shards, as far as the examples go: they are written side by side


def plan(source: str, task: str, root: str, fold: int) -> tuple[list[Shard], dict[str, Any]]:
    """The shards of a source, and what the manifest says about it. It reads no media."""
    named = with_kind(source)
    kind, _, place = (named or "").partition(":")
    if kind not in PREPARABLE:
        forms = ", ".join(KINDS[name].form for name in PREPARABLE)
        why = "" if named else f": {why_none(source)}"
        raise UserError(f"what to prepare must be one of {forms}{why}. Received: {source}")
    if kind == "tfds":
        from a2keras.training.prepare.builder import quiet_libraries
        from a2keras.training.prepare.tfds import tfds_shards

        quiet_libraries()
        return tfds_shards(place, root, task, examples_per_shard)
    root = absolute(root) if root else ""
    recipe = Recipe("prepare", data=absolute_source(source), task=task, root=root, fold=fold)
    listing = list_source(recipe)
    assert isinstance(listing, FileListing)
    for note in listing.notes:
        say(note)
    for label in range(len(listing.classes)):
        if label not in listing.labels:
            listing.refuse_empty(label)
    return file_shards(listing), {
        "source": recipe.data,
        "task": listing.task,
        "classes": listing.classes,
        "split_rule": listing.split_rule,
        "fingerprint": listing.fingerprint,
        "listed": len(listing.names),
    }


def examples_per_shard(count: int, task: str) -> int:
    return min(LARGEST_SHARD[task], max(1, math.ceil(count / SMALLEST_NUMBER)))


def file_shards(listing: FileListing) -> list[Shard]:
    """Deals the files of every split out to shards, in the order of the list."""
    per_shard = examples_per_shard(len(listing.names), listing.task)
    members: dict[str, list[int]] = {}
    contents = listing.contents()
    for i, split in enumerate(listing.splits.tolist()):
        members.setdefault(split or "train", []).append(i)
    shards: list[Shard] = []
    for split, indices in members.items():
        for number, first in enumerate(range(0, len(indices), per_shard)):
            chosen = indices[first : first + per_shard]
            files = tuple(
                (
                    listing.names[i],
                    str(listing.splits[i]),
                    listing.classes[listing.labels[i]],
                    listing.files[i],
                )
                for i in chosen
            )
            hashes = tuple(contents[i] for i in chosen)
            shards.append(FileShard(split, number, len(files), files, hashes))
    return shards

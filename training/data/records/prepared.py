"""What `a2keras prepare` has written: `prepared:DIR`."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from etils import epath

from a2keras.errors import UserError, printable, reason_of
from a2keras.files import check_all_files
from a2keras.models.preprocessing.places import as_path, is_remote
from a2keras.training.config import Recipe
from a2keras.training.data.records.listing import RecordListing
from a2keras.training.data.records.manifest import Manifest, features_of, read_examples

PIXELS = {"image": "image", "video": "video"}  # names of the features


def list_source(place: str, recipe: Recipe) -> RecordListing:
    """The listing of `prepared:PLACE`.

    Raises:
        UserError: nothing has been prepared there, of another task, or parts of it are gone.
    """
    if is_remote(place):
        raise UserError(f"{place}: records are read from local disks, copy it to one")
    directory = as_path(place)
    try:
        check_all_files(Path(place))
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}") from error
    manifest = Manifest.load(directory)
    if recipe.task not in ("auto", manifest.task):
        raise UserError(
            f"{place} holds {manifest.task}s, but {recipe.task}s are wanted (task={recipe.task})"
        )
    entries = read_examples(directory, manifest.classes)
    if not entries:
        raise UserError(f"{place} holds no examples")
    stored = dict.fromkeys(entry.stored for entry in entries)
    records = _records([path for split in stored for path in shards(directory, split)])
    if len(records) != len(entries):
        raise UserError(f"{place} has {len(records)} records of {len(entries)} examples")
    hashes = tuple(entry.content for entry in entries)
    number = {name: label for label, name in enumerate(manifest.classes)}
    return RecordListing(
        place=printable(place),
        task=manifest.task,
        classes=tuple(map(printable, manifest.classes)),
        names=tuple(printable(entry.name) for entry in entries),
        labels=np.array([number[entry.label] for entry in entries], "int64"),
        splits=np.array([entry.split for entry in entries]),
        split_rule=printable(manifest.split_rule),
        source_hash=printable(manifest.fingerprint),
        hashes=hashes if all(hashes) else (),
        skipped=manifest.skipped,
        records=records,
        places=np.arange(len(entries)),
        features=features_of(manifest.task, manifest.classes),
        pixels=PIXELS[manifest.task],
    )


def shards(directory: epath.Path, split: str) -> list[epath.Path]:
    """The files of a split, as TFDS names them.

    TFDS's own descriptions beside them are for TFDS: they can name any class of Python, which it
    would import.

    Raises:
        UserError: one is missing.
    """
    start = f"prepared-{split}.array_record-"
    found = sorted(path.name for path in directory.iterdir() if path.name.startswith(start))
    count = re.search(r"-of-(\d{5,9})$", found[-1]) if found else None
    if count is None:
        raise UserError(f"{directory} has no records of {split}: prepare it again")
    paths = []
    for number in range(int(count[1])):
        paths.append(directory / f"{start}{number:05}-of-{count[1]}")
        if not paths[-1].exists():
            raise UserError(f"{paths[-1]} is missing: prepare {directory} again")
    return paths


def _records(paths: list[epath.Path]) -> Any:
    """Records in any order: `records[i]`, and `records.__getitems__([i, …])`."""
    from array_record.python.array_record_data_source import ArrayRecordDataSource

    try:
        return ArrayRecordDataSource([str(path) for path in paths])
    except Exception as error:  # of the native reader, about a file that is damaged or no such file
        raise UserError(f"{paths[0].parent} has damaged records: {reason_of(error)}") from error

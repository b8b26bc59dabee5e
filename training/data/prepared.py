"""What `a2keras prepare` has written: `prepared:DIR`."""

import numpy as np

from a2keras.errors import UserError
from a2keras.models.preprocessing.places import as_path, is_remote
from a2keras.training.config import Recipe
from a2keras.training.data.manifest import Manifest, read_examples
from a2keras.training.data.records import RecordListing

PIXELS = {"image": "image", "video": "video"}  # names of the features


def list_source(place: str, recipe: Recipe) -> RecordListing:
    """The listing of `prepared:PLACE`.

    Raises:
        UserError: nothing has been prepared there, of another task, or parts of it are gone.
    """
    import tensorflow_datasets as tfds

    if is_remote(place):
        raise UserError(f"{place}: records are read from local disks, copy it to one")
    directory = as_path(place)
    manifest = Manifest.load(directory)
    if recipe.task not in ("auto", manifest.task):
        raise UserError(
            f"{place} holds {manifest.task}s, but {recipe.task}s are wanted (task={recipe.task})"
        )
    entries = read_examples(directory)
    builder = tfds.builder_from_directory(directory)
    stored = list(dict.fromkeys(entry.stored for entry in entries))
    for split in stored:
        for path in builder.info.splits[split].filepaths:
            if not path.exists():
                raise UserError(f"{path} is missing: prepare {place} again")
    records = builder.as_data_source(
        "+".join(stored), deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
    )
    if len(records) != len(entries):
        raise UserError(f"{place} has {len(records)} records of {len(entries)} examples")
    hashes = tuple(entry.content for entry in entries)
    number = {name: label for label, name in enumerate(manifest.classes)}
    return RecordListing(
        place=place,
        task=manifest.task,
        classes=manifest.classes,
        names=tuple(entry.name for entry in entries),
        labels=np.array([number[entry.label] for entry in entries], "int64"),
        splits=np.array([entry.split for entry in entries]),
        split_rule=manifest.split_rule,
        source_hash=manifest.fingerprint,
        hashes=hashes if all(hashes) else (),
        skipped=manifest.skipped,
        records=records,
        places=np.arange(len(entries)),
        features=builder.info.features,
        pixels=PIXELS[manifest.task],
    )

"""Image and video sets of TensorFlow Datasets: `tfds:NAME[/CONFIG][:VERSION]`."""

import difflib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from a2keras.console import UserError, progress, say
from a2keras.training.config import Recipe
from a2keras.training.data.listing import SPLIT_NAMES, SPLITS
from a2keras.training.data.records import RecordListing

AT_ONCE = 256  # records whose labels are read together


def list_source(place: str, recipe: Recipe) -> RecordListing:
    """The listing of `tfds:PLACE`, which TFDS prepares where it has not been yet.

    Raises:
        UserError: no such set, one that is not of images or videos with one label, one that cannot
            be prepared, or one that is stored without random access.
    """
    builder = prepared_builder(place, recipe.root)
    task, pixels, label = content(builder, recipe.task)
    return listing_of(builder, f"tfds:{place}", task, pixels, label)


def builder_of(place: str, root: str) -> Any:
    """TFDS's builder of a set by its name."""
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(place, data_dir=root or None, try_gcs=False)
    except tfds.core.DatasetNotFoundError:
        name = place.partition("/")[0].partition(":")[0]
        near = difflib.get_close_matches(name, tfds.list_builders(), n=1, cutoff=0.0)
        hint = f": did you mean {near[0]!r}?" if near else ""
        raise UserError(f"TensorFlow Datasets has no {place!r}{hint}") from None
    except (ValueError, AssertionError) as error:  # no such configuration or version
        raise UserError(f"tfds:{place} cannot be used: {_first_line(error)}") from error


def prepared_builder(place: str, root: str) -> Any:
    """As `builder_of`, prepared with random access."""
    import tensorflow_datasets as tfds

    builder = builder_of(place, root)
    if not builder.is_prepared():
        say(f"preparing tfds:{place} in {builder.data_dir}")
        try:
            builder.download_and_prepare(file_format="array_record")
        except Exception as error:  # of dozens of types: no network, no space, files by hand, …
            raise UserError(
                f"tfds:{place} is not in {builder.data_dir} and cannot be prepared: "
                f"{_first_line(error)}"
            ) from error
        builder = builder_of(place, root)
    formats = {file_format.value for file_format in builder.info.available_file_formats()}
    if tfds.core.FileFormat.ARRAY_RECORD.value not in formats:
        raise UserError(
            f"tfds:{place} is stored as {' and '.join(sorted(formats))} in {builder.data_dir}, "
            f"where examples cannot be read in any order: `a2keras prepare tfds:{place} "
            "--output=DIR` writes them anew, and prepared:DIR reads that"
        )
    return builder


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def content(builder: Any, wanted: str) -> tuple[str, str, str]:
    """What is in a set: its task, the feature of the pixels and the feature of the label.

    By the set's own pair of input and target, else by the only features of these kinds.
    """
    import tensorflow_datasets as tfds

    features = builder.info.features
    name = builder.info.full_name
    kinds = {
        "image": [k for k, f in features.items() if type(f) is tfds.features.Image],
        "video": [k for k, f in features.items() if isinstance(f, tfds.features.Video)],
    }
    labels = [k for k, f in features.items() if isinstance(f, tfds.features.ClassLabel)]
    inputs = kinds["image"] + kinds["video"]
    keys = builder.info.supervised_keys
    if keys and keys[0] in inputs and keys[1] in labels:
        pixels, label = keys[0], keys[1]
    elif len(inputs) == 1 and len(labels) == 1:
        pixels, label = inputs[0], labels[0]
    else:
        raise UserError(
            f"{name} does not say which image or video has which class: its features are "
            f"{', '.join(features)}"
        )
    task = "image" if pixels in kinds["image"] else "video"
    if wanted not in ("auto", task):
        raise UserError(f"{name} holds {task}s, but {wanted}s are wanted (task={wanted})")
    return task, pixels, label


def listing_of(builder: Any, place: str, task: str, pixels: str, label: str) -> RecordListing:
    """The listing of a set that is prepared with random access."""
    import tensorflow_datasets as tfds

    infos = {name: info for name, info in builder.info.splits.items() if info.num_examples}
    known = {name: SPLIT_NAMES[name] for name in infos if name in SPLIT_NAMES}
    if "train" not in known.values():
        raise UserError(f"{place} has no split to train on: it has {', '.join(infos) or 'none'}")
    records = builder.as_data_source(
        "+".join(known), deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
    )
    described = [builder.info.full_name]
    described += [f"{k}\t{infos[k].num_examples}\t{infos[k].num_bytes}" for k in known]
    fingerprint = hashlib.sha256("\n".join(described).encode()).hexdigest()
    labels = read_labels(records, builder.info.features, label, fingerprint)
    counts = [infos[name].num_examples for name in known]
    splits = np.repeat(list(known.values()), counts)
    # Sets whose answers are secret (ImageNet's test) have the class -1.
    secret = {name for name in SPLITS if (labels[splits == name] < 0).any()}
    open_ = np.flatnonzero(~np.isin(splits, list(secret)))
    given = [name for name in known if known[name] not in secret]
    only_train = len(given) == 1
    return RecordListing(
        place=place,
        task=task,
        classes=tuple(builder.info.features[label].names),
        names=tuple(f"{name}/{i}" for name in given for i in range(infos[name].num_examples)),
        labels=labels[open_],
        splits=np.full(len(open_), "") if only_train else splits[open_],
        split_rule="" if only_train else "by TFDS's splits " + ", ".join(given),
        fingerprint=fingerprint,
        records=records,
        places=open_,
        features=builder.info.features,
        pixels=pixels,
    )


def read_labels(
    records: Sequence[bytes], features: Any, label: str, fingerprint: str
) -> np.ndarray:
    """The class of every record: int64 (N,). Read once, and kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "a2keras"
    kept = cache / f"labels_{fingerprint}_{label}.npy"
    if kept.is_file() and len(labels := np.load(kept)) == len(records):
        return labels
    specification = {label: tf.io.FixedLenFeature((), tf.int64)}
    portions = [range(i, min(i + AT_ONCE, len(records))) for i in range(0, len(records), AT_ONCE)]
    found = [
        tf.io.parse_example(records.__getitems__(list(portion)), specification)[label].numpy()
        for portion in progress(portions, "reading labels", unit=f" × {AT_ONCE}")
    ]
    labels = np.concatenate(found)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}.npy")
        np.save(partial, labels)
        partial.replace(kept)
    except OSError:
        pass  # then they are read again the next time
    return labels

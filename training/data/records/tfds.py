"""Image and video sets of TensorFlow Datasets: `tfds:NAME[/CONFIG][:VERSION]`."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from a2keras.arrays import read_npy
from a2keras.console import progress, say
from a2keras.errors import UserError, counted, did_you_mean, nearest, printable, reason_of
from a2keras.files import cache_directory, replacing
from a2keras.training.config import Recipe
from a2keras.training.data.records import tfds_descriptions
from a2keras.training.data.records.listing import RecordListing
from a2keras.training.data.source import Skipped
from a2keras.training.data.split_names import SPLIT_NAMES

AT_ONCE = 256  # records whose labels are read together
SAMPLES = 16  # records of a split of which one must have a class


@dataclass(frozen=True)
class Layout:
    """Where in a set of TFDS is what.

    Attributes:
        task: "image" or "video".
        pixels: feature of the image or the frames.
        label: feature of the class.
        splits: of TFDS's splits that are used, what they are to us: "train", "validation", "test",
            or "" where there is only the one to train on, which the recipe splits.
        counts: number of examples of these splits.
        fingerprint: hash of the set's name and version and of the splits with their counts.
    """

    task: str
    pixels: str
    label: str
    splits: dict[str, str]
    counts: dict[str, int]
    fingerprint: str

    @property
    def split_rule(self) -> str:
        return "by TFDS's splits " + ", ".join(self.splits) if len(self.splits) > 1 else ""


def list_source(place: str, recipe: Recipe) -> RecordListing:
    """The listing of `tfds:PLACE`, which TFDS prepares where it has not been yet.

    Raises:
        UserError: no such set, one that is not of images or videos with one label, one that cannot
            be prepared, or one that is stored without random access.
    """
    import tensorflow_datasets as tfds

    builder = ensure_prepared(place, recipe.root)
    formats = builder.info.available_file_formats()
    if tfds.core.FileFormat.ARRAY_RECORD not in formats:
        stored = " and ".join(sorted(file_format.value for file_format in formats))
        raise UserError(
            f"tfds:{place} is stored as {stored} in {builder.data_dir}, where examples cannot be "
            f"read in any order: `a2keras prepare tfds:{place} --output=DIR` writes them anew, and "
            "prepared:DIR reads that"
        )
    layout = layout_of(builder, recipe.task)
    features = builder.info.features
    records = builder.as_data_source(
        "+".join(layout.splits), deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
    )
    names = tuple(f"{name}/{i}" for name in layout.splits for i in range(layout.counts[name]))
    labels, classes = read_labels(records, layout, f"tfds:{place}"), features[layout.label].names
    for i in np.flatnonzero(labels >= len(classes)):
        raise wrong_label(f"tfds:{place}", names[i], labels[i], len(classes))
    listing = RecordListing(
        place=f"tfds:{place}",
        task=layout.task,
        classes=tuple(map(printable, classes)),
        names=names,
        labels=labels,
        splits=np.repeat(list(layout.splits.values()), list(layout.counts.values())),
        split_rule=layout.split_rule,
        source_hash=layout.fingerprint,
        records=records,
        places=np.arange(len(records)),
        features=features,
        pixels=layout.pixels,
    )
    if not (unknown := [without_class(names[i]) for i in np.flatnonzero(labels < 0)]):
        return listing
    note = f"left out: {counted(len(unknown), 'example')}, such as {unknown[0].reason}"
    listing = replace(listing, skipped=tuple(unknown), notes=(note,))
    return listing.select(np.flatnonzero(labels >= 0))


def without_class(name: str) -> Skipped:
    """An example whose class a set does not tell, such as those of a secret test: -1."""
    return Skipped(name, f"{name}: has no class")


def wrong_label(place: str, name: str, label: int, classes: int) -> UserError:
    return UserError(
        f"{place} has {counted(classes, 'class', 'es')}, and {name} must have one of them. "
        f"Received: label={label}"
    )


def builder_of(place: str, root: str) -> Any:
    """TFDS's builder of a set by its name."""
    import tensorflow_datasets as tfds

    tfds_descriptions.check(place, root)
    try:
        return tfds.builder(place, data_dir=root or None, try_gcs=False)
    except tfds.core.DatasetNotFoundError:
        name = place.partition("/")[0].partition(":")[0]
        known = "`tfds.list_builders()` lists what it has"
        hint = did_you_mean(nearest(name, tfds.list_builders()), known)
        raise UserError(f"TensorFlow Datasets has no {place!r}: {hint}") from None
    except Exception as error:  # no such configuration or version; damaged descriptions
        raise UserError(f"tfds:{place} cannot be used: {reason_of(error)}") from error


def ensure_prepared(place: str, root: str) -> Any:
    """As `builder_of`; a set that is not there is downloaded and stored with random access."""
    builder = builder_of(place, root)
    if builder.is_prepared():
        return builder
    say(f"preparing tfds:{place} in {builder.data_dir}")
    try:
        builder.download_and_prepare(file_format="array_record")
    except Exception as error:  # of dozens of types: no network, no space, files by hand, …
        raise UserError(
            f"tfds:{place} is not in {builder.data_dir} and cannot be prepared: {reason_of(error)}"
        ) from error
    return builder_of(place, root)


def _content(builder: Any, wanted: str) -> tuple[str, str, str]:
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


def layout_of(builder: Any, wanted: str) -> Layout:
    """Finds out what is in a set that has been prepared.

    Args:
        builder: of the set.
        wanted: the task, or "auto".

    Raises:
        UserError: no images or videos with one label, another task, or no split that is known.
    """
    task, pixels, label = _content(builder, wanted)
    infos = {name: info for name, info in builder.info.splits.items() if info.num_examples}
    splits = {name: SPLIT_NAMES[name] for name in infos if name in SPLIT_NAMES}
    # Sets whose answers are secret (ImageNet's test) have the class -1.
    for name in list(splits):
        part = f"{name}[:{min(SAMPLES, infos[name].num_examples)}]"
        if all(each < 0 for _, each in read_examples(builder, part, pixels, label)):
            del splits[name]
    if not splits:
        names = ", ".join(infos) or "none"
        raise UserError(f"{builder.info.full_name} has no split to train on: it has {names}")
    if list(splits.values()) == ["train"]:
        splits = dict.fromkeys(splits, "")
    counts = {name: infos[name].num_examples for name in splits}
    described = [builder.info.full_name, *(f"{name}\t{count}" for name, count in counts.items())]
    fingerprint = hashlib.sha256("\n".join(described).encode()).hexdigest()
    return Layout(task, pixels, label, splits, counts, fingerprint)


def read_examples(builder: Any, part: str, pixels: str, label: str) -> Iterator[tuple[Any, int]]:
    """Encoded pixels (bytes; of a video a list of them) and class, in any format of TFDS's."""
    import tensorflow_datasets as tfds

    if tfds.core.FileFormat.ARRAY_RECORD in builder.info.available_file_formats():
        from tensorflow_datasets.core.example_parser import ExampleParserNp

        features = builder.info.features
        parser = ExampleParserNp({k: features[k].get_serialized_info() for k in (pixels, label)})
        raw = tfds.decode.DeserializeMethod.RAW_BYTES
        for record in builder.as_data_source(part, deserialize_method=raw):
            example = parser.parse_example(record)
            yield _plain(example[pixels]), int(example[label])
        return
    # One file after the other, so that the numbers of the examples are those of the split.
    config = tfds.ReadConfig(interleave_cycle_length=1)
    decoders = {pixels: tfds.decode.SkipDecoding()}
    for example in builder.as_dataset(split=part, decoders=decoders, read_config=config):
        yield _plain(example[pixels].numpy()), int(example[label])


def _plain(encoded: Any) -> Any:
    return encoded if isinstance(encoded, bytes) else list(np.asarray(encoded, object).ravel())


def read_labels(records: Any, layout: Layout, place: str) -> np.ndarray:
    """The class of every record: int64 (N,). Read once, and kept in the user's cache."""
    cache = cache_directory()
    kept = cache / f"labels_{layout.fingerprint}_{layout.label}.npy"
    with contextlib.suppress(OSError, ValueError):  # it is damaged, or not there
        labels = read_npy(kept, 8 * len(records))
        if labels.dtype == np.int64 and labels.shape == (len(records),):
            return labels
    specification = {layout.label: tf.io.FixedLenFeature((), tf.int64)}
    portions = [range(i, min(i + AT_ONCE, len(records))) for i in range(0, len(records), AT_ONCE)]
    found = []
    for portion in progress(portions, "reading labels", unit=f" × {AT_ONCE}"):
        try:
            some = records.__getitems__(list(portion))
            found.append(tf.io.parse_example(some, specification)[layout.label].numpy())
        except Exception as error:  # of the native reader, of several types, and of TensorFlow
            raise UserError(f"{place} has damaged records: {reason_of(error)}") from error
    labels = np.concatenate(found)
    with contextlib.suppress(OSError):  # then they are read again the next time
        cache.mkdir(parents=True, exist_ok=True)
        with replacing(kept) as partial:
            np.save(partial, labels)
    return labels

"""Sets of TensorFlow Datasets, in whatever format they are stored, as contents to prepare."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.image import read_image
from a2keras.models.preprocessing.video import Video
from a2keras.training.data.files import reduced
from a2keras.training.data.records.tfds import (
    Layout,
    builder_of,
    ensure_prepared,
    layout_of,
    read_examples,
    without_class,
    wrong_label,
)
from a2keras.training.data.source import Skipped
from a2keras.training.prepare.encoding import Encoding
from a2keras.training.prepare.shards import Content, Shard


@dataclass(frozen=True)
class TfdsShard(Shard):
    """Examples `first` to `first` + `count` of a split `name` of `tfds:place`."""

    place: str
    root: str
    name: str
    first: int
    given: str  # the split that the source gives them, "" if none

    def contents(self, task: str, encoding: Encoding) -> Iterator[Content | Skipped]:
        builder, layout = _builder_and_layout(self.place, self.root)
        classes = builder.info.features[layout.label].names
        part = f"{self.name}[{self.first}:{self.first + self.count}]"
        for number, (encoded, label) in enumerate(
            read_examples(builder, part, layout.pixels, layout.label), self.first
        ):
            name = f"{self.name}/{number}"
            if label < 0:
                yield without_class(name)
                continue
            if label >= len(classes):
                raise wrong_label(f"tfds:{self.place}", name, label, len(classes))
            try:
                if task == "image":
                    yield Content(name, self.given, classes[label], image=encoded)
                else:
                    images = (read_image(name, each) for each in encoded)
                    side = encoding.short_side
                    frames = [reduced(image, side, "bicubic") for image in images]
                    video = Video(np.stack(frames), np.full(len(frames), np.nan), float("nan"))
                    yield Content(name, self.given, classes[label], video=video)
            except DecodeError as error:
                yield Skipped(name, str(error))


@cache
def _builder_and_layout(place: str, root: str) -> tuple[Any, Layout]:
    builder = builder_of(place, root)
    return builder, layout_of(builder, "auto")


def tfds_shards(place: str, root: str, task: str, sizes: Any) -> tuple[list[Shard], dict[str, Any]]:
    """The shards of `tfds:place`, and what the manifest says about it.

    Args:
        place: as `tfds:` has it.
        root: TFDS's data_dir, "" for its own.
        task: "image", "video" or "auto".
        sizes: number of examples → how many of them a shard holds.
    """
    builder = ensure_prepared(place, root)
    layout = layout_of(builder, task)
    shards: list[Shard] = []
    per_shard = sizes(sum(layout.counts.values()), layout.task)
    for name, split in layout.splits.items():
        for first in range(0, layout.counts[name], per_shard):
            count = min(per_shard, layout.counts[name] - first)
            number = sum(shard.split == (split or "train") for shard in shards)
            shards.append(
                TfdsShard(split or "train", number, count, place, root, name, first, split)
            )
    return shards, {
        "source": f"tfds:{place}",
        "task": layout.task,
        "classes": tuple(builder.info.features[layout.label].names),
        "split_rule": layout.split_rule,
        "fingerprint": layout.fingerprint,
        "listed": sum(layout.counts.values()),
    }

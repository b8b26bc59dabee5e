"""One shard of a prepared data set: its examples, how they are read, and writing it whole."""

import dataclasses
import io
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from etils import epath

from a2keras.documents import as_json, read_json
from a2keras.models.preprocessing.errors import DecodeError, undecodable
from a2keras.models.preprocessing.places import is_remote, read_bytes
from a2keras.models.preprocessing.video import Video, decode_video
from a2keras.training.data.files import MediaFile
from a2keras.training.data.records.manifest import Entry, features_of
from a2keras.training.data.source import Skipped
from a2keras.training.prepare.encoding import Encoding, encode_image, encode_video


@dataclass(frozen=True)
class Content:
    """An example before it is stored.

    Attributes:
        name: of the example.
        split: that the source gives it, "" if none.
        label: name of its class.
        image: the bytes of an image file, or None.
        video: the decoded video, or None.
        content: what tells it from all others, see `FileListing.contents`; "" if only its name.
    """

    name: str
    split: str
    label: str
    image: bytes | None = None
    video: Video | None = None
    content: str = ""


@dataclass(frozen=True)
class Shard(ABC):
    """Examples that are stored in one file, in this order.

    Attributes:
        split: of TFDS, in which they are stored.
        number: of the shard within the split.
        count: how many examples it lists.
    """

    split: str
    number: int
    count: int

    @property
    def file_name(self) -> str:
        return f"{self.split}-{self.number:05}.array_record"

    @property
    def done_name(self) -> str:
        """Of the file that says what is in the shard; where it is there, the shard is whole."""
        return f"{self.split}-{self.number:05}.json"

    @abstractmethod
    def contents(self, task: str, encoding: Encoding) -> Iterator[Content | Skipped]:
        """Reads the examples one after the other."""


@dataclass(frozen=True)
class FileShard(Shard):
    """Examples that are files: (name, split, label, file), and of each the content if known."""

    files: tuple[tuple[str, str, str, MediaFile], ...]
    hashes: tuple[str, ...] = ()

    def contents(self, task: str, encoding: Encoding) -> Iterator[Content | Skipped]:
        hashes = self.hashes or ("",) * len(self.files)
        for (name, split, label, file), content in zip(self.files, hashes, strict=True):
            try:
                if task == "image":
                    image = _bytes(file.path)
                    yield Content(name, split, label, image=image, content=content)
                else:
                    side = encoding.short_side or None
                    video = decode_video(file.path, side, file.start, file.end)
                    yield Content(name, split, label, video=video, content=content)
            except DecodeError as error:
                yield Skipped(name, str(error))


def _bytes(path: str) -> bytes:
    try:
        return read_bytes(path)
    except FileNotFoundError:
        raise DecodeError(path, "does not exist") from None
    except OSError as error:
        raise undecodable(path, "cannot be read", error) from error


@dataclass(frozen=True)
class Done:
    """What is in a shard that is whole.

    Attributes:
        examples: in the order of the records.
        skipped: what could not be read.
        bytes: of the records.
    """

    examples: tuple[Entry, ...]
    skipped: tuple[Skipped, ...]
    bytes: int


class ShardWriter:
    """Writes shards into a folder, each whole or not at all.

    Args:
        directory: where to; on a path that all workers see.
        task: "image" or "video".
        classes: names in the order of the labels.
        encoding: of what is stored.
    """

    def __init__(
        self, directory: str, task: str, classes: tuple[str, ...], encoding: Encoding
    ) -> None:
        self.directory = directory
        self.task = task
        self.classes = classes
        self.encoding = encoding

    def write(self, shard: Shard) -> None:
        """Writes a shard, unless it is there already."""
        folder = epath.Path(self.directory)
        if is_whole(folder, shard):
            return
        entries: list[Entry] = []
        skipped: list[Skipped] = []
        # Records are written to local files only; what a killed process leaves, goes with the work.
        place = None if is_remote(self.directory) else self.directory
        with tempfile.TemporaryDirectory(dir=place) as scratch:
            path = epath.Path(scratch) / shard.file_name
            size = self._write_records(shard, str(path), entries, skipped)
            _put(path, folder / shard.file_name)
            done = Done(tuple(entries), tuple(skipped), size)
            path = epath.Path(scratch) / shard.done_name
            path.write_text(as_json(dataclasses.asdict(done), indent=None))
            _put(path, folder / shard.done_name)

    def _write_records(
        self, shard: Shard, path: str, entries: list[Entry], skipped: list[Skipped]
    ) -> int:
        """Returns the bytes of all records; tells what went into them and what could not."""
        from array_record.python.array_record_module import ArrayRecordWriter

        features, size = features_of(self.task, self.classes), 0
        # A group of one record can be read alone; JPEG and PNG are compressed already.
        writer = ArrayRecordWriter(path, "group_size:1,uncompressed")
        try:
            for content in shard.contents(self.task, self.encoding):
                if isinstance(content, Skipped):
                    skipped.append(content)
                    continue
                try:
                    example, frames = self._example(content)
                except DecodeError as error:
                    skipped.append(Skipped(content.name, str(error)))
                    continue
                record = features.serialize_example(example)
                writer.write(record)
                size += len(record)
                about = (content.split, content.label, frames, content.name, content.content)
                entries.append(Entry(shard.split, *about))
        finally:
            writer.close()
        return size

    def _example(self, content: Content) -> tuple[dict[str, Any], int]:
        example: dict[str, Any] = {"label": content.label, "name": content.name}
        if content.image is not None:
            data = encode_image(content.name, content.image, self.encoding)
            return {**example, "image": io.BytesIO(data)}, 1
        assert content.video is not None
        frames, times = encode_video(content.name, content.video, self.encoding)
        buffers = [io.BytesIO(frame) for frame in frames]
        return {**example, "video": buffers, "timestamps": times}, len(frames)


def _put(path: epath.Path, final: epath.Path) -> None:
    """Puts a local file whole in its place, which may be in a cloud; a link there is replaced."""
    if is_remote(final):
        partial = final.with_name(f"{final.name}.{os.getpid()}")
        path.copy(partial, overwrite=True)
        path = partial
    path.replace(final)


def is_whole(directory: epath.Path, shard: Shard) -> bool:
    return (directory / shard.done_name).exists() and (directory / shard.file_name).exists()


def read_done(directory: epath.Path, shard: Shard) -> Done:
    """What is in a shard that is whole; `UserError` where that is damaged."""
    done: Done = read_json(directory / shard.done_name, Done, "the list of a shard")
    return done

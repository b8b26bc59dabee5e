"""A prepared data set as a builder of TensorFlow Datasets, its shards written by Apache Beam."""

import contextlib
import importlib.util
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.dataset_builder import FileReaderBuilder

from a2keras.console import progress
from a2keras.errors import UserError
from a2keras.training.data.records.manifest import Entry, Manifest, features_of, write_examples
from a2keras.training.data.source import Skipped
from a2keras.training.data.split_names import SPLITS
from a2keras.training.prepare.shards import Shard, ShardWriter, is_whole, read_done


class _Info(tfds.core.DatasetInfo):  # type: ignore[misc]
    """The description of a set that nobody knows but we."""

    def initialize_from_bucket(self) -> None:
        """TFDS would make a folder, which stays, and look for the set among Google's."""


class PreparedBuilder(FileReaderBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Stores shards that Beam has written in `work` as a data set of TFDS in `output`.

    The shards stay in `work` until they are all there, so that an interrupted preparation goes on
    with those that are missing. TFDS then writes its description beside them, in a folder that it
    renames to `output` when it is complete.

    Args:
        output: folder of the data set.
        work: folder of the shards on the way.
        shards: what to store.
        writer: of a shard, in `work`.
        manifest: what is known before; the counts are filled in.
        beam_options: of the pipeline, see `pipeline_options`.
    """

    name = "prepared"
    VERSION = tfds.core.Version("1.0.0")
    url_infos = None  # nothing is downloaded, so there are no checksums to look for

    def __init__(
        self,
        output: epath.Path,
        work: epath.Path,
        shards: Sequence[Shard],
        writer: ShardWriter,
        manifest: dict[str, Any],
        beam_options: dict[str, str],
    ) -> None:
        self.work = work
        self.shards = shards
        self.writer = writer
        self.manifest = manifest
        self.beam_options = beam_options
        super().__init__(data_dir=str(output), file_format="array_record")

    def _build_data_dir(self, given_data_dir: str | None) -> tuple[str, str]:
        assert given_data_dir is not None
        return given_data_dir, given_data_dir

    def _log_download_bytes(self) -> None:
        """Nothing is downloaded, and standard output is for results."""

    def _log_download_done(self) -> None:
        pass

    def _info(self) -> tfds.core.DatasetInfo:
        task, classes = self.manifest["task"], self.manifest["classes"]
        return _Info(
            builder=self,
            description=f"Prepared from {self.manifest['source']} by a2keras.",
            features=features_of(task, classes),
            supervised_keys=(task, "label"),
            disable_shuffling=True,
        )

    def _download_and_prepare(self, dl_manager: Any, download_config: Any = None) -> None:
        missing = [each for each in self.shards if not is_whole(self.work, each)]
        done = sum(each.count for each in self.shards) - sum(each.count for each in missing)
        with _progress(self.work, missing, done):
            run_beam(missing, self.writer, self.beam_options)
        self._collect(epath.Path(self.data_dir))

    def _collect(self, directory: epath.Path) -> None:
        """Moves the shards to where TFDS wants them, and describes them."""
        entries: list[Entry] = []
        skipped: list[Skipped] = []
        infos = []
        for split in SPLITS:
            own = [(each, read_done(self.work, each)) for each in self.shards]
            own = [(each, done) for each, done in own if each.split == split]
            skipped += [each for _, done in own for each in done.skipped]
            own = [(each, done) for each, done in own if done.examples]
            if not own:
                continue
            info = tfds.core.SplitInfo(
                name=split,
                shard_lengths=[len(done.examples) for _, done in own],
                num_bytes=sum(done.bytes for _, done in own),
                filename_template=self._get_filename_template(split),
            )
            for (shard, done), path in zip(own, info.filepaths, strict=True):
                (self.work / shard.file_name).rename(directory / path.name)
                entries += done.examples
            infos.append(info)
        self.info.set_splits(tfds.core.SplitDict(infos))
        write_examples(directory, entries)
        size = sum(int(info.num_bytes) for info in infos)
        Manifest(**self.manifest, examples=len(entries), bytes=size, skipped=tuple(skipped)).save(
            directory
        )


@contextlib.contextmanager
def _progress(work: epath.Path, missing: Sequence[Shard], done: int) -> Iterator[None]:
    """A bar over the examples of the shards that are complete, wherever they are written."""
    waiting = {shard.done_name: shard.count for shard in missing}
    stop = threading.Event()
    total = done + sum(waiting.values())
    with progress((), "preparing", unit=" examples", total=total) as bar:
        bar.update(done)

        def watch() -> None:
            while waiting and not stop.wait(0.5):
                for name in [name for name in waiting if (work / name).exists()]:
                    bar.update(waiting.pop(name))

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def run_beam(shards: Sequence[Shard], writer: ShardWriter, options: dict[str, str]) -> None:
    """Writes the shards, in parallel, wherever the options say."""
    if not shards:
        return
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    flags = [f"--{key}={value}" for key, value in options.items()]
    try:
        with beam.Pipeline(options=PipelineOptions(flags)) as pipeline:
            waiting = pipeline | "shards" >> beam.Create(list(shards))
            # Without a reshuffle one worker would take them all.
            _ = waiting | beam.Reshuffle() | "write" >> beam.Map(writer.write)
    except Exception as error:  # of any type, from any worker or from the runner itself
        raise UserError(
            f"the preparation has stopped ({_reason(error)}): the same command goes on with what "
            "is missing"
        ) from error


def _reason(error: BaseException) -> str:
    """The error that a worker has had, of the account of it that Beam gives."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    errors = [
        line
        for line in lines
        if re.match(r"[\w.]*(Error|Exception|Interrupt|OutOfResources)\b", line)
    ]
    return (errors or lines or [type(error).__name__])[-1]


def quiet_libraries() -> None:
    """Beam, where it is installed, and TFDS tell their developers what does not concern a user."""
    from absl import logging as absl_logging

    absl_logging.set_verbosity(absl_logging.ERROR)
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    logging.disable(logging.WARNING)
    try:
        if importlib.util.find_spec("apache_beam"):
            importlib.import_module("apache_beam.io.filesystems")
    finally:
        logging.disable(logging.NOTSET)

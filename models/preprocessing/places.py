"""Where files lie: on this machine, in a cloud store or behind HTTP. Paths stay strings outside."""

import contextlib
import errno
import functools
import importlib.util
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from a2keras import files
from a2keras.errors import UserError, reason_of

Path_ = str | bytes | os.PathLike
Place = str | os.PathLike[str]  # as a program names a file, a folder or a run

PLUGIN_SCHEMES = ("http", "https", "s3")  # file systems that tensorflow-io adds to TensorFlow


def place_of(given: Place) -> str:
    """A place as a text; `UserError` where an argument is none."""
    place = os.fspath(given) if isinstance(given, str | os.PathLike) else None
    if not isinstance(place, str):
        raise UserError(f"a path must be a text or a pathlib.Path. Received: {given!r:.80}")
    return place


def places_of(given: Place | Iterable[Place]) -> list[str]:
    """One place or several, as texts; `UserError` where an argument is none."""
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        return [place_of(given)]
    return [place_of(each) for each in given]


def scheme_of(path: Path_) -> str:
    """`gs` of `gs://bucket/file`; "" of a path on this machine."""
    scheme, separator, _ = os.fsdecode(path).partition("://")
    return scheme if separator else ""


def is_remote(path: Path_) -> bool:
    return bool(scheme_of(path))


def absolute(place: str) -> str:
    """The place as it is written into a recipe: absolute, `~` resolved, a URI as it is.

    A link stays what it is called: what is looked for beside a list lies beside its name. Links in
    front of it are followed, as the system does before it takes `..`.
    """
    if is_remote(place):
        return place.rstrip("/")
    # Those of pathlib raise where links go in circles, and for the home of somebody unknown.
    place = os.path.expanduser(place)  # noqa: PTH111
    folder, name = os.path.split(place.rstrip("/"))
    if name in ("", ".", ".."):
        return os.path.realpath(place)
    return os.path.join(os.path.realpath(folder), name)  # noqa: PTH118


def target(place: str) -> str:
    """As `absolute`, but where a link leads to: what is written goes there."""
    place = absolute(place)
    return place if is_remote(place) else os.path.realpath(place)


def check_text(what: str, path: str) -> None:
    """`UserError` where a path is not UTF-8, which no file of a run could keep, or has a NUL."""
    if "\0" in path:
        raise UserError(f"{what} must be a path without NUL characters. Received: {path}")
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{what} must be a path in UTF-8, which a run can keep. Received: {path}"
        ) from error


def local(output: Place) -> Path:
    """The directory that --output names; `UserError` where it is none of this machine.

    Elsewhere there is no renaming, by which what is written is there whole or not at all.
    """
    if is_remote(output):
        raise UserError(
            "`output` must be a directory of this machine or mounted on it. "
            f"Received: `output={output}`"
        )
    check_text("`output`", str(output))
    return Path(output)


def as_path(place: Path_) -> Any:
    """A place that can be listed and read, as a path with the methods of pathlib.

    By fsspec where it knows the scheme and has what it needs for it ('a2keras[cloud]'), otherwise
    by TensorFlow's file systems.

    Raises:
        UserError: a file system that neither of them has, or HTTP, which has no folders.
    """
    scheme, text = scheme_of(place), os.fsdecode(place)
    if scheme in ("http", "https"):
        raise UserError(f"{text}: folders cannot be listed over HTTP, use csv:")
    if scheme and in_store(scheme):
        from upath import UPath

        return UPath(text)
    return as_tfds_path(place)


def as_tfds_path(place: Path_) -> Any:
    """The `etils.epath` of a place, by which TFDS reads and writes. Raises as `as_path`."""
    if (scheme := scheme_of(place)) in PLUGIN_SCHEMES:
        load_plugin(scheme)
    from etils import epath

    return epath.Path(os.fsdecode(place))


@functools.cache
def in_store(scheme: str) -> bool:
    """Whether fsspec reads places of this scheme here."""
    if importlib.util.find_spec("upath") is None:
        return False
    import fsspec

    try:
        fsspec.get_filesystem_class(scheme)
    except (ImportError, ValueError):  # its package is missing; it knows none
        return False
    return True


def read_bytes(path: Path_) -> bytes:
    """The whole file, wherever it lies.

    Raises:
        OSError: it cannot be read.
        UserError: see `as_path`.
    """
    scheme, text = scheme_of(path), os.fsdecode(path)
    if not scheme:
        return files.read_bytes(text)
    with answering():
        if in_store(scheme):
            from upath import UPath

            place = UPath(text)
            data: bytes = place.fs.cat_file(place.path)  # by one request, which reading it is not
            return data
        if scheme in PLUGIN_SCHEMES:
            load_plugin(scheme)
        import tensorflow as tf

        with tf.io.gfile.GFile(text, "rb") as file:
            return file.read()


def size_of(path: Path_) -> int | None:
    """Bytes of a file; None where it is not there."""
    scheme, text = scheme_of(path), os.fsdecode(path)
    try:
        if not scheme:
            return Path(text).stat().st_size
        with answering():
            if in_store(scheme):
                from upath import UPath

                return UPath(text).stat().st_size
            if scheme in PLUGIN_SCHEMES:
                load_plugin(scheme)
            import tensorflow as tf

            return tf.io.gfile.stat(text).length
    except OSError:
        return None


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """Makes an `OSError` of what file systems elsewhere raise, each errors of its own."""
    try:
        yield
    except FileNotFoundError as error:  # which says nothing but the name
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from error
    except Exception as error:
        if isinstance(error, OSError) or (reason := reason_of_store(error)) is None:
            raise
        raise OSError(reason) from error


# Of fsspec's file systems, and of what they are made of.
_STORES = {"fsspec", "s3fs", "aiobotocore", "botocore", "gcsfs", "google", "aiohttp"}


def reason_of_store(error: Exception) -> str | None:
    """What a file system elsewhere says in its error; None where that is none of its errors."""
    origin = type(error).__module__.partition(".")[0]
    if origin == "tensorflow":
        message = getattr(error, "message", None)  # of tf.errors.OpError
        return message.strip().splitlines()[0] if message else None
    return reason_of(error) if origin in _STORES else None


def load_plugin(scheme: str) -> None:
    """Loads tensorflow-io where `scheme` needs it; says what to install where it is not there."""
    import tensorflow as tf

    if scheme not in tf.io.gfile.get_registered_schemes():
        tensorflow_io()
    if scheme not in tf.io.gfile.get_registered_schemes():
        raise UserError(
            f"{scheme}:// needs fsspec and its file system: pip install 'a2keras[cloud]'"
        )


def tensorflow_io() -> Any:
    """The module, or None where it is missing or its native library does not load."""
    try:
        import tensorflow_io as tfio

        tfio.image.decode_webp  # noqa: B018  (loads the native library)
    except (ImportError, NotImplementedError, AttributeError):
        return None
    return tfio

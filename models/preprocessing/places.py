"""Where files lie: on this machine, in a cloud store or behind HTTP. Paths stay strings outside."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from a2keras import files
from a2keras.errors import UserError

Path_ = str | bytes | os.PathLike
Place = str | os.PathLike[str]  # as a program names a file, a folder or a run

PLUGIN_SCHEMES = ("http", "https", "s3")  # file systems that tensorflow-io adds to TensorFlow


def places_of(given: Place | Iterable[Place]) -> list[str]:
    """One place or several, as texts."""
    several = [given] if isinstance(given, str | os.PathLike) else given
    return [os.fspath(each) for each in several]


def scheme_of(path: Path_) -> str:
    """`gs` of `gs://bucket/file`; "" of a path on this machine."""
    scheme, separator, _ = os.fsdecode(path).partition("://")
    return scheme if separator else ""


def is_remote(path: Path_) -> bool:
    return bool(scheme_of(path))


def absolute(place: str) -> str:
    """The place as it is written into a recipe: absolute, `~` resolved, a URI as it is."""
    if is_remote(place):
        return place.rstrip("/")
    # Those of pathlib raise where links go in circles, and for the home of somebody unknown.
    return os.path.realpath(os.path.expanduser(place))  # noqa: PTH111


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


def as_path(place: Path_) -> Any:
    """The `etils.epath` of a place, which can be listed and read.

    Raises:
        UserError: a file system that only tensorflow-io knows and that is not there, or HTTP, which
            has no folders.
    """
    scheme = scheme_of(place)
    if scheme in ("http", "https"):
        raise UserError(f"{os.fsdecode(place)}: folders cannot be listed over HTTP, use csv:")
    if scheme in PLUGIN_SCHEMES:
        load_plugin(scheme)
    from etils import epath

    return epath.Path(os.fsdecode(place))


def read_bytes(path: Path_) -> bytes:
    """The whole file, wherever it lies.

    Raises:
        OSError: it cannot be read.
        UserError: see `as_path`.
    """
    scheme = scheme_of(path)
    if not scheme:
        return files.read_bytes(os.fsdecode(path))
    if scheme in PLUGIN_SCHEMES:
        load_plugin(scheme)
    import tensorflow as tf

    try:
        if scheme in ("http", "https"):
            with tf.io.gfile.GFile(os.fsdecode(path), "rb") as file:
                return file.read()
        return as_path(path).read_bytes()
    except tf.errors.OpError as error:
        raise OSError(error.message) from error


def size_of(path: Path_) -> int | None:
    """Bytes of a file; None where it is not there."""
    try:
        if scheme_of(path) in ("http", "https"):
            load_plugin(scheme_of(path))
            import tensorflow as tf

            return tf.io.gfile.stat(os.fsdecode(path)).length
        return (
            as_path(path).stat().length
            if is_remote(path)
            else Path(os.fsdecode(path)).stat().st_size
        )
    except OSError:
        return None
    except Exception as error:
        if type(error).__module__.startswith("tensorflow."):  # NotFoundError and its kin
            return None
        raise


def load_plugin(scheme: str) -> None:
    """Loads tensorflow-io where `scheme` needs it; says what to install where it is not there."""
    import tensorflow as tf

    if scheme not in tf.io.gfile.get_registered_schemes():
        tensorflow_io()
    if scheme not in tf.io.gfile.get_registered_schemes():
        raise UserError(
            f"{scheme}:// needs tensorflow-io, which loads with TensorFlow 2.16 and 2.17 only "
            f"(this is {tf.__version__}): pip install 'a2keras[io]'"
        )


def tensorflow_io() -> Any:
    """The module, or None where it is missing or its native library does not load."""
    try:
        import tensorflow_io as tfio

        tfio.image.decode_webp  # noqa: B018  (loads the native library)
    except (ImportError, NotImplementedError, AttributeError):
        return None
    return tfio

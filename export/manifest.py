"""The manifest of an export directory: what lies in it, and the hash of every file."""

from pathlib import Path, PurePosixPath
from typing import Any

from typing_extensions import TypedDict

from a2keras.documents import read_json
from a2keras.errors import UserError
from a2keras.files import sha256

MANIFEST = "manifest.json"
WEIGHTS = ".bin"  # the suffix of an OpenVINO model's second file, beside its .xml
_OPEN: Any = {"extra": "allow"}  # what else is there is for people


class _Artefact(TypedDict):
    __pydantic_config__ = _OPEN  # type: ignore[misc]

    path: str
    sha256: dict[str, str]


class _Manifest(TypedDict):
    __pydantic_config__ = _OPEN  # type: ignore[misc]

    versions: dict[str, str]
    artefacts: dict[str, _Artefact]


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of an export directory; `UserError` if it is not one of a2keras."""
    path = directory / MANIFEST
    manifest: dict[str, Any] = read_json(path, _Manifest, "a manifest of a2keras")
    if "a2keras" not in manifest["versions"] or not manifest["artefacts"]:
        raise UserError(f"{path} is not a manifest of a2keras")
    for artefact in manifest["artefacts"].values():
        for name in (artefact["path"], *artefact["sha256"]):
            parts = PurePosixPath(name).parts
            within = parts and not name.startswith("/") and ".." not in parts
            if not within or "\0" in name or len(name.encode()) > 255:
                raise UserError(f"{path} names {name[:80]!r}, which does not lie beside it")
    return manifest


def check_hashes(path: Path) -> None:
    """Compares a model with the manifest of its export, where there is one that lists it.

    It lies beside the model, or above the directory that the model is a part of: a page for the
    browser, a version of a SavedModel.
    """
    path = path.absolute()
    for directory in list(path.parents)[:2]:
        if not (directory / MANIFEST).is_file():
            continue
        try:
            artefacts = read_manifest(directory)["artefacts"].values()
        except UserError:
            if directory == path.parent:
                raise
            continue  # further up, a file of this name may be anybody's
        own = path.relative_to(directory).as_posix()
        for artefact in artefacts:
            for name, expected in artefact["sha256"].items():
                if artefact["path"] == own or f"{name}/".startswith(f"{own}/"):
                    _check_hash(path, directory / name, expected)


def _check_hash(path: Path, file: Path, expected: str) -> None:
    if not file.is_file():
        raise UserError(f"{path} is damaged: {file} is missing")
    if sha256(file) != expected:
        raise UserError(f"{path} is damaged: {file} is not the file that was exported")


def files_of(path: Path) -> list[Path]:
    """The files of an artefact: itself, all of a directory, an OpenVINO model and its weights."""
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    if path.suffix == ".xml":
        found.append(path.with_suffix(WEIGHTS))
    return [file for file in found if file.is_file()]


def hashes(path: Path) -> dict[str, str]:
    """SHA-256 of an artefact's files, by their paths relative to the export directory."""
    return {file.relative_to(path.parent).as_posix(): sha256(file) for file in files_of(path)}

"""The manifest of an export directory: what lies in it, and the hash of every file."""

import hashlib
import json
from pathlib import Path
from typing import Any

from a2keras.errors import UserError

MANIFEST = "manifest.json"


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of an export directory; `UserError` if it is not one of a2keras."""
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_text())
        if "a2keras" in manifest["versions"] and manifest["artefacts"]:
            for artefact in manifest["artefacts"].values():
                _ = artefact["path"], artefact["sha256"].items()
            return manifest
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    raise UserError(f"{path} is not a manifest of a2keras")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_hashes(path: Path) -> None:
    """Compares a model with the manifest beside it, where there is one that lists it."""
    path = path.absolute()
    directory = path.parent
    if not (directory / MANIFEST).is_file():
        return
    for artefact in read_manifest(directory)["artefacts"].values():
        if artefact["path"] != path.name:
            continue
        for name, expected in artefact["sha256"].items():
            file = directory / name
            if not file.is_file():
                raise UserError(f"{path} is damaged: {file} is missing")
            if sha256(file) != expected:
                raise UserError(f"{path} is damaged: {file} is not the file that was exported")


def hashes(path: Path) -> dict[str, str]:
    """SHA-256 of an artefact's files, by their paths relative to the export directory."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    directory = path.parent
    return {
        file.relative_to(directory).as_posix(): sha256(file) for file in files if file.is_file()
    }

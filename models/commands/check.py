"""`a2keras check`: whether what is installed works, on every backend that there is."""

import importlib.util
import os
import platform
import subprocess
import sys
from importlib import metadata
from typing import Any, NamedTuple

import a2keras
from a2keras.command_line import define_format, parse
from a2keras.console import print_json, say, show, show_table
from a2keras.documents import parse_json
from a2keras.errors import UserError, printable, reason_of, system_reason
from a2keras.models.weights import fetching
from a2keras.models.weights.published import FETCHED

BACKENDS = ("tensorflow", "jax", "torch")  # modules, which Keras calls the same
TIME_LIMIT = 300.0  # seconds, for a backend that starts from a slow disk
# Of the largest number: of products whose factors a GPU has rounded to TensorFloat-32.
TOLERANCE = 0.01
OK, BROKEN, ABSENT = "ok", "BROKEN", "not installed"


class Found(NamedTuple):
    """What a backend's own process says."""

    devices: list[str]
    error: float
    largest: float


def check(arguments: list[str]) -> None:
    values, rest = parse(
        "a2keras check [--format=json]",
        "Says which versions and extras are installed, what the backends may compute on, where "
        "fetched weights are kept and what decodes videos, and lets every backend compute a double "
        "attention layer, which is compared with the formula. Exit code 1: something is broken.",
        define_format,
        arguments,
    )
    if rest:
        raise UserError(f"check takes no arguments. Received: {' '.join(rest)}")
    findings = [*installed(), video(), cache(), *backends()]
    broken = [each["what"] for each in findings if each["state"] == BROKEN]
    if values.format == "json":
        print_json({"works": not broken, "findings": findings})
    else:
        head = ("what", "state", "detail")
        show_table(head, [[each[key] for key in head] for each in findings])
        show(f"\nbroken: {', '.join(broken)}" if broken else "\neverything works")
    if broken:
        sys.exit(1)


def installed() -> list[dict[str, Any]]:
    """a2keras itself, what it requires, and its extras, by what the package says of itself."""
    from packaging.requirements import Requirement

    python = f"Python {platform.python_version()}, {platform.platform()}"
    first = {"what": "a2keras", "state": OK, "detail": f"{a2keras.__version__} on {python}"}
    try:
        requirements = [Requirement(each) for each in metadata.requires("a2keras") or []]
    except metadata.PackageNotFoundError:
        return [{**first, "state": BROKEN, "detail": "it has not been installed by pip"}]
    extras = metadata.metadata("a2keras").get_all("Provides-Extra") or []
    own = [each for each in requirements if each.marker is None or each.marker.evaluate()]
    found = [first, *({"what": each.name, **_state(each)} for each in own)]
    for extra in sorted(extras):
        others = [each for each in requirements if each not in own]
        parts = [e for e in others if e.marker and e.marker.evaluate({"extra": extra})]
        states = [_state(each) for each in parts]
        found.append({"what": f"extra [{extra}]", **_of_extra(extra, parts, states)})
    return found


def _state(requirement: Any) -> dict[str, Any]:
    """Whether a package is there, in a version that will do."""
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return {"state": BROKEN, "detail": f"missing: pip install '{_plain(requirement)}'"}
    if not requirement.specifier.contains(version, prereleases=True):
        return {"state": BROKEN, "detail": f"{version}, where {_plain(requirement)} is needed"}
    return {"state": OK, "detail": version}


def _plain(requirement: Any) -> str:
    return f"{requirement.name}{requirement.specifier}"


def _of_extra(extra: str, parts: list[Any], states: list[dict[str, Any]]) -> dict[str, Any]:
    """An extra that is not there whole breaks nothing that is not asked for."""
    if all(each["state"] == OK for each in states):
        pairs = zip(parts, states, strict=True)
        return {
            "state": OK,
            "detail": ", ".join(f"{part.name} {state['detail']}" for part, state in pairs),
        }
    return {"state": ABSENT, "detail": f"pip install 'a2keras[{extra}]'"}


def video() -> dict[str, Any]:
    """PyAV, and the libraries of FFmpeg that it brings."""
    try:
        import av

        versions = {
            name: ".".join(map(str, av.library_versions[name]))
            for name in ("libavcodec", "libavformat")
        }
    except Exception as error:  # whatever a native library that does not load raises
        return {"what": "video", "state": BROKEN, "detail": f"PyAV: {reason_of(error)}"}
    libraries = ", ".join(f"{name} {version}" for name, version in versions.items())
    return {"what": "video", "state": OK, "detail": f"PyAV {av.__version__}: {libraries}"}


def cache() -> dict[str, Any]:
    """Where fetched weights are kept, how much of it there is, and whether more can be."""
    what = {"what": "weights cache"}
    try:
        directory = fetching.directory()
    except UserError as error:
        return {**what, "state": BROKEN, "detail": str(error)}
    try:
        size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
        names = [each.title for each in FETCHED if fetching.is_kept(each)]
        parts = [e.title for e in FETCHED if fetching.kept(e).exists() and e.title not in names]
        there = next(each for each in (directory, *directory.parents) if each.exists())
    except OSError as error:
        return {**what, "state": BROKEN, "detail": f"{directory}: {system_reason(error)}"}
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return {**what, "state": BROKEN, "detail": f"{directory}: {there} cannot be written"}
    kept = f"{', '.join(names) or 'nothing yet'}, {size / 1e6:.1f} MB"
    if parts:
        kept += f"; not whole, and fetched anew when used: {', '.join(parts)}"
    return {**what, "state": OK, "detail": f"{directory}: {kept}", "bytes": size, "weights": names}


def backends() -> list[dict[str, Any]]:
    """A double attention layer on every backend that is installed, each in a process of its own."""
    return [backend(name) for name in BACKENDS if importlib.util.find_spec(name) is not None]


def backend(name: str) -> dict[str, Any]:
    """One of them: what it may compute on, and how far it is from the formula in float64."""
    say(f"a layer on {name} …")
    what = {"what": f"layer on {name}"}
    command = [sys.executable, "-P", "-m", "a2keras.backend_check"]
    environment = {**os.environ, "KERAS_BACKEND": name, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace",
            timeout=TIME_LIMIT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {**what, "state": BROKEN, "detail": f"it did not end within {TIME_LIMIT:g} s"}
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"]
        return {**what, "state": BROKEN, "detail": printable(said[-1])}
    try:
        found = parse_json(done.stdout[max(0, done.stdout.find("{")) :], Found)
    except ValueError:
        return {**what, "state": BROKEN, "detail": "what it printed is no answer"}
    agrees = found.error <= TOLERANCE * found.largest
    detail = f"{', '.join(found.devices)}; largest error {found.error:.1e} of {found.largest:.1f}"
    return {**what, "state": OK if agrees else BROKEN, "detail": detail, **found._asdict()}

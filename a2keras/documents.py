"""JSON documents, written whole; read, TOML too, with limits and as the record they must hold."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from a2keras.errors import UNPRINTABLE_BEYOND_ASCII, UserError, printable, reason_of, system_reason
from a2keras.files import open_file, write_text

MAX_BYTES = 64 * 1024**2  # a run on two million files has a data.json of some 30 MB

# `__pydantic_config__` of a dataclass that documents are read as: no key that it has not, no value
# that would have to be converted, no number that is none.
RECORD: Final[dict[str, Any]] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

_NOT_ASCII = re.compile("[^\x00-\x7f]+")


def as_json(document: Any, indent: int | None = 2, ascii_only: bool = False) -> str:
    """A document as text that is safe to print.

    NaN and infinity are refused: JSON has none. A byte of a file's name that is not UTF-8 becomes
    the text `\\xff`, as everywhere else, since no reader of JSON takes half a character.
    """
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
    text = UNPRINTABLE_BEYOND_ASCII.sub(_escaped, text)
    # What is not ASCII stands within strings only.
    return _NOT_ASCII.sub(lambda match: json.dumps(match[0])[1:-1], text) if ascii_only else text


def _escaped(match: re.Match) -> str:
    """As JSON escapes it, but for half a character, which `printable` makes text."""
    half = "\ud800" <= match[0] <= "\udfff"
    return json.dumps(printable(match[0]))[1:-1] if half else f"\\u{ord(match[0]):04x}"


def write_json(path: str | Path, document: Any) -> None:
    """Writes a JSON file, see `files.replacing`, in UTF-8."""
    write_text(path, as_json(document) + "\n")


def read_json(path: Any, record: Any = dict, what: str = "a JSON document") -> Any:
    """Reads a JSON file from anywhere, which may be damaged or hostile.

    Args:
        path: of `pathlib` or `epath`.
        record: what it must hold: a dataclass, `NamedTuple` or `TypedDict`, or a type such as
            `dict[str, list[int]]`. Types are checked, not converted, but that lists become tuples
            and whole numbers floats.
        what: it is, for the error.

    Returns:
        The record.

    Raises:
        UserError: `{path} is not {what}: {reason}`, in one sentence.
    """
    return _read(path, what, lambda content: parse_json(content, record))


def read_toml(path: Any, what: str = "a TOML document") -> dict[str, Any]:
    """As `read_json`, a TOML file."""
    document: dict[str, Any] = _read(path, what, _parse_toml)
    return document


def _read(path: Any, what: str, parse: Callable[[bytes], Any]) -> Any:
    try:
        with open_file(path) as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES // 1024**2} MiB")
        return parse(content)
    except FileNotFoundError:
        reason = "it does not exist"
    except OSError as error:
        reason = system_reason(error)
    except ValueError as error:
        reason = str(error)
    raise UserError(f"{printable(path)} is not {what}: {reason}")


def _parse_toml(content: bytes) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(content.decode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"it is no valid TOML ({reason_of(error)})") from None


def parse_json(content: bytes | str, record: Any = dict) -> Any:
    """As `read_json`, of the content of a file.

    Raises:
        ValueError: the reason, in one line.
    """
    from pydantic import TypeAdapter, ValidationError
    from pydantic_core import from_json

    if isinstance(content, str):
        content = content.encode(errors="surrogateescape")
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES // 1024**2} MiB")
    try:
        from_json(content, allow_inf_nan=False)  # whose depth is limited
        json.loads(content, parse_float=_finite, object_pairs_hook=_without_doubles)
        return TypeAdapter(record).validate_json(content, strict=True)
    except ValidationError as error:
        raise ValueError(_sentence(error)) from None
    except UserError as error:  # of a record's own checks
        raise ValueError(reason_of(error)) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:  # of from_json, whose sentence has no capital
        raise ValueError(f"it is no valid JSON ({reason_of(error)})") from None


def _finite(text: str) -> float:
    """A number; one that overflows, such as 1e999, is refused."""
    if math.isinf(number := float(text)):
        raise ValueError("a number is too large")
    return number


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; readers differ in which of two equal keys counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        key, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"it has the key {printable(key)!r} twice")
    return found


def _sentence(error: Any) -> str:
    """The first of pydantic's complaints, with its place and what stands there."""
    first = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, Exception):  # of a record's own checks
        return reason_of(cause)
    place = ".".join(map(str, first["loc"])) or "the document"
    rule = first["msg"][:1].lower() + first["msg"][1:]
    received = printable(repr(first["input"]))
    received = received if len(received) <= 80 else received[:80] + "…"
    return f"{printable(place)}: {printable(rule)}. Received: {received}"

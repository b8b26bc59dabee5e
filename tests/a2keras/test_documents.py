"""JSON documents, files and words: whatever they hold, whoever has damaged them."""

import dataclasses
import json
import os
import stat
from pathlib import Path
from typing import ClassVar

import pytest

from a2keras import documents, errors, files
from a2keras.errors import UserError


@dataclasses.dataclass(frozen=True)
class Point:
    __pydantic_config__: ClassVar = documents.RECORD

    name: str
    at: tuple[float, ...]
    count: int = 3

    def __post_init__(self):
        if self.count < 0:
            raise ValueError(f"`count` must be at least 0. Received: count={self.count}")


def test_a_document_becomes_its_record(tmp_path):
    path = tmp_path / "p.json"
    documents.write_json(path, {"name": "é", "at": [1, 2.5]})
    assert documents.read_json(path, Point) == Point("é", (1.0, 2.5))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "it is no valid JSON (EOF while parsing a value at line 1 column 0)"),
        (b"\xff\xfe", "it is no valid JSON (expected value at line 1 column 1)"),
        (b"[]", "the document: input should be an object. Received: []"),
        (b'{"name": 5, "at": []}', "name: input should be a valid string. Received: 5"),
        (b'{"at": []}', "name: field required. Received: {'at': []}"),
        (b'{"name": "a", "at": ["1"]}', "at.0: input should be a valid number. Received: '1'"),
        (b'{"name": "a", "at": [], "count": true}', "count: input should be a valid integer"),
        (b'{"name": "a", "at": [], "x": 1}', "x: unexpected keyword argument. Received: 1"),
        (b'{"name": "a", "at": [NaN]}', "it is no valid JSON (expected value"),
        (b'{"name": "a", "at": [1e999]}', "it is no valid JSON (a number is too large)"),
        (b'{"name": "a", "at": [], "at": [1]}', "it is no valid JSON (it has the key 'at' twice)"),
        (b'{"name": "\xe9", "at": []}', "it is no valid JSON (invalid unicode code point"),
        (b'{"name": "\\ud800", "at": []}', "it is no valid JSON (unexpected end of hex escape"),
        (b'{"name": "a", "at": [], "count": -2}', "`count` must be at least 0. Received: count=-2"),
        (b'{"at":' + b"[" * 10**6, "it is no valid JSON (recursion limit exceeded"),
    ],
)
def test_what_is_no_such_record_is_told_in_one_sentence(tmp_path, text, reason):
    path = tmp_path / "p.json"
    path.write_bytes(text)
    with pytest.raises(UserError) as told:
        documents.read_json(path, Point, "a point")
    assert str(told.value).startswith(f"{path} is not a point: {reason}")
    assert "\n" not in str(told.value) and len(str(told.value)) < 400


def test_a_text_of_the_environment_may_be_no_text():
    with pytest.raises(ValueError, match="it is no valid JSON"):
        documents.parse_json('{"a": "\udcff"}')


def test_a_document_has_a_limit_and_must_be_there(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="is not a JSON document: it does not exist"):
        documents.read_json(tmp_path / "x.json")
    with pytest.raises(UserError, match="is not a JSON document: Is a directory"):
        documents.read_json(tmp_path)
    monkeypatch.setattr(documents, "MAX_BYTES", 2 * 1024**2)
    (tmp_path / "x.json").write_bytes(b" " * (2 * 1024**2 + 1))
    with pytest.raises(UserError, match="it has more than 2 MiB"):
        documents.read_json(tmp_path / "x.json")


@pytest.mark.parametrize("ascii_only", [False, True])
def test_json_text_holds_nothing_that_a_terminal_obeys(ascii_only):
    text = documents.as_json({"né": "a\x1b[2J\x9b\u202e\udcff😀"}, None, ascii_only)
    smiley, key = ("\\ud83d\\ude00", "n\\u00e9") if ascii_only else ("😀", "né")
    assert text == f'{{"{key}": "a\\u001b[2J\\u009b\\u202e\\\\xff{smiley}"}}'
    # What is written is read again, by every reader.
    assert documents.parse_json(text) == json.loads(text) == {"né": "a\x1b[2J\x9b\u202e\\xff😀"}


def test_printable_text_is_one_line():
    assert errors.printable("é\n\x1b[31m\x9b\u202e\udcff\U0001f600") == (
        "é\\n\\x1b[31m\\x9b\\u202e\\xff\U0001f600"
    )
    assert errors.printable_lines("a\tb\nc\r") == "a\\tb\nc\\r"
    assert errors.reason_of(ValueError("\nfirst\x07\nsecond")) == "first\\x07"
    assert errors.reason_of(KeyError()) == "KeyError"


def test_a_file_is_replaced_whole_and_a_link_is_not_followed(tmp_path):
    other, path = tmp_path / "other", tmp_path / "name.png"
    other.write_text("mine")
    path.symlink_to(other)
    with pytest.raises(RuntimeError), files.replacing(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.is_symlink() and sorted(p.name for p in tmp_path.iterdir()) == ["name.png", "other"]
    with files.replacing(path) as partial:
        assert partial.parent == tmp_path and partial.suffix == ".png"
        partial.write_text("whole")
    assert (path.read_text(), other.read_text()) == ("whole", "mine")
    assert not path.is_symlink()
    mask = os.umask(0o022)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("name", ["é" * 127 + "a", "x" * 251 + ".npz", "\udcff\udcfe"])
def test_every_name_that_a_file_may_have_is_written(tmp_path, name):
    files.write_text(tmp_path / name, "text \udcff")
    (path,) = tmp_path.iterdir()
    assert path == Path(tmp_path / name)
    assert path.read_text() == "text \\udcff"

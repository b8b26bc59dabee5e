"""Manifests that are none."""

import json

import pytest

from a2keras.errors import UserError
from a2keras.export.manifest import files_of, read_manifest


def message_of(tmp_path, **document) -> str:
    (tmp_path / "manifest.json").write_text(json.dumps({"versions": {"a2keras": "1"}, **document}))
    with pytest.raises(UserError) as caught:
        read_manifest(tmp_path)
    return str(caught.value).removeprefix(f"{tmp_path / 'manifest.json'} ")


@pytest.mark.parametrize("name", ["../model.onnx", "a/../../b", "/model.onnx", ".", "x" * 300])
def test_what_does_not_lie_beside_it(tmp_path, name):
    told = f"names {name[:80]!r}, which does not lie beside it"
    artefact = {"path": name, "sha256": {}}
    assert message_of(tmp_path, artefacts={"onnx": artefact}) == told
    artefact = {"path": "model.onnx", "sha256": {name: 64 * "0"}}
    assert message_of(tmp_path, artefacts={"onnx": artefact}) == told


def test_a_manifest_of_nothing_or_of_others(tmp_path):
    assert message_of(tmp_path, artefacts={}) == "is not a manifest of a2keras"
    artefacts = {"onnx": {"path": "model.onnx", "sha256": {}}}
    others = message_of(tmp_path, versions={"keras": "3"}, artefacts=artefacts)
    assert others == "is not a manifest of a2keras"


def test_the_files_of_an_artefact(tmp_path):
    for name in ("a/b/two", "a/one", "a.onnx", "a.xml", "a.bin", "b.xml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {
        name: [each.relative_to(tmp_path).as_posix() for each in files_of(tmp_path / name)]
        for name in ("a", "a.onnx", "a.xml", "b.xml", "none")
    }
    assert found == {
        "a": ["a/b/two", "a/one"],
        "a.onnx": ["a.onnx"],
        "a.xml": ["a.xml", "a.bin"],
        "b.xml": ["b.xml"],
        "none": [],
    }

"""Manifests that are none."""

import json

import pytest

from a2keras.errors import UserError
from a2keras.export.manifest import check_hashes, files_of, hashes, read_manifest


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


@pytest.mark.parametrize(
    ("artefact", "model", "damaged", "told"),
    [
        ("web", "web/model.onnx", "web/model.onnx", True),
        ("web", "web/model.onnx", "web/page.html", False),  # a user's own words
        ("web", "web", "web/page.html", True),
        ("served", "served", "served/1/variables/index", True),
        ("served", "served/1", "served/1/variables/index", True),
        ("served", "served/1", "served/1/saved_model.pb", True),
        ("a.xml", "a.xml", "a.bin", True),
        ("a.xml", "a.bin", "a.xml", False),
        ("web", "other/model.onnx", "web/model.onnx", False),
    ],
)
def test_a_damaged_part_is_told(artefact, model, damaged, told, tmp_path):
    for name in (
        *("web/model.onnx", "web/page.html", "served/1/saved_model.pb"),
        *("served/1/variables/index", "served/11/saved_model.pb", "a.xml", "a.bin"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    entry = {"path": artefact, "sha256": hashes(tmp_path / artefact)}
    document = {"versions": {"a2keras": "1"}, "artefacts": {"a": entry}}
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    path, file = tmp_path / model, tmp_path / damaged
    check_hashes(path)
    file.write_text("b")
    if told:
        with pytest.raises(UserError) as caught:
            check_hashes(path)
        assert str(caught.value) == f"{path} is damaged: {file} is not the file that was exported"
        file.unlink()
        with pytest.raises(UserError) as caught:
            check_hashes(path)
        assert str(caught.value) == f"{path} is damaged: {file} is missing"
    else:
        check_hashes(path)


def test_somebody_elses_manifest_further_up_is_nothing(tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "manifest.json").write_text('{"name": "my site"}')
    check_hashes(tmp_path / "web" / "model.onnx")
    with pytest.raises(UserError):
        check_hashes(tmp_path / "model.onnx")


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

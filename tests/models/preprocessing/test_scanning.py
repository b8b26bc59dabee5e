"""Which files of a folder `predict`, `explain` and `export` take: those that training takes."""

import pytest

from a2keras.errors import UserError
from a2keras.models.preprocessing.decode import files_in
from a2keras.models.preprocessing.scanning import scan


@pytest.fixture
def folder(tmp_path):
    names = (
        *("b.jpg", "a/c.PNG", "a/d.mp4", "a/notes.txt", "folder.jpg/e.png"),
        *(".hidden.jpg", "._b.jpg", ".DS_Store", "Thumbs.db", "a/.ipynb_checkpoints/c.png"),
        *("__MACOSX/._b.jpg", "__MACOSX/b.jpg", "@eaDir/b.jpg", "$RECYCLE.BIN/f.jpg"),
    )
    for name in names:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "away").mkdir()
    (tmp_path / "away/g.jpg").write_bytes(b"")
    (tmp_path / "photos/linked").symlink_to("../away")
    (tmp_path / "photos/a/circle").symlink_to("..")
    return tmp_path / "photos"


def test_the_files_of_a_folder(folder, monkeypatch, capsys):
    images = ["a/c.PNG", "b.jpg", "folder.jpg/e.png", "linked/g.jpg"]
    assert files_in([str(folder)], is_video=False) == [f"{folder}/{name}" for name in images]
    assert scan(folder).files == sorted([*images, "a/d.mp4"])
    assert capsys.readouterr().err == (
        "passed over linked folders that are read in another place: 1, such as a/circle\n"
    )
    assert files_in([f"{folder}/", "x.mp4"], is_video=True) == [f"{folder}/a/d.mp4", "x.mp4"]
    monkeypatch.chdir(folder)
    assert files_in(["."], is_video=False) == images
    # What the user names is taken, whatever it is called.
    assert files_in([".hidden.jpg", "__MACOSX"], is_video=False) == [
        ".hidden.jpg",
        "__MACOSX/b.jpg",
    ]


def test_a_folder_without_any(folder, tmp_path):
    (tmp_path / "a\nb").mkdir()
    with pytest.raises(UserError) as error:
        files_in([f"{tmp_path}/a\nb"], is_video=False)
    assert str(error.value) == f"the folder {tmp_path}/a\\nb holds no image"
    with pytest.raises(UserError) as error:
        files_in([f"{folder}/@eaDir"], is_video=True)
    assert str(error.value) == f"the folder {folder}/@eaDir holds no video"

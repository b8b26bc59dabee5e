"""Files are what is in them: equal ones stay together, changed ones are noticed, names are free."""

import json
import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.training.config import Recipe
from a2keras.training.data import contents, list_source, open_held_out, open_source, resolve
from a2keras.training.data.folder import list_folder
from a2keras.training.data.opening import assign_splits, equal_files
from a2keras.training.data.source import fingerprints_of
from a2keras.training.data.splits import merged, spreading, stratified
from a2keras.training.run.directory import Run


def listing_of(data: str, **settings):
    return list_source(resolve(Recipe("mine", data=data, **settings)))


def sides(listing, **settings) -> dict[str, str]:
    splits, _ = assign_splits(listing, Recipe("mine", **settings))
    return dict(zip(listing.names, splits.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_equal_files_stay_on_one_side(tmp_path, seed):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(12):
            (tmp_path / name / f"{i}.jpg").write_bytes(b"%s %d" % (name.encode(), i % 6))
    (tmp_path / "cat/link.jpg").symlink_to("0.jpg")
    (tmp_path / "cat/hard.jpg").hardlink_to(tmp_path / "cat/1.jpg")
    found = sides(list_folder(tmp_path), test_fraction=0.4, seed=seed)
    for name in ("cat", "dog"):
        assert all(found[f"{name}/{i}.jpg"] == found[f"{name}/{i + 6}.jpg"] for i in range(6))
        mine = [split for file, split in found.items() if file.startswith(name)]
        assert {"train", "validation", "test"} <= set(mine)
    assert found["cat/link.jpg"] == found["cat/0.jpg"]
    assert found["cat/hard.jpg"] == found["cat/1.jpg"]


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_one_file_stay_on_one_side(tmp_path, seed):
    (tmp_path / "a").mkdir()
    for i in range(8):
        (tmp_path / f"a/{i}.mp4").write_bytes(b"%d" % i)
    (tmp_path / "l.csv").write_text(
        "".join(f"a/{i}.mp4,{'xy'[i % 2]},{t},{t + 1}\n" for i in range(8) for t in range(3))
        + "a/0.mp4,x,0,1\n./a/1.mp4,y,,\n"
    )
    found = sides(listing_of(f"csv:{tmp_path}/l.csv"), test_fraction=0.3, seed=seed)
    for i in range(8):
        assert len({side for name, side in found.items() if name.startswith(f"a/{i}.mp4")}) == 1
    assert set(found.values()) == {"train", "validation", "test"}


@pytest.mark.parametrize("seed", range(5))
def test_videos_whose_parts_show_several_classes_stay_whole(tmp_path, seed):
    for i in range(10):
        (tmp_path / f"{i}.mp4").write_bytes(b"%d" % i)
    rows = [f"{i}.mp4,{'xyz'[(i + t) % 3]},{t},{t + 1}\n" for i in range(10) for t in range(2)]
    (tmp_path / "l.csv").write_text("".join(rows))
    listing = listing_of(f"csv:{tmp_path}/l.csv")
    found = sides(listing, test_fraction=0.3, seed=seed)
    for i in range(10):
        assert len({side for name, side in found.items() if name.startswith(f"{i}.mp4")}) == 1
    for side, least, most in (("train", 6, 16), ("validation", 2, 6), ("test", 2, 10)):
        assert least <= list(found.values()).count(side) <= most
    trained = [side == "train" for side in found.values()]
    assert set(listing.labels[trained]) == {0, 1, 2}


def test_parts_stay_where_a_list_puts_them(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"a")
    (tmp_path / "b.mp4").write_bytes(b"b")
    (tmp_path / "l.csv").write_text(
        "path,label,start,end,split\na.mp4,x,0,1,train\na.mp4,y,1,2,test\n"
        "b.mp4,y,0,1,train\na.mp4,x,5,6,test\n"
    )
    found = sides(listing_of(f"csv:{tmp_path}/l.csv"), validation_fraction=0)
    assert list(found.values()) == ["train", "test", "train", "test"]


@pytest.mark.parametrize(
    ("parts", "count", "names"),
    [
        (["a,,,train", "a,5,8,test"], 1, ("a.mp4", "a.mp4@5-8")),
        (["a,5,8,test", "a,,,train"], 1, ("a.mp4", "a.mp4@5-8")),
        (["a,0,10,train", "a,5,15,test", "a,9,11,validation"], 2, ("a.mp4@0-10", "a.mp4@5-15")),
        (["a,0,30,train", "a,1,2,train", "a,20,,test"], 1, ("a.mp4@0-30", "a.mp4@20-end")),
        (["a,0,0.00001,test", "b,0.000005,7,train"], 1, ("a.mp4@0-1e-05", "b.mp4@5e-06-7")),
        (["a,0,5,train", "a,5,9,test", "a,2,4,train"], 0, ()),
    ],
)
def test_frames_in_two_splits_are_told(tmp_path, parts, count, names):
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_bytes(b"c" if name == "c" else b"the same")
    rows = [",x,".join(part.split(",", 1)).replace(",", ".mp4,", 1) for part in parts]
    text = "\n".join(["path,label,start,end,split", *rows, "c.mp4,y,,,train"])
    (tmp_path / "l.csv").write_text(text)
    listing = listing_of(f"csv:{tmp_path}/l.csv")
    splits, _ = assign_splits(listing, Recipe("mine", validation_fraction=0))
    examples = "1 example" if count == 1 else f"{count} examples"
    expected = (
        "WARNING: of a video of which another split has the same frames: "
        f"{examples}, such as {' and '.join(names)}"
    )
    assert equal_files(listing, splits) == ([expected] if count else [])


def test_what_equals_a_held_out_file_is_held_out(tmp_path):
    for name, text in {"a": b"1", "b": b"1", "c": b"2", "d": b"3", "e": b"4"}.items():
        (tmp_path / f"{name}.jpg").write_bytes(text)
    (tmp_path / "l.csv").write_text(
        "path,label,split\na.jpg,x,test\nb.jpg,x,\nc.jpg,x,\nd.jpg,y,\ne.jpg,y,train\n"
    )
    found = sides(listing_of(f"csv:{tmp_path}/l.csv"), validation_fraction=0)
    assert list(found.values()) == ["test", "test", "train", "train", "train"]


def test_groups_that_share_a_file_are_one():
    groups = np.array(["c", "a", "b", "d", "a", "e"])
    units = np.array([0, 0, 1, 2, 1, 3])  # c with a, a with b
    assert merged(groups, units).tolist() == ["a", "a", "a", "d", "a", "e"]
    assert merged(groups, np.arange(6)).tolist() == groups.tolist()
    chosen = np.array([True, False, False, False, False, False])
    assert spreading(chosen, units).tolist() == [True, True, False, False, False, False]


def test_named_groups_are_the_users_choice_and_told(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(6):  # 0 and 3, 1 and 4, 2 and 5 are equal
            (tmp_path / name / f"{i}.jpg").write_bytes(b"%s %d" % (name.encode(), i % 3))
    listing = list_folder(tmp_path)
    recipe = Recipe("mine", group_pattern=r"(\d)\.jpg", test_groups="0,1", validation_fraction=0.1)
    splits, _ = assign_splits(listing, recipe)
    found = dict(zip(listing.names, splits.tolist(), strict=True))
    assert [name for name, split in found.items() if split == "test"] == [
        f"{name}/{i}.jpg" for name in ("cat", "dog") for i in (0, 1)
    ]
    assert found["cat/2.jpg"] == found["cat/5.jpg"]  # groups that are drawn go together
    assert equal_files(listing, splits)[0] == (
        "WARNING: of equal content in another split: 4 examples, such as cat/0.jpg and cat/3.jpg"
    )


def test_without_equal_files_the_draw_is_what_it_was():
    labels = np.random.default_rng(1).integers(0, 5, 200)
    random, expected = np.random.default_rng(7), np.zeros(200, bool)
    for label in range(5):
        members = random.permutation(np.flatnonzero(labels == label))
        expected[members[: round(0.3 * len(members))]] = True
    assert np.array_equal(stratified(labels, 0.3, 7), expected)
    assert np.array_equal(stratified(labels, 0.3, 7, np.arange(200)[::-1]), expected)


def test_nothing_held_out_is_nothing_to_score(images):
    recipe = Recipe("mine", data=f"folder:{images}", test_fraction=0, validation_fraction=0)
    with pytest.raises(UserError) as error:
        open_held_out(recipe, ("blue", "red"))
    assert str(error.value) == f"folder:{images} has no test or validation examples: give `data`"


def test_a_file_in_two_classes_is_told_and_not_scored(tmp_path, write_images, capsys):
    write_images(tmp_path / "cat", 6, 0)
    write_images(tmp_path / "dog", 6, 1)
    shutil.copy(tmp_path / "cat/03.png", tmp_path / "dog/99.png")
    shutil.copy(tmp_path / "cat/04.png", tmp_path / "cat/98.png")
    for seed in range(4):
        recipe = Recipe("mine", data=f"folder:{tmp_path}", task="image", size=10, seed=seed)
        source = open_source(recipe)
        assert {"cat/03.png", "dog/99.png"} <= set(source.splits["train"].names)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [
        "WARNING: of equal content in another class: 1 example, such as cat/03.png and dog/99.png",
        "of equal content, kept on one side where splits are drawn: 2 examples, such as cat/04.png "
        "and cat/98.png",
    ]


def test_a_held_out_file_that_equals_one_to_train_on_is_told(tmp_path, write_images, capsys):
    for split in ("train", "test"):
        for hue, name in enumerate(("cat", "dog")):
            write_images(tmp_path / split / name, 3, hue + 3 * (split == "test"))
    shutil.copy(tmp_path / "train/cat/01.png", tmp_path / "test/cat/77.png")
    open_source(Recipe("mine", data=f"folder:{tmp_path}", task="image", size=10))
    assert capsys.readouterr().err.startswith(
        "WARNING: of equal content in another split: 1 example, such as test/cat/77.png and "
        "train/cat/01.png\n"
    )


def test_a_change_is_noticed_and_a_copy_is_none(tmp_path, images):
    before = list_folder(images).fingerprint
    (tmp_path / "run").mkdir()
    run = Run(tmp_path / "run", Recipe("mine", data=f"folder:{images}"))
    run.start({"fingerprint": before})
    path = images / "red/00.png"
    content, status = path.read_bytes(), path.stat()

    os.utime(path)  # touched
    shutil.copy(path, tmp_path / "copy.png")  # and copied
    path.unlink()
    (tmp_path / "copy.png").rename(path)
    assert list_folder(images).fingerprint == before
    run.check_data(list_folder(images).fingerprint)

    changed = bytearray(content)
    changed[-20] ^= 1
    path.write_bytes(changed)  # of the same size, and with the times that it had
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert list_folder(images).fingerprint != before
    with pytest.raises(UserError) as error:
        run.check_data(list_folder(images).fingerprint)
    assert str(error.value) == f"the files of folder:{images} have changed since {run.path} began"

    path.write_bytes(content)
    assert list_folder(images).fingerprint == before


def test_a_run_goes_on_and_is_scored_only_with_its_own_files(
    tmp_path, images, tiny_network, run_command
):
    run = tmp_path / "run"
    settings = ["size=16", "batch_size=4", "epochs=1"]
    train = [
        "train",
        "--recipe=folder",
        "--set=weights=none",
        f"--data=folder:{images}",
        f"--output={run}",
    ]
    train += [f"--set={each}" for each in settings]
    run_command(*train)
    scores = json.loads(run_command("evaluate", run, "--format=json"))
    (run / "results.json").unlink()  # as if it had been stopped
    for path in images.rglob("*.png"):
        os.utime(path)
    run_command(*train)
    assert json.loads(run_command("evaluate", run, "--format=json")) == scores
    path = images / "red/07.png"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    changed = f"the files of folder:{images} have changed since {run} began"
    for command in (["evaluate", run], ["explain", run, f"--output={tmp_path}/maps"]):
        with pytest.raises(UserError) as error:
            run_command(*command)
        assert str(error.value) == changed
    (run / "results.json").unlink()
    with pytest.raises(UserError) as error:
        run_command(*train)
    assert str(error.value) == changed


def test_data_to_be_scored_may_be_of_one_class_or_of_the_test_alone(
    tmp_path, write_images, tiny_network, run_command
):
    for hue, name in enumerate(("cat", "dog")):
        write_images(tmp_path / "data" / name, 8, hue)
        write_images(tmp_path / "scored/Testing" / name, 8, hue + 3)
    write_images(tmp_path / "one/dog", 3, 8)
    (tmp_path / "one/bird").mkdir()
    (tmp_path / "list.csv").write_text("file,label\none/dog/00.png,dog\none/dog/02.png,dog\n")
    run = tmp_path / "run"
    settings = ["--set=size=16", "--set=batch_size=4", "--set=epochs=1"]
    data = f"--data=folder:{tmp_path}/data"
    run_command(
        "train", "--recipe=folder", "--set=weights=none", data, f"--output={run}", *settings
    )
    for source, count, per_class in (
        (f"folder:{tmp_path}/one", 3, {"dog"}),
        (f"folder:{tmp_path}/scored", 16, {"cat", "dog"}),
        (f"csv:{tmp_path}/list.csv", 2, {"dog"}),
    ):
        scores = json.loads(run_command("evaluate", run, f"--data={source}", "--format=json"))
        assert (scores["examples"], set(scores["per_class"])) == (count, per_class)
    (tmp_path / "train.csv").write_text("file,label,split\none/dog/00.png,dog,train\n")
    with pytest.raises(UserError) as error:
        run_command("evaluate", run, f"--data=csv:{tmp_path}/train.csv")
    assert str(error.value) == (
        f"csv:{tmp_path}/train.csv has no test or validation examples: all of them are for training"
    )


def test_examples_are_known_by_their_content(tmp_path, write_images):
    """Numbered anew in train/ and test/: the same names and sizes, other pictures."""
    for split, hue in (("train", 0), ("test", 4)):
        write_images(tmp_path / f"a/{split}/cat", 3, hue)
        write_images(tmp_path / f"a/{split}/dog", 3, hue + 1)
    recipe = resolve(Recipe("mine", data=f"folder:{tmp_path}/a", validation_fraction=0, size=10))
    source = open_source(recipe)
    trained, tested = (set(fingerprints_of(source.splits[s], "")) for s in ("train", "test"))
    assert (len(trained), len(trained & tested)) == (6, 0)
    # Elsewhere, under other names, two of the six.
    (tmp_path / "b/cat").mkdir(parents=True)
    for i in (0, 2):
        shutil.copy(tmp_path / f"a/train/cat/0{i}.png", tmp_path / f"b/cat/new{i}.png")
    write_images(tmp_path / "b/dog", 2, 9)
    _, other = open_held_out(recipe, ("cat", "dog"), f"folder:{tmp_path}/b")
    found = fingerprints_of(other.splits["test"], other.fingerprint)
    assert [fingerprint in trained for fingerprint in found] == [True, True, False, False]


def test_of_many_bytes_the_hashes_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(contents, "WORTH_KEEPING", 10)
    monkeypatch.setattr(contents, "SETTLED", 0)
    monkeypatch.setattr(contents, "_known", {})
    paths = [str(tmp_path / name) for name in "abc"]
    for path in paths:
        Path(path).write_text(f"the text of {path[-1]}")
    before = contents.hashes(paths)
    (kept,) = (tmp_path / "cache/a2keras").glob("contents_*.npz")

    def hashes_reading(expected: int) -> dict[str, str]:
        """By a new process, which reads so many files."""
        read = []
        with monkeypatch.context() as patch:
            real = contents._sha256
            patch.setattr(contents, "_sha256", lambda path: [read.append(path), real(path)][1])
            patch.setattr(contents, "_known", {})
            found = contents.hashes(paths)
        assert len(read) == expected
        return found

    assert hashes_reading(0) == before
    Path(paths[1]).write_text("another text")
    assert hashes_reading(1)[paths[1]] != before[paths[1]]
    kept.write_bytes(b"damaged")
    assert hashes_reading(3)[paths[0]] == before[paths[0]]


def test_files_without_a_content(tmp_path):
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    names = ("empty", "pipe", "none", "x" * 300, "folder")
    (tmp_path / "folder").mkdir()
    found = contents.hashes([str(tmp_path / name) for name in names])
    assert list(found.values()) == ["empty", "missing", "missing", "missing", "missing"]


def test_a_process_without_files_left_has_no_missing_files(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208 (pathlib's is the same)
    spare = [os.open(os.devnull, os.O_RDONLY) for _ in range(highest)]  # no gap is left
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(spare) + 1, hard))
        with pytest.raises(UserError) as error:
            contents.hashes([str(tmp_path / "a")])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in spare:
            os.close(descriptor)
    assert str(error.value) == f"{tmp_path}/a cannot be read: Too many open files"

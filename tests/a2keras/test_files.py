"""Directories: replaced whole, locked, made and removed without following links."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from a2keras import files
from a2keras.errors import UserError


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_directory_is_replaced_whole_or_stays(tmp_path):
    place = tmp_path / "out"
    with files.replacing_directory(place) as partial:
        (partial / "a").write_text("1")
        assert names(tmp_path) == [partial.name]
    with pytest.raises(RuntimeError), files.replacing_directory(place) as partial:
        (partial / "a").write_text("2")
        raise RuntimeError
    assert (names(tmp_path), (place / "a").read_text()) == (["out"], "1")
    with files.replacing_directory(place) as partial:
        (partial / "b").touch()
    assert (names(tmp_path), names(place)) == (["out"], ["b"])


@pytest.mark.parametrize("name", ["é" * 127, "out.partial", "[a]*"])
def test_any_name_will_do(tmp_path, name):
    for _ in range(2):
        with files.replacing_directory(tmp_path / name) as partial:
            (partial / "a").touch()
    assert names(tmp_path) == [name]


def test_what_is_half_replaced_comes_back(tmp_path):
    """As a process leaves it that is killed between the two renames."""
    (tmp_path / ".out.7.earlier").mkdir()
    (tmp_path / ".out.7.earlier" / "mine").touch()
    (tmp_path / ".out.7.partial").mkdir()
    with pytest.raises(RuntimeError), files.replacing_directory(tmp_path / "out"):
        assert names(tmp_path / "out") == ["mine"]
        raise RuntimeError
    assert names(tmp_path) == ["out"]


def test_nothing_of_a_user_s_is_removable(tmp_path, monkeypatch):
    """Not the current directory, nor one that it lies in, nor files that are not ours."""
    place = tmp_path / "out"
    files.check_removable(place, "the export", {"one/a"}.__contains__)
    (place / "one").mkdir(parents=True)
    (place / "one/a").touch()
    files.check_removable(place, "the export", {"one/a"}.__contains__)
    for here, output in ((place, "."), (place / "one", ".."), (place, place)):
        monkeypatch.chdir(here)
        with pytest.raises(UserError) as told:
            files.check_removable(files.Path(output), "the export", {"one/a"}.__contains__)
        assert str(told.value) == (
            f"{output} is replaced as a whole, and the current directory is it or within it: "
            "choose another `output`"
        )
    monkeypatch.chdir(tmp_path)
    (place / "link").symlink_to(tmp_path)
    with pytest.raises(UserError) as told:
        files.check_removable(place, "the export", {"one/a"}.__contains__)
    assert str(told.value) == (
        f"{place}/link is not part of the export in {place}: move it away first"
    )


def test_what_comes_in_the_meantime_stays(tmp_path):
    """A directory is looked at before and after what takes its place is made."""
    place = tmp_path / "out"
    place.mkdir()

    def check() -> None:
        files.check_removable(place, "the export", lambda name: False)

    with (
        pytest.raises(UserError, match="mine is not part of the export in"),
        files.replacing_directory(place, check),
    ):
        (place / "mine").touch()
    assert (names(tmp_path), names(place)) == (["out"], ["mine"])


def test_only_what_nobody_uses_is_cleared_up(tmp_path):
    for name in (".out.7.partial", ".out.8.partial", ".out.x.partial", ".outer.9.partial"):
        (tmp_path / name).mkdir()
    (tmp_path / ".out.5.partial").symlink_to(tmp_path / ".outer.9.partial")
    with files.locked(tmp_path / ".out.8.partial"), files.replacing_directory(tmp_path / "out"):
        pass
    assert names(tmp_path) == [
        ".out.5.partial", ".out.8.partial", ".out.x.partial", ".outer.9.partial", "out",
    ]  # fmt: skip


def test_a_lock_is_one_process_s_and_goes_with_it(tmp_path):
    code = (
        "import pathlib, sys, time; from a2keras import files\n"
        "with files.locked(pathlib.Path(sys.argv[1])): print('locked', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, tmp_path / "a"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(BlockingIOError), files.locked(tmp_path / "a"):
            pass
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with files.locked(tmp_path / "a"):
            pass


def test_a_lock_can_be_waited_for(tmp_path):
    waiting, told = threading.Event(), []

    def wait() -> None:
        told.append(names(tmp_path))
        waiting.set()

    def other() -> None:
        with files.locked(tmp_path / "a", wait):
            told.append("has it")

    with files.locked(tmp_path / "a"):
        thread = threading.Thread(target=other)
        thread.start()
        assert waiting.wait(10)
        assert told == [["a"]]
    thread.join(10)
    assert told == [["a"], "has it"]


def test_a_lock_is_that_of_the_directory_that_is_there(tmp_path):
    with files.locked(tmp_path / "a"):
        (tmp_path / "a").rename(tmp_path / "b")
        with files.locked(tmp_path / "a"):
            assert names(tmp_path) == ["a", "b"]


def test_directories_of_ours_are_no_links(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mine").touch()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "other")
    with pytest.raises(NotADirectoryError, match="it is a symbolic link, which is not followed"):
        files.make_directory(link)
    with pytest.raises(NotADirectoryError, match="it is a symbolic link"), files.locked(link):
        pass
    partial = tmp_path / f".new.{os.getpid()}.partial"  # of a directory that is replaced
    partial.symlink_to(tmp_path / "other")
    with (
        pytest.raises(NotADirectoryError, match="it is a symbolic link"),
        files.replacing_directory(tmp_path / "new"),
    ):
        pass
    for each in (link, partial):
        files.remove(each)
    assert names(tmp_path) == ["other"]
    assert files.make_directory(tmp_path / "new/one").is_dir()
    files.remove(tmp_path / "new")
    files.remove(tmp_path / "absent")
    (tmp_path / "file").touch()
    files.remove(tmp_path / "file")
    assert names(tmp_path) == ["other"] and names(tmp_path / "other") == ["mine"]


def test_a_file_keeps_two_suffixes_for_those_who_go_by_them(tmp_path):
    with files.replacing(tmp_path / "net.v1.weights.h5") as partial:
        assert partial.name.endswith(".partial.weights.h5")
        partial.touch()
    assert names(tmp_path) == ["net.v1.weights.h5"]


def test_the_cache_is_in_the_first_absolute_place(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for named, place in {
        str(tmp_path / "cache"): tmp_path / "cache",
        "": tmp_path / ".cache",
        "cache": tmp_path / ".cache",
        "~/cache": tmp_path / ".cache",
    }.items():
        monkeypatch.setenv("XDG_CACHE_HOME", named)
        assert files.cache_directory() == place / "a2keras"


def test_without_a_home_it_says_what_to_name(no_home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    with pytest.raises(UserError) as error:
        files.cache_directory()
    assert str(error.value) == (
        "XDG_CACHE_HOME or HOME must be the absolute path of a folder that can be written. "
        "Received: XDG_CACHE_HOME='cache', HOME=None"
    )

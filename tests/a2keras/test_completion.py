"""What shells complete: by the shells themselves, as users have them."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

import pytest

from a2keras.__main__ import COMMANDS
from a2keras.completion import OF_BUILDERS, POSITIONAL, VALUES, WITHOUT_FILES, completion, table
from a2keras.errors import UserError

pytest.importorskip("tensorflow", reason="the commands need TensorFlow")

# What is typed, and what the command then gets; ⇥ is the tab key.
LINES = [
    ("a2keras summ⇥ i3⇥", ["summary", "i3d"]),
    ("a2keras train --rec⇥fold⇥", ["train", "--recipe=folder"]),
    ("a2keras train --recipe=phot⇥", ["train", "--recipe=photos"]),
    ("a2keras train --recipe phot⇥", ["train", "--recipe", "photos"]),
    ("a2keras train --recipe=min⇥", ["train", "--recipe=mine.toml"]),
    ("a2keras train --data=dig⇥", ["train", "--data=digits"]),
    ("a2keras train --data=pict⇥", ["train", "--data=pictures/"]),
    ("a2keras train --set=warm⇥3", ["train", "--set=warmup_epochs=3"]),
    ("a2keras train --set warm⇥3", ["train", "--set", "warmup_epochs=3"]),
    ("a2keras summary resnet20 --set stem⇥small", ["summary", "resnet20", "--set", "stem=small"]),
    ("a2keras predict --timel⇥ i3⇥", ["predict", "--timeline", "i3d:kinetics400"]),
    ("a2keras predict i3d:ki⇥ pict⇥", ["predict", "i3d:kinetics400", "pictures/"]),
    ("a2keras weights fe⇥ effi⇥", ["weights", "fetch", "efficientnet_lite0:imagenet"]),
    ("a2keras train --strat⇥mirr⇥", ["train", "--strategy=mirrored"]),
    ("a2keras train --model=keras:VGG16⇥", ["train", "--model=keras:VGG16"]),
    ("a2keras train --model=keras:Xc⇥", ["train", "--model=keras:Xception"]),
    ("a2keras train --set=attention=non_⇥", ["train", "--set=attention=non_local"]),
    ("a2keras train --set flip=fa⇥", ["train", "--set", "flip=false"]),
    ("a2keras export --formats=sav⇥", ["export", "--formats=saved_model"]),
    ("a2keras export --formats=web,onn⇥", ["export", "--formats=web,onnx"]),
    ("a2keras export --formats web,onn⇥", ["export", "--formats", "web,onnx"]),
    ("a2keras completion zs⇥", ["completion", "zsh"]),
    ("a2keras help netw⇥", ["help", "networks"]),
    ("true | a2keras summ⇥", ["summary"]),
    # Where nothing may follow, no file does.
    ("a2keras train pict⇥", ["train", "pict"]),
]
STARTS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
PREPARE = {
    "bash": "bind 'set enable-bracketed-paste off'; PS1='> '",
    "zsh": "PS1='> '; unset zle_bracketed_paste; unsetopt auto_remove_slash; autoload -U compinit;"
    " compinit -u -D",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with some files, and the scripts of all shells."""
    folder = tmp_path_factory.mktemp("shell")
    (folder / "pictures").mkdir()
    (folder / "mine.toml").touch()
    for shell in ("bash", "zsh", "fish"):
        script = [sys.executable, "-m", "a2keras", "completion", shell]
        done = subprocess.run(script, capture_output=True, text=True, check=True)
        (folder / f"a2keras.{shell}").write_text(done.stdout)
    return folder


class Shell:
    """A shell on a terminal, in which `a2keras` prints what it gets."""

    def __init__(self, name, folder):
        self.parent, child = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", "HOME": str(folder)}
        self.process = subprocess.Popen(
            STARTS[name], stdin=child, stdout=child, stderr=child, cwd=folder, env=environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(child)
        echo = """a2keras() { printf '<%s>' "$@"; echo; }"""
        self.line(f"{PREPARE[name]}; source ./a2keras.{name}; {echo}; echo 'read''y'", "ready")

    def line(self, typed, until):
        """Types a line and returns what the shell has printed once that is there."""
        for part in re.split("(⇥)", typed):
            os.write(self.parent, part.replace("⇥", "\t").encode())
            if part == "⇥":
                self.read("", 0.4)
        os.write(self.parent, b"\r")
        return self.read(until, 20)

    def read(self, until, seconds):
        printed, end = "", time.monotonic() + seconds
        while time.monotonic() < end and not (until and until in printed):
            if select.select([self.parent], [], [], 0.1)[0]:
                printed += os.read(self.parent, 10_000).decode(errors="replace")
        return printed

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.parent)


@pytest.mark.slow
@pytest.mark.parametrize("name", STARTS)
def test_what_is_typed_is_completed(name, place):
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name}")
    shell = Shell(name, place)
    try:
        for typed, expected in LINES:
            printed = shell.line(typed, ">\r\n")
            got = re.findall(r"^((?:<[^<>\n]*>)+)\r$", printed, re.M)
            assert got and re.findall("<(.*?)>", got[-1]) == expected, (typed, printed)
    finally:
        shell.close()


def test_fish_completes(place):
    if shutil.which("fish") is None:
        pytest.skip("there is no fish")

    def completed(line):
        code = f"source a2keras.fish; complete -C '{line}'"
        command = ["fish", "--no-config", "-c", code]
        environment = {**os.environ, "HOME": str(place)}
        done = subprocess.run(command, capture_output=True, text=True, cwd=place, env=environment)
        assert done.stderr == ""
        return [each.split("\t")[0] for each in done.stdout.splitlines()]

    assert completed("a2keras summ") == ["summary"]
    assert completed("a2keras summary i3") == ["i3d"]
    assert completed("a2keras train --recipe=phot") == ["--recipe=photos"]
    assert completed("a2keras train --recipe phot") == ["photos"]
    assert completed("a2keras train --rec") == ["--recipe"]
    assert completed("a2keras train --model=keras:Xc") == ["--model=keras:Xception"]
    assert completed("a2keras train --set=attention=non_") == ["--set=attention=non_local"]
    assert completed("a2keras export --formats=web,onn") == ["--formats=web,onnx"]
    assert completed("a2keras export --formats web,onn") == ["web,onnx"]
    assert "--recipe=mine.toml" in completed("a2keras train --recipe=min")
    assert completed("a2keras predict eff") == ["efficientnet_lite0:imagenet"]
    assert "pictures/" in completed("a2keras predict pict")
    assert completed("a2keras train pict") == []
    assert completed("a2keras predict --timel") == ["--timeline"]


def test_every_command_and_flag_is_in_the_table():
    places = table()
    assert set(COMMANDS) < set(places[""].words)
    assert "--recipe=" in places["train"].words
    assert places["train --recipe"].files and "photos" in places["train --recipe"].words
    assert not places["train --strategy"].files
    words = [word for each in places.values() for word in each.words]
    assert all(re.fullmatch(r"[\w:=.+-]+", word) for word in words)
    flags = {key.partition("--")[2] for key in places if "--" in key}
    assert VALUES.keys() <= flags
    assert {*POSITIONAL, *WITHOUT_FILES, *OF_BUILDERS} <= COMMANDS.keys()


@pytest.mark.parametrize("given", [[], ["csh"], ["bash", "zsh"]])
def test_mistakes(given):
    with pytest.raises(UserError) as error:
        completion(given)
    received = " ".join(given) or "none"
    assert str(error.value) == f"completion takes one of bash, zsh, fish. Received: {received}"

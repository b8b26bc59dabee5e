"""`a2keras check`: what works is told, what does not too, and the exit code says which."""

import json
import os
import subprocess
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest

from a2keras import backend_check
from a2keras.errors import UserError
from a2keras.models.commands import check
from a2keras.models.weights import fetching


def test_a_backend_that_does_not_start_is_broken_and_the_others_are_told(tmp_path):
    """By the command: jax is one that fails."""
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax/__init__.py").write_text("raise ImportError('no such driver')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "a2keras", "check", "--format=json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    findings = {each["what"]: each for each in document["findings"]}
    assert document["works"] is False
    assert findings["layer on jax"]["state"] == "BROKEN"
    assert findings["layer on jax"]["detail"] == "ImportError: no such driver"
    layer = findings["layer on tensorflow"]
    assert layer["state"] == "ok"
    assert layer["devices"][0].startswith("CPU")
    assert layer["error"] < 1e-4 * layer["largest"]
    assert findings["keras"] == {
        "what": "keras", "state": "ok", "detail": metadata.version("keras"),
    }  # fmt: skip
    assert findings["video"]["detail"].startswith(f"PyAV {metadata.version('av')}: libavcodec ")
    assert findings["weights cache"]["weights"] == []
    assert done.stderr.splitlines() == ["a layer on tensorflow …", "a layer on jax …"]


def test_what_works_is_told_in_a_table(monkeypatch, capsys):
    monkeypatch.setattr(check, "BACKENDS", ())
    check.check([])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["what", "state", "detail"]
    assert lines[1].split()[:3] == ["a2keras", "ok", metadata.version("a2keras")]
    assert lines[-1] == "everything works"


def answer(monkeypatch, returncode=0, stdout="", stderr="", error=None):
    def run(*_, **options):
        if error:
            raise error
        return SimpleNamespace(returncode=returncode, stdout=stdout, stderr=stderr)

    monkeypatch.setattr(check.subprocess, "run", run)
    return check.backend("jax")


def test_what_a_backend_computes_is_compared(monkeypatch):
    document = {"devices": ["GPU a", "CPU"], "error": 0.02, "largest": 3.0}
    assert answer(monkeypatch, stdout=f"noise\n{json.dumps(document)}") == {
        "what": "layer on jax",
        "state": "ok",
        "detail": "GPU a, CPU; largest error 2.0e-02 of 3.0",
        **document,
    }
    wrong = json.dumps({**document, "error": 0.04})
    assert answer(monkeypatch, stdout=wrong)["state"] == "BROKEN"


@pytest.mark.parametrize(
    ("options", "detail"),
    [
        ({"returncode": 1, "stderr": "a\nlast\x1b\n"}, "last\\x1b"),
        ({"returncode": -9}, "it ended with code -9"),
        ({"error": subprocess.TimeoutExpired("x", 1)}, "it did not end within 300 s"),
        ({"stdout": "nothing"}, "what it printed is no answer"),
    ],
)
def test_a_process_that_fails_is_told(monkeypatch, options, detail):
    assert answer(monkeypatch, **options) == {
        "what": "layer on jax", "state": "BROKEN", "detail": detail,
    }  # fmt: skip


def test_the_versions_are_those_that_the_package_asks_for(monkeypatch):
    asked = [
        "numpy>=1", "keras<1", "nowhere-at-all>=2", "colorama; sys_platform == 'win32'",
        "absl-py; extra == 'jax'", "nowhere-at-all; extra == 'torch'",
    ]  # fmt: skip
    monkeypatch.setattr(check.metadata, "requires", lambda name: asked)
    found = {each["what"]: (each["state"], each["detail"]) for each in check.installed()}
    assert found["numpy"] == ("ok", metadata.version("numpy"))
    keras = metadata.version("keras")
    assert found["keras"] == ("BROKEN", f"{keras}, where keras<1 is needed")
    missing = "missing: pip install 'nowhere-at-all>=2'"
    assert found["nowhere-at-all"] == ("BROKEN", missing)
    assert "colorama" not in found
    assert found["extra [jax]"] == ("ok", f"absl-py {metadata.version('absl-py')}")
    assert found["extra [torch]"] == ("not installed", "pip install 'a2keras[torch]'")


def test_a_cache_that_cannot_be_written_is_broken(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    found = check.cache()
    assert found["state"] == "BROKEN"
    assert found["detail"].endswith(f"{tmp_path}/file cannot be written")


def test_a_cache_that_cannot_be_looked_at_is_broken(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/" + 300 * "x")
    assert check.cache()["detail"].endswith("/a2keras/weights: File name too long")


def test_a_cache_without_a_place_is_broken(no_home):
    assert check.cache()["detail"].startswith("XDG_CACHE_HOME or HOME must be the absolute path")


def test_damaged_weights_in_the_cache_are_told(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    record = check.FETCHED[0]
    fetching.kept(record).mkdir(parents=True)
    found = check.cache()
    assert (found["state"], found["detail"]) == (
        "ok",
        f"{tmp_path}/a2keras/weights: nothing yet, 0.0 MB; not whole, and fetched anew when used: "
        f"{record.title}",
    )


def test_a_library_that_does_not_load_is_broken(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert check.video()["state"] == "BROKEN"


def test_the_formula_is_the_oracle():
    """By hand: one descriptor, which every position receives whole."""
    import numpy as np

    x = np.array([[[1.0, 2.0], [3.0, 5.0]]])
    kernels = {
        "theta": np.zeros((1, 2, 1)),  # gathers the mean
        "rho": np.ones((1, 2, 1)),
        "phi": np.eye(2)[None],
        "output": 10 * np.eye(2)[None],
    }
    expected = x + 10 * np.array([2.0, 3.5])
    assert backend_check.formula(x, kernels) == pytest.approx(expected)


def test_mistakes():
    with pytest.raises(UserError, match=r"^check takes no arguments\. Received: all$"):
        check.check(["all"])

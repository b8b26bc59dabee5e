"""The JAX backend: a recipe gives the numbers that it gives on TensorFlow, on one device or two."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from a2keras import models
from a2keras.errors import UserError
from a2keras.training.run.train import train

PROGRAM = Path(__file__).with_name("jax_runs.py")


@pytest.fixture(scope="module", params=["plain", "frozen"])
def runs(request, tmp_path_factory) -> tuple[Path, str]:
    """What jax_runs.py left, with DIRECTORY/tensorflow beside it; and what it said."""
    pytest.importorskip("jax")
    directory = tmp_path_factory.mktemp("jax")
    spec = importlib.util.spec_from_file_location("jax_runs", PROGRAM)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "build", program.small)
        program.write_start(directory)
        train(program.recipe(directory, request.param), directory / "tensorflow", "none")
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        # The runs on one device compile the same steps.
        "JAX_COMPILATION_CACHE_DIR": str(directory / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }
    command = [sys.executable, PROGRAM, directory, request.param]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=280
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    return directory, done.stdout


def difference(runs: Path, one: str, other: str) -> float:
    a, b = (
        keras.models.load_model(runs / name / "model.keras", compile=False).get_weights()
        for name in (one, other)
    )
    return max(float(np.abs(x - y).max()) for x, y in zip(a, b, strict=True))


def metrics(path: Path) -> list[dict]:
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if "second" not in k} for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize("other", ["one", "two"])
def test_jax_ends_with_the_numbers_of_tensorflow(runs, other):
    directory, _ = runs
    assert difference(directory, "tensorflow", other) < 1e-5
    for a, b in zip(metrics(directory / "tensorflow"), metrics(directory / other), strict=True):
        for key, value in a.items():
            assert b[key] == pytest.approx(value, abs=1e-5), key


@pytest.mark.slow
def test_two_devices_end_with_the_weights_of_one(runs):
    directory, _ = runs
    assert json.loads((directory / "two/results.json").read_text())["replicas"] == 2
    assert difference(directory, "one", "two") < 1e-5


@pytest.mark.slow
def test_a_stopped_run_ends_bit_for_bit_as_the_whole_one(runs):
    directory, said = runs
    assert "stopped by SIGTERM after step 3: saved." in said
    assert difference(directory, "one", "stopped") == 0
    assert metrics(directory / "one") == metrics(directory / "stopped")


def test_more_replicas_than_devices_are_told(monkeypatch):
    pytest.importorskip("jax")
    from a2keras.training.compute import jax

    monkeypatch.setattr(jax, "_split_cpu", lambda count: None)  # as where JAX has GPUs
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["gpu:0", "gpu:1"])
    with pytest.raises(UserError) as error:
        jax.jax_computation("mirrored", 3)
    told = "`replicas` must be at most 2, the devices there are. Received: `replicas=3`"
    assert str(error.value) == told


def test_a_backend_without_training_is_told(monkeypatch):
    from a2keras.training.compute.strategies import computation_for

    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(UserError) as error:
        computation_for("auto")
    assert str(error.value) == "training runs on TensorFlow or JAX. Received: KERAS_BACKEND=torch"

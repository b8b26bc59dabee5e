"""kill -9 at any moment, then the same command: the run ends as if it had not been killed."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest


def read(path: Path) -> list:
    """metrics.jsonl and results.json, without what a clock says."""
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    documents = [*lines, json.loads((path / "results.json").read_text())]
    return [{k: v for k, v in each.items() if "second" not in k} for each in documents]


@pytest.mark.slow
def test_a_killed_run_ends_bit_for_bit_as_the_whole_one(tmp_path):
    seed = random.randrange(2**32)
    print(f"killed at random with seed {seed}")
    program = Path(__file__).with_name("killed_runs.py")
    done = subprocess.run(
        [sys.executable, program, tmp_path, str(seed)],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        timeout=250,
        check=True,
    )
    print(done.stdout, done.stderr)
    endings = done.stdout.splitlines()
    assert endings[:3] == ["whole 0", "in a save -9", "in a save -9"]
    assert endings[3:] == ["SIGKILL -9", "SIGTERM 75", "to the end 0"]
    assert "going on after step " in done.stderr
    assert read(tmp_path / "whole") == read(tmp_path / "killed")
    models = [
        keras.models.load_model(tmp_path / name / "model.keras", compile=False)
        for name in ("whole", "killed")
    ]
    for a, b in zip(models[0].weights, models[1].weights, strict=True):
        assert np.array_equal(a.numpy(), b.numpy()), a.path

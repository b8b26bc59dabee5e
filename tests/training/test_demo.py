"""`a2keras demo` from end to end, on a training of two steps."""

import json
import re

import pytest

from a2keras.__main__ import run
from a2keras.demo import demo
from a2keras.errors import UserError


@pytest.mark.slow
def test_demo_leaves_a_page_whose_every_picture_is_there(tmp_path, capsys, tiny_network):
    output = tmp_path / "demo"
    short = ["--set=epochs=1", "--set=warmup_epochs=0", "--set=steps_per_epoch=2"]
    run(["demo", "--task=image", f"--output={output}", *short])
    printed = capsys.readouterr().out
    page = (output / "index.html").read_text()
    pictures = re.findall(r"<img src='([^']+)'", page)
    assert len(pictures) == 2 + 4  # curves, confusion, four explanations
    assert all((output / picture).stat().st_size > 1000 for picture in pictures)
    for link in re.findall(r"<a href='([^']+)'", page):
        assert (output / link).is_file()
    evaluation = json.loads((output / "image/run/evaluation.json").read_text())
    assert f"<b>{evaluation['top1']:.1%}</b>top-1 on unseen digits" in page
    manifest = json.loads((output / "image/export/manifest.json").read_text())
    assert set(manifest["artefacts"]) == {"saved_model", "tflite_float32"}
    for name, artefact in manifest["artefacts"].items():
        parity = artefact["parity"]["serving_default"]
        # Random pixels, what the run has held out, and the digits explained.
        assert (parity["samples"], parity["real_samples"]) == (8 + 128 + 4, 128 + 4)
        assert parity["max_error"] < 1e-4
        assert f"{name} {parity['max_error']:12.1e}".split() == next(
            line.split()[-3:-1] if "image" in line else line.split()
            for line in printed.splitlines()
            if name in line
        )
    assert printed.splitlines()[-1] == str((output / "index.html").resolve())
    # The same command again finds everything done.
    run(["demo", "--task=image", f"--output={output}", *short])
    with pytest.raises(UserError, match=r"is a run with epochs=1, not epochs=2: choose another"):
        run(["demo", "--task=image", f"--output={output}", "--set=epochs=2", *short[1:]])


def test_an_output_elsewhere_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        demo(["--output=gs://bucket/demo"])
    assert str(error.value) == (
        "--output must be a directory of this machine or mounted on it. "
        "Received: --output=gs://bucket/demo"
    )
    assert not list(tmp_path.iterdir())

"""docs/python.md: every block of it, in order, as one program."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from a2keras.training.recipes import photos

DOCS = Path(__file__).parents[3] / "docs/python.md"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_block_runs(images, tmp_path, tiny_network, write_video, monkeypatch, capsys):
    """On 24 pictures, by a small network from scratch."""
    images.rename(tmp_path / "photos")
    Image.fromarray(np.full((23, 19, 3), 90, "uint8")).save(tmp_path / "picture.jpg")
    write_video(tmp_path / "clip.mp4", 20)
    monkeypatch.chdir(tmp_path)
    small = photos.RECIPE.override(["weights=none", "model=a2_resnet11", "size=16"])
    held = ["freeze_epochs=0", "freeze_rate=0", "freeze_bn=false", "freeze_until="]
    small = small.override(["batch_size=4", *held])
    monkeypatch.setattr(photos, "RECIPE", small)
    blocks = re.findall(r"^```python\n(.*?)^```", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 8
    program: dict = {}
    for block in blocks:
        exec(block, program)
    printed = capsys.readouterr().out.splitlines()
    assert "recipe field batch_size must be at least 1. Received: batch_size=0" in printed
    assert "1 absent.jpg: does not exist" in printed
    assert 4 <= len((tmp_path / "epochs.csv").read_text().splitlines()) <= 7
    for left in ("best.keras", "pictures/index.html", "artefacts/model_float32.tflite"):
        assert (tmp_path / left).is_file()

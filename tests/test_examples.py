"""The worked example: its networks against spec.md's figures, and its script from end to end."""

import importlib.util
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import a2keras

PATH = Path(__file__).parents[1] / "examples" / "clothing.py"


@pytest.fixture(scope="module")
def clothing():
    spec = importlib.util.spec_from_file_location("clothing", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(("r", "parameters", "millions"), [(2, 42_944, "12.5"), (4, 23_200, "5.6")])
def test_blocks_of_mobilenet_v2_cost_what_the_spec_says(clothing, r, parameters, millions):
    """spec.md §5: MobileNetV2 1.0 at 224, 300.8 M multiply-adds."""
    host = keras.applications.MobileNetV2(weights=None)
    model = clothing.with_attention(host, reduction=r)
    before, after = a2keras.count(host), a2keras.count(model)
    assert f"{before.multiply_adds / 1e6:.1f}" == "300.8"
    assert after.parameters - before.parameters == parameters
    assert f"{(after.multiply_adds - before.multiply_adds) / 1e6:.1f}" == millions


@pytest.fixture
def photos(tmp_path):
    """Three classes of noisy one-coloured photos, which colour alone tells apart."""
    rng = np.random.default_rng(0)
    for split, number in (("train", 11), ("validation", 3), ("test", 5)):
        for channel, name in enumerate(("blue", "green", "red")):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for i in range(number):
                photo = rng.integers(0, 60, (41, 37, 3))
                photo[..., channel] += 150
                keras.utils.save_img(folder / f"{i}.jpg", photo, scale=False)
    return tmp_path


@pytest.fixture
def eager():
    """Without graphs, whose making takes most of the time of so few steps."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.slow
@pytest.mark.usefixtures("eager")
def test_the_script_trains_host_and_copy(clothing, photos, capsys, monkeypatch):
    arguments = ["--seeds=3", "--epochs=1", "--size=32", f"--data={photos}"]
    monkeypatch.setattr("sys.argv", ["clothing.py", *arguments])
    clothing.main()
    host, copy = map(json.loads, capsys.readouterr().out.splitlines())
    assert (host["attention"], copy["attention"]) == (False, True)
    assert host["seed"] == copy["seed"] == 3
    # C = 16, 16, 24, 24 and 32 at alpha 0.35; four projections, four normalisations
    added = sum(4 * c * (c // 2) + 4 * (3 * c + c // 2) for c in (16, 16, 24, 24, 32))
    assert copy["parameters"] - host["parameters"] == added
    for scores in (host["validation"], host["test"], copy["validation"], copy["test"]):
        assert 0 <= scores["top1"] <= 1 and scores["top1"] == pytest.approx(scores["balanced"])


def test_scores_by_hand(clothing):
    class Fixed:
        def predict(self, photos, verbose):
            return np.eye(3)[[0, 0, 1, 1, 2, 0]]

    labels = np.array([0, 0, 0, 1, 1, 2])
    found = clothing.scores(Fixed(), None, labels)
    assert found == {"top1": 3 / 6, "balanced": pytest.approx((2 / 3 + 1 / 2 + 0) / 3)}

"""What a run keeps of its data for the exports."""

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.models.preprocessing.samples import Samples


def views(count: int, shape=(5, 7, 3)) -> np.ndarray:
    size = count * int(np.prod(shape))
    return (np.arange(size) % 251).astype(np.uint8).reshape(count, *shape)


def test_samples_come_back(tmp_path):
    Samples(views(2), views(3)).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["samples.npz"]
    found = Samples.load(tmp_path, (5, 7, 3))
    np.testing.assert_array_equal(found.calibration, views(2))
    np.testing.assert_array_equal(found.held_out, views(3))


def test_a_bare_model_has_none(tmp_path):
    found = Samples.load(tmp_path, (11, 5, 7, 3))
    assert found.calibration.shape == found.held_out.shape == (0, 11, 5, 7, 3)


def test_samples_of_another_network_are_refused(tmp_path):
    Samples(views(2), views(0)).save(tmp_path)
    with pytest.raises(UserError) as caught:
        Samples.load(tmp_path, (7, 7, 3))
    assert str(caught.value) == (
        f"{tmp_path / 'samples.npz'} must hold uint8 views of shape (N, 7, 7, 3). "
        "Received: uint8 (2, 5, 7, 3)"
    )


@pytest.mark.parametrize("kept", [0, 7, 100])
def test_a_damaged_file_is_told(tmp_path, kept):
    Samples(views(2), views(3)).save(tmp_path)
    path = tmp_path / "samples.npz"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=f"^{path} cannot be used: "):
        Samples.load(tmp_path, (5, 7, 3))


def test_nothing_pickled_is_read(tmp_path):
    path = tmp_path / "samples.npz"
    np.savez(path, calibration=np.array([print], dtype=object), held_out=views(1))
    with pytest.raises(
        UserError, match=r"calibration: it holds Python objects, which are not loaded$"
    ):
        Samples.load(tmp_path, (5, 7, 3))

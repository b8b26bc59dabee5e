"""Files of arrays, whoever has damaged them: what a header says is not believed."""

import io
import random
import struct
import zipfile

import numpy as np
import pytest

from a2keras import arrays
from a2keras.arrays import read_npy, read_npz


def npy(shape, descr="<f4", data=b"", version=(1, 0)) -> bytes:
    """A `.npy` file that says anything."""
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}}}".encode() + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(header)) + header + data


def npz(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_arrays_come_back_bit_for_bit_and_can_be_written_to(tmp_path):
    given = {
        "float": np.array([[0.1, -0.0], [1e-42, np.nan]], "float32"),
        "by_columns": np.asfortranarray(np.arange(6, dtype="int64").reshape(2, 3)),
        "big_endian": np.arange(5, dtype=">u2"),
        "scalar": np.array(7),
        "empty": np.zeros((0, 3, 5), "uint8"),
        "text": np.array(["a", "bc"]),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **given)
        found = read_npz(tmp_path / "a.npz")
        assert list(found) == list(given)
        for name, array in given.items():
            assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
            assert found[name].tobytes() == array.tobytes()
        found["float"][0] = 1
    np.save(tmp_path / "a.npy", given["by_columns"])
    assert (read_npy(tmp_path / "a.npy", 48) == given["by_columns"]).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (npy((10**9, 10**9), data=bytes(8)), "a: it has 8 bytes, not"),
        (npy((-1, -2), data=bytes(8)), "a: it has 8 bytes, not those of (-1, -2) of float32"),
        (npy((3,), data=bytes(8)), "a: it has 8 bytes, not those of (3,) of float32"),
        (npy((2**62,), "|S0"), "a: it has 0 bytes, not those of (4611686018427387904,)"),
        (npy((1,), "|O", bytes(8)), "a: it holds Python objects, which are not loaded"),
        (npy((2,), data=bytes(8), version=(9, 0)), "a: it is a .npy file of version (9, 0)"),
        (npy("-" * 9000 + "1"), "a: its header cannot be read"),
        (npy("(" * 9000), "a: its header cannot be read"),
        (npy((2,), "nonsense", bytes(8)), "a: its header cannot be read"),
        (b"no array", "a: the magic string is not correct"),
        (b"", "a: EOF: reading magic string"),
    ],
)  # fmt: skip
def test_what_a_header_says_is_compared_with_what_is_there(tmp_path, content, reason):
    with pytest.raises(ValueError) as told:
        read_npz(npz(tmp_path / "a.npz", {"a.npy": content}))
    assert str(told.value).startswith(reason)
    assert "\n" not in str(told.value)


def test_an_archive_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    path = npz(tmp_path / "a.npz", {"a.npy": npy((5 * 2**20,), data=bytes(20 * 2**20))}, 8)
    assert path.stat().st_size < 2**20
    assert read_npz(path)["a"].shape == (5 * 2**20,)
    with pytest.raises(ValueError, match=r"^it declares 20971\d+ bytes, more than 1000$"):
        read_npz(path, limit=1000)
    monkeypatch.setattr(arrays, "LARGE", 2**20)
    monkeypatch.setattr(arrays, "EXPANSION", 10)
    with pytest.raises(ValueError, match=r"^it declares 20971\d+ bytes, more than"):
        read_npz(path)


def test_an_encrypted_or_doubled_member_is_told(tmp_path):
    path = npz(tmp_path / "a.npz", {"a.npy": npy((1,), data=bytes(4))})
    content = path.read_bytes()
    for offset, at in ((6, content.index(b"PK\3\4")), (8, content.index(b"PK\1\2"))):
        content = content[: at + offset] + b"\1" + content[at + offset + 1 :]
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is encrypted, password required"):
        read_npz(path)
    npz(path, {"a.npy": npy((1,), data=bytes(4)), "a": npy((1,), data=bytes(4))})
    with pytest.raises(ValueError, match="it holds a twice"):
        read_npz(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damage_of_any_kind_is_a_value_error(tmp_path, save):
    buffer, chance, told = io.BytesIO(), random.Random(5), 0
    save(buffer, a=np.arange(90, dtype="uint8").reshape(2, 5, 9), b=np.eye(3))
    for _ in range(400):
        damaged = bytearray(buffer.getvalue())
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(damaged))
            damaged[at : at + chance.randint(0, 4)] = chance.randbytes(chance.randint(0, 4))
        (tmp_path / "a.npz").write_bytes(damaged)
        try:
            read_npz(tmp_path / "a.npz")
        except ValueError as error:
            told += 1
            assert "\n" not in str(error)
    assert told > 200


def test_what_the_machine_refuses_is_no_damage(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "a.npz")
    with pytest.raises(IsADirectoryError):
        read_npy(tmp_path, 3)

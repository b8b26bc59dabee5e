"""Reading what `torch.save` wrote, without PyTorch: a restricted pickle that tells where bytes lie.

Since 1.6 a file is an archive of a pickle and of one member for each storage, before that a row of
pickles with the storages behind them. Tensors in the pickle are views of storages.
"""

import io
import math
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from a2keras.files import open_file
from a2keras.models.weights import restricted_pickle

_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a file of the old kind
_KINDS = {
    "Double": "f8", "Float": "f4", "Half": "f2", "BFloat16": "bfloat16", "Long": "i8", "Int": "i4",
    "Short": "i2", "Char": "i1", "Byte": "u1", "Bool": "?",
}  # fmt: skip
_ZIP = b"PK\x03\x04"


def is_torch_file(start: bytes) -> bool:
    """Whether a file that begins so is one of `torch.save`: an archive, or `_MAGIC` pickled."""
    return start.startswith((_ZIP, pickle.dumps(_MAGIC, 2)[:-1]))


def load(path: Path) -> Any:
    """What a file holds, with NumPy arrays for tensors; bfloat16, which NumPy lacks, as float32.

    Raises:
        restricted_pickle.Refused: it names something else than tensors, numbers and containers. A
            broken file can raise anything.
    """
    with open_file(path) as file:
        if file.read(len(_ZIP)) == _ZIP:
            with zipfile.ZipFile(file) as archive:
                return _arrays(_from_archive(archive, path.stat().st_size))
        file.seek(0)
        return _arrays(_from_row(io.BytesIO(file.read())))


class _Storage:
    """A row of numbers, of which tensors are views; its bytes may be read later."""

    def __init__(self, kind: str, count: int):
        self.kind, self.count = kind, count
        self.numbers: np.ndarray | None = None

    @property
    def length(self) -> int:
        """In bytes."""
        return self.count * (2 if self.kind == "bfloat16" else np.dtype(self.kind).itemsize)

    def fill(self, data: bytes) -> None:
        if len(data) != self.length:
            raise ValueError(f"{len(data)} bytes for {self.count} numbers")
        if self.kind == "bfloat16":  # the upper half of a float32
            wide = np.frombuffer(data, "<u2").astype("<u4") << 16
            self.numbers = wide.view("<f4")
        else:
            self.numbers = np.frombuffer(data, np.dtype(self.kind).newbyteorder("<"))


class _Tensor:
    """A view of a storage, by PyTorch's numbers, which nobody has checked."""

    def __init__(self, storage: _Storage, offset: int, size: tuple, stride: tuple, *_: Any):
        self.storage, self.offset = storage, offset
        self.size, self.stride = tuple(size), tuple(stride)

    def array(self) -> np.ndarray:
        numbers = self.storage.numbers
        last = sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        inside = self.offset >= 0 and self.offset + last < self.storage.count
        if numbers is None or min((*self.size, *self.stride), default=0) < 0:
            raise ValueError("a tensor without numbers")
        if not math.prod(self.size):
            return np.zeros(self.size, numbers.dtype)
        if not inside:
            raise ValueError("a tensor that reaches beyond its storage")
        if math.prod(self.size) > self.storage.count:  # by steps of 0: a copy fills the memory
            raise ValueError("a tensor that is larger than its storage")
        steps = [step * numbers.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(
            numbers[self.offset :], self.size, steps, writeable=False
        )


class _Unpickler(restricted_pickle.Unpickler):
    allowed: Mapping[tuple[str, str], Any] = {
        **restricted_pickle.Unpickler.allowed,
        ("torch._utils", "_rebuild_tensor"): _Tensor,
        ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
        ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
        ("torch", "Size"): tuple,
        ("torch", "device"): lambda *names: ":".join(map(str, names)),
        **{("torch", f"{name}Storage"): kind for name, kind in _KINDS.items()},
    }

    def __init__(self, file: io.BytesIO):
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def persistent_load(self, saved: Any) -> _Storage:
        what, kind, key, _, count = saved[:5]
        if what != "storage" or kind not in _KINDS.values() or (len(saved) > 5 and saved[5]):
            raise restricted_pickle.Refused(f"a {what} of {kind}")
        return self.storages.setdefault(str(key), _Storage(kind, int(count)))


def _from_archive(archive: zipfile.ZipFile, size: int) -> Any:
    name = next((each for each in archive.namelist() if each.endswith("/data.pkl")), None)
    if name is None:
        raise ValueError("an archive without data.pkl")
    unpickler = _Unpickler(io.BytesIO(_member(archive, name)))
    saved = unpickler.load()
    if sum(each.length for each in unpickler.storages.values()) > size:
        raise ValueError("storages that are larger than the file")  # members may overlap
    for key, storage in unpickler.storages.items():
        storage.fill(_member(archive, f"{name.removesuffix('.pkl')}/{key}"))
    return saved


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed, as PyTorch never does")  # small files, much memory
    return archive.read(name)


def _from_row(file: io.BytesIO) -> Any:
    if not is_torch_file(file.getvalue()):
        raise ValueError("it does not begin as a file of torch.save")
    for _ in ("magic number", "version", "machine"):
        _Unpickler(file).load()
    unpickler = _Unpickler(file)
    saved = unpickler.load()
    for key in _Unpickler(file).load():
        storage = unpickler.storages[str(key)]
        if int.from_bytes(file.read(8), "little") != storage.count:
            raise ValueError("a storage of another length")
        storage.fill(file.read(storage.length))
    return saved


def _arrays(saved: Any) -> Any:
    def array_of(value: Any) -> Any:
        is_tensor = isinstance(value, _Tensor)
        return value.array() if is_tensor else restricted_pickle.array_of(value)

    return restricted_pickle.changed(saved, array_of)

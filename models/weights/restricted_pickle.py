"""Reading a pickle of arrays, text, numbers and containers, and of nothing else.

A pickle can name any function of the machine and have it called. Here the few names that arrays
need stand for functions of this file; every other name ends the reading before anything is called.
"""

import io
import pickle
import pickletools
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

MOST = 1_000_000  # values in a pickle's dictionaries; networks have thousands


class Refused(pickle.UnpicklingError):
    """A pickle names what is no array, text, number or container."""


def loads(data: bytes) -> Any:
    """What the pickle says, with NumPy arrays in its dictionaries.

    Raises:
        Refused: it names something else. A broken pickle can raise anything.
    """
    return plain(Unpickler(io.BytesIO(data)).load())


class _Type:
    """Stands for NumPy's dtype in a pickle: knows numbers, nothing with objects or fields."""

    def __init__(self, kind: Any, *_: Any):
        kind = kind.decode("latin1") if isinstance(kind, bytes) else str(kind)
        if not re.fullmatch(r"[fiu][1248]|b1", kind):
            raise Refused(f"arrays of {kind}")
        self.kind, self.order = kind, "<"

    def __setstate__(self, state: tuple) -> None:
        order = state[1].decode() if isinstance(state[1], bytes) else state[1]
        self.order = order if order in ("<", ">") else "<"

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.order + self.kind)


class _Array:
    """Stands for NumPy's ndarray in a pickle, which NumPy would fill with whatever it is told."""

    value: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, by_columns, data = state
        data = data.encode("latin1") if isinstance(data, str) else data
        if not isinstance(kind, _Type) or not isinstance(data, bytes):
            raise Refused("an array of objects")
        self.value = np.frombuffer(data, kind.dtype).reshape(
            shape, order="F" if by_columns else "C"
        )


def _array(*_: Any) -> _Array:
    return _Array()


def _from_buffer(data: Any, kind: _Type, shape: tuple, order: Any = "C") -> _Array:
    if not isinstance(data, bytes | bytearray):  # of a number, `bytes` makes that many zeros
        raise Refused("an array of no bytes")
    array = _Array()
    array.value = np.frombuffer(bytes(data), kind.dtype).reshape(shape, order=order)
    return array


def _scalar(kind: _Type, data: Any) -> Any:
    data = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(data, kind.dtype)[0]


def _bytes(text: str, encoding: str = "latin1") -> bytes:
    """How Python 3 writes bytes in the protocols of Python 2: as text, and in which encoding."""
    if encoding != "latin1":
        raise Refused(f"text in {encoding}")
    return text.encode("latin1")


class Unpickler(pickle.Unpickler):
    """Knows arrays, numbers, text and containers. A pickle can name any function, to be called.

    Args:
        file: at the start of a pickle.

    Raises:
        pickle.UnpicklingError: the pickle remembers more objects than it has bytes: a table of that
            size would be made.
    """

    allowed: Mapping[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Type,
        ("_codecs", "encode"): _bytes,
        **{
            (f"numpy.{core}.{module}", name): function
            for core in ("core", "_core")
            for module, name, function in (
                ("multiarray", "_reconstruct", _array),
                ("multiarray", "scalar", _scalar),
                ("numeric", "_frombuffer", _from_buffer),
            )
        },
    }

    def __init__(self, file: io.BytesIO):
        super().__init__(file, encoding="latin1")  # Python 2 wrote VMZ's: its strings are bytes
        start = file.tell()
        most = 0
        for operation, number, _ in pickletools.genops(file):
            if operation.name in ("PUT", "BINPUT", "LONG_BINPUT"):
                most = max(most, int(number or 0))
        length = file.tell() - start
        if most > length:
            raise pickle.UnpicklingError(f"it remembers {most} objects in {length} bytes")
        file.seek(start)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise Refused(f"it names {module}.{name}")
        return self.allowed[module, name]


def plain(saved: Any) -> Any:
    """The arrays of nested dictionaries as NumPy has them, see `changed`."""
    return changed(saved, array_of)


def array_of(value: Any) -> Any:
    """The array that a value of a pickle stands for; others as they are."""
    return value.value if isinstance(value, _Array) else value


def changed(saved: Any, change: Callable[[Any], Any]) -> Any:
    """Nested dictionaries with other values.

    Raises:
        Refused: more than `MOST` of them: in a pickle they may hold one another without end.
    """
    left = iter(range(MOST))

    def walk(value: Any) -> Any:
        if next(left, None) is None:
            raise Refused(f"more than {MOST} values")
        if isinstance(value, Mapping):
            return {key: walk(each) for key, each in value.items()}
        return change(value)

    return walk(saved)

"""Reading the checkpoints of other libraries as arrays, without running anything that they hold."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from a2keras.arrays import read_npz
from a2keras.documents import parse_json
from a2keras.errors import printable, reason_of
from a2keras.files import open_file, read_bytes
from a2keras.models.weights import restricted_pickle, torch_files

# Where training scripts put the weights beside other things, and what wrappers put before keys.
_WITHIN = ("state_dict", "model_state_dict", "model", "blobs")
_PREFIXES = ("module.", "_orig_mod.", "model.")


class Checkpoint(NamedTuple):
    """What a file holds.

    Attributes:
        source: the file.
        arrays: {key: array}.
        others: (key, reason) of what is no array of the network.
    """

    source: str
    arrays: dict[str, np.ndarray]
    others: list[tuple[str, str]]


def read(path: str | Path) -> Checkpoint:
    """Reads a checkpoint by the kind of its file.

    `.pth`, `.pt`, `.bin` and `.tar` are PyTorch's, `.ckpt` PyTorch's or a pickle of arrays, `.pkl`
    a pickle of arrays, such as Caffe2's (VMZ), and there are `.safetensors` and `.npz`. Arrays in
    dictionaries of dictionaries have all their keys, with `/` between them.

    Raises:
        ValueError: no such file, an unknown kind, one that is cut off or holds more than arrays.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a checkpoint")
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    if path.suffix not in _READERS:
        raise ValueError(f"a checkpoint ends in {', '.join(_READERS)}. Received: {path}")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty")
    saved = _READERS[path.suffix](path)
    if not isinstance(saved, Mapping):
        raise ValueError(f"{path} holds {type(saved).__name__}, not a state dict of names")
    return _network(str(path), saved)


def _network(source: str, saved: Mapping[str, Any]) -> Checkpoint:
    """The network's arrays, from within what a training script saved beside them."""
    others: list[tuple[str, str]] = []
    for within in _WITHIN:
        if isinstance(saved.get(within), Mapping):
            others += [(str(key), f"beside {within!r}") for key in saved if key != within]
            saved = saved[within]
            break
    state = dict(_flat(saved))
    arrays = {key: value for key, value in state.items() if _is_numbers(value)}
    others += [(key, "not an array of numbers") for key in state if key not in arrays]
    while arrays and any(all(key.startswith(p) for key in arrays) for p in _PREFIXES):
        arrays = {key.split(".", 1)[1]: value for key, value in arrays.items()}
    return Checkpoint(source, arrays, others)


def _flat(saved: Mapping[Any, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in saved.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{key}/")
        else:
            yield f"{before}{key}", value


def _is_numbers(value: Any) -> bool:
    return isinstance(value, np.ndarray) and (
        value.dtype.kind in "fiub" or value.dtype.name == "bfloat16"
    )


def _read_torch(path: Path) -> Any:
    try:
        return torch_files.load(path)
    except restricted_pickle.Refused as error:
        raise ValueError(
            f"{path} is no checkpoint of tensors alone ({reason_of(error)}), and nothing else is "
            "loaded: save the network's state_dict() where it was trained"
        ) from error
    except Exception as error:  # broken files raise errors of many kinds
        raise ValueError(
            f"{path} is no PyTorch checkpoint, or a part of one: {reason_of(error)}"
        ) from error


def _read_ckpt(path: Path) -> Any:
    """Of PyTorch, or a pickle of arrays, as JAX's users write them."""
    with open_file(path) as file:
        of_torch = torch_files.is_torch_file(file.read(64))
    return _read_torch(path) if of_torch else _read_pickle(path)


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """The format is a length, JSON that says where each array lies, and the bytes of them all."""
    import ml_dtypes

    kinds = {
        "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16,
        "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U8": np.uint8,
        "BOOL": np.bool_,
    }  # fmt: skip
    data = read_bytes(path)
    try:
        start = 8 + int.from_bytes(data[:8], "little")
        header = parse_json(data[8:start])
        header.pop("__metadata__", None)
        arrays = {}
        for key, entry in header.items():
            begin, end = entry["data_offsets"]
            if not 0 <= begin <= end:
                raise ValueError(f"{printable(key)} lies from {begin} to {end}")
            part = data[start + begin : start + end]
            arrays[key] = np.frombuffer(part, kinds[entry["dtype"]]).reshape(entry["shape"])
        return arrays
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        reason = reason_of(error)
        raise ValueError(f"{path} is no safetensors file, or a part of one: {reason}") from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        return read_npz(path)
    except (OSError, ValueError) as error:
        reason = reason_of(error)
        raise ValueError(f"{path} is no .npz file of arrays, or a part of one: {reason}") from error


def _read_pickle(path: Path) -> Any:
    try:
        return restricted_pickle.loads(read_bytes(path))
    except Exception as error:  # a broken pickle can raise anything
        raise ValueError(
            f"{path} is no pickle of arrays alone, or a part of one ({reason_of(error)}), and "
            "nothing else is loaded"
        ) from error


_READERS: dict[str, Callable[[Path], Any]] = {
    **dict.fromkeys((".pth", ".pt", ".bin", ".tar"), _read_torch),
    ".ckpt": _read_ckpt,
    ".pkl": _read_pickle,
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
}

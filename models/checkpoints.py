"""Reading the checkpoints of other libraries as arrays, without running anything that they hold."""

import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from a2keras.arrays import read_npz
from a2keras.documents import parse_json
from a2keras.errors import printable, reason_of
from a2keras.models import restricted_pickle

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

    `.pth`, `.pt`, `.bin`, `.tar` and `.ckpt` are PyTorch's, `.pkl` Caffe2's (VMZ), and there are
    `.safetensors` and `.npz`.

    Raises:
        ValueError: no such file, an unknown kind, one that is cut off or holds more than arrays, or
            PyTorch is missing.
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
    state = {str(key): value for key, value in saved.items()}
    arrays = {key: value for key, value in state.items() if _is_numbers(value)}
    others += [(key, "not an array of numbers") for key in state if key not in arrays]
    while arrays and any(all(key.startswith(p) for key in arrays) for p in _PREFIXES):
        arrays = {key.split(".", 1)[1]: value for key, value in arrays.items()}
    return Checkpoint(source, arrays, others)


def _is_numbers(value: Any) -> bool:
    return isinstance(value, np.ndarray) and (
        value.dtype.kind in "fiub" or value.dtype.name == "bfloat16"
    )


def _read_torch(path: Path) -> Any:
    try:
        import torch
    except ImportError as error:
        raise ValueError(
            f'{path.name} needs PyTorch to be read: pip install "a2keras[torch]"'
        ) from error
    try:
        return _numpy(torch.load(path, map_location="cpu", weights_only=True), torch)
    except pickle.UnpicklingError as error:
        # PyTorch's own message tells how to load it all the same: by running what it holds.
        unknown = re.search(r"GLOBAL (\S+)", str(error))
        what = f"it names {unknown[1]}" if unknown else "it is cut off, or holds other objects"
        raise ValueError(
            f"{path} is no checkpoint of tensors alone ({what}), and nothing else is loaded: save "
            "the network's state_dict() where it was trained"
        ) from error
    except Exception as error:  # PyTorch raises many kinds for files that are broken
        reason = reason_of(error)
        raise ValueError(f"{path} is no PyTorch checkpoint, or a part of one: {reason}") from error


def _numpy(saved: Any, torch: Any) -> Any:
    """The tensors of nested dictionaries as arrays; bfloat16, which NumPy lacks, as float32."""
    if isinstance(saved, Mapping):
        return {key: _numpy(value, torch) for key, value in saved.items()}
    if not isinstance(saved, torch.Tensor):
        return saved
    tensor = saved.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """The format is a length, JSON that says where each array lies, and the bytes of them all."""
    import ml_dtypes

    kinds = {
        "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16,
        "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U8": np.uint8,
        "BOOL": np.bool_,
    }  # fmt: skip
    data = path.read_bytes()
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
        return restricted_pickle.loads(path.read_bytes())
    except Exception as error:  # a broken pickle can raise anything
        raise ValueError(
            f"{path} is no pickle of arrays alone, or a part of one ({reason_of(error)}), and "
            "nothing else is loaded"
        ) from error


_READERS: dict[str, Callable[[Path], Any]] = {
    **dict.fromkeys((".pth", ".pt", ".bin", ".tar", ".ckpt"), _read_torch),
    ".pkl": _read_pickle,
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
}

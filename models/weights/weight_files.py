"""Reading `.weights.h5` and `.keras` files by the names of their layers.

Keras addresses a layer by its class and a counter (`layers/conv2d_3/vars/0`), so that a block more
or less moves every layer behind it. But beside the variables it writes the layer's name, and that
is what counts here. Nothing in a file is executed: of a `.keras` archive only the numbers are read.
"""

import contextlib
import io
import math
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from a2keras.arrays import EXPANSION, LARGE
from a2keras.errors import reason_of
from a2keras.whole_numbers import is_number

# Names of layers, from the outermost in the model to the one that holds the weight, such as
# ("conv3_1_attention", "phi", "normalization").
Chain = tuple[str, ...]
SUFFIXES = (".weights.h5", ".keras")
_MEMBER = "model.weights.h5"


class Contents(NamedTuple):
    """What a file holds.

    Attributes:
        layers: {names of a layer: its arrays in order}.
        of_optimizer: how many arrays are the state of an optimizer, which is no weight.
    """

    layers: dict[Chain, list[np.ndarray]]
    of_optimizer: int


def read(path: str | Path) -> Contents:
    """Reads all weights of a file into memory.

    Raises:
        ValueError: no file, another kind of file, one that is cut off or broken, or one without
            the names of its layers.
    """
    with _opened(path) as (h5, _):
        return _contents(h5, Path(path))


def check(path: str | Path) -> int:
    """Refuses a file whose arrays lie elsewhere or would fill the memory; reads none of them.

    Returns:
        How many numbers all its arrays have.

    Raises:
        ValueError: as `read`, but that names of layers are not asked for.
    """
    with _opened(path) as (_, count):
        return count


def halve(path: Path) -> None:
    """Writes the numbers of a `.weights.h5` file, which are float32, as float16.

    Raises:
        ValueError: a number that float16 cannot hold.
    """
    import h5py

    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        small = Path(scratch, "small.h5")
        with h5py.File(path, "r") as source, h5py.File(small, "w") as target:

            def copy(name: str, member: Any) -> None:
                if isinstance(member, h5py.Group):
                    made: Any = target.require_group(name)
                else:
                    values = member[()]
                    if values.dtype == np.float32:
                        values = values.astype(np.float16)
                    if not np.all(np.isfinite(values)):
                        raise ValueError(
                            "float16 holds numbers up to 65504, and a weight is larger or not "
                            f"finite. Received: {path.name}, {name}"
                        )
                    made = target.create_dataset(name, data=values)
                made.attrs.update(member.attrs)

            target.attrs.update(source.attrs)
            with np.errstate(over="ignore"):
                source.visititems(copy)
        small.replace(path)


def check_legacy(path: str | Path) -> None:
    """As `check`, of an `.h5` file that older versions of Keras wrote.

    Raises:
        ValueError: as `check`.
    """
    with _opened(path, (".h5",)):
        pass


@contextlib.contextmanager
def _opened(path: str | Path, suffixes: tuple[str, ...] = SUFFIXES) -> Iterator[tuple[Any, int]]:
    """The HDF5 part of a file whose members have been looked at, and how many numbers it has."""
    import h5py

    path = check_path(path, suffixes)
    try:
        if path.name.endswith(".keras"):
            with zipfile.ZipFile(path) as archive:
                member = archive.getinfo(_MEMBER)
                _check_size(member.file_size, member.compress_size, path, _MEMBER)
                file: Any = io.BytesIO(archive.read(member))
        else:
            file = path
        with h5py.File(file, "r") as h5:
            yield h5, _check_members(h5, path)
    except KeyError as error:  # of the archive: there is no such member
        raise ValueError(f"{path} holds no {_MEMBER}: no Keras model was saved there") from error
    except (OSError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        kind = "Keras archive" if path.name.endswith(".keras") else "HDF5 file"
        raise ValueError(f"{path} is no {kind}, or a part of one: {reason_of(error)}") from error


def _check_size(size: int, stored: int, path: Path, place: str) -> None:
    """Both formats compress, hostile files without limit: weights are not compressed this far."""
    if size > max(LARGE, EXPANSION * stored):
        raise ValueError(
            f"{path} declares {size} bytes at {place} and holds {stored}: it would fill the memory"
        )


def check_path(path: str | Path, suffixes: tuple[str, ...] = SUFFIXES) -> Path:
    """A path that may be a weights file, by its name and its size.

    Raises:
        ValueError: it is not.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a weights file")
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    if path.name.endswith(".weights.json"):
        raise ValueError(
            f"{path} lists the parts of a sharded file, which are not read: load it with "
            "model.load_weights and save it in one piece"
        )
    if not path.name.endswith(suffixes):
        raise ValueError(f"a weights file ends in {' or '.join(suffixes)}. Received: {path}")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty")
    return path


def _check_members(h5: Any, path: Path) -> int:
    """Refuses links, arrays that are stored outside or too large, and what two ways lead to.

    Returns:
        How many numbers all arrays have.
    """
    import h5py

    pending, seen = [h5], {h5py.h5o.get_info(h5.id).addr}
    count = declared = stored = 0
    while pending:
        group = pending.pop()
        for key in group:
            member = _member(group, key, path)
            is_group = isinstance(member, h5py.Group)
            if (address := h5py.h5o.get_info(member.id).addr) in seen:
                kind = "group" if is_group else "array"
                raise ValueError(f"{path} holds the {kind} {member.name} a second time")
            seen.add(address)
            if is_group:
                pending.append(member)
                continue
            declared += _check_array(member, f"{group.name.rstrip('/')}/{key}", path)
            count += math.prod(member.shape or ())
            stored += member.id.get_storage_size()
            _check_size(declared, stored, path, "all places together")
    return count


def _check_array(data: Any, place: str, path: Path) -> int:
    """Refuses what is no array of numbers in the file itself; its size in bytes."""
    import h5py

    if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
        raise ValueError(f"{path} has no plain array at {place}")
    if data.dtype.kind not in "fiub" and data.attrs.get("dtype") != "bfloat16":
        raise ValueError(f"{path} holds no numbers at {place}")
    size = math.prod(data.shape or ()) * data.dtype.itemsize
    _check_size(size, data.id.get_storage_size(), path, place)
    return size


def _contents(h5: Any, path: Path) -> Contents:
    """Walks through the groups; the names on the way to a group of variables are its chain."""
    import h5py

    layers: dict[Chain, list[np.ndarray]] = {}
    of_optimizer = 0

    def visit(group: Any, chain: Chain, place: str) -> None:
        nonlocal of_optimizer
        members = {key: group[key] for key in group}
        variables = members.pop("vars", None)
        if isinstance(variables, h5py.Group):
            name = variables.attrs.get("name")
            if variables and not isinstance(name, str):
                raise ValueError(
                    f"{path} has no names of layers, as older versions of Keras wrote it: load it "
                    "with model.load_weights into the network that wrote it and save it again"
                )
            if place:
                chain = (*chain, str(name))
            arrays = [_array(variables, key, path) for key in sorted(variables, key=_number)]
            if place.split("/")[0] == "optimizer":
                of_optimizer += len(arrays)
            elif arrays and chain in layers:
                raise ValueError(f"{path} has two layers of the name {'/'.join(chain)!r}")
            elif arrays:
                layers[chain] = arrays
        for key, member in members.items():
            if isinstance(member, h5py.Group):
                visit(member, chain, f"{place}/{key}".lstrip("/"))

    visit(h5, (), "")
    if not layers:
        raise ValueError(f"{path} is an HDF5 file, but not of Keras 3 weights")
    return Contents(layers, of_optimizer)


def _number(key: str) -> tuple[int, str]:
    return (int(key), "") if is_number(key) else (-1, key)


def _member(group: Any, key: str, path: Path) -> Any:
    """What a group holds in this file itself: a link could lead to any file of the machine."""
    import h5py

    if group.get(key, getlink=True, getclass=True) is not h5py.HardLink:
        raise ValueError(f"{path} links to something else at {group.name.rstrip('/')}/{key}")
    return group[key]


def _array(variables: Any, key: str, path: Path) -> np.ndarray:
    import h5py
    import ml_dtypes

    data = variables[key]
    if not isinstance(data, h5py.Dataset):
        raise ValueError(f"{path} has no plain array at {variables.name}/{key}")
    if data.attrs.get("dtype") == "bfloat16":
        return np.array(data).view(ml_dtypes.bfloat16)
    return np.array(data)

"""What lies beside the records of a set of TFDS, looked at before TFDS reads it.

Its features.json names classes of Python, whose modules TFDS imports.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from a2keras.documents import parse_json, read_json
from a2keras.errors import UserError, printable
from a2keras.files import check_all_files
from a2keras.models.preprocessing.places import as_tfds_path

# NAME[/CONFIG][:VERSION]. TFDS would take arguments of a builder, and fetch code of other places.
PLACE = re.compile(r"\w+(/[\w.+-]+)*(:[\d.*]+)?")
OF_TFDS = re.compile(r"tensorflow_datasets\.core\.features(\.\w+)+")
WHAT = "a description of a set of TFDS"
CLASS_KEYS = ("pythonClassName", "python_class_name", "type")


def check(place: str, root: str) -> None:
    """Refuses names that lead elsewhere, and descriptions that are damaged or name other classes.

    Args:
        place: as it follows `tfds:`.
        root: where the set lies; "": in the user's own directory of TFDS.

    Raises:
        UserError: that.
    """
    if not PLACE.fullmatch(place):
        raise UserError(f"tfds: takes NAME[/CONFIG][:VERSION]. Received: tfds:{printable(place)}")
    if not root:
        return
    folder = as_tfds_path(root) / re.split("[/:]", place)[0]
    try:
        check_all_files(Path(folder))
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}") from error
    for pattern in ("*", "*/*"):  # VERSION, CONFIG/VERSION
        for path in folder.glob(f"{pattern}/dataset_info.json"):
            read_json(path, dict, WHAT)
        for path in folder.glob(f"{pattern}/features.json"):
            for name in _classes(path):
                if not OF_TFDS.fullmatch(name):
                    raise UserError(
                        f"{path} asks for {printable(name)}: only TFDS's own features are read, "
                        "and no module is imported for a file"
                    )


def _classes(path: Any) -> Iterator[str]:
    """All classes that a description names, also within texts that are JSON."""
    pending = [read_json(path, dict, WHAT)]
    while pending:
        entry = pending.pop()
        if isinstance(entry, dict):
            yield from (entry[key] for key in CLASS_KEYS if isinstance(entry.get(key), str))
            pending += entry.values()
        elif isinstance(entry, list):
            pending += entry
        elif isinstance(entry, str) and entry.lstrip()[:1] in ("{", "["):
            try:
                pending.append(parse_json(entry, Any))
            except ValueError as error:
                raise UserError(f"{path} is not {WHAT}: {error}") from error

"""The file of a network that a run is to train: the same from its first epoch to its last."""

from pathlib import Path

from a2keras.errors import UserError, printable
from a2keras.files import sha256


def checked_host(path: str, expected: str = "") -> str:
    """The SHA-256 of a file.

    Args:
        path: of the file.
        expected: what it was when the run began; empty: it begins now.

    Raises:
        UserError: there is no such file, or it is another one now.
    """
    if not Path(path).is_file():
        raise UserError(f"there is no file {printable(path)}, which is to be the network")
    found = sha256(Path(path))
    if expected not in ("", found):
        raise UserError(
            f"{printable(path)} has changed since the run began: its SHA-256 is {found}, not "
            f"{expected}"
        )
    return found

"""Places of lists: as the text of `--data` names them, with commas between, and in folders."""

import posixpath
import re
from pathlib import Path

from a2keras.errors import UserError, printable
from a2keras.models.preprocessing.places import is_remote
from a2keras.models.preprocessing.scanning import visible


def split_places(text: str) -> list[str]:
    """The paths of `FILE,FILE,…`: a comma separates them unless it is in the name of what is there.

    The longest name that is there is taken, from the left; elsewhere than on this machine, and
    where nothing is there, every comma separates.
    """
    parts = text.split(",")
    if is_remote(text):
        return parts
    found: list[str] = []
    while parts:
        whole = (n for n in range(len(parts), 1, -1) if _is_there(",".join(parts[:n])))
        count = next(whole, 1)
        found.append(",".join(parts[:count]))
        parts = parts[count:]
    return found


def _is_there(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # a name that is too long; no such user's home
        return False


# HMDB51's: one list for each class and split.
_HMDB51 = re.compile(r"(?P<label>.+)_test_split(?P<fold>\d+)\.txt")


def hmdb51_class(path: str) -> str:
    """The class that a list of HMDB51 is of, by its name; "" of other lists."""
    match = _HMDB51.fullmatch(path.rpartition("/")[2])
    return match["label"] if match else ""


def lists_in(folder: str, fold: int) -> list[str]:
    """The lists of a split in a folder of HMDB51's lists, or of UCF-101's.

    Raises:
        UserError: there are other splits of HMDB51 alone.
    """
    names = sorted(path.name for path in Path(folder).iterdir() if visible(path.name))
    found = [match for match in map(_HMDB51.fullmatch, names) if match]
    if of_fold := [match[0] for match in found if match["fold"] == str(fold)]:
        return [posixpath.join(folder, name) for name in of_fold]
    if found:
        folds = ", ".join(sorted({match["fold"] for match in found}))
        raise UserError(f"{printable(folder)} has the splits {folds} of HMDB51, not fold={fold}")
    return [posixpath.join(folder, f"{kind}list0{fold}.txt") for kind in ("train", "test")]

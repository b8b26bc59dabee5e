"""Places that the text of `--data` names: several with commas between, which names have, too."""

from pathlib import Path

from a2keras.models.preprocessing.places import is_remote


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

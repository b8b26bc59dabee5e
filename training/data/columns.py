"""What the columns of lists are called, and which is which."""

import re
from collections.abc import Sequence

from a2keras.errors import UserError, printable
from a2keras.training.data.scanning import MEDIA, suffix_of
from a2keras.training.data.split_names import split_of

# In the order in which they are taken where a list has several; an s at their end does not matter.
NAMES = {
    "path": (
        *("path", "filepath", "file_path", "image_path", "img_path", "video_path", "clip_path"),
        *("relative_path", "rel_path", "full_path", "imagepath", "videopath", "filename"),
        *("file_name", "image_name", "img_name", "video_name", "clip_name", "image_file"),
        *("video_file", "imagename", "videoname", "fname", "file", "image", "img", "video"),
        *("clip", "picture", "photo", "image_id", "img_id", "video_id", "clip_id", "file_id"),
        *("id", "uid", "uuid", "name", "uri", "url"),
    ),
    "label": (
        *("label", "class", "classes", "class_name", "classname", "label_name", "category"),
        *(
            "categories",
            "category_name",
            "target",
            "tag",
            "ground_truth",
            "gt",
            "class_label",
            "class_id",
        ),
        *("label_id", "category_id", "class_index", "label_index", "y"),
    ),
    "start": ("start", "time_start", "start_time", "start_second", "start_sec", "begin", "t_start"),
    "end": ("end", "time_end", "end_time", "end_second", "end_sec", "stop", "t_end"),
    "split": ("split", "set", "subset", "data_set", "dataset", "partition", "usage", "phase"),
}
KINETICS = ("label", "youtube_id", "time_start", "time_end")
WITHOUT_HEADER = ("label", "start", "end")  # after the path


def _plain(cell: str) -> str:
    word = re.sub(r"[\W_]+", "_", re.sub("(?<=[a-z])(?=[A-Z])", "_", cell.strip())).strip("_")
    return word.lower().removesuffix("s")


def _roles(header: Sequence[str]) -> dict[str, int]:
    """The columns whose names are known: role → number."""
    cells = [_plain(cell) for cell in header]
    roles = {}
    for role, names in NAMES.items():
        found = [name for name in (name.removesuffix("s") for name in names) if name in cells]
        if found:
            roles[role] = cells.index(found[0])
    return roles


def is_known(cells: Sequence[str]) -> bool:
    """Whether a line is a header: it has the name of a column of files or classes."""
    roles = _roles(cells)
    if any(suffix_of(cell) in MEDIA for cell in cells):
        return False
    return "path" in roles or ("label" in roles and len(cells) > 1)


def _is_media(cell: str) -> bool:
    return suffix_of(cell) in MEDIA and "://" not in cell


def columns_of(path: str, header: Sequence[str], lines: Sequence[Sequence[str]]) -> dict[str, int]:
    """Which column is which.

    A single column that is left when the others are known is the one that is missing. Without a
    header the path is the first column in which most cells end as image and video files do, or the
    first of all; label, start and end come after it.

    Args:
        path: of the list, for messages.
        header: its cells; () where there is none.
        lines: the cells of the others.

    Raises:
        UserError: no column of files, or none of classes.
    """
    width = max(map(len, (header, *lines)))
    media = [
        sum(len(cells) > i and _is_media(cells[i]) for cells in lines) > len(lines) / 2
        for i in range(width)
    ]
    if not header:
        first = media.index(True) if any(media) else 0
        others = [i for i in range(width) if i != first]
        if len(others) > len(WITHOUT_HEADER):
            raise UserError(
                f"{printable(path)} has {width} columns and no header: without one they are path, "
                "label, start, end"
            )
        return {"path": first} | dict(zip(WITHOUT_HEADER, others, strict=False))
    plain = [_plain(cell) for cell in header]
    if "youtube_id" in plain:
        return _kinetics(path, header, plain)
    roles = _by_values(_roles(header), plain, lines)
    if any(media) and not media[roles.get("path", media.index(True))]:
        roles["path"] = media.index(True)  # such as `name` of the class and `image`
    known = {name.removesuffix("s") for names in NAMES.values() for name in names}
    for role in ("path", "label"):
        if role in roles:
            continue
        if role == "path" and any(media):
            roles[role] = media.index(True)
            continue
        left = [i for i, cell in enumerate(plain) if cell and i not in roles.values()]
        left = [i for i in left if plain[i] not in known] or left
        if len(left) == 1:
            roles[role] = left[0]
        elif role == "path" or width > 1:
            raise UserError(_unknown(path, role, header))
    return roles


def _by_values(
    roles: dict[str, int], plain: list[str], lines: Sequence[Sequence[str]]
) -> dict[str, int]:
    """The roles where names leave a doubt: classes by name before those by number, and a `set` that
    is none of train, validation and test is no split."""

    def cells_of(column: int) -> list[str]:
        return [cells[column] for cells in lines if len(cells) > column and cells[column]]

    names = [name.removesuffix("s") for name in NAMES["label"]]
    labels = [plain.index(name) for name in names if name in plain]
    named = [i for i in labels if not all(map(str.isdecimal, cells_of(i)))]
    if named:
        roles = roles | {"label": named[0]}
    split = roles.get("split")
    if split is not None and plain[split] != "split" and not any(map(split_of, cells_of(split))):
        roles = {role: i for role, i in roles.items() if role != "split"}
    return roles


def _kinetics(path: str, header: Sequence[str], plain: list[str]) -> dict[str, int]:
    for column in KINETICS:
        if column not in plain:
            raise UserError(
                f"{printable(path)} has no column {column}: its columns are "
                f"{printable(', '.join(header))}"
            )
    found = {column: plain.index(column) for column in KINETICS}
    return found | ({"split": plain.index("split")} if "split" in plain else {})


def _unknown(path: str, role: str, header: Sequence[str]) -> str:
    wanted = ", ".join(NAMES[role])
    return (
        f"{printable(path)} has no column {role}: its columns are {printable(', '.join(header))}; "
        f"wanted is one of {wanted}"
    )

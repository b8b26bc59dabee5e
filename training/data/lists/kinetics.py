"""The lists of Kinetics: which videos of YouTube, from when to when, show what."""

from collections import defaultdict
from pathlib import PurePath

from a2keras.errors import UserError, printable
from a2keras.models.preprocessing.decode import VIDEO_SUFFIXES
from a2keras.models.preprocessing.places import as_path
from a2keras.models.preprocessing.scanning import scan, suffix_of
from a2keras.training.data.listing import class_name
from a2keras.training.data.lists.rows import Row, split_name, times
from a2keras.training.data.lists.tables import Table
from a2keras.training.data.split_names import split_of


def kinetics_rows(table: Table, root: str) -> tuple[Row, ...]:
    """The rows of a table `label,youtube_id,time_start,time_end[,split]`.

    Whoever downloads Kinetics gives the files names of two kinds: `ID_000010_000020.mp4` is the
    part that the list means, `ID.mp4` the whole video, of which it is cut out when it is read. They
    may lie anywhere below the root. A video that is not there keeps its place in the list: it is
    reported as a file that cannot be read.
    """
    if not as_path(root).is_dir():
        raise UserError(
            f"{printable(root)} is not a folder: tell with `root=DIR` where the videos lie"
        )
    files = scan(as_path(root)).files
    there: dict[str, list[str]] = defaultdict(list)
    for file in files:
        if suffix_of(file) in VIDEO_SUFFIXES:
            there[PurePath(file).stem].append(file)
    rows = []
    for line in table.lines:
        label = class_name(table.required(line, "label"))
        video = table.required(line, "youtube_id")
        for column in ("time_start", "time_end"):
            table.required(line, column)
        start, end = times(table, line, "time_start", "time_end")
        assert start is not None and end is not None
        split = split_name(table.at(line), table.cell(line, "split"))
        part = f"{video}_{int(start):06}_{int(end):06}"
        if part not in there and video in there:
            file = _meant(there[video], split, table.at(line))
            rows.append(Row(file, label, start, end, split, table.at(line)))
        else:
            missing = [f"{part.replace('/', '_')}.mp4"]
            file = _meant(there.get(part, missing), split, table.at(line))
            rows.append(Row(file, label, None, None, split, table.at(line)))
    return tuple(rows)


def _meant(files: list[str], split: str, place: str) -> str:
    """The file of a video: of several, the one that lies in a folder of the row's split.

    Raises:
        UserError: several may be meant.
    """
    of_split = [
        file
        for file in files
        if any((split_of(part) or ("",))[0] == split for part in PurePath(file).parts[:-1])
    ]
    files = (of_split if split else []) or files
    if len(files) > 1:
        names = " and ".join(map(printable, sorted(files)[:2]))
        raise UserError(f"{place}: it may be {names}: tell with root where they lie")
    return files[0]

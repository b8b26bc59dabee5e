"""The lists of Kinetics: which videos of YouTube, from when to when, show what."""

from pathlib import PurePath

from a2keras.errors import UserError, printable
from a2keras.models.preprocessing.decode import VIDEO_SUFFIXES
from a2keras.models.preprocessing.places import as_path
from a2keras.training.data.list_rows import Row, split_name, times
from a2keras.training.data.listing import class_name
from a2keras.training.data.scanning import scan, suffix_of
from a2keras.training.data.tables import Table


def kinetics_rows(table: Table, root: str) -> tuple[Row, ...]:
    """The rows of a table `label,youtube_id,time_start,time_end[,split]`.

    Whoever downloads Kinetics gives the files names of two kinds: `ID_000010_000020.mp4` is the
    part that the list means, `ID.mp4` the whole video, of which it is cut out when it is read. They
    may lie anywhere below the root. A video that is not there keeps its place in the list: it is
    reported as a file that cannot be read.
    """
    if not as_path(root).is_dir():
        raise UserError(
            f"{printable(root)} is not a folder: tell with --set root=DIR where the videos lie"
        )
    files = scan(as_path(root)).files
    there = {PurePath(file).stem: file for file in files if suffix_of(file) in VIDEO_SUFFIXES}
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
            rows.append(Row(there[video], label, start, end, split, table.at(line)))
        else:
            file = there.get(part, f"{part.replace('/', '_')}.mp4")
            rows.append(Row(file, label, None, None, split, table.at(line)))
    return tuple(rows)

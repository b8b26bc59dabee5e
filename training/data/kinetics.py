"""The lists of Kinetics: which videos of YouTube, from when to when, show what."""

from pathlib import PurePath

from a2keras.errors import UserError
from a2keras.models.preprocessing.places import as_path
from a2keras.training.data.files import SUFFIXES
from a2keras.training.data.lists import Row, cells, split_name

NEEDED = ("label", "youtube_id", "time_start", "time_end")


def kinetics_rows(
    path: str, header: list[str], table: list[list[str]], root: str
) -> tuple[Row, ...]:
    """The rows of a table `label,youtube_id,time_start,time_end[,split]`.

    Whoever downloads Kinetics gives the files names of two kinds: `ID_000010_000020.mp4` is the
    part that the list means, `ID.mp4` the whole video, of which it is cut out when it is read. They
    may lie anywhere below the root. A video that is not there keeps its place in the list: it is
    reported as a file that cannot be read.
    """
    folder = as_path(root)
    if not folder.is_dir():
        raise UserError(f"{root} is not a folder: tell with --set root=DIR where the videos lie")
    there = {
        PurePath(name).stem: (where / name).relative_to(folder).as_posix()
        for where, _, names in folder.walk()
        for name in sorted(names)
        if PurePath(name).suffix.lower() in SUFFIXES["video"]
    }
    rows = []
    for number, values in enumerate(cells(path, header, table, 2, NEEDED), 2):
        try:
            start, end = float(values["time_start"]), float(values["time_end"])
        except ValueError as error:
            raise UserError(f"{path}, line {number}: times are seconds ({error})") from None
        split = split_name(path, number, values.get("split", ""))
        part = f"{values['youtube_id']}_{int(start):06}_{int(end):06}"
        if part not in there and values["youtube_id"] in there:
            rows.append(Row(there[values["youtube_id"]], values["label"], start, end, split))
        else:
            rows.append(Row(there.get(part, f"{part}.mp4"), values["label"], split=split))
    return tuple(rows)

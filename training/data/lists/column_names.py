"""What the columns of lists are called."""

import re

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
        *("categories", "category_name", "target", "tag", "ground_truth", "gt", "class_label"),
        *("class_id", "label_id", "category_id", "class_index", "label_index", "y"),
    ),
    "start": ("start", "time_start", "start_time", "start_second", "start_sec", "begin", "t_start"),
    "end": ("end", "time_end", "end_time", "end_second", "end_sec", "stop", "t_end"),
    "split": (
        *("split", "set", "subset", "data_set", "dataset", "partition", "fold"),
        *("usage", "phase"),
    ),
}


KINETICS = ("label", "youtube_id", "time_start", "time_end")
WITHOUT_HEADER = ("path", "label", "start", "end")
SPLIT_FOR_CERTAIN = ("split", "subset", "partition", "fold")  # a `set` may be anything


def plain(cell: str) -> str:
    """A name in small letters with `_` between its words, without an s at its end."""
    word = re.sub(r"[\W_]+", "_", re.sub("(?<=[a-z])(?=[A-Z])", "_", cell.strip())).strip("_")
    return word.lower().removesuffix("s")

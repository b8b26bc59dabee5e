"""Whether files are images or videos."""

from collections.abc import Sequence

from a2keras.errors import UserError
from a2keras.models.preprocessing.file_formats import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from a2keras.models.preprocessing.scanning import suffix_of

SUFFIXES = {"image": IMAGE_SUFFIXES, "video": VIDEO_SUFFIXES}


def task_of(paths: Sequence[str], place: str, wanted: str) -> str:
    """Whether these are images or videos.

    Raises:
        UserError: both, and `wanted` is "auto"; or none of the kind that is wanted.
    """
    found: dict[str, list[str]] = {task: [] for task in SUFFIXES}
    for path in paths:
        suffix = suffix_of(path)
        for task, suffixes in SUFFIXES.items():
            if suffix in suffixes:
                found[task].append(path)
    if wanted != "auto":
        other = "video" if wanted == "image" else "image"
        if found[other] and not found[wanted]:
            raise UserError(
                f"{place} holds {other}s, such as {found[other][0]}, but {wanted}s are wanted "
                f"(task={wanted})"
            )
        return wanted
    images, videos = found["image"], found["video"]
    if images and videos:
        raise UserError(
            f"{place} mixes images ({len(images)}, such as {images[0]}) and videos "
            f"({len(videos)}, such as {videos[0]}): choose with `task=image` or `task=video`"
        )
    return "video" if videos else "image"

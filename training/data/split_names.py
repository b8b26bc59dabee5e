"""What splits are called: by folders, in the cells of lists, and by TFDS."""

import re

SPLITS = ("train", "validation", "test")
_WORDS = {
    "train": ("train", "training", "trn"),
    "validation": (
        *("validation", "validate", "valid", "val"),
        *("development", "devel", "dev", "evaluation", "eval"),
    ),
    "test": ("test", "testing", "tst"),
}
SPLIT_NAMES = {word: split for split, words in _WORDS.items() for word in words}
# Words that say nothing beside them: `training_set`, `Test Images`.
_FILLERS = (
    *("dataset", "data", "set", "split", "subset", "partition", "folder", "samples"),
    *("images", "image", "imgs", "img", "pictures", "photos", "videos", "video", "clips", "frames"),
)
_RUN_TOGETHER = re.compile(f"({'|'.join(SPLIT_NAMES)})({'|'.join(_FILLERS)})")  # trainset


def is_filler(name: str) -> bool:
    """Whether a folder's name says nothing: `images`."""
    return all(word in _FILLERS for word in re.findall(r"[^\W\d_]+", name.casefold()))


def split_of(name: str) -> tuple[str, str] | None:
    """The split that a name tells, and what else it says; None where it tells none, or several.

    Letter case, separators, numbers and words such as "set" do not matter: of `Training-Set_2017`
    it is ("train", ""), of `seg_test` ("test", "seg").
    """
    spaced = re.sub("(?<=[a-z])(?=[A-Z])", " ", name).casefold()
    words = re.findall(r"[^\W\d_]+", spaced)
    words = [match[1] if (match := _RUN_TOGETHER.fullmatch(word)) else word for word in words]
    splits = [SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES]
    if len(splits) != 1:
        return None
    rest = [word for word in words if word not in SPLIT_NAMES and word not in _FILLERS]
    return splits[0], " ".join(rest)

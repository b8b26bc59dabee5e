"""Small things in the place of a user's own: photos, videos, lists, and what is made of them."""

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from PIL import Image

CLASSES = ("blue", "red")


def photo(path: Path, hue: int = 0) -> None:
    """A photo of 40×36 pixels whose colour tells the class."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(zlib.crc32(f"{path.name} {hue}".encode()))
    pixels = chance.integers(0, 60, (36, 40, 3), dtype="uint8")
    pixels[..., 2 - 2 * hue] += 150
    Image.fromarray(pixels).save(path)


def labels(path: Path) -> None:
    path.write_text("ant\nbee\ncat\ndog\neel\n")


def video(path: Path, hue: int = 0) -> None:
    """A video of ten frames of 48×34 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(zlib.crc32(path.name.encode()))
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 34, "yuv420p"
        for frame in range(10):
            pixels = chance.integers(0, 40, (34, 48, 3), dtype="uint8")
            pixels[..., 2 - 2 * hue] += 60 + 12 * frame
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(stream.encode())


def photos(folder: Path, classes: tuple[str, str] = CLASSES) -> None:
    for hue, name in enumerate(classes):
        for number in range(8):
            photo(folder / name / f"{number}.png", hue)


def splits(folder: Path) -> None:
    """Photos in train/, validation/ and test/."""
    for split in ("train", "validation", "test"):
        photos(folder / split)


def clothes(folder: Path) -> None:
    for split in ("train", "validation", "test"):
        photos(folder / split, ("dress", "pants"))


def videos(folder: Path) -> None:
    """Videos that are named as UT-Interaction's are: set, group, class."""
    for hue, name in enumerate(CLASSES):
        for group in (1, 2, 3, 4, 8, 9, 10, 18, 19, 20):
            video(folder / name / f"{hue}_{group}_{hue}.avi", hue)


def ucf101(path: Path) -> None:
    """Videos as UCF-101's, and its lists beside them, in `ucfTrainTestlist`."""
    folder = path.parent
    names = [(hue, f"{name}/v_{name}_g0{group}_c01.avi") for hue, name in enumerate(CLASSES)
             for group in range(1, 7)]  # fmt: skip
    for hue, name in names:
        video(folder / "UCF-101" / name, hue)
    lists = folder / "ucfTrainTestlist"
    lists.mkdir()
    numbers = [f"{hue + 1} {name}\n" for hue, name in enumerate(CLASSES)]
    (lists / "classInd.txt").write_text("".join(numbers))
    for fold in (1, 2, 3):
        test = [
            (hue, name)
            for hue, name in names
            if f"g0{2 * fold}" in name or f"g0{2 * fold - 1}" in name
        ]
        train = [each for each in names if each not in test]
        lines = "".join(f"{name} {hue + 1}\n" for hue, name in train)
        (lists / f"trainlist0{fold}.txt").write_text(lines)
        (lists / f"testlist0{fold}.txt").write_text("".join(f"{name}\n" for _, name in test))


def kinetics(path: Path) -> None:
    """Lists as Kinetics's, `train.csv` and `validate.csv`, and `videos`."""
    folder = path.parent
    head = "label,youtube_id,time_start,time_end,split\n"
    for split, first in (("train", 0), ("validate", 8)):
        rows = []
        for number in range(first, first + 8):
            identity = f"abcdefgh_{number:02}"
            video(folder / f"videos/{identity}_000010_000020.mp4", number % 2)
            rows.append(f"{CLASSES[number % 2]},{identity},10,20,{split}\n")
        (folder / f"{split}.csv").write_text(head + "".join(rows))


def copied(source: Path) -> Callable[[Path], None]:
    """Makes a file or folder by copying one that was made before."""

    def copy(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, path)

    return copy

"""Real scanned handwriting that comes with scikit-learn: as images, and set in motion as videos."""

import hashlib
from dataclasses import dataclass

import numpy as np

from a2keras.training.config import Recipe
from a2keras.training.data.listing import Listing
from a2keras.training.data.source import ArrayExamples, Examples

# The file keeps the order in which the writers came, so neighbours share a hand. Blocks of the file
# keep (nearly) every writer on one side; a random split would not.
SPLITS = {"train": (0, 1197), "validation": (1197, 1347), "test": (1347, 1797)}
SPLIT_RULE = (
    "blocks of the file, which is in the order of its writers: 0-1196, 1197-1346, 1347-1796"
)

TORUS = 32  # height and width of the world in which the digits move
SPEED = 3  # pixels per frame
RADIUS = 5  # of the circles, in pixels
PERIOD = 8  # frames of a circle
MOTIONS = ("left", "right", "up", "down", "clockwise", "anticlockwise")


@dataclass(frozen=True, kw_only=True)
class DigitsListing(Listing):
    """The digits, whose splits are given."""

    source_hash: str

    @property
    def fingerprint(self) -> str:
        return self.source_hash

    def contents(self) -> tuple[str, ...]:
        return ()

    def examples(self, recipe: Recipe, in_memory: bool) -> Examples:
        """Those of the one split that has been selected."""
        (split,) = set(self.splits.tolist())
        return _examples(split, recipe, *_scans())


def list_source(place: str, recipe: Recipe) -> Listing:
    """The ten digits (task "image"), or the six motions of them (task "video")."""
    scans, digits = _scans()
    parts = {split: _examples(split, recipe, scans, digits) for split in SPLITS}
    is_video = recipe.task == "video"
    return DigitsListing(
        place="digits",
        task="video" if is_video else "image",
        classes=MOTIONS if is_video else tuple(str(digit) for digit in range(10)),
        names=tuple(name for part in parts.values() for name in part.names),
        labels=np.concatenate([part.labels for part in parts.values()]),
        splits=np.repeat(list(parts), [len(part) for part in parts.values()]),
        split_rule=SPLIT_RULE,
        source_hash=hashlib.sha256(scans.tobytes()).hexdigest(),
    )


def _examples(split: str, recipe: Recipe, scans: np.ndarray, digits: np.ndarray) -> Examples:
    first, last = SPLITS[split]
    if recipe.task == "video":
        length = (recipe.frames - 1) * recipe.stride + 1
        every = 5 if split == "validation" else 1  # 180 clips tell enough after every epoch
        numbers = np.arange(first, last, every)
        return MovingDigits(scans, digits, numbers, length, recipe.seed + first)
    block = slice(first, last)
    names = tuple(f"scan {i} ({digits[i]})" for i in range(first, last))
    return ArrayExamples(_enlarge(scans[block], 4), digits[block], names)


def _scans() -> tuple[np.ndarray, np.ndarray]:
    """The scans, uint8 (1797, 8, 8) with ink 0..255, and the digits that they show (1797,)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.round(bunch.images * (255 / 16)).astype("uint8"), bunch.target


def _enlarge(scans: np.ndarray, factor: int) -> np.ndarray:
    """Enlarges (N, H, W) smoothly by a whole factor and makes it RGB: (N, f·H, f·W, 3)."""
    from PIL import Image

    height, width = scans.shape[1:]
    size = (width * factor, height * factor)
    pictures = [Image.fromarray(scan) for scan in scans]
    large = [np.asarray(p.resize(size, Image.Resampling.BICUBIC)) for p in pictures]
    return np.repeat(np.stack(large)[..., None], 3, axis=-1)


def displacement(motion: str, time: int) -> tuple[int, int]:
    """How far down and to the right of its start a digit is in frame `time`."""
    if motion in ("clockwise", "anticlockwise"):
        angle = 2 * np.pi * time / PERIOD
        turn = 1 if motion == "clockwise" else -1  # rows count downwards
        return turn * round(RADIUS * np.sin(angle)), round(RADIUS * np.cos(angle))
    step = SPEED * time
    return {"left": (0, -step), "right": (0, step), "up": (-step, 0), "down": (step, 0)}[motion]


class MovingDigits(Examples):
    """Clips in which a scanned digit moves over a torus; the class is the motion.

    Example i shows scan `numbers[i // 6]` in motion i % 6, from a start that is drawn uniformly,
    once, from `seed`. Over all starts, every motion shows every position equally often in every
    frame, and every motion shows every digit: what a single frame shows says nothing about the
    class.
    """

    is_video = True

    def __init__(
        self, scans: np.ndarray, digits: np.ndarray, numbers: np.ndarray, length: int, seed: int
    ) -> None:
        self.digits = _enlarge(scans[numbers], 2)
        self.length = length
        count = len(numbers) * len(MOTIONS)
        self.labels = np.arange(count, dtype="int64") % len(MOTIONS)
        self.starts = np.random.default_rng(seed).integers(0, TORUS, (count, 2))
        self.names = tuple(
            f"{digits[number]} moving {motion} (scan {number})"
            for number in numbers
            for motion in MOTIONS
        )

    def frames(self, index: int) -> np.ndarray:
        digit = self.digits[index // len(MOTIONS)]
        motion = MOTIONS[index % len(MOTIONS)]
        return moving(digit, motion, self.starts[index], self.length)


def moving(digit: np.ndarray, motion: str, start: np.ndarray, length: int) -> np.ndarray:
    """The clip of a digit (h, w, 3) from start (row, column): uint8 (length, TORUS, TORUS, 3)."""
    world = np.zeros((TORUS, TORUS, 3), "uint8")
    world[: digit.shape[0], : digit.shape[1]] = digit
    places = [np.add(start, displacement(motion, time)) for time in range(length)]
    return np.stack([np.roll(world, tuple(place), axis=(0, 1)) for place in places])

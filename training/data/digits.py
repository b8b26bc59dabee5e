"""Real scanned handwriting that comes with scikit-learn: as images, and set in motion as videos."""

import hashlib

import numpy as np

from a2keras.training.config import Recipe
from a2keras.training.data.source import ArrayExamples, Examples, Source

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


def open_digits(recipe: Recipe) -> Source:
    """The ten digits (task "image"), or the six motions of them (task "video")."""
    scans, digits = _scans()
    classes = tuple(str(digit) for digit in range(10))
    splits: dict[str, Examples] = {}
    for name, (first, last) in SPLITS.items():
        block = slice(first, last)
        if recipe.task == "video":
            length = (recipe.frames - 1) * recipe.stride + 1
            if name == "validation":
                block = slice(first, last, 5)  # 180 clips tell enough after every epoch
            numbers = np.arange(len(scans))[block]
            splits[name] = MovingDigits(scans, digits, numbers, length, recipe.seed + first)
            classes = MOTIONS
        else:
            names = tuple(f"scan {i} ({digits[i]})" for i in range(first, last))
            splits[name] = ArrayExamples(_enlarge(scans[block], 4), digits[block], names)
    fingerprint = hashlib.sha256(scans.tobytes()).hexdigest()
    return Source(classes, splits, SPLIT_RULE, fingerprint)


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
        return moving(digit, MOTIONS[self.labels[index]], self.starts[index], self.length)


def moving(digit: np.ndarray, motion: str, start: np.ndarray, length: int) -> np.ndarray:
    """The clip of a digit (h, w, 3) from start (row, column): uint8 (length, TORUS, TORUS, 3)."""
    world = np.zeros((TORUS, TORUS, 3), "uint8")
    world[: digit.shape[0], : digit.shape[1]] = digit
    places = [np.add(start, displacement(motion, time)) for time in range(length)]
    return np.stack([np.roll(world, tuple(place), axis=(0, 1)) for place in places])

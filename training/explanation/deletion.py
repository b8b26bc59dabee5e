"""Does a map tell the truth? The probability of the predicted class while what it marks is blanked.

The deletion of RISE (Petsiuk et al., BMVC 2018) on the map's own positions: they are blanked in the
order of the map, in equal steps until nothing is left, and the probability is followed. Where a map
marks what the network needs, it falls sooner than with positions in a random order, and the area
under it is smaller. A blanked position takes the mean colour of the view.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from a2keras.training.evaluation import forward
from a2keras.training.explanation.attended import Attended, check_numbers

STEPS = 10
SEEDS = 4
CLASS_MAP = "class map"
BLANKED_BY = "the mean colour of the view"


@dataclass(frozen=True)
class Deletion:
    """What was measured of one map for one example.

    Attributes:
        method: the map: "class map", or the layer of a block.
        fractions: blanked share of the positions at every step: (steps + 1,), from 0 to 1.
        probabilities: of the predicted class, in the order of the map: (steps + 1,).
        random: the same in random orders: (seeds, steps + 1).
    """

    method: str
    fractions: np.ndarray
    probabilities: np.ndarray
    random: np.ndarray

    @property
    def area(self) -> float:
        """Under the probability: its mean over the blanked share."""
        return float(area(self.fractions, self.probabilities))

    @property
    def random_areas(self) -> np.ndarray:
        return area(self.fractions, self.random)

    @property
    def beats_random(self) -> bool:
        """Whether the probability falls sooner than in every random order."""
        return bool(self.area < self.random_areas.min())

    def document(self) -> dict[str, Any]:
        """What `explain.json` says of it."""
        return {
            "method": self.method,
            "area": round(self.area, 4),
            "random_areas": self.random_areas.round(4).tolist(),
            "beats_random": self.beats_random,
            "fractions": self.fractions.round(4).tolist(),
            "probabilities": self.probabilities.astype(float).round(4).tolist(),
            "random_probabilities": self.random.mean(axis=0).astype(float).round(4).tolist(),
        }


def area(fractions: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The area under curves (..., steps + 1), by trapezia."""
    middles = (probabilities[..., 1:] + probabilities[..., :-1]) / 2
    return (middles * np.diff(fractions)).sum(axis=-1)


def views_needed(attended: Attended) -> int:
    """How many views the network is to compute for one example."""
    maps = maps_of(attended)
    grids = [values.shape for values in maps.values()]
    return 2 + sum(_steps(grid) - 1 for grid in [*grids, *SEEDS * list(set(grids))])


def maps_of(attended: Attended) -> dict[str, np.ndarray]:
    """The maps that are put to the test, (T', H', W'): of the likeliest class and of the blocks.

    A block's is how much it gathers from each position, over all descriptors.
    """
    first = {CLASS_MAP: attended.class_maps[0].map}
    return first | {block.name: block.attended() for block in attended.blocks}


def delete(model: keras.Model, pixels: np.ndarray, attended: Attended) -> list[Deletion]:
    """Puts the maps of one example to the test.

    Args:
        model: pixels → probabilities.
        pixels: uint8 ([T,] H, W, 3), what was looked at.
        attended: what was found.
    """
    maps = maps_of(attended)
    grids = sorted({values.shape for values in maps.values()})
    runs = [(values.shape, _order(values)) for values in maps.values()]
    runs += [(grid, _random_order(seed, grid)) for grid in grids for seed in range(SEEDS)]
    masks = [np.zeros((1, 1, 1), bool), np.ones((1, 1, 1), bool)]
    masks += [mask for grid, order in runs for mask in _masks(order, grid)]
    found = iter(_probabilities(model, pixels, masks, attended.best))
    whole, nothing = next(found), next(found)
    curves = [
        np.array([whole, *itertools.islice(found, _steps(grid) - 1), nothing]) for grid, _ in runs
    ]
    others = {
        grid: np.stack(curves[len(maps) + SEEDS * i :][:SEEDS]) for i, grid in enumerate(grids)
    }
    return [
        Deletion(name, _counts(values.shape) / values.size, curve, others[values.shape])
        for (name, values), curve in zip(maps.items(), curves, strict=False)
    ]


def _steps(grid: tuple[int, ...]) -> int:
    return min(STEPS, int(np.prod(grid)))


def _counts(grid: tuple[int, ...]) -> np.ndarray:
    """How many positions are blanked at every step, from none to all."""
    return np.linspace(0, np.prod(grid), _steps(grid) + 1).round().astype(int)


def _order(values: np.ndarray) -> np.ndarray:
    """Positions from the most marked to the least; of equal ones, such as zeros, in any order."""
    chance = np.random.default_rng(SEEDS).random(values.size)
    return np.lexsort((chance, -values.ravel()))


def _random_order(seed: int, grid: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).permutation(int(np.prod(grid)))


def _masks(order: np.ndarray, grid: tuple[int, ...]) -> Iterator[np.ndarray]:
    """What is blanked at every step between none and all: bool of the grid."""
    for count in _counts(grid)[1:-1]:
        mask = np.zeros(len(order), bool)
        mask[order[:count]] = True
        yield mask.reshape(grid)


def blanked(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A view with some positions in its mean colour.

    Args:
        pixels: uint8 ([T,] H, W, 3).
        mask: bool (T', H', W'), of positions that each stand for a part of the view.
    """
    frames = pixels if pixels.ndim == 4 else pixels[None]
    for axis, size in enumerate(frames.shape[:3]):
        mask = np.take(mask, np.arange(size) * mask.shape[axis] // size, axis)
    colour = frames.mean(axis=(0, 1, 2)).round().astype(frames.dtype)
    return np.where(mask[..., None], colour, frames).reshape(pixels.shape)


def _probabilities(
    model: keras.Model, pixels: np.ndarray, masks: list[np.ndarray], number: int
) -> list[float]:
    batch = min(forward.at_once(pixels.shape), len(masks))
    found: list[float] = []
    for at in range(0, len(masks), batch):
        views = [blanked(pixels, mask) for mask in masks[at : at + batch]]
        probabilities = forward.probabilities(model, views, batch)
        check_numbers(probabilities, "outputs")  # of the view itself they may be
        found += probabilities[:, number].tolist()
    return found


def summary(documents: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The means over examples of what was measured, by method."""
    lines = []
    for same in zip(*documents, strict=True):
        areas = np.array([each["area"] for each in same])
        random = np.array([np.mean(each["random_areas"]) for each in same])
        lines.append(
            {
                "method": same[0]["method"],
                "examples": len(same),
                "area": round(float(areas.mean()), 4),
                "random_area": round(float(random.mean()), 4),
                "beats_random": sum(each["beats_random"] for each in same),
            }
        )
    return lines

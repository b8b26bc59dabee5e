"""What a finished run is scored on, and how: known before its model is loaded."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data import open_held_out
from a2keras.training.data.source import Examples, Source
from a2keras.training.data.splits import groups_of
from a2keras.training.run.directory import Run
from a2keras.whole_numbers import count

SCORED = ("test", "validation")  # the splits that a run is scored on, the first that there is


@dataclass(frozen=True)
class Protocol:
    """What an evaluation does otherwise than the run's recipe says.

    Attributes:
        views: clips of each video that are averaged; None: the recipe's.
        crops: of each clip, 1 or 3; None: the recipe's.
        precise_bn: training batches that give the statistics of batch normalisation anew; 0: as
            the run has been saved.
    """

    views: int | None = None
    crops: int | None = None
    precise_bn: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "precise_bn", count("precise_bn", self.precise_bn, 0))

    def applied(self, recipe: Recipe) -> Recipe:
        views = recipe.views if self.views is None else self.views
        crops = recipe.crops if self.crops is None else self.crops
        return dataclasses.replace(recipe, views=views, crops=crops)


@dataclass(frozen=True)
class HeldOut:
    """A finished run, and the examples that it is scored on; `data` where they are not its own."""

    run: Run
    preprocessing: Preprocessing
    split: str
    source: Source
    data: str | None = None

    @property
    def examples(self) -> Examples:
        return self.source.splits[self.split]

    def groups(self) -> list[str]:
        """The groups that the examples are of; none where the recipe tells of none."""
        pattern = self.run.recipe.group_pattern
        return sorted(set(groups_of(list(self.examples.names), pattern))) if pattern else []

    @classmethod
    def open(
        cls, path: str | Path, data: str | None = None, wanted: Sequence[str] = SCORED
    ) -> "HeldOut":
        """Lists what a run is scored on; nothing is decoded.

        Raises:
            UserError: no finished run, or data that cannot be used or has other classes.
        """
        run = Run.load(path)
        preprocessing = Preprocessing.load(run.path)
        before = run.skipped() if data is None else ()
        split, source = open_held_out(run.recipe, preprocessing.labels, data, before, wanted)
        if data is None:
            run.check_data(source.fingerprint)
        return cls(run, preprocessing, split, source, data)


def folds_of(recipe: Recipe) -> list[Recipe]:
    """The recipes of all folds of a cross-validation, or the one recipe where there is none."""
    if not recipe.folds:
        return [recipe]
    return [dataclasses.replace(recipe, fold=fold) for fold in range(1, recipe.folds + 1)]

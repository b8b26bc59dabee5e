"""What an ablation is to train: every row's recipe and its runs, before Keras is loaded."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

from a2keras.errors import UserError
from a2keras.training.ablation.rows import Row
from a2keras.training.compute.checks import begin
from a2keras.training.config import Recipe
from a2keras.training.data import Listed, list_data
from a2keras.training.data.listing import Listing
from a2keras.training.data.opening import assign_splits
from a2keras.training.evaluation.held_out import SCORED, folds_of
from a2keras.training.run.directory import Run


class Planned(NamedTuple):
    """One run of an ablation; its recipe has seed and fold."""

    row: Row
    run: Run


class Prepared(NamedTuple):
    """What can be known of an ablation before Keras is loaded.

    Attributes:
        recipes: of each row by its key, with what the data decide.
        listing: the data, which are the same for all rows.
    """

    recipes: dict[str, Recipe]
    listing: Listing


@dataclass(frozen=True)
class Ablation:
    """Which rows to train, on what, how often and where to keep it.

    Attributes:
        rows: see `rows_of`.
        recipe: of all rows, each of which has its own settings; the seed is each run's, and the
            fold where there are folds.
        output: directory of the ablation; its runs lie in `runs`.
        seeds: runs of each row and fold.
        table: of the paper, 2 or 3, which the rows are of; None: of none.
        scored: the splits that runs are scored on, the first that there is. With validation alone
            settings can be chosen while the test examples stay unseen.
        strategy, replicas: where to compute, see `computation_for`.
    """

    rows: tuple[Row, ...]
    recipe: Recipe
    output: Path
    seeds: int = 3
    table: int | None = None
    scored: tuple[str, ...] = SCORED
    strategy: str = "auto"
    replicas: int | None = None

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise UserError(f"`seeds` must be at least 1. Received: `seeds={self.seeds}`")

    def prepared(self, listing: Listing | None = None) -> Prepared:
        """The recipes of the rows and the data, which are listed once; nothing is decoded.

        Args:
            listing: the data, where they have been listed already.

        Raises:
            UserError: among others, for published weights of a network that has other blocks than
                a row's, and for data that have nothing to score the runs on.
        """
        found: dict[str, Recipe] = {}
        for row in self.rows:
            found[row.key], listing = self.listed(row, listing)
        prepared = Prepared(found, cast(Listing, listing))
        self._check_scored(prepared)
        return prepared

    def _check_scored(self, prepared: Prepared) -> None:
        """`UserError` where a run would have nothing to be scored on, which it tells once trained.

        The rows share what chooses the examples, and of folds each has some to be scored on.
        """
        row = self.rows[:1]
        for _, run in dataclasses.replace(self, rows=row).planned(prepared.recipes):
            if run.recipe.fold > 1:
                continue
            splits, rule = assign_splits(prepared.listing, run.recipe)
            if not {*self.scored} & {*splits.tolist()}:
                names = " or ".join(self.scored)
                fields = " and ".join(f"{name}_fraction" for name in self.scored)
                raise UserError(
                    f"runs are scored on {names} examples, and {run.recipe.data} has none "
                    f"({rule or 'all are for training'}): see {fields}"
                )

    def listed(self, row: Row, listing: Listing | None = None) -> Listed:
        """The recipe of a row with what its data decide, and the data, which are the same for all
        rows; nothing is decoded."""
        recipe, listing = list_data(row.applied(self.recipe), listing=listing)
        if self.table and recipe.task != "video":
            raise UserError(
                "Tables 2 and 3 compare networks that take videos; the paper has no such table of "
                f"images. Received: `data={self.recipe.data}`, which are {recipe.task}s"
            )
        return begin(recipe, listing)

    def planned(self, recipes: dict[str, Recipe]) -> Iterator[Planned]:
        """All runs, seed by seed and fold by fold: one that is stopped has compared like with like.

        Args:
            recipes: of each row by its key, see `prepared`.
        """
        for seed in range(self.recipe.seed, self.recipe.seed + self.seeds):
            for fold in folds_of(self.recipe):
                for row in self.rows:
                    recipe = dataclasses.replace(recipes[row.key], seed=seed, fold=fold.fold)
                    part = f"_fold{fold.fold}" if recipe.folds else ""
                    path = self.output / "runs" / f"{row.runs}{part}_seed{seed}"
                    yield Planned(row, Run(path, recipe))

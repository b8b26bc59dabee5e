"""Tables 2 and 3 of the paper on any videos: which block, and where, is worth what it costs."""

import dataclasses
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from typing_extensions import TypedDict

from a2keras.console import say
from a2keras.documents import read_json, write_json
from a2keras.errors import UserError
from a2keras.models.variants import TABLES, Row
from a2keras.training import ablation_report
from a2keras.training.ablation_rows import key, network_of, recipe_of
from a2keras.training.config import Recipe
from a2keras.training.data import list_source, open_source, resolve
from a2keras.training.data.source import Source
from a2keras.training.evaluate import evaluate
from a2keras.training.run import Run
from a2keras.training.scores import Evaluation, protocol
from a2keras.training.step_cost import Costs, measure
from a2keras.training.train import train

ABLATIONS = (2, 3)


class KeptCosts(TypedDict):
    """What costs.json holds: of each network what its step takes, and by which recipe."""

    recipe: dict[str, Any]
    networks: dict[str, Costs]


@dataclass(frozen=True)
class Ablation:
    """Which rows to train, on what, how often and where to keep it.

    Attributes:
        table: of the paper, 2 or 3.
        recipe: of all rows; model, attention and positions are each row's, the seed each run's.
        output: directory of the ablation; its runs lie in `runs`.
        seeds: runs of each row.
        rows: keys of the rows, see `key`; empty: all of the table.
        strategy, replicas: where to compute, see `computation_for`.
    """

    table: int
    recipe: Recipe
    output: Path
    seeds: int = 3
    rows: tuple[str, ...] = ()
    strategy: str = "auto"
    replicas: int | None = None

    def __post_init__(self) -> None:
        if self.table not in ABLATIONS:
            raise UserError(f"--table must be 2 or 3. Received: --table={self.table}")
        if self.seeds < 1:
            raise UserError(f"--seeds must be at least 1. Received: --seeds={self.seeds}")

    def chosen(self) -> list[Row]:
        """The rows to train, in the paper's order; `UserError` where a key is unknown."""
        of_table = {key(row): row for row in TABLES if row.table == self.table}
        for name in self.rows:
            if name not in of_table:
                known = ", ".join(of_table)
                raise UserError(f"Table {self.table} has no row {name}: its rows are {known}")
        return [row for name, row in of_table.items() if not self.rows or name in self.rows]

    def runs(self) -> Iterator[tuple[Row, Run]]:
        """All runs, seed by seed: an ablation that is stopped early has compared like with like."""
        for seed in range(self.recipe.seed, self.recipe.seed + self.seeds):
            for row in self.chosen():
                recipe = dataclasses.replace(recipe_of(row, self.recipe), seed=seed)
                yield row, Run(self.output / "runs" / f"{network_of(row)}_seed{seed}", recipe)


def ablate(ablation: Ablation) -> dict[str, Any]:
    """Measures, trains and scores every row, and writes ablation.json, ablation.md, ablation.png.

    What is there from an earlier call is not done again, and a run that was stopped goes on. The
    three files are written anew after every run. A run that fails does not keep the others from
    being done.

    Returns:
        What ablation.json says.

    Raises:
        UserError: data that cannot be used, such as images; an output that is something else; or,
            after all the others, runs that failed.
        Stopped: by a signal; the same call goes on.
    """
    rows = ablation.chosen()
    ablation = dataclasses.replace(ablation, recipe=_resolved(rows[0], ablation.recipe))
    if (ablation.output / "recipe.json").is_file():
        raise UserError(f"{ablation.output} is a run, not an ablation: choose another --output")
    runs = list(ablation.runs())
    for _, run in runs:
        run.check()
    costs = _costs(ablation, rows)
    scores = {run.path: kept for _, run in runs if (kept := _kept_score(run))}
    failures: dict[Path, str] = {}
    sources: dict[int, Source] = {}
    for number, (row, run) in enumerate(runs, 1):
        if run.path in scores:
            continue
        say(f"run {number} of {len(runs)}: {row.row}, seed {run.recipe.seed}")
        try:
            scores[run.path] = _score(run, ablation, sources)
            _report(ablation, costs, runs, scores)
        except UserError as error:
            say(f"this run failed: {error}")
            failures[run.path] = str(error)
    if failures:
        path, reason = next(iter(failures.items()))
        raise UserError(f"{len(failures)} of {len(runs)} runs failed, such as {path}: {reason}")
    return _report(ablation, costs, runs, scores)


def _report(
    ablation: Ablation,
    costs: dict[str, dict],
    runs: list[tuple[Row, Run]],
    scores: dict[Path, dict],
) -> dict[str, Any]:
    """Writes what there is of the table."""
    results = [(row, run, scores[run.path]) for row, run in runs if run.path in scores]
    document = ablation_report.document(ablation, costs, results)
    ablation_report.write(document, ablation.output)
    return document


def _resolved(row: Row, recipe: Recipe) -> Recipe:
    resolved = resolve(recipe_of(row, recipe))
    if resolved.task != "video":
        raise UserError(
            "Tables 2 and 3 compare networks that take videos; the paper has no such table of "
            f"images. Received: --data={recipe.data}, which are {resolved.task}s"
        )
    return resolved


def _costs(ablation: Ablation, rows: list[Row]) -> dict[str, dict]:
    """The costs of every row, measured once and kept in `costs.json`.

    Before the first run: where there is a GPU, this process has not taken its memory yet.
    """
    path, recipe = ablation.output / "costs.json", ablation.recipe
    kept = {"recipe": vars(recipe), "networks": {}}
    if path.is_file():
        found = read_json(path, KeptCosts, "the costs of an ablation")
        if found["recipe"] == vars(recipe):
            kept = found  # else they were measured for another size or batch
    networks: dict[str, dict] = kept["networks"]
    source = open_source(recipe) if recipe.data == "digits" else list_source(recipe)
    for row in rows:
        if (name := network_of(row)) not in networks:
            say(f"measuring a training step of {row.row}")
            of_row = recipe_of(row, recipe)
            networks[name] = measure(of_row, source.classes, ablation.strategy, ablation.replicas)
            with Run(ablation.output, recipe).writing("the costs"):
                ablation.output.mkdir(parents=True, exist_ok=True)
                write_json(path, kept)
    return networks


def _score(run: Run, ablation: Ablation, sources: dict[int, Source]) -> dict:
    """Trains a run, unless that is done, and scores it, unless that is done."""
    if not run.finished:
        seed = run.recipe.seed
        if seed not in sources:  # the data are opened once for all rows of a seed
            sources.clear()
            sources[seed] = open_source(run.recipe)
        strategy, replicas = ablation.strategy, ablation.replicas
        train(run.recipe, run.path, strategy, replicas, source=sources[seed])
    document = evaluate(run.path)
    keras.utils.clear_session()  # or every network so far stays in memory
    gc.collect()
    return document


def _kept_score(run: Run) -> dict | None:
    """What an earlier call has scored; None where it has not, or by another protocol."""
    path = run.path / "evaluation.json"
    if not (run.finished and path.is_file()):
        return None
    document: dict = read_json(path, Evaluation, "an evaluation of this version")
    classes = len(document["confusion"])
    return document if document["protocol"] == protocol(run.recipe, classes) else None

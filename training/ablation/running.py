"""Which attention block is worth what it costs: rows of networks, trained and tested alike."""

import dataclasses
import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from typing_extensions import TypedDict

from a2keras.console import say
from a2keras.documents import read_json, write_json
from a2keras.errors import UserError
from a2keras.training.ablation import report
from a2keras.training.ablation.plan import Ablation, Planned, Prepared
from a2keras.training.ablation.step_cost import Costs, measure
from a2keras.training.compute import network
from a2keras.training.compute.freezing import check_start
from a2keras.training.config import Recipe
from a2keras.training.data import list_source, open_source
from a2keras.training.data.source import Source
from a2keras.training.evaluation.evaluate import evaluate, suffix_of
from a2keras.training.evaluation.held_out import SCORED
from a2keras.training.evaluation.multi_label import MultiLabelEvaluation
from a2keras.training.evaluation.scores import Evaluation, protocol
from a2keras.training.run.directory import Run
from a2keras.training.run.train import train

# Fields that the examples of a run do not depend on: they are opened once for rows of other values.
_OF_THE_NETWORK: dict[str, Any] = {
    "name": "", "model": "", "attention": "auto", "positions": "", "stem": "", "weights": "",
    "block_start": "identity",
    "learning_rate": 1.0, "learning_rate_factors": "", "weight_decay": 0.0,
}  # fmt: skip


class KeptCosts(TypedDict):
    """Of each row in costs.json what its step takes, and by which recipe."""

    recipe: dict[str, Any]
    costs: Costs


def ablate(ablation: Ablation, prepared: Prepared | None = None) -> dict[str, Any]:
    """Measures, trains and scores every row, and writes ablation.json, ablation.md, ablation.png.

    Scored on validation examples alone, the files are ablation_validation.json and so on.
    What is there from an earlier call is not done again, and a run that was stopped goes on. The
    three files are written anew after every run. A run that fails does not keep the others from
    being done.

    Args:
        ablation: what to train.
        prepared: of `Ablation.prepared`, where it has been asked already.

    Returns:
        What ablation.json says.

    Raises:
        UserError: data that cannot be used, such as images for a table of videos, or are not those
            that runs have begun with; a network that does not exist or has no place for blocks; an
            output that is something else; or, after all the others, runs that failed.
        Stopped: by a signal; the same call goes on.
    """
    recipes, listing = prepared or ablation.prepared()
    for recipe in recipes.values():
        network.check(recipe)
        check_start(recipe)
    if (ablation.output / "recipe.json").is_file():
        raise UserError(f"{ablation.output} is a run, not an ablation: choose another `output`")
    planned = list(ablation.planned(recipes))
    for _, run in planned:
        run.check()
        if run.begun:  # also where all have been scored: their table would be of other files
            run.check_data(listing.fingerprint)
    costs = _costs(ablation, recipes)
    scores = {run.path: kept for _, run in planned if (kept := _kept_score(run, ablation.scored))}
    failures: dict[Path, str] = {}
    sources: dict[Recipe, Source] = {}
    for number, (row, run) in enumerate(planned, 1):
        if run.path in scores:
            continue
        fold = f"fold {run.recipe.fold}, " if run.recipe.folds else ""
        say(f"run {number} of {len(planned)}: {row.title}, {fold}seed {run.recipe.seed}")
        try:
            scores[run.path] = _score(run, ablation, sources, planned)
            _report(ablation, costs, planned, scores)
        except UserError as error:
            say(f"this run failed: {error}")
            failures[run.path] = str(error)
    if failures:
        path, reason = next(iter(failures.items()))
        raise UserError(f"{len(failures)} of {len(planned)} runs failed, such as {path}: {reason}")
    return _report(ablation, costs, planned, scores)


def _report(
    ablation: Ablation, costs: dict[str, dict], planned: list[Planned], scores: dict[Path, dict]
) -> dict[str, Any]:
    """Writes what there is of the table."""
    results = [(row, run, scores[run.path]) for row, run in planned if run.path in scores]
    document = report.document(ablation, costs, results, len(planned))
    report.write(document, ablation.output, suffix_of(ablation.scored))
    return document


def _costs(ablation: Ablation, recipes: dict[str, Recipe]) -> dict[str, dict]:
    """The costs of every row by its key, measured once and kept in `costs.json`.

    Before the first run: where there is a GPU, this process has not taken its memory yet.
    """
    path = ablation.output / "costs.json"
    kept: dict[str, Any] = {}
    if path.is_file():
        kept = read_json(path, dict[str, KeptCosts], "the costs of an ablation")
    source = None
    for row in ablation.rows:
        recipe = recipes[row.key]
        if row.runs not in kept or kept[row.runs]["recipe"] != vars(recipe):
            source = source or list_source(recipe)
            say(f"measuring a training step of {row.title}")
            found = measure(recipe, source.classes, ablation.strategy, ablation.replicas)
            if recipe.attention not in ("auto", "none") and not found["blocks"]:
                raise UserError(
                    f"row {row.key} has no block: {recipe.model} has no positions of its own, so "
                    f"name some. Received: positions={recipe.positions}"
                )
            kept[row.runs] = {"recipe": vars(recipe), "costs": found}
            with Run(ablation.output, recipe).writing("the costs"):
                ablation.output.mkdir(parents=True, exist_ok=True)
                write_json(path, kept)
    return {row.key: kept[row.runs]["costs"] for row in ablation.rows}


def _score(
    run: Run, ablation: Ablation, sources: dict[Recipe, Source], planned: Sequence[Planned]
) -> dict:
    """Trains a run, unless that is done, and scores it, unless that is done.

    Raises:
        UserError: among others, for data that other runs have not begun with.
    """
    if not run.finished:
        of_data = dataclasses.replace(run.recipe, **_OF_THE_NETWORK)
        if of_data not in sources:  # the data are opened once for all rows of a seed and a fold
            sources.clear()
            source = open_source(run.recipe)
            for other in planned:
                if other.run.begun:
                    other.run.check_source(source.report())
            sources[of_data] = source
        strategy, replicas = ablation.strategy, ablation.replicas
        train(run.recipe, run.path, strategy, replicas, source=sources[of_data])
    document = evaluate(run.path, wanted=ablation.scored)
    keras.utils.clear_session()  # or every network so far stays in memory
    gc.collect()
    return document


def _kept_score(run: Run, scored: Sequence[str] = SCORED) -> dict | None:
    """What an earlier call has scored; None where it has not, or by another protocol."""
    path = run.path / f"evaluation{suffix_of(scored)}.json"
    if not (run.finished and path.is_file()):
        return None
    kind = MultiLabelEvaluation if run.recipe.multi_label else Evaluation
    document: dict = read_json(path, kind, "an evaluation of this version")
    if document["protocol"] != protocol(run.recipe, report.classes_of(document)):
        return None
    whole = document["examples"] > 0 and document.keys() >= {*report.measures_of(run.recipe)}
    if (confusion := document.get("confusion")) is not None:
        whole &= all(len(line) == len(confusion) for line in confusion)
        whole &= document["examples"] == sum(map(sum, confusion))
    if not whole:
        raise UserError(f"{path} is not an evaluation of this version: its numbers do not agree")
    return document

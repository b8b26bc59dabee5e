"""An ablation as JSON and as Markdown tables; its picture is drawn beside them."""

import dataclasses
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from typing_extensions import TypedDict

from a2keras.documents import read_json, write_json
from a2keras.files import write_text
from a2keras.training.ablation.picture import draw_ablation
from a2keras.training.ablation.plan import Ablation
from a2keras.training.ablation.rows import Row
from a2keras.training.ablation.statistics import differences
from a2keras.training.ablation.words import difference_table, remarks, rule_of, words_of
from a2keras.training.config import Recipe
from a2keras.training.data.source import Skipped
from a2keras.training.evaluation.folds import pooled
from a2keras.training.evaluation.scores import percent, spread
from a2keras.training.output import writing
from a2keras.training.run.directory import Run

# What is each run's own.
_OWN = {"name", "model", "attention", "positions", "seed", "fold"}


def measures_of(recipe: Recipe) -> tuple[str, ...]:
    """What of every run's scores is in the table; by the last the rows are compared."""
    of_clips, of_all = ("clip_mAP", "mAP") if recipe.multi_label else ("clip@1", "video@1")
    if recipe.task == "video":
        return of_clips, of_all
    return ("mAP" if recipe.multi_label else "top1",)


def classes_of(scores: dict[str, Any]) -> int:
    """How many classes a run's scores are of."""
    return len(scores.get("confusion", scores["per_class"]))


Results = list[tuple[Row, Run, dict[str, Any]]]
Parts = dict[int, dict[str, Any]]  # by fold an evaluation


class Trained(TypedDict):
    """What of a run's results.json is told."""

    versions: dict[str, str]


def document(
    ablation: Ablation, costs: dict[str, dict], results: Results, planned: int
) -> dict[str, Any]:
    """What ablation.json says of the runs that have been scored so far.

    Args:
        ablation: what was asked for.
        costs: of each row by its key.
        results: row, run and evaluation of each run.
        planned: how many runs there are to be.
    """
    first, recipe = results[0][2], results[0][1].recipe
    measures, output = measures_of(recipe), ablation.output
    of_rows = {
        row: own
        for row in ablation.rows
        if (own := [(run, scores) for each, run, scores in results if each == row])
    }
    recipes = {row: dataclasses.asdict(own[0][0].recipe) for row, own in of_rows.items()}
    shared = [
        name
        for name, value in recipes[results[0][0]].items()
        if name not in _OWN and all(each[name] == value for each in recipes.values())
    ]
    whole = max(Counter((row, run.recipe.seed) for row, run, _ in results).values())
    rows = []
    for row, own in of_rows.items():
        apart = {k: v for k, v in recipes[row].items() if k not in (*_OWN, *shared)}
        rows.append(_row(row, own, measures, whole, costs[row.key] | {"recipe": apart}, output))
    # One evaluation of every part of the data, of every seed and of the first one.
    seeds: dict[int, Parts] = {}
    parts: Parts = {}
    for _, run, scores in results:
        seeds.setdefault(run.recipe.seed, {}).setdefault(run.recipe.fold, scores)
        parts.setdefault(run.recipe.fold, scores)
    parts = dict(sorted(parts.items()))
    protocols = [line for _, _, scores in results for line in scores["protocol"]]
    return {
        "table": ablation.table,
        "task": recipe.task,
        "data": first["data"],
        "fingerprint": first["fingerprint"],
        "skipped": len({file.path for _, _, each in results for file in _skipped(each)}),
        "split": first["split"],
        "split_rules": list(dict.fromkeys(scores["split_rule"] for _, _, scores in results)),
        "drawn_by_seed": _drawn_by_seed(seeds),
        "folds": [_fold(fold, each) for fold, each in parts.items()] if recipe.folds else [],
        "examples": sum(each["examples"] for each in parts.values()),
        "classes": classes_of(first),
        **_by_chance(seeds),
        "protocol": list(dict.fromkeys(protocols)),
        "seeds": ablation.seeds,
        "planned": planned,
        "missing": _missing(ablation.rows, results),
        "measures": list(measures),
        "recipe": {name: recipes[results[0][0]][name] for name in shared},
        "rows": rows,
        "differences": differences(rows, measures),
        "versions": _versions([run for _, run, _ in results]),
    }


def _drawn_by_seed(seeds: dict[int, Parts]) -> bool:
    """Whether the examples that are scored are others with every seed, by the rules' words."""
    rules: dict[int, set[str]] = {}
    for of_seed in seeds.values():
        for fold, scores in of_seed.items():
            rules.setdefault(fold, set()).add(rule_of(scores["split_rule"], scores["split"]))
    return any(len(each) > 1 for each in rules.values())


def _missing(rows: tuple[Row, ...], results: Results) -> list[dict[str, Any]]:
    """The runs that some row has and another one lacks."""
    there = {(row.key, run.recipe.seed, run.recipe.fold) for row, run, _ in results}
    pairs = sorted({(seed, fold) for _, seed, fold in there})
    return [
        {"row": row.title, "seed": seed, "fold": fold}
        for row in rows
        for seed, fold in pairs
        if (row.key, seed, fold) not in there
    ]


def _versions(runs: list[Run]) -> dict[str, str]:
    """Of what the runs were trained with, by its name."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        results = read_json(run.path / "results.json", Trained, "the results of a run")
        for name, version in results["versions"].items():
            found.setdefault(name, {})[version] = None
    return {name: " and ".join(versions) for name, versions in found.items()}


def _by_chance(seeds: dict[int, Parts]) -> dict[str, float]:
    """What says nothing of a network: the rate of the most frequent class, or guessing's mAP.

    The mean over the seeds, which may draw other examples, as far as they have all parts.
    """
    most = max(map(len, seeds.values()))
    whole = [[*parts.values()] for parts in seeds.values() if len(parts) == most]
    if "confusion" not in whole[0][0]:
        return {"chance_mAP": fmean(pooled(each, ["chance_mAP"])["chance_mAP"] for each in whole)}
    totals = [sum(np.array(each["confusion"]).sum(axis=1) for each in parts) for parts in whole]
    return {"majority_rate": fmean(float(each.max() / each.sum()) for each in totals)}


def _skipped(scores: dict[str, Any]) -> list[Skipped]:
    """As records, whether they have been scored now or read again."""
    return [each if isinstance(each, Skipped) else Skipped(**each) for each in scores["skipped"]]


def _fold(fold: int, scores: dict[str, Any]) -> dict[str, Any]:
    return {"fold": fold, "examples": scores["examples"], "groups": scores.get("groups", [])}


def _row(
    row: Row,
    own: list[tuple[Run, dict[str, Any]]],
    measures: tuple[str, ...],
    whole: int,
    more: dict[str, Any],
    output: Path,
) -> dict[str, Any]:
    """A row: its settings, its costs and what `more` there is, the pooled score of every seed, and
    all runs.

    A seed counts once all of its folds have been scored: there are `whole` of them. Of a row that
    has no such seed all count.
    """
    recipe = own[0][0].recipe
    runs = [
        {
            "run": str(run.path.relative_to(output)),
            "seed": run.recipe.seed,
            "fold": run.recipe.fold,
            "examples": scores["examples"],
            "batch_size": run.batch_size() or recipe.batch_size,
            **{measure: scores[measure] for measure in measures},
        }
        for run, scores in own
    ]
    counts = Counter(run["seed"] for run in runs)
    seeds = []
    for seed in [seed for seed in counts if counts[seed] == whole] or counts:
        of_seed = [run for run in runs if run["seed"] == seed]
        examples = sum(run["examples"] for run in of_seed)
        seeds.append({"seed": seed, "examples": examples, **pooled(of_seed, measures)})
    return {
        "row": row.title,
        "key": row.key,
        "model": recipe.model,
        "attention": None if recipe.attention == "none" else recipe.attention,
        "positions": list(recipe.unit_names()),
        "settings": list(row.settings),
        "protocol": own[0][1]["protocol"],
        **more,
        **{name: spread([seed[name] for seed in seeds]) for name in measures},
        "seeds": seeds,
        "runs": runs,
    }


def write(document: dict[str, Any], output: Path, suffix: str = "") -> None:
    """Writes ablation.json, ablation.md and ablation.png, their names with a suffix."""
    with writing("the table", output):
        write_json(output / f"ablation{suffix}.json", document)
        write_text(output / f"ablation{suffix}.md", markdown(document))
        draw_ablation(document, output / f"ablation{suffix}.png")


def markdown(document: dict[str, Any]) -> str:
    """The table, what the rows differ by, and what it was measured on."""
    measures = document["measures"]
    batches = {row["batch_size"] for row in document["rows"]}
    kind = "clips" if document["task"] == "video" else "images"
    head = [
        "row",
        "parameters",
        "multiply-adds",
        f"step of {batches.pop()} {kind}" if len(batches) == 1 else "step",
        "processor time",
        "activations",
        "peak memory",
        *(words_of(name) for name in measures),
        "runs",
    ]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for row in document["rows"]:
        lines.append(
            [
                row["row"],
                f"{row['parameters'] / 1e6:.3f} M",
                f"{row['multiply_adds'] / 1e9:.4f} G",
                f"{1000 * row['step_seconds']:.0f} ms",
                f"{1000 * row['processor_seconds']:.0f} ms",
                f"{row['activation_bytes'] / 2**20:.1f} MiB",
                f"{row['peak_bytes'] / 2**20:.0f} MiB",
                *(percent(*row[name].values()) for name in measures),
                str(len(row["runs"])),
            ]
        )
    tables = [lines, difference_table(document)]
    parts = ["\n".join(f"| {' | '.join(line)} |" for line in table) for table in tables if table]
    parts.append("\n".join(f"- {line}" for line in remarks(document)))
    return "\n\n".join(parts) + "\n"

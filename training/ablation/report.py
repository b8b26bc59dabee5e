"""An ablation as JSON and as Markdown tables; its picture is drawn beside them."""

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from a2keras.documents import write_json
from a2keras.files import write_text
from a2keras.training.ablation.picture import draw_ablation
from a2keras.training.ablation.plan import Ablation
from a2keras.training.ablation.rows import Row
from a2keras.training.ablation.statistics import differences
from a2keras.training.ablation.words import difference_table, remarks, words_of
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
    measures = measures_of(recipe)
    rows = []
    for row in ablation.rows:
        own = [(run, scores) for each, run, scores in results if each == row]
        if own:
            rows.append(_row(row, own, measures, costs[row.key], ablation.output))
    # One evaluation of every part of the data.
    parts = {run.recipe.fold: scores for _, run, scores in reversed(results)}
    parts = dict(sorted(parts.items()))
    protocols = [line for _, _, scores in results for line in scores["protocol"]]
    return {
        "table": ablation.table,
        "task": recipe.task,
        "data": first["data"],
        "fingerprint": first["fingerprint"],
        "skipped": len({file.path for each in parts.values() for file in _skipped(each)}),
        "split": first["split"],
        "split_rules": list(dict.fromkeys(scores["split_rule"] for _, _, scores in results)),
        "folds": [_fold(fold, each) for fold, each in parts.items()] if recipe.folds else [],
        "examples": sum(each["examples"] for each in parts.values()),
        "classes": classes_of(first),
        **_by_chance(list(parts.values())),
        "protocol": list(dict.fromkeys(protocols)),
        "seeds": ablation.seeds,
        "planned": planned,
        "measures": list(measures),
        "recipe": {
            name: value
            for name, value in dataclasses.asdict(ablation.recipe).items()
            if name not in _OWN
        }
        | {"data": recipe.data, "task": recipe.task},
        "rows": rows,
        "differences": differences(rows, measures),
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }


def _by_chance(parts: list[dict[str, Any]]) -> dict[str, float]:
    """What says nothing of a network: the rate of the most frequent class, or guessing's mAP."""
    if "confusion" not in parts[0]:
        return pooled(parts, ["chance_mAP"])
    totals = sum(np.array(each["confusion"]).sum(axis=1) for each in parts)
    return {"majority_rate": float(totals.max() / totals.sum())}


def _skipped(scores: dict[str, Any]) -> list[Skipped]:
    """As records, whether they have been scored now or read again."""
    return [each if isinstance(each, Skipped) else Skipped(**each) for each in scores["skipped"]]


def _fold(fold: int, scores: dict[str, Any]) -> dict[str, Any]:
    return {"fold": fold, "examples": scores["examples"], "groups": scores.get("groups", [])}


def _row(
    row: Row,
    own: list[tuple[Run, dict[str, Any]]],
    measures: tuple[str, ...],
    costs: dict[str, Any],
    output: Path,
) -> dict[str, Any]:
    """A row: its settings, costs, pooled score of every seed, and all runs."""
    recipe = own[0][0].recipe
    runs = [
        {
            "run": str(run.path.relative_to(output)),
            "seed": run.recipe.seed,
            "fold": run.recipe.fold,
            "examples": scores["examples"],
            **{measure: scores[measure] for measure in measures},
        }
        for run, scores in own
    ]
    seeds = []
    for seed in dict.fromkeys(run["seed"] for run in runs):
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
        **costs,
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
    first, measures = document["rows"][0], document["measures"]
    head = [
        "row",
        "parameters",
        "multiply-adds",
        f"step of {first['batch_size']} {'clips' if document['task'] == 'video' else 'images'}",
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

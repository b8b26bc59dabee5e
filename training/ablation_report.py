"""An ablation as JSON, as a Markdown table and as a plot of accuracy against multiply-adds."""

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from a2keras.documents import write_json
from a2keras.errors import counted
from a2keras.files import write_text
from a2keras.models.variants import Row
from a2keras.training.ablation_rows import key, network_of
from a2keras.training.plots import draw_ablation
from a2keras.training.run import Run, writing
from a2keras.training.scores import percent, spread

if TYPE_CHECKING:
    from a2keras.training.ablation import Ablation

MEASURES = ("clip@1", "video@1")
# What is each run's own.
_OWN = {"name", "model", "attention", "positions", "seed"}


def document(
    ablation: "Ablation", costs: dict[str, dict], results: list[tuple[Row, Run, dict]]
) -> dict[str, Any]:
    """What ablation.json says of the runs that have been scored so far.

    Args:
        ablation: what was asked for.
        costs: of each network.
        results: row, run and evaluation of each run.
    """
    first = results[0][2]
    rows = []
    for row in ablation.chosen():
        runs = [
            {
                "run": str(run.path.relative_to(ablation.output)),
                "seed": run.recipe.seed,
                **{measure: scores[measure] for measure in MEASURES},
            }
            for each, run, scores in results
            if each == row
        ]
        if runs:
            rows.append(_row(row, runs, costs[network_of(row)]))
    recipe = dataclasses.asdict(ablation.recipe)
    return {
        "table": ablation.table,
        "data": first["data"],
        "fingerprint": first["fingerprint"],
        "skipped": len(first["skipped"]),
        "split": first["split"],
        "split_rules": list(dict.fromkeys(scores["split_rule"] for _, _, scores in results)),
        "examples": first["examples"],
        "classes": len(first["per_class"]),
        "majority_rate": first["majority_rate"],
        "protocol": first["protocol"],
        "seeds": ablation.seeds,
        "recipe": {name: value for name, value in recipe.items() if name not in _OWN},
        "rows": rows,
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }


def _row(row: Row, runs: list[dict[str, Any]], costs: dict[str, Any]) -> dict[str, Any]:
    return {
        "row": row.row,
        "key": key(row),
        "model": row.name,
        "attention": row.arguments.get("attention"),
        "positions": list(row.arguments.get("positions", ())),
        **costs,
        **{name: spread([run[name] for run in runs]) for name in MEASURES},
        "runs": runs,
    }


def write(document: dict[str, Any], output: Path) -> None:
    """Writes ablation.json, ablation.md and ablation.png."""
    with writing("the table", output):
        write_json(output / "ablation.json", document)
        write_text(output / "ablation.md", markdown(document))
        draw_ablation(document, output / "ablation.png")


def markdown(document: dict[str, Any]) -> str:
    """The table, and below it what it was measured on."""
    first = document["rows"][0]
    head = [
        "row",
        "parameters",
        "multiply-adds",
        f"step of {first['batch_size']} clips",
        "processor time",
        "activations",
        "peak memory",
        *MEASURES,
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
                *(percent(*row[name].values()) for name in MEASURES),
                str(len(row["runs"])),
            ]
        )
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([table, "", *(f"- {line}" for line in remarks(document)), ""])


def remarks(document: dict[str, Any]) -> list[str]:
    """What it takes to judge the numbers, a line each."""
    first, recipe, count = document["rows"][0], document["recipe"], document["examples"]
    best = max(row["video@1"]["mean"] for row in document["rows"])
    error = math.sqrt(best * (1 - best) / count)
    data = (
        f"data: {document['data']}, {count} examples of the {document['split']} split "
        f"({' | '.join(document['split_rules'])}), {counted(document['skipped'], 'file')} skipped, "
        f"file list {document['fingerprint'][:16]}"
    )
    others = ["the held-out examples are others with every seed"]
    beyond = ", beyond what it took before there was a network"
    return [
        data,
        *(others if len(document["split_rules"]) > 1 else []),
        *document["protocol"],
        "± is the sample standard deviation over the seeds, which change the initial weights, the "
        f"order and the augmentation; one example is {100 / count:.1f} points, and the binomial "
        f"standard error of {100 * best:.1f} % on {count} examples {100 * error:.1f} points",
        f"always answering the most frequent class: {100 * document['majority_rate']:.1f} %",
        "parameters with moving statistics; multiply-adds and activations of one clip of "
        f"{recipe['frames']} frames of {recipe['size']}×{recipe['size']} pixels, by count",
        f"steps: median of at least {min(row['steps'] for row in document['rows'])} training steps "
        f"after warm-up on {first['device']}: the time that passes, and that of all cores, which "
        "other work on the machine disturbs less",
        f"peak memory: of {first['peak_of']}{beyond if first['peak_of'] == 'the process' else ''}",
        f"{recipe['epochs']} epochs, batch size {recipe['batch_size']}, learning rate "
        f"{recipe['learning_rate']:g}, {recipe['precision']}; all else in ablation.json",
        "versions: " + ", ".join(f"{name} {each}" for name, each in document["versions"].items()),
    ]

"""What the tables of an ablation say in words, and what it takes to judge them."""

import math
from typing import Any

from a2keras.errors import counted
from a2keras.training.ablation.statistics import LEVEL

_WORDS = {"top1": "top-1", "clip_mAP": "clip mAP"}


def words_of(measure: str) -> str:
    """A measure as tables call it."""
    return _WORDS.get(measure, measure)


def difference_table(document: dict[str, Any]) -> list[list[str]]:
    """What every row differs by from those above it: lines of cells; none of a single row."""
    measures = document["measures"]
    titles = {row["key"]: row["row"] for row in document["rows"]}
    lines = [
        [titles[each["row"]], titles[each["against"]], *(_points(each[name]) for name in measures)]
        for each in document["differences"]
    ]
    if not lines:
        return []
    head = ["row", "against", *(f"{words_of(name)}, points ({LEVEL:.0%})" for name in measures)]
    return [head, ["---", "---", *["---:"] * len(measures)], *lines]


def _points(difference: dict[str, Any]) -> str:
    """`+2.7 (-0.4 … +5.8)`; of a single pair there is no interval."""
    mean, interval = difference["mean"], difference["interval"]
    if interval is None:
        return f"{100 * mean:+.1f}"
    low, high = (100 * each for each in interval)
    return f"{100 * mean:+.1f} ({low:+.1f} … {high:+.1f})"


def remarks(document: dict[str, Any]) -> list[str]:
    """What it takes to judge the numbers, a line each."""
    runs = sum(len(row["runs"]) for row in document["rows"])
    missing = document["planned"] - runs
    return [
        *([f"not complete: {runs} of {document['planned']} runs"] if missing else []),
        *_of_data(document),
        *_of_chance(document),
        *_of_costs(document),
        *_of_training(document),
    ]


def _of_data(document: dict[str, Any]) -> list[str]:
    count, folds = document["examples"], document["folds"]
    rules = list(dict.fromkeys(_rule(each, document["split"]) for each in document["split_rules"]))
    of = f"of the {document['split']} split"
    if folds:
        tested = ", each tested once" if document["split"] == "test" else ", validation examples"
        of = f"of all {len(folds)} folds{tested}"
    rule = " | ".join(rules)
    if folds:
        dealt = (
            f"{each['fold']}: {', '.join(each['groups']) or each['examples']}" for each in folds
        )
        kind = "groups" if folds[0]["groups"] else "examples"
        rule = f"{kind} of the folds {'; '.join(dealt)}"
    data = (
        f"data: {document['data']}, {counted(count, 'example')} {of} ({rule}), "
        f"{counted(document['skipped'], 'file')} skipped, file list {document['fingerprint'][:16]}"
    )
    others = ["the held-out examples are others with every seed"]
    return [data, *(others if len(rules) > 1 and not folds else []), *document["protocol"]]


def _rule(rule: str, split: str) -> str:
    """What of a rule tells which examples are scored: validation is drawn from the rest."""
    return rule.partition("; validation: ")[0] if split == "test" else rule


def _of_chance(document: dict[str, Any]) -> list[str]:
    count, main = document["examples"], document["measures"][-1]
    is_share = "majority_rate" in document
    of_folds = "share of all folds' examples" if is_share else "mean over the folds"
    pooled = f", each the {of_folds}" if document["folds"] else ""
    lines = [
        f"± is the sample standard deviation over the seeds{pooled}, which change the initial "
        "weights, the order and the augmentation"
    ]
    if is_share:
        best = max(row[main]["mean"] for row in document["rows"])
        error = math.sqrt(best * (1 - best) / count)
        lines[0] += (
            f"; one example is {100 / count:.1f} points, and the binomial standard error of "
            f"{100 * best:.1f} % on {count} examples {100 * error:.1f} points"
        )
    if document["differences"]:
        units = [each[main] for each in document["differences"]]
        unit, least = units[0]["unit"], min(each["observations"] for each in units)
        of_fold = ", the mean of its seeds, since these share their test examples"
        lines.append(
            f"differences are of runs of the same seed{' and fold' if document['folds'] else ''}; "
            f"their {LEVEL:.0%} intervals are Student's t of {least} observations: one is a {unit}"
            f"{of_fold if unit == 'fold' else ''}. "
            + (
                "They cover what is left to chance in training, not in these test examples"
                if unit == "seed"
                else "Folds share examples to train on, so the intervals are rather too narrow"
            )
            + (
                f"; of {len(units)} intervals one in twenty misses by chance alone"
                if len(units) > 1
                else ""
            )
        )
    if not is_share:
        return [*lines, f"mAP by chance: {100 * document['chance_mAP']:.1f} %"]
    majority = 100 * document["majority_rate"]
    return [*lines, f"always answering the most frequent class: {majority:.1f} %"]


def _of_costs(document: dict[str, Any]) -> list[str]:
    first, recipe = document["rows"][0], document["recipe"]
    beyond = ", beyond what it took before there was a network"
    pixels = f"{recipe['size']}×{recipe['size']} pixels"
    example = f"image of {pixels}"
    if document["task"] == "video":
        example = f"clip of {recipe['frames']} frames of {pixels}"
    return [
        "parameters with moving statistics; multiply-adds and activations of one "
        f"{example}, by count",
        f"steps: median of at least {min(row['steps'] for row in document['rows'])} training steps "
        f"after warm-up on {first['device']}: the time that passes, and that of all cores, which "
        "other work on the machine disturbs less",
        f"peak memory: of {first['peak_of']}{beyond if first['peak_of'] == 'the process' else ''}",
    ]


def _of_training(document: dict[str, Any]) -> list[str]:
    recipe, rows = document["recipe"], document["rows"]
    settings = [f"{row['row']}: {' '.join(row['settings'])}" for row in rows]
    models = ", ".join(dict.fromkeys(row["model"] for row in rows))
    return [
        f"rows of {models}: {'; '.join(settings)}",
        f"{recipe['epochs']} epochs, batch size {recipe['batch_size']}, learning rate "
        f"{recipe['learning_rate']:g}, {recipe['precision']}; all else in ablation.json",
        "versions: " + ", ".join(f"{name} {each}" for name, each in document["versions"].items()),
    ]

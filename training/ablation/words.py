"""What the tables of an ablation say in words, and what it takes to judge them."""

import functools
import math
from collections.abc import Callable, Iterable
from typing import Any

from a2keras.errors import counted
from a2keras.training.ablation.statistics import LEVEL

SHOWN = 3  # missing runs of a row
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
    return [
        *_of_missing(document),
        *_of_data(document),
        *_of_chance(document),
        *_of_differences(document),
        *_by_chance(document),
        *_of_costs(document),
        *_of_training(document),
    ]


def by_rows(rows: list[dict[str, Any]], told: Callable[[dict[str, Any]], str]) -> str:
    """What is told of every row: once where it is the same of all, else with the rows' titles."""
    titles: dict[str, list[str]] = {}
    for row in rows:
        titles.setdefault(told(row), []).append(row["row"])
    if len(titles) == 1:
        return next(iter(titles))
    return "; ".join(f"{text} ({', '.join(names)})" for text, names in titles.items())


def span(values: Iterable[int]) -> str:
    """`4`, or `4 to 7` of several."""
    low, high = min(values := [*values]), max(values)
    return f"{low}" if low == high else f"{low} to {high}"


def examples_of(document: dict[str, Any]) -> list[int]:
    """How many examples the scores are of, of every seed where each draws its own."""
    if document["folds"] or not document["drawn_by_seed"]:
        return [document["examples"]]
    return sorted({seed["examples"] for row in document["rows"] for seed in row["seeds"]})


def _of_missing(document: dict[str, Any]) -> list[str]:
    rows, missing = document["rows"], document["missing"]
    runs = sum(len(row["runs"]) for row in rows)
    lines = []
    if runs < document["planned"]:
        lines.append(f"not complete: {runs} of {document['planned']} runs")
    if missing:
        fold = ", fold {fold}" if document["folds"] else ""
        lacks: dict[str, list[str]] = {}
        for each in missing:
            text = f"seed {{seed}}{fold}".format_map(each)
            lacks.setdefault(each["row"], []).append(text)
        lacking = "; ".join(
            f"{row} lacks {' and '.join(each[:SHOWN])}"
            + (f" and {len(each) - SHOWN} more" if len(each) > SHOWN else "")
            for row, each in lacks.items()
        )
        lines.append(
            f"{lacking}, which others have: the score of a row is of its own runs, a difference "
            "of those that both rows have"
        )
    if any({run["seed"] for run in row["runs"]} > _seeds(row) for row in rows):
        lines.append("a seed counts in the score of a row once its runs of all folds are there")
    return lines


def _seeds(row: dict[str, Any]) -> set[int]:
    return {seed["seed"] for seed in row["seeds"]}


def _of_data(document: dict[str, Any]) -> list[str]:
    folds, split, drawn = document["folds"], document["split"], document["drawn_by_seed"]
    rules = list(dict.fromkeys(rule_of(each, split) for each in document["split_rules"]))
    of = f"of the {split} split"
    rule = " | ".join(rules)
    if folds:
        planned = document["recipe"]["folds"]
        tested = ", each tested once" if split == "test" else ", validation examples"
        of = f"of {len(folds)} of {planned} folds{tested}"
        if len(folds) == planned:
            of = f"of all {planned} folds{tested}"
        dealt = (
            f"{each['fold']}: {', '.join(each['groups']) or each['examples']}" for each in folds
        )
        kind = "groups" if folds[0]["groups"] else "examples"
        first = f", as seed {document['rows'][0]['runs'][0]['seed']} draws them," if drawn else ""
        rule = f"{kind} of the folds{first} {'; '.join(dealt)}"
    counts = examples_of(document)
    data = (
        f"data: {document['data']}, {span(counts)} example{'s' * (counts != [1])} {of} ({rule}), "
        f"{counted(document['skipped'], 'file')} skipped, file list {document['fingerprint'][:16]}"
    )
    others = ["the held-out examples are others with every seed"] if drawn else []
    return [data, *others, *_protocol(document)]


def _protocol(document: dict[str, Any]) -> list[str]:
    """A line for each measure; with the rows' titles where these have other views."""
    rows = document["rows"]
    if len({len(row["protocol"]) for row in rows}) > 1:
        return [by_rows(rows, lambda row: "; ".join(row["protocol"]))]
    lines = range(len(rows[0]["protocol"]))
    return [by_rows(rows, functools.partial(_line, number)) for number in lines]


def _line(number: int, row: dict[str, Any]) -> str:
    line: str = row["protocol"][number]
    return line


def rule_of(rule: str, split: str) -> str:
    """What of a rule tells which examples are scored: validation is drawn from the rest."""
    return rule.partition("; validation: ")[0] if split == "test" else rule


def _of_chance(document: dict[str, Any]) -> list[str]:
    main, drawn = document["measures"][-1], document["drawn_by_seed"]
    is_share = "majority_rate" in document
    lines = []
    if document["folds"]:
        over = "share of all folds' examples" if is_share else "mean over the folds, by examples"
        lines.append(f"the score of a seed is the {over}")
    if any(row[main]["std"] is not None for row in document["rows"]):
        own = ", and the held-out examples" if drawn else ""
        lines.append(
            "± is the sample standard deviation over the seeds, which change the initial weights "
            f"as far as these are drawn, the order and the augmentation{own}"
        )
    if is_share:
        best = max(row[main]["mean"] for row in document["rows"])
        count = examples_of(document)[0]
        error = math.sqrt(best * (1 - best) / count)
        lines.append(
            f"one of {counted(count, 'example')} is {100 / count:.1f} points; the binomial "
            f"standard error of {100 * best:.1f} % on as many is {100 * error:.1f} points"
        )
    return lines


def _of_differences(document: dict[str, Any]) -> list[str]:
    """How to read the differences, as far as there are any, and their intervals, likewise."""
    main, folds = document["measures"][-1], document["folds"]
    differences = [each[main] for each in document["differences"]]
    if not differences:
        return []
    lines = [f"differences are of runs of the same seed{' and fold' if folds else ''}"]
    intervals = [each for each in differences if each["interval"] is not None]
    for unit in dict.fromkeys(each["unit"] for each in intervals):
        counts = [each["observations"] for each in intervals if each["unit"] == unit]
        lines.append(
            f"their {LEVEL:.0%} intervals are Student's t of {span(counts)} observations: one is a "
            + _observation(unit, document)
        )
    if len(intervals) > 1:
        lines.append(f"of {len(intervals)} intervals one in twenty misses by chance alone")
    return ["; ".join(lines)]


def _observation(unit: str, document: dict[str, Any]) -> str:
    """What one is, and what the interval says then."""
    drawn = document["drawn_by_seed"]
    if unit == "fold":
        since = "" if drawn else ", since these share their test examples"
        return (
            f"fold, the mean of its seeds{since}. Folds share examples to train on, so the "
            "intervals are rather too narrow"
        )
    if drawn:
        return (
            "seed. The seeds' splits share examples to train on and to test on, so the intervals "
            "are rather too narrow"
        )
    return (
        "seed. They cover what is left to chance in training, not in these "
        f"{document['split']} examples"
    )


def _by_chance(document: dict[str, Any]) -> list[str]:
    mean = ", the mean over the seeds" if document["drawn_by_seed"] else ""
    if "majority_rate" not in document:
        return [f"mAP by chance: {100 * document['chance_mAP']:.1f} %{mean}"]
    majority = 100 * document["majority_rate"]
    return [f"always answering the most frequent class: {majority:.1f} %{mean}"]


def _of_costs(document: dict[str, Any]) -> list[str]:
    rows = document["rows"]

    def example(row: dict[str, Any]) -> str:
        recipe = document["recipe"] | row["recipe"]
        pixels = f"{recipe['size']}×{recipe['size']} pixels"
        if document["task"] == "video":
            return f"clip of {recipe['frames']} frames of {pixels}"
        return f"image of {pixels}"

    def peak(row: dict[str, Any]) -> str:
        beyond = ", beyond what it took before there was a network"
        return f"{row['peak_of']}{beyond if row['peak_of'] == 'the process' else ''}"

    kind = "clips" if document["task"] == "video" else "images"
    batches = by_rows(rows, lambda row: f"{row['batch_size']} {kind}")
    return [
        f"parameters with moving statistics; multiply-adds and activations, by count, of one "
        f"{by_rows(rows, example)}",
        f"steps: of {batches}, median of at least {min(row['steps'] for row in rows)} training "
        f"steps after warm-up on {by_rows(rows, lambda row: row['device'])}: the time that passes, "
        "and that of all cores, which other work on the machine disturbs less",
        f"peak memory: of {by_rows(rows, peak)}",
    ]


def _of_training(document: dict[str, Any]) -> list[str]:
    rows = document["rows"]

    def training(row: dict[str, Any]) -> str:
        recipe = document["recipe"] | row["recipe"]
        most = "at most " if recipe["patience"] else ""
        size = span(run["batch_size"] for run in row["runs"])
        return (
            f"{most}{counted(recipe['epochs'], 'epoch')}, batch size {size}, learning rate "
            f"{recipe['learning_rate']:g}, {recipe['precision']}"
        )

    settings = [f"{row['row']}: {' '.join(row['settings'])}" for row in rows]
    models = ", ".join(dict.fromkeys(row["model"] for row in rows))
    return [
        f"rows of {models}: {'; '.join(settings)}",
        f"{by_rows(rows, training)}; all else in ablation.json",
        "versions: " + ", ".join(f"{name} {each}" for name, each in document["versions"].items()),
    ]

"""What two rows of an ablation differ by, and how sure that is."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

LEVEL = 0.95

# (seed, fold) → (score, examples that it was scored on)
Scores = Mapping[tuple[int, int], tuple[float, int]]


def differences(rows: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> list[dict[str, Any]]:
    """Of every two rows what the later one has more than the earlier one, see `difference`.

    Args:
        rows: each with its `key` and `runs`, which have `seed`, `fold`, `examples` and measures.
        measures: such as "video@1".

    Returns:
        `row`, `against`, and by measure what `difference` returns.
    """
    found = []
    for first, second in combinations(rows, 2):
        measured = {}
        for measure in measures:
            ours, theirs = (
                {(run["seed"], run["fold"]): (run[measure], run["examples"]) for run in row["runs"]}
                for row in (second, first)
            )
            if ours.keys() & theirs.keys():
                measured[measure] = difference(ours, theirs)
        if measured:
            found.append({"row": second["key"], "against": first["key"], **measured})
    return found


def difference(scores: Scores, against: Scores) -> dict[str, Any]:
    """The paired difference of two rows: mean and confidence interval.

    A pair is two runs of one seed and one fold: they share the examples that they are trained on
    and tested on. What differs from seed to seed on one fold is not independent of each other,
    since the test examples are the same. So one observation is a fold, the mean of its seeds; where
    there is one split only, it is a seed. The interval is Student's t of the observations' mean.
    There a fold has the weight of its examples, however many seeds it has, as in the score of all
    folds; a seed counts as much as any other, as in the mean over the seeds, also where each draws
    its own examples to test on.

    Returns:
        `mean` (what the rows' scores differ by where both have the same runs), `interval`
        [low, high] at `LEVEL`, None of a single observation; `observations`, `unit` ("fold" or
        "seed"), and all `pairs`.
    """
    pairs = sorted(scores.keys() & against.keys())
    folds = {fold for _, fold in pairs}
    unit, place = ("fold", 1) if len(folds) > 1 else ("seed", 0)
    grouped: dict[int, list[tuple[float, int]]] = {}
    for pair in pairs:
        value = scores[pair][0] - against[pair][0]
        grouped.setdefault(pair[place], []).append((value, scores[pair][1]))
    observed = [np.array(each).mean(axis=0) for each in grouped.values()]
    values, examples = np.array(observed).T
    weights = examples if unit == "fold" else np.ones(len(values))
    mean, interval = interval_of(values, weights)
    return {
        "mean": mean,
        "interval": interval,
        "observations": len(values),
        "unit": unit,
        "pairs": [
            {
                "seed": seed,
                "fold": fold,
                "difference": scores[seed, fold][0] - against[seed, fold][0],
            }
            for seed, fold in pairs
        ],
    }


def interval_of(values: np.ndarray, weights: np.ndarray) -> tuple[float, list[float] | None]:
    """Weighted mean of observations, and Student's t interval of it; None of a single one."""
    from scipy.stats import t

    count, shares = len(values), weights / weights.sum()
    mean = float((shares * values).sum())
    if count < 2:
        return mean, None
    variance = count / (count - 1) * float((shares**2 * (values - mean) ** 2).sum())
    reach = float(t.ppf((1 + LEVEL) / 2, count - 1)) * math.sqrt(variance)
    return mean, [mean - reach, mean + reach]

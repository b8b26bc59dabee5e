"""Which examples are held out: a fraction of every class, or whole groups; equals stay together."""

import json
import re
import subprocess
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from a2keras.errors import UserError, counted
from a2keras.models.names import comma_separated
from a2keras.training.data import stratification
from a2keras.training.data.labels import are_sets, counts

SEARCH_SECONDS = 60  # a million names take a few
SEARCH = """
import json, re, sys
pattern, names = json.load(sys.stdin)
found = (re.search(pattern, name) for name in names)
json.dump([match and match[1] for match in found], sys.stdout)
"""


def stratified(
    labels: np.ndarray,
    fraction: float,
    seed: int,
    units: np.ndarray | None = None,
    barred: np.ndarray | None = None,
) -> np.ndarray:
    """Marks `fraction` of every class to be held out: at least one example, and never all of them.

    Args:
        labels: int (N,), or bool (N, classes), see `labels`; these are dealt out by
            `stratification`.
        fraction: of every class.
        seed: of the draw.
        units: int (N,): examples with equal numbers stay together, whatever their classes. Default:
            each is its own.
        barred: bool (N,), what is not to be held out.

    Returns:
        bool (N,).
    """
    held_out = np.zeros(len(labels), bool)
    if fraction == 0:
        return held_out
    units = np.arange(len(labels)) if units is None else units
    if are_sets(labels):
        return stratification.held_out(labels, fraction, seed, units, barred)
    _, inverse, sizes = np.unique(units, return_inverse=True, return_counts=True)
    several = sizes[inverse] > 1
    classes: dict[int, Counter[int]] = defaultdict(Counter)  # of a unit of several examples
    for unit, label in zip(units[several].tolist(), labels[several].tolist(), strict=True):
        classes[unit][label] += 1
    left = Counter(labels[~several].tolist())  # units of every class
    left.update(label for counts in classes.values() for label in counts)
    kept = set() if barred is None else set(units[barred].tolist())
    taken: set[int] = set()
    wide: list[int] = []  # of these the units of several classes
    random = np.random.default_rng(seed)
    for label in np.unique(labels).tolist():
        members = np.flatnonzero(labels == label)
        first = np.sort(np.unique(units[members], return_index=True)[1])
        count = min(max(round(fraction * len(members)), 1), len(members) - 1)
        count -= sum(classes[unit][label] for unit in wide)
        for unit in units[random.permutation(members[first])].tolist():
            if count <= 0:
                break
            of_unit = classes.get(unit) or {label: 1}
            if unit in taken or unit in kept or any(left[each] < 2 for each in of_unit):
                continue
            taken.add(unit)
            wide += [unit] if len(of_unit) > 1 else []
            left.subtract(list(of_unit))
            count -= of_unit[label]
    return np.isin(units, list(taken))


def spreading(chosen: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Marks what shares a unit with what is marked, too: bool (N,)."""
    return np.isin(units, units[chosen])


def overlapping(contents: Sequence[str], splits: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of examples in different splits that show frames of one file, not all of them the same.

    Args:
        contents: of every example what is in its file and, of a part, `@START-END` in seconds.
        splits: (N,).

    Returns:
        of every example that overlaps an earlier one, by start, this one and itself.
    """
    parts: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for i, content in enumerate(contents):
        file, _, part = content.partition("@")
        match = re.fullmatch(r"(.*?\d)-(end|\d.*)", part) if part else None
        start, end = match.groups() if match else ("0", "end")
        parts[file].append((float(start), np.inf if end == "end" else float(end), i))
    pairs = []
    for members in parts.values():
        last: dict[str, tuple[float, int]] = {}  # of every split the part that ends last
        for start, end, i in sorted(members) if len(members) > 1 else ():
            for split, (until, other) in last.items():
                if split != splits[i] and start < until and contents[i] != contents[other]:
                    pairs.append((other, i))
                    break
            if end > last.get(splits[i], (-1.0, 0))[0]:
                last[splits[i]] = end, i
    return pairs


def merged(groups: np.ndarray, units: np.ndarray) -> np.ndarray:
    """The groups as one where they share a unit, by the name of the first of them."""
    names, group = np.unique(groups, return_inverse=True)
    while True:
        least = np.full(units.max(initial=-1) + 1, len(names))
        np.minimum.at(least, units, group)
        joined = np.arange(len(names))
        np.minimum.at(joined, group, least[units])
        if (joined[group] == group).all():
            return names[group]
        group = joined[group]


def groups_of(names: list[str], pattern: str) -> np.ndarray:
    """The group of every relative path: what the one group of the regular expression matches.

    Raises:
        UserError: no regular expression with one group, or a path that it does not match.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(
            f"group_pattern is not a regular expression ({error}): {pattern}"
        ) from error
    if expression.groups != 1:
        raise UserError(
            f"group_pattern must have one (group), not {expression.groups}. Received: {pattern}"
        )
    groups = _searched(pattern, names)
    for name, group in zip(names, groups, strict=True):
        if group is None:
            raise UserError(f"group_pattern {pattern} does not match {name}")
    return np.array(groups)


def _searched(pattern: str, names: list[str]) -> list[str | None]:
    """What the group of a pattern matches in each name, by a process that can be ended.

    Some patterns take longer than anybody lives, and Python's `re` has no limit.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", SEARCH],
            input=json.dumps([pattern, names]),
            capture_output=True,
            text=True,
            timeout=SEARCH_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"group_pattern takes more than {SEARCH_SECONDS} s to search the names of "
            f"{counted(len(names), 'file')}: {pattern}"
        ) from error
    found: list[str | None] = json.loads(done.stdout)
    return found


def random_groups(groups: np.ndarray, labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Marks whole groups to be held out, drawn until they are `fraction` of the examples.

    At least one group where the fraction is not 0, and never all of them, nor all that a class has
    where others can be drawn. Returns bool (N,).
    """
    held_out = np.zeros(len(groups), bool)
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    for name in names:
        if held_out.mean() >= fraction:
            break
        more = held_out | (groups == name)
        if not more.all() and not lost_classes(labels, more):
            held_out = more
    if fraction and len(names) > 1 and not held_out.any():
        return groups == names[0]  # every group is all of a class: whoever splits so is told
    return held_out


def lost_classes(labels: np.ndarray, held_out: np.ndarray) -> list[int]:
    """The classes that have examples, all of which are held out."""
    classes = labels.shape[1] if are_sets(labels) else labels.max(initial=-1) + 1
    there, left = (counts(each, classes) for each in (labels, labels[~held_out]))
    return np.flatnonzero((there > 0) & (left == 0)).tolist()


def fold_numbers(labels: np.ndarray, groups: np.ndarray, folds: int) -> np.ndarray:
    """The part of a cross-validation that every example is tested in: int64 (N,), from 1.

    Whole groups, of every class as equal a share in each part as these allow; by labels and groups
    alone, so that all seeds share the parts.

    Raises:
        UserError: fewer groups than parts, or no class with as many examples.
    """
    if are_sets(labels):
        return stratification.fold_numbers(labels, groups, folds)
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    names, group = np.unique(groups, return_inverse=True)
    most = min(len(names), np.bincount(labels).max())
    if folds > most:
        raise UserError(
            f"folds must be at most {most}, since the data have {counted(len(names), 'group')} "
            f"and {np.bincount(labels).max()} examples of the most frequent class. "
            f"Received: folds={folds}"
        )
    # Of single examples the second does the same a hundred times faster.
    kind = StratifiedGroupKFold if len(names) < len(groups) else StratifiedKFold
    numbers = np.zeros(len(labels), "int64")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a class that not every part can have
        for number, (_, tested) in enumerate(kind(folds).split(group, labels, group), 1):
            numbers[tested] = number
    return numbers


def named_groups(groups: np.ndarray, names: str) -> np.ndarray:
    """Marks the groups of a comma-separated list; `UserError` where there is no such group."""
    wanted = comma_separated(names)
    for name in wanted:
        if name not in groups:
            known = ", ".join(sorted(set(groups.tolist()), key=lambda group: (len(group), group)))
            raise UserError(f"test_groups has {name}, but the groups are {known}")
    return np.isin(groups, wanted)

"""Which examples are held out: a fraction of every class, or whole groups."""

import re

import numpy as np

from a2keras.errors import UserError


def stratified(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Marks `fraction` of every class to be held out: at least one example, and never all of them.

    Returns:
        bool (N,).
    """
    held_out = np.zeros(len(labels), bool)
    if fraction == 0:
        return held_out
    random = np.random.default_rng(seed)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        count = min(max(round(fraction * len(members)), 1), len(members) - 1)
        held_out[members[:count]] = True
    return held_out


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
    matches = [expression.search(name) for name in names]
    for name, match in zip(names, matches, strict=True):
        if match is None or match[1] is None:
            raise UserError(f"group_pattern {pattern} does not match {name}")
    return np.array([match[1] for match in matches if match])


def random_groups(groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Marks whole groups to be held out, drawn until they are `fraction` of the examples.

    At least one group where the fraction is not 0, and never all of them. Returns bool (N,).
    """
    held_out = np.zeros(len(groups), bool)
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    for name in names[:-1]:
        if held_out.mean() >= fraction:
            break
        held_out |= groups == name
    return held_out


def named_groups(groups: np.ndarray, names: str) -> np.ndarray:
    """Marks the groups of a comma-separated list; `UserError` where there is no such group."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in groups:
            known = ", ".join(sorted(set(groups.tolist()), key=lambda group: (len(group), group)))
            raise UserError(f"test_groups has {name}, but the groups are {known}")
    return np.isin(groups, wanted)

"""Examples with any number of labels, dealt out so that every part has its share of each label.

The iterative stratification of Sechidis, Tsoumakas and Vlahavas, "On the Stratification of
Multi-Label Data" (ECML PKDD 2011): the rarest label first, each of its examples to the part that
lacks most of it. Strata of whole label sets would not do: most sets occur once.
"""

import numpy as np

from a2keras.errors import UserError, counted


def held_out(
    labels: np.ndarray,
    fraction: float,
    seed: int,
    units: np.ndarray,
    barred: np.ndarray | None = None,
) -> np.ndarray:
    """Marks `fraction` of every label's examples, as near as units that stay together allow.

    Of a label that several units have it is one of them at least, where its other labels let it,
    and never all.

    Args:
        labels: bool (N, classes).
        fraction: of the examples.
        seed: of the draw.
        units: int (N,): examples with equal numbers stay together.
        barred: bool (N,), what is not to be held out.

    Returns:
        bool (N,).
    """
    kept = np.zeros(len(labels), bool) if barred is None else np.isin(units, units[barred])
    if fraction == 0 or kept.all():
        return np.zeros(len(labels), bool)
    amounts, sizes, unit = _by_unit(labels[~kept], units[~kept])
    total = amounts.sum(axis=0)
    wanted = np.where((amounts > 0).sum(axis=0) > 1, np.maximum(fraction * total, 1), 0)
    shares = np.stack([total - wanted, wanted])
    room = np.array([1 - fraction, fraction]) * sizes.sum()
    found = np.zeros(len(labels), bool)
    found[~kept] = _dealt(amounts, sizes, shares, room, seed)[unit] == 1
    return found


def fold_numbers(labels: np.ndarray, groups: np.ndarray, folds: int) -> np.ndarray:
    """The part of a cross-validation that every example is tested in: int64 (N,), from 1.

    Args:
        labels: bool (N, classes).
        groups: (N,), which stay whole.
        folds: parts.

    Raises:
        UserError: fewer groups than parts, or no label with as many examples.
    """
    amounts, sizes, unit = _by_unit(labels, groups)
    frequent = int(labels.sum(axis=0).max())
    if folds > min(len(sizes), frequent):
        raise UserError(
            f"folds must be at most {min(len(sizes), frequent)}, since the data have "
            f"{counted(len(sizes), 'group')} and {frequent} examples of the most frequent class. "
            f"Received: folds={folds}"
        )
    shares = np.tile(amounts.sum(axis=0) / folds, (folds, 1))
    room = np.full(folds, sizes.sum() / folds)
    return _dealt(amounts, sizes, shares, room, seed=0)[unit] + 1


def _by_unit(labels: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every unit how many examples have each label, (U, classes), and how many it has, (U,);
    and the unit of every example, (N,)."""
    _, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
    amounts = np.zeros((len(sizes), labels.shape[1]), "int64")
    np.add.at(amounts, unit, labels)
    return amounts, sizes, unit


def _dealt(
    amounts: np.ndarray, sizes: np.ndarray, shares: np.ndarray, room: np.ndarray, seed: int
) -> np.ndarray:
    """The part of every unit: int64 (U,).

    Args:
        amounts: int (U, classes), see `_by_unit`.
        sizes: int (U,).
        shares: (parts, classes), how many examples of each label a part is to have.
        room: (parts,), how many examples in all.
        seed: of the order; large units come first, which leaves small ones to even out.
    """
    shares, room, left = shares.astype(float), room.astype(float), amounts.sum(axis=0)
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    part = np.full(len(sizes), -1)

    def give(unit: int, wanted: np.ndarray) -> None:
        # Of equals the one with more room, of these the first.
        chosen = int(np.lexsort((-room, -wanted))[0])
        part[unit] = chosen
        shares[chosen] -= amounts[unit]
        room[chosen] -= sizes[unit]

    while left.any():
        label = int(np.where(left > 0, left, left.max() + 1).argmin())
        for unit in order[(part[order] < 0) & (amounts[order, label] > 0)]:
            give(unit, shares[:, label])
            left -= amounts[unit]
    for unit in order[part[order] < 0]:  # without any label
        give(unit, room)
    return part

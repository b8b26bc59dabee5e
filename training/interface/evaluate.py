"""`a2keras.evaluate`."""

import os
from collections.abc import Iterable
from typing import overload

from a2keras.errors import UserError
from a2keras.models.preprocessing.places import Place, place_of, places_of
from a2keras.training.evaluation.held_out import HeldOut, Protocol
from a2keras.training.evaluation.scores import Folds, Scores


@overload
def evaluate(  # type: ignore[overload-overlap]  # a text is an iterable of texts, too
    run: Place,
    *,
    data: Place | None = None,
    views: int | None = None,
    crops: int | None = None,
    precise_bn: int = 0,
) -> Scores: ...
@overload
def evaluate(
    run: Iterable[Place],
    *,
    views: int | None = None,
    crops: int | None = None,
    precise_bn: int = 0,
) -> Folds: ...
def evaluate(
    run: Place | Iterable[Place],
    *,
    data: Place | None = None,
    views: int | None = None,
    crops: int | None = None,
    precise_bn: int = 0,
) -> Scores | Folds:
    """Scores a finished run on what it held out, or on other data, and writes that into it.

    Args:
        run: its directory; or several runs, which are folds of one data set.
        data: a source with the same classes, for one run; None: what the run held out.
        views: clips of each video that are averaged; None: the recipe's.
        crops: of each clip, 1 or 3; None: the recipe's.
        precise_bn: training batches that give batch normalisation's statistics anew; 0: as saved.

    Returns:
        What evaluation.json says; of several runs what folds.json says, with their mean.

    Raises:
        UserError: no finished run, data that cannot be used or have other classes, or runs that
            are not folds of the same data.
    """
    several = not isinstance(run, str | os.PathLike)
    places = places_of(run)
    if not places:
        raise UserError("`run` must be a run, or several. Received: none")
    if several and data is not None:
        raise UserError(f"`data` is for one RUN. Received: {' '.join(places)}")
    protocol = Protocol(views, crops, precise_bn)
    runs = [HeldOut.open(each, None if data is None else place_of(data)) for each in places]
    for held_out in runs:
        protocol.applied(held_out.run.recipe)  # which refuses numbers that are none
    # Keras, which takes seconds, is loaded only now.
    from a2keras.training.evaluation.evaluate import evaluate_held_out
    from a2keras.training.evaluation.folds import evaluate_folds

    if several:
        return evaluate_folds(runs, protocol)
    scores: Scores = evaluate_held_out(runs[0], protocol)  # type: ignore[assignment]
    return scores

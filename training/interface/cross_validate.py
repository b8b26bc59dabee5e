"""`a2keras.cross_validate`."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from typing_extensions import Unpack

from a2keras.console import say
from a2keras.errors import UserError
from a2keras.models.preprocessing.places import Place, local, place_of
from a2keras.models.preprocessing.scanning import visible
from a2keras.training.config import Recipe
from a2keras.training.evaluation.scores import Folds
from a2keras.training.interface.evaluate import evaluate
from a2keras.training.interface.train import callbacks_of, train
from a2keras.training.keywords import Keywords
from a2keras.whole_numbers import count

if TYPE_CHECKING:
    import keras


def cross_validate(
    recipe: Place | Recipe | None = None,
    *,
    output: Place,
    strategy: str = "auto",
    replicas: int | None = None,
    checkpoint_minutes: float = 10.0,
    checkpoint_steps: int = 0,
    checkpoint_keep: int = 2,
    callbacks: "keras.callbacks.Callback | Iterable[keras.callbacks.Callback] | None" = (),
    track: str | None = None,
    **fields: Unpack[Keywords],
) -> Folds:
    """Trains one run for each fold of the data, and scores each on its own fold.

    The folds are as even in their classes as whole groups allow (`group_pattern`): every example is
    held out by one run. What is finished stays; the same call again goes on.

    Args:
        recipe: as of `train`; None: of runs that are there.
        output: a directory, in which the runs are called `fold1`, `fold2` and so on.
        strategy, replicas, checkpoint_minutes, checkpoint_steps, checkpoint_keep, callbacks, track:
            as of `train`, for every run.
        **fields: of the recipe: `folds`, 2 at least, is how many.

    Returns:
        What `folds.json` in the first run says: the scores of all folds, and their mean.

    Raises:
        UserError, Stopped: as `train` and `evaluate`.
    """
    folds = fields.get("folds", recipe.folds if isinstance(recipe, Recipe) else 0)
    folds = count("folds", folds, 2)
    callbacks = callbacks_of(callbacks)  # for every run
    if "fold" in fields:
        raise UserError(
            f"`fold` is for one run: all are trained. Received: `fold={fields['fold']}`"
        )
    if strategy == "multi_worker":
        raise UserError("`strategy=multi_worker` is for one run: the chief alone has its files")
    place = local(place_of(output))
    there = [each.name for each in place.iterdir()] if place.is_dir() else []
    is_ours = any(re.fullmatch(r"fold\d+", name) for name in there)
    if place.is_file() or (any(map(visible, there)) and not is_ours):
        raise UserError(f"{place} exists and holds no folds: choose another `output`")
    runs: list[Place] = []
    for fold in range(1, folds + 1):
        say(f"fold {fold} of {folds}")
        numbered: Keywords = {**fields, "folds": folds, "fold": fold}
        path = place / f"fold{fold}"
        run = train(
            recipe,
            output=path,
            strategy=strategy,
            replicas=replicas,
            checkpoint_minutes=checkpoint_minutes,
            checkpoint_steps=checkpoint_steps,
            checkpoint_keep=checkpoint_keep,
            callbacks=callbacks,
            track=track,
            **numbered,
        )
        runs.append(run)
        import keras

        keras.utils.clear_session()  # or every network so far stays in memory
    scores = evaluate(runs)
    say(f"the runs are in {place}, their scores together in {place / 'fold1/folds.json'}")
    return scores

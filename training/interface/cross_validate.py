"""`a2keras.cross_validate`."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from typing_extensions import Unpack

from a2keras.console import say
from a2keras.errors import UserError
from a2keras.models.preprocessing.places import Place
from a2keras.training.config import Recipe
from a2keras.training.evaluation.scores import Folds
from a2keras.training.interface.evaluate import evaluate
from a2keras.training.interface.train import train
from a2keras.training.keywords import Keywords
from a2keras.training.output import local

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
    callbacks: Sequence["keras.callbacks.Callback"] = (),
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
    if type(folds) is not int or folds < 2:
        raise UserError(f"`folds` must be 2 at least. Received: `folds={folds}`")
    if "fold" in fields:
        raise UserError(
            f"`fold` is for one run: all are trained. Received: `fold={fields['fold']}`"
        )
    if strategy == "multi_worker":
        raise UserError("`strategy=multi_worker` is for one run: the chief alone has its files")
    place = local(os.fspath(output))
    others = [] if not place.is_dir() else sorted(place.iterdir())
    if place.is_file() or any(not each.name.startswith("fold") for each in others):
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

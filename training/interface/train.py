"""`a2keras.train`."""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from typing_extensions import Unpack

from a2keras.documents import read_json
from a2keras.errors import UserError, counted
from a2keras.models.preprocessing.places import Place, local, place_of
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training import recipes
from a2keras.training.compute.checks import begin, check_strategy, check_weights
from a2keras.training.config import Recipe
from a2keras.training.data import Listed
from a2keras.training.keywords import Keywords
from a2keras.training.run.checkpoints import Saving
from a2keras.training.run.directory import Run
from a2keras.training.run.interruption import Interruption
from a2keras.training.run.trackers import check_track
from a2keras.whole_numbers import count

if TYPE_CHECKING:
    import keras


class Epoch(TypedDict):
    """A line of metrics.jsonl: an epoch that has ended, counted from 1."""

    epoch: int
    step: int
    loss: float
    accuracy: float  # not of multi-label data, which have what follows instead
    micro_f1: NotRequired[float]
    validation_loss: NotRequired[float]
    validation_accuracy: NotRequired[float]
    validation_mAP: NotRequired[float]
    validation_micro_f1: NotRequired[float]
    validation_macro_f1: NotRequired[float]
    learning_rate: float
    seconds: float
    examples_per_second: float


class Results(TypedDict):
    """results.json of a finished run. `epoch` is the one whose weights it has kept."""

    model: str
    parameters: int
    epochs: int
    steps: int
    seconds: float
    replicas: int
    epoch: int
    metrics: dict[str, float]
    data: dict[str, Any]
    example_file: str | None
    versions: dict[str, str]


@dataclass(frozen=True)
class Trained(os.PathLike[str]):
    """A run that has been trained. It counts as a path wherever one is taken.

    Attributes:
        path: its directory.
        recipe: every field, as it was trained.
    """

    path: Path
    recipe: Recipe

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def __repr__(self) -> str:
        """Where it is, what it is, and how far it has come."""
        history: list[Any] = []
        with contextlib.suppress(UserError):  # a damaged file is told by who asks for what is in it
            history = [*self.history]
        told = [self.recipe.name, self.recipe.model]
        told.append(f"{len(history)} of {counted(self.recipe.epochs, 'epoch')}")
        told += [
            f"{name} {history[-1][name]:.3f}"
            for name in ("accuracy", "validation_accuracy")
            if history and name in history[-1]
        ]
        return f"<Trained {os.fspath(self)!r}: {', '.join(told)}>"

    @property
    def finished(self) -> bool:
        """Whether its results are there, which workers but the chief need not see."""
        return Run(self.path, self.recipe).finished

    @property
    def history(self) -> list[Epoch]:
        """The epochs in order."""
        return Run(self.path, self.recipe).history()  # type: ignore[return-value]

    @property
    def results(self) -> Results:
        """What came out.

        Raises:
            UserError: there is no results.json, or it is damaged.
        """
        results: Results = read_json(self.path / "results.json", dict, "the results of a run")
        return results

    def load_model(self) -> "keras.Model":
        """The trained network: float32, raw pixels 0..255 in and probabilities out."""
        from a2keras.models import keras_files

        preprocessing = Preprocessing.load(self.path)
        return keras_files.load_classifier(self.path / "model.keras", preprocessing)


def train(
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
) -> Trained:
    """Trains a network by a recipe; the same call again goes on from the last checkpoint.

    Args:
        recipe: a name of `a2keras.training.recipes.NAMES`, or a `Recipe`; None: that of the run in
            `output`, which goes on.
        output: directory of the run.
        strategy: where to compute: "auto", "none", "mirrored", "multi_worker" or "tpu".
        replicas: GPUs, or logical devices of the CPU, that share every batch.
        checkpoint_minutes, checkpoint_steps: between two checkpoints within an epoch; 0: none.
        checkpoint_keep: the last ones that stay, besides the best.
        callbacks: of Keras, one or several; what they see, and what not, is in docs/python.md.
        track: "mlflow" or "wandb" (Weights & Biases): who is told the recipe and all figures.
        **fields: of the recipe, such as `data="folder:photos"`, `model="resnet50"` or `epochs=5`.

    Raises:
        UserError: a mistake, or what the machine refuses; what has been saved is intact.
        Stopped: SIGTERM or Ctrl-C came: it has saved, and the same call goes on.
    """
    saving = Saving(checkpoint_minutes, checkpoint_steps, checkpoint_keep)
    check_track(track)
    place, callbacks = place_of(output), callbacks_of(callbacks)
    replicas = count("replicas", replicas)
    if callbacks:  # then Keras is there
        from a2keras.training.run.callbacks import check

        check(callbacks)
    with Interruption().watch():
        listed = _begin(recipe, fields, place, strategy, replicas)
    from a2keras.training.run.tracking import tracking
    from a2keras.training.run.train import train as train_recipe

    with tracking(track, Path(place), listed.recipe) as trackers:
        run = train_recipe(
            listed.recipe,
            Path(place),
            strategy,
            replicas,
            saving=saving,
            listing=listed.listing,
            callbacks=[*callbacks, *trackers],
        )
    return Trained(run.path, run.recipe)


def callbacks_of(given: Any) -> list[Any]:
    """The argument `callbacks` as a list: one callback, several, or None for none."""
    if given is None:
        return []
    return list(given) if isinstance(given, Iterable) else [given]


def _begin(
    recipe: Place | Recipe | None,
    fields: Keywords,
    output: str,
    strategy: str,
    replicas: int | None,
) -> Listed:
    """The recipe and its data, listed; what is wrong is told before Keras is loaded."""
    check_strategy(strategy, replicas)
    directory = local(output)
    kept = directory / "recipe.json"
    listing = None
    if isinstance(recipe, Recipe):
        recipe = recipe.with_fields(fields)
    elif recipe is not None:
        recipe, listing = recipes.listed(place_of(recipe), fields)
    elif kept.is_file():
        recipe = Recipe.load(kept).with_fields(fields)
    else:
        raise UserError(f"`recipe` is missing: {directory} is not a run that could go on")
    check_strategy(strategy, replicas, recipe)
    listed = begin(recipe, listing)
    if strategy != "multi_worker":  # the workers but the chief need not see the run
        run = Run(directory, listed.recipe)
        run.check()
        if not run.begun:
            check_weights(listed.recipe)
    return listed

"""From a recipe to a run: checks that need no data, the data, the network, and then the loop."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from a2keras.console import say
from a2keras.errors import UserError, counted
from a2keras.models import names
from a2keras.models.preprocessing.pixels import Pixels
from a2keras.models.preprocessing.places import local
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.compute import network
from a2keras.training.compute.checks import begin, least_batch
from a2keras.training.compute.cluster import LOCAL_STRATEGIES
from a2keras.training.compute.computation import Computation
from a2keras.training.compute.freezing import check_start, describe_phases
from a2keras.training.compute.messages import share
from a2keras.training.compute.strategies import computation_for
from a2keras.training.config import Recipe
from a2keras.training.data.errors import readable
from a2keras.training.data.listing import Listing
from a2keras.training.data.opening import open_listing
from a2keras.training.data.pipeline import steps_per_epoch, with_equal_batches
from a2keras.training.data.source import Source
from a2keras.training.run.checkpoints import Checkpoints, Saving
from a2keras.training.run.directory import Run
from a2keras.training.run.initial_weights import pixels_of
from a2keras.training.run.interruption import WORKER_LOST, Interruption, Stopped
from a2keras.training.run.loop import Trainer
from a2keras.training.run.progress import Progress


def train(
    recipe: Recipe,
    output: str | Path,
    strategy: str = "auto",
    replicas: int | None = None,
    saving: Saving | None = None,
    source: Source | None = None,
    listing: Listing | None = None,
    callbacks: Sequence[Any] = (),
) -> Run:
    """Trains by a recipe, or goes on with the run in `output` from its last checkpoint.

    Args:
        recipe: what to train, on what, and how.
        output: directory of the run, see `Run`.
        strategy: where to compute, see `computation_for`.
        replicas: how many replicas share each batch.
        saving: when to write checkpoints.
        source: the recipe's data, where they have been opened already; the recipe is then one
            that `begin` has given.
        listing: the recipe's data, where they have been listed already.
        callbacks: of Keras, see `Callbacks`.

    Raises:
        UserError: data that cannot be used, a batch that the replicas do not divide, a network that
            does not fit, an output that is something else or cannot be written, or a loss that is
            no longer a number.
        Stopped: by a signal, after a checkpoint.
    """
    directory = local(output)
    with Interruption().watch() as interruption:
        data: Source | Listing | None = source
        if data is None:
            recipe, data = begin(recipe, listing)
        # A host's file is loaded to be checked, and TensorFlow, once started, splits no CPU.
        local_first = strategy in LOCAL_STRATEGIES and names.is_file(recipe.model)
        computation = computation_for(strategy, replicas) if local_first else None
        network.check(recipe)
        check_start(recipe)
        computation = computation or computation_for(strategy, replicas)
        interruption.listen()  # TensorFlow's workers have taken SIGTERM for themselves
        computation.check(recipe)
        run = Run(directory, recipe)
        with _explained(computation, run):
            _train(run, computation, saving or Saving(), interruption, data, callbacks)
        return run


def _train(
    run: Run,
    computation: Computation,
    saving: Saving,
    interruption: Interruption,
    data: Source | Listing,
    callbacks: Sequence[Any],
) -> None:
    recipe = run.recipe
    if computation.is_chief:
        run.check()
    # The other workers need not see the run's directory.
    if share(computation, {"finished": run.finished})[0]["finished"]:
        say(f"{run.path} has been trained for {_trained_for(run)}: nothing is left to do.")
        return
    source = data if isinstance(data, Source) else open_listing(data, recipe)
    _check_examples(recipe, source)
    for gap in source.gaps():
        say(gap)
    check_agreement(recipe, source, computation)
    parts = ", ".join(f"{len(part)} {name}" for name, part in source.splits.items())
    recipe = in_batches(run, computation, len(source.splits["train"]))
    steps = steps_per_epoch(recipe, len(source.splits["train"]))
    with run.locked() if computation.is_chief else contextlib.nullcontext():
        if computation.is_chief:
            report = {**source.report(), "trained_on": source.trained_on()}
            run.start({**report, "batch_size": recipe.batch_size})
        pixels = _agreed_pixels(run, computation)
        preprocessing = preprocessing_of(recipe, source.classes, pixels)
        computation.build(recipe, preprocessing, steps, source.splits["train"].labels)
        if computation.is_chief:
            with run.writing("a run"):
                computation.preprocessing.save(run.path)
        say(
            f"{network.describe_network(computation.model, recipe.model)}, "
            f"{computation.model.count_params():,} parameters; {parts} examples of "
            f"{len(source.classes)} classes; {computation.replicas} replica(s); "
            f"{network.describe_blocks(computation.model)}"
        )
        for line in describe_phases(
            computation.holding.phases, computation.model, recipe.epochs, steps
        ):
            say(line)
        Trainer(run, source, computation, saving, interruption, callbacks).train()


def in_batches(run: Run, computation: Computation, count: int) -> Recipe:
    """The recipe with the size of its batches: what a run that goes on has begun with."""
    unit = least_batch(run.recipe, computation.replicas, computation.workers)
    recipe = with_equal_batches(run.recipe, count, unit)
    begun = run.batch_size() if computation.is_chief else None
    own = {"batch_size": begun or recipe.batch_size}
    recipe = dataclasses.replace(run.recipe, **share(computation, own)[0])
    computation.check(recipe)
    if recipe.batch_size != run.recipe.batch_size:
        steps = steps_per_epoch(recipe, count)
        left = steps * recipe.batch_size - count
        say(
            f"an epoch shows all {counted(count, 'example')} in {counted(steps, 'batch', 'es')} of "
            f"{recipe.batch_size}, not of batch_size={run.recipe.batch_size}"
            + (f"; in the {counted(left, 'place')} left some of them come again" if left else "")
        )
    return recipe


def _trained_for(run: Run) -> str:
    history, epochs = run.history(), run.recipe.epochs
    if not 0 < len(history) < epochs:  # workers but the chief have no history
        return f"all {epochs} epochs"
    by_patience = Progress(history=history).ends(run.recipe)
    ending = f"patience={run.recipe.patience} was over" if by_patience else "a callback ended it"
    return f"{len(history)} of {epochs} epochs, then {ending}"


def _agreed_pixels(run: Run, computation: Computation) -> Pixels:
    """The chief's: of the run that goes on, or of the weights that it starts from."""
    own = Pixels()
    if computation.is_chief:
        own = Preprocessing.load(run.path).pixels if run.begun else pixels_of(run.recipe)
    return Pixels(*map(tuple, share(computation, own._asdict())[0].values()))


def preprocessing_of(
    recipe: Recipe, classes: tuple[str, ...], pixels: Pixels | None = None
) -> Preprocessing:
    """How the recipe's network wants its input; with the normalisation of its weights, if any."""
    is_video = recipe.task == "video"
    return Preprocessing(
        labels=classes,
        size=recipe.size,
        frames=recipe.frames if is_video else None,
        stride=recipe.stride if is_video else 1,
        fit=recipe.fit,
        short_side=recipe.test_short_side or None,
        interpolation=recipe.interpolation,
        multi_label=recipe.multi_label,
        **(pixels or Pixels())._asdict(),
    )


def _check_examples(recipe: Recipe, source: Source) -> None:
    wishes = {"select": recipe.select == "best", "patience": recipe.patience}
    for field, wished in wishes.items():
        if wished and "validation" not in source.splits:
            given = f"{field}={getattr(recipe, field)}"
            raise UserError(
                f"{given} needs validation examples, and {recipe.data} has none: see "
                f"validation_fraction. Received: {given}"
            )


def check_agreement(recipe: Recipe, source: Source, computation: Computation) -> None:
    """Refuses a worker whose recipe or data are not the chief's."""
    own = {**dataclasses.asdict(recipe), "fingerprint of the data": source.fingerprint}
    chief, _ = share(computation, own)
    for key, value in own.items():
        if chief[key] != value:
            raise UserError(
                f"worker {computation.worker} differs from the chief, worker 0, in {key}: "
                f"{value}, not {chief[key]}"
            )


@contextlib.contextmanager
def _explained(computation: Computation, run: Run) -> Iterator[None]:
    """Tells errors that have a cause outside the program in a sentence."""
    try:
        with readable(run.recipe.data):
            yield
    except tf.errors.OpError as error:
        if (lost := computation.lost_worker(error)) is None:
            raise
        last = Checkpoints(run.path / "checkpoints").describe_last()
        raise Stopped(
            f"worker {computation.worker} stops: {lost} does not answer any more. "
            f"{last if computation.is_chief else 'The chief has the last checkpoint'}. The same "
            "command on all workers goes on from there",
            WORKER_LOST,
        ) from error

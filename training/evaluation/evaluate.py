"""How good a run is on examples that it has not seen, with what it takes to judge the number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from a2keras.console import progress, say
from a2keras.documents import write_json
from a2keras.errors import UserError
from a2keras.files import write_text
from a2keras.models import keras_files
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.charts import draw_calibration, draw_confusion
from a2keras.training.config import Recipe
from a2keras.training.data.reading import in_order, threads_for
from a2keras.training.data.source import Examples, Skipped, fingerprints_of
from a2keras.training.evaluation import forward
from a2keras.training.evaluation.held_out import SCORED, HeldOut, Protocol
from a2keras.training.evaluation.mistakes import mistakes_page, predictions_csv
from a2keras.training.evaluation.scores import mean_of_views, scores

VIEWS_AT_ONCE = 64
SMALL = 2**18  # bytes of an image of which as many are cut together


@dataclass(frozen=True)
class Scored:
    """What was scored of a run.

    Attributes:
        document: what `evaluation.json` says.
        probabilities: float32 (N, classes), the mean of the views of every example.
        read: which of the examples these are; the others could not be read.
    """

    document: dict[str, Any]
    probabilities: np.ndarray
    read: list[int]


def evaluate(
    path: str | Path,
    data: str | None = None,
    protocol: Protocol | None = None,
    wanted: Sequence[str] = SCORED,
) -> dict[str, Any]:
    """Scores a finished run and writes what came out into it.

    That is `evaluation.json`, `predictions.csv` (what was said of every example), `mistakes.html`
    (the worst of it), `confusion.png` and `calibration.png`. The score on other data does not
    replace the held-out one: `evaluation_data.json`, `predictions_data.csv`, …

    Args:
        path: directory of the run.
        data: a source with the run's classes; default: what the run held out of its own data.
        protocol: other views than the recipe's.
        wanted: splits, of which the first that there is is scored. What validation examples alone
            give is written beside the other score: `evaluation_validation.json`.

    Returns:
        What `evaluation.json` says.

    Raises:
        UserError: no finished run, data that cannot be used or has other classes, or a protocol
            that does not fit.
    """
    held_out = HeldOut.open(path, data, wanted)
    return evaluate_held_out(held_out, protocol or Protocol(), suffix_of(wanted))


def evaluate_held_out(held_out: HeldOut, protocol: Protocol, suffix: str = "") -> dict[str, Any]:
    """As `evaluate`, of a run whose examples have been listed already."""
    scored = score(held_out, protocol)
    write(scored, held_out, suffix if held_out.data is None else "_data")
    return scored.document


def suffix_of(wanted: Sequence[str]) -> str:
    """What the names of the files of such a score end in."""
    return "_validation" if list(wanted) == ["validation"] else ""


def score(held_out: HeldOut, protocol: Protocol) -> Scored:
    """The scores of a run, and where they come from, without writing them."""
    run, preprocessing, source = held_out.run, held_out.preprocessing, held_out.source
    recipe = protocol.applied(run.recipe)
    warning = trained_on(held_out)
    if warning:
        say(warning)
    model = keras_files.load_classifier(run.model_path, preprocessing)
    if protocol.precise_bn:
        from a2keras.training.evaluation.precise_statistics import with_precise_statistics

        model = with_precise_statistics(run, preprocessing, model, protocol.precise_bn)
    probabilities, read, skipped = predict_views(model, held_out.examples, preprocessing, recipe)
    labels = held_out.examples.labels[read]
    result = scores(probabilities, labels, preprocessing.labels, recipe)
    if protocol.precise_bn:
        result["protocol"] = [
            *result["protocol"],
            f"statistics of batch normalisation from {protocol.precise_bn} training batches",
        ]
    document = {
        "run": str(run.path),
        "data": held_out.data or recipe.data,
        "split": held_out.split,
        "split_rule": source.split_rule,
        "fingerprint": source.fingerprint,
        "groups": held_out.groups() if held_out.data is None else [],
        "examples": len(labels),
        "skipped": [vars(file) for file in (*source.skipped, *skipped)],
        "warning": warning,
        **result,
    }
    return Scored(document, mean_of_views(probabilities), read)


def write(scored: Scored, held_out: HeldOut, suffix: str) -> None:
    """Writes the scores, what was said of every example, and pictures of both into the run."""
    run, preprocessing, document = held_out.run, held_out.preprocessing, scored.document
    labels, examples = preprocessing.labels, held_out.examples
    measure = "video@1" if preprocessing.is_video else "top-1"
    title = f"{measure} {document['top1']:.1%} of {document['examples']} {document['split']}"
    title = f"{title} examples"
    names = [examples.names[i] for i in scored.read]
    truth, final = examples.labels[scored.read], scored.probabilities
    page = mistakes_page(title, examples, scored.read, final, preprocessing)
    with run.writing("the scores"):
        write_json(run.path / f"evaluation{suffix}.json", document)
        rows = predictions_csv(names, truth, final, labels)
        write_text(run.path / f"predictions{suffix}.csv", rows)
        write_text(run.path / f"mistakes{suffix}.html", page)
        confusion = np.array(document["confusion"])
        draw_confusion(confusion, labels, title, run.path / f"confusion{suffix}.png")
        draw_calibration(document["calibration"], run.path / f"calibration{suffix}.png")


def trained_on(held_out: HeldOut) -> str | None:
    """A warning where the run was trained on some of what it is to be scored on.

    Files are the same where what is in them is, see `Listing.contents`; records of TFDS where their
    names in the same set are.
    """
    known = held_out.run.training_fingerprints()
    of_examples = fingerprints_of(held_out.examples, held_out.source.fingerprint)
    names = zip(held_out.examples.names, of_examples, strict=True)
    again = [name for name, fingerprint in names if fingerprint in known]
    if not again:
        return None
    total = len(held_out.examples)
    return (
        f"WARNING: {len(again)} of the {total} examples are files that {held_out.run.path} was "
        f"trained on, such as {again[0]}: the score says little about others"
    )


def predict_views(
    model: keras.Model, examples: Examples, preprocessing: Preprocessing, recipe: Recipe
) -> tuple[np.ndarray, list[int], list[Skipped]]:
    """Class probabilities of every view, made exactly as `predict` makes them.

    Returns:
        probabilities float32 (N, views, classes): the centre crop of the middle clip (of an image:
        of the image), and where several views are averaged these views after it; the indices of the
        examples that could be read; the files that could not.
    """
    clips = recipe.views if preprocessing.is_video else 1
    several = clips * recipe.crops > 1
    count = 1 + several * clips * recipe.crops
    batch = min(forward.at_once(preprocessing.input_shape), count * len(examples))
    outputs: list[np.ndarray] = []
    waiting: list[np.ndarray] = []
    read: list[int] = []
    skipped: list[Skipped] = []
    for number, views in _views(examples, preprocessing, recipe, several, skipped):
        read.append(number)
        waiting += views
        while len(waiting) >= batch:
            outputs.append(forward.probabilities(model, waiting[:batch], batch))
            waiting = waiting[batch:]
    if not read:
        raise UserError("none of the files to evaluate can be read")
    if waiting:
        outputs.append(forward.probabilities(model, waiting, batch))
    return np.concatenate(outputs).reshape(len(read), count, -1), read, skipped


def _views(
    examples: Examples,
    preprocessing: Preprocessing,
    recipe: Recipe,
    several: bool,
    skipped: list[Skipped],
) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Of each example that can be read its number and its views, see `predict_views`.

    Small images of one size that come one after the other are cut together, as the frames of a clip
    are: what Keras takes for a call is more than such a picture costs.
    """
    clips = recipe.views if preprocessing.is_video else 1
    alike: list[tuple[int, np.ndarray]] = []

    def together() -> Iterator[tuple[int, list[np.ndarray]]]:
        images = np.stack([image for _, image in alike])
        views = [preprocessing.crops(images)]
        views += [preprocessing.crops(images, recipe.crops)] if several else []
        for (number, _), *own in zip(alike, *np.concatenate(views), strict=True):
            yield number, own
        alike.clear()

    def singly() -> Iterator[tuple[int, list[np.ndarray]]]:
        for number, frames in alike:
            views = [*preprocessing.views_of(frames)]
            views += [*preprocessing.views_of(frames, clips, recipe.crops)] if several else []
            yield number, views
        alike.clear()

    for number, frames in _frames(examples, preprocessing.is_video, skipped):
        if alike and alike[0][1].shape != frames.shape:
            yield from singly()
        alike.append((number, frames))
        if preprocessing.is_video or frames.nbytes > SMALL:
            yield from singly()
        elif len(alike) == VIEWS_AT_ONCE:
            yield from together()
    yield from singly()


def _frames(
    examples: Examples, is_video: bool, skipped: list[Skipped]
) -> Iterator[tuple[int, np.ndarray]]:
    """What can be read, images by threads; and of what cannot, the reason."""

    def attempt(number: int) -> np.ndarray | DecodeError:
        try:
            return examples.frames(number)
        except DecodeError as error:
            return error

    numbers = range(len(examples))
    paths = [path for path in map(examples.path, numbers) if path is not None]
    threads = threads_for(paths) if len(paths) == len(examples) else 1
    # A whole video may take gigabytes, and its decoder has threads of its own; so may many photos.
    portion = 16 if threads == 1 else 1
    found = map(attempt, numbers) if is_video else in_order(attempt, numbers, threads, portion)
    for number, frames in enumerate(
        progress(found, "evaluating", unit=" examples", total=len(examples))
    ):
        if isinstance(frames, DecodeError):
            skipped.append(Skipped(examples.names[number], str(frames)))
        else:
            yield number, frames

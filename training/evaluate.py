"""How good a run is on examples that it has not seen, with what it takes to judge the number."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from a2keras.console import UserError, progress, write_json
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.sampling import even_starts
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data import open_held_out
from a2keras.training.data.source import Examples, Skipped, counted
from a2keras.training.plots import draw_confusion
from a2keras.training.run import Run

VIEWS_AT_ONCE = 64


def evaluate(path: str | Path, data: str | None = None) -> dict:
    """Scores a finished run and writes `evaluation.json` and `confusion.png` into it.

    The score on other data does not replace the held-out one: `evaluation_data.json` and
    `confusion_data.png`.

    Args:
        path: directory of the run.
        data: a source with the run's classes; default: what the run held out of its own data.

    Returns:
        What `evaluation.json` says.

    Raises:
        UserError: no finished run, or data that cannot be used or has other classes.
    """
    run = Run.load(path)
    preprocessing = Preprocessing.load(run.path)
    before = run.skipped() if data is None else ()
    split, source = open_held_out(run.recipe, preprocessing.labels, data, before)
    if data is None:
        run.check_data(source.fingerprint)
    examples = source.splits[split]
    model = keras.models.load_model(run.model_path, compile=False)
    probabilities, read, skipped = predict_views(model, examples, preprocessing, run.recipe)
    labels = examples.labels[read]
    document = {
        "run": str(run.path),
        "data": data or run.recipe.data,
        "split": split,
        "split_rule": source.split_rule,
        "fingerprint": source.fingerprint,
        "examples": len(labels),
        "skipped": [vars(file) for file in (*source.skipped, *skipped)],
        **scores(probabilities, labels, preprocessing.labels, run.recipe),
    }
    suffix = "" if data is None else "_data"
    write_json(run.path / f"evaluation{suffix}.json", document)
    measure = "video@1" if preprocessing.is_video else "top-1"
    title = f"{measure} {document['top1']:.1%} of {len(labels)} {split} examples"
    picture = run.path / f"confusion{suffix}.png"
    draw_confusion(np.array(document["confusion"]), preprocessing.labels, title, picture)
    return document


def predict_views(
    model: keras.Model, examples: Examples, preprocessing: Preprocessing, recipe: Recipe
) -> tuple[np.ndarray, list[int], list[Skipped]]:
    """Class probabilities of every view, made exactly as `predict` makes them.

    Returns:
        probabilities float32 (N, views, classes): the middle clip (of an image: its one view), and
        where several clips are averaged these clips after it; the indices of the examples that
        could be read; the files that could not.
    """
    middle = np.array([0.5])
    several = preprocessing.is_video and recipe.views > 1
    starts = np.concatenate([middle, even_starts(recipe.views)]) if several else middle
    outputs: list[np.ndarray] = []
    waiting: list[np.ndarray] = []
    read, skipped = [], []
    for index in progress(range(len(examples)), "evaluating", unit=" examples"):
        try:
            frames = examples.frames(index)
        except DecodeError as error:
            skipped.append(Skipped(examples.names[index], str(error)))
            continue
        read.append(index)
        waiting += [preprocessing.view(frames, start) for start in starts]
        if len(waiting) >= VIEWS_AT_ONCE or index == len(examples) - 1:
            outputs.append(_run(model, waiting))
            waiting = []
    if waiting:
        outputs.append(_run(model, waiting))
    if not outputs:
        raise UserError("none of the files to evaluate can be read")
    return np.concatenate(outputs).reshape(len(read), len(starts), -1), read, skipped


def _run(model: keras.Model, views: list[np.ndarray]) -> np.ndarray:
    return model.predict_on_batch(np.stack(views).astype("float32"))


def scores(
    probabilities: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], recipe: Recipe
) -> dict[str, Any]:
    """Accuracies and the confusion matrix.

    Args:
        probabilities: (N, views, classes) as `predict_views` gives them.
        labels: int (N,).
        classes: their names.
        recipe: says whether the task is a video's.

    Returns:
        `top1`, `top5` (with more than five classes), `balanced_accuracy` (mean over the classes
        that occur), `per_class`, `majority_rate` (of always answering the most frequent class),
        `confusion` (rows: true classes) and, for videos, `clip@1` and `video@1`, of which the
        latter is what the other numbers are about.
    """
    video = recipe.task == "video"
    final = (probabilities[:, 1:] if probabilities.shape[1] > 1 else probabilities).mean(axis=1)
    ranks = (final > np.take_along_axis(final, labels[:, None], axis=1)).sum(axis=1)
    confusion = np.zeros((len(classes), len(classes)), int)
    np.add.at(confusion, (labels, final.argmax(axis=1)), 1)
    totals = confusion.sum(axis=1)
    seen = totals > 0
    recalls = confusion.diagonal()[seen] / totals[seen]
    document: dict[str, Any] = {"top1": float(confusion.trace() / len(labels))}
    if len(classes) > 5:
        document["top5"] = float((ranks < 5).mean())
    if video:
        clip = probabilities[:, 0].argmax(axis=1)
        document["clip@1"] = float((clip == labels).mean())
        document["video@1"] = document["top1"]
    return {
        **document,
        "balanced_accuracy": float(recalls.mean()),
        "majority_rate": float(totals.max() / len(labels)),
        "per_class": dict(
            zip(np.array(classes)[seen].tolist(), recalls.round(4).tolist(), strict=True)
        ),
        "protocol": _protocol(recipe),
        "confusion": confusion.tolist(),
    }


def _protocol(recipe: Recipe) -> list[str]:
    crop = "whole frame, padded" if recipe.fit == "letterbox" else "centre crop"
    if recipe.task == "image":
        return [f"top-1, {crop}"]
    return [
        f"clip@1: the middle clip of {recipe.frames} frames, stride {recipe.stride}, {crop}",
        f"video@1: mean probabilities of {recipe.views} evenly spaced clips, {crop}",
    ]


def table(document: dict) -> str:
    """The scores as lines for a person."""
    keys = [key for key in ("top1", "top5", "clip@1", "video@1") if key in document]
    rows = [
        *((key, document[key]) for key in keys),
        ("balanced accuracy", document["balanced_accuracy"]),
        ("always the most frequent class", document["majority_rate"]),
        *((f"  {name}", value) for name, value in document["per_class"].items()),
    ]
    width = max(len(name) for name, _ in rows)
    examples = counted(document["examples"], "example")
    lines = [f"{examples} of the {document['split']} split ({document['split_rule']})"]
    lines += [f"{name:<{width}}  {value:7.2%}" for name, value in rows]
    if document["skipped"]:
        files = counted(len(document["skipped"]), "file")
        lines.append(f"{files} could not be read: see evaluation.json")
    return "\n".join(lines)

"""How good a run is on examples that it has not seen, with what it takes to judge the number."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from a2keras.console import say
from a2keras.documents import write_json
from a2keras.files import write_text
from a2keras.models import keras_files
from a2keras.training.charts import draw_calibration, draw_confusion
from a2keras.training.data.report import trained_on
from a2keras.training.evaluation.forward import predict_views
from a2keras.training.evaluation.held_out import SCORED, HeldOut, Protocol
from a2keras.training.evaluation.mistakes import mistakes_page, predictions_csv
from a2keras.training.evaluation.multi_label import class_table
from a2keras.training.evaluation.scores import headline, mean_of_views, scores

OTHER_DATA = "_data"  # what the names of the files end in of a score on them


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
    (the worst of it), `confusion.png` (of multi-label data `per_class.csv`) and `calibration.png`.
    The score on other data does not replace the held-out one: `evaluation_data.json`,
    `predictions_data.csv`, …

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
    write(scored, held_out, suffix if held_out.data is None else OTHER_DATA)
    return scored.document


def suffix_of(wanted: Sequence[str]) -> str:
    """What the names of the files of such a score end in."""
    return "_validation" if list(wanted) == ["validation"] else ""


def files_of(suffix: str, multi_label: bool) -> list[str]:
    """What such a score is written to: scores, rows, page, classes and calibration."""
    names = (
        "evaluation.json",
        "predictions.csv",
        "mistakes.html",
        "per_class.csv" if multi_label else "confusion.png",
        "calibration.png",
    )
    return [name.replace(".", f"{suffix}.") for name in names]


def score(held_out: HeldOut, protocol: Protocol) -> Scored:
    """The scores of a run, and where they come from, without writing them."""
    run, preprocessing, source = held_out.run, held_out.preprocessing, held_out.source
    recipe = protocol.applied(run.recipe)
    warning = trained_on(run.path, source, held_out.split)
    if warning:
        say(warning)
    model = keras_files.load_classifier(run.model_path, preprocessing)
    measured = []
    if protocol.precise_bn:
        from a2keras.training.evaluation.precise_statistics import with_precise_statistics

        model, words = with_precise_statistics(run, preprocessing, model, protocol.precise_bn)
        measured.append(words)
    probabilities, read, skipped = predict_views(model, held_out.examples, preprocessing, recipe)
    labels = held_out.examples.labels[read]
    result = scores(probabilities, labels, preprocessing.labels, recipe)
    result["protocol"] = [*result["protocol"], *measured]
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
    scores_file, rows_file, page_file, classes_file, calibration_file = (
        run.path / name for name in files_of(suffix, preprocessing.multi_label)
    )
    labels, examples = preprocessing.labels, held_out.examples
    title = headline(document, preprocessing.is_video)
    names = [examples.names[i] for i in scored.read]
    truth, final = examples.labels[scored.read], scored.probabilities
    page = mistakes_page(title, examples, scored.read, final, preprocessing)
    with run.writing("the scores"):
        write_json(scores_file, document)
        write_text(rows_file, predictions_csv(names, truth, final, labels))
        write_text(page_file, page)
        if preprocessing.multi_label:
            write_text(classes_file, class_table(document))
        else:
            draw_confusion(np.array(document["confusion"]), labels, title, classes_file)
        of = "a label" if preprocessing.multi_label else "the likeliest class"
        draw_calibration(document["calibration"], of, calibration_file)

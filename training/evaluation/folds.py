"""Several runs as folds of one data set: their recipes, and what they scored together."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from a2keras.console import say
from a2keras.documents import write_json
from a2keras.errors import UserError, counted
from a2keras.training.data.source import fingerprints_of
from a2keras.training.evaluation.evaluate import evaluate_held_out
from a2keras.training.evaluation.held_out import HeldOut, Protocol
from a2keras.training.evaluation.scores import Folds, measures_of, percent, spread

# What may differ between folds: which examples are held out, and where the lists of them lie.
_FREE = {"name", "data", "root", "fold", "test_groups", "seed"}


def pooled(documents: Sequence[dict[str, Any]], measures: Sequence[str]) -> dict[str, float]:
    """The share of all examples that the runs of all folds have right; of others than shares, such
    as mAP, the mean over the folds, each with the weight of its examples.

    Args:
        documents: evaluation of every fold.
        measures: such as "video@1".

    Returns:
        By measure, the mean over the examples of all folds.
    """
    total = sum(each["examples"] for each in documents)
    return {
        name: sum(each["examples"] * each[name] for each in documents) / total for name in measures
    }


def evaluate_folds(runs: Sequence[HeldOut], protocol: Protocol) -> Folds:
    """Scores runs on what each held out, and writes `folds.json` into the first of them.

    UCF-101's score is the mean over its three official splits: three runs with `fold` 1, 2 and 3.

    Args:
        runs: with what each is scored on.
        protocol: other views than the recipes'.

    Returns:
        What `folds.json` says: `folds`, the document of each run, and `mean`, by measure.

    Raises:
        UserError: as `evaluate`, or runs that are not folds of the same data.
    """
    check_folds(runs)
    documents: list[Any] = []
    for held_out in runs:
        say(f"scoring {held_out.run.path}")
        documents.append(evaluate_held_out(held_out, protocol))
    measures = measures_of(documents[0])
    document: Folds = {
        "mean": {each: spread([fold[each] for fold in documents]) for each in measures},
        "examples": sum(fold["examples"] for fold in documents),
        "skipped": sum(len(fold["skipped"]) for fold in documents),
        "protocol": documents[0]["protocol"],
        "folds": documents,
    }
    with runs[0].run.writing("the mean"):
        write_json(runs[0].run.path / "folds.json", document)
    return document


def check_folds(runs: Sequence[HeldOut]) -> None:
    """Refuses runs whose mean would say nothing: of other recipes, classes, or of shared examples.

    Raises:
        UserError: names the two runs and what is wrong with them.
    """
    first = runs[0]
    scored: dict[str, Path] = {}
    for each in runs:
        if each.preprocessing.labels != first.preprocessing.labels:
            raise UserError(f"{each.run.path} has other classes than {first.run.path}")
        for field in dataclasses.fields(first.run.recipe):
            ours, theirs = (getattr(x.run.recipe, field.name) for x in (each, first))
            if field.name not in _FREE and ours != theirs:
                raise UserError(
                    f"{each.run.path} and {first.run.path} are not folds of one data set: "
                    f"{field.name} is {ours} and {theirs}"
                )
        fingerprints = fingerprints_of(each.examples, each.source.fingerprint)
        for name, fingerprint in zip(each.examples.names, fingerprints, strict=True):
            if fingerprint in scored:
                raise UserError(
                    f"{each.run.path} and {scored[fingerprint]} are not folds of one data set: "
                    f"both hold out {name}"
                )
        scored |= dict.fromkeys(fingerprints, each.run.path)


def folds_table(document: Mapping[str, Any]) -> str:
    """The scores of all folds and their mean as lines for a person."""
    measures = list(document["mean"])
    lines = [["run", "examples", "skipped", "file list", *measures]]
    for fold in document["folds"]:
        skipped, values = str(len(fold["skipped"])), [percent(fold[each]) for each in measures]
        examples = str(fold["examples"])
        lines.append([fold["run"], examples, skipped, fold["fingerprint"][:16], *values])
    means = [percent(*document["mean"][each].values()) for each in measures]
    lines.append(["mean ± std", str(document["examples"]), str(document["skipped"]), "", *means])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    count = counted(len(document["folds"]), "fold")
    warnings = [fold["warning"] for fold in document["folds"] if fold["warning"]]
    rules = [f"  {fold['split_rule']}" for fold in document["folds"]]
    return "\n".join([*rows, f"{count}:", *rules, *warnings, *document["protocol"]])

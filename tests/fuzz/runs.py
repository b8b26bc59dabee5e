"""The files of a run, of an ablation, of an export and of a prepared set; checkpoints."""

import contextlib
import hashlib
import shutil
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lists import CLASSES, write_images
from reader import Reader

SIZE = 8


def recipe_of(data: Path, **fields: Any) -> Any:
    from a2keras.training.config import Recipe
    from a2keras.training.data import resolve

    return resolve(Recipe("folder", data=f"folder:{data}", size=SIZE, epochs=1, **fields))


def run_seeds(folder: Path) -> Iterable[Path]:
    """A run as training leaves it, but for the model; its data lie beside it."""
    from a2keras.documents import write_json
    from a2keras.training.data import open_source
    from a2keras.training.run.directory import Run
    from a2keras.training.run.samples import draw_samples
    from a2keras.training.run.train import preprocessing_of

    write_images(folder / "data")
    recipe = recipe_of(folder / "data")
    source = open_source(recipe)
    run = Run(folder / "run", recipe)
    run.start({**source.report(), "trained_on": source.trained_on()})
    preprocessing = preprocessing_of(recipe, source.classes)
    preprocessing.save(run.path)
    draw_samples(source, preprocessing, recipe.seed).save(run.path)
    line = {"epoch": 1, "step": 4, "loss": 0.7, "accuracy": 0.5, "validation_accuracy": 0.5}
    run.write_history([line, {**line, "epoch": 2, "step": 8}])
    write_json(run.path / "results.json", {"epochs": 1, "data": source.report(), "metrics": line})
    return [path for path in run.path.iterdir() if path.suffix in (".json", ".jsonl", ".npz")]


def open_run(path: Path) -> None:
    """As `train`, `evaluate`, `explain` and `export` begin."""
    from a2keras.models.preprocessing.samples import Samples
    from a2keras.training.config import Recipe
    from a2keras.training.data.report import trained_on
    from a2keras.training.evaluation.evaluate import HeldOut
    from a2keras.training.run.directory import Run

    kept = Recipe.load(path.with_name("recipe.json"))
    run = Run(path.parent, kept)
    run.check()
    run.history()
    held_out = HeldOut.open(path.parent)
    trained_on(held_out.run.path, held_out.source, held_out.split)
    Samples.load(path.parent, held_out.preprocessing.input_shape)


def checkpoint_seeds(folder: Path) -> Iterable[Path]:
    import dataclasses

    import numpy as np

    from a2keras.training.run.checkpoints import Checkpoint, Checkpoints
    from a2keras.training.run.progress import Progress

    line = {"epoch": 1, "step": 4, "loss": 0.7, "accuracy": 0.5, "validation_accuracy": 0.5}
    document = dataclasses.asdict(Progress(4, 1.5, 2.0, 3.0, [line]))
    state = {f"v{number}": np.arange(12, dtype="float32").reshape(3, 4) for number in range(3)}
    Checkpoints(folder, 2, Progress).save(Checkpoint(4, state, document))
    return [path for path in folder.rglob("*") if path.is_file()]


def open_checkpoint(path: Path) -> None:
    """As a run goes on. Where the content has an even sum, its checksum is right again."""
    from a2keras.training.run.checkpoints import Checkpoints
    from a2keras.training.run.progress import Progress

    if path.name != "SHA256SUMS" and zlib.crc32(path.read_bytes()) % 2 == 0:
        others = sorted(each for each in path.parent.iterdir() if each.name != "SHA256SUMS")
        sums = (
            f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in others
        )
        path.with_name("SHA256SUMS").write_text("".join(sums))
    found = Checkpoints(path.parents[1], 2, Progress).latest()
    if found:
        Progress(**found.document)


def ablation_of(folder: Path) -> Any:
    """An ablation of one row and one seed."""
    from a2keras.training.ablation.plan import Ablation
    from a2keras.training.ablation.rows import rows_of
    from a2keras.training.config import Recipe

    recipe = Recipe("ablation", data="digits", task="video", size=SIZE, frames=4, epochs=1)
    return Ablation(rows_of(2, ("resnet_26",), ()), recipe, folder, seeds=1, table=2)


def ablation_run(ablation: Any) -> Any:
    """Its recipes, and its only run."""
    recipes = {row.key: ablation.listed(row).recipe for row in ablation.rows}
    (planned,) = ablation.planned(recipes)
    return recipes, planned


def ablation_seeds(folder: Path) -> Iterable[Path]:
    from a2keras.documents import write_json
    from a2keras.training.evaluation.scores import protocol

    ablation = ablation_of(folder)
    _, (row, run) = ablation_run(ablation)
    run.start(
        {
            "classes": ["0", "1"], "examples": {"test": 4}, "split_rule": "a rule",
            "fingerprint": "f", "skipped": [], "trained_on": "", "batch_size": 4,
        }
    )  # fmt: skip
    write_json(run.path / "results.json", {"versions": {"keras": "3"}})
    costs = {
        "parameters": 10, "multiply_adds": 20, "planned_multiply_adds": 20, "activation_bytes": 1,
        "blocks": [], "step_seconds": 0.5, "step_spread": [0.4, 0.6], "processor_seconds": 0.5,
        "steps": 5, "batch_size": 4, "replicas": 1, "device": "CPU", "peak_bytes": 1,
        "peak_of": "the process",
    }  # fmt: skip
    kept = {row.runs: {"recipe": vars(run.recipe), "costs": costs}}
    write_json(folder / "costs.json", kept)
    scores = {
        "run": str(run.path), "data": "digits", "split": "test", "split_rule": "a rule",
        "fingerprint": "f", "examples": 4, "skipped": [], "warning": None, "top1": 0.5,
        "clip@1": 0.5, "video@1": 0.5, "balanced_accuracy": 0.5, "majority_rate": 0.5,
        "per_class": {"0": 0.5, "1": 0.5}, "protocol": protocol(run.recipe, 2),
        "confusion": [[1, 1], [1, 1]],
    }  # fmt: skip
    write_json(run.path / "evaluation.json", scores)
    return [folder / "costs.json", run.path / "evaluation.json"]


def open_ablation(path: Path) -> None:
    """What an ablation takes over from an earlier call. Nothing is measured or trained anew."""
    from a2keras.training.ablation import report, running

    folder = next(each for each in path.parents if (each / "costs.json").is_file())
    begun = ablation_of(folder)
    recipes, (row, run) = ablation_run(begun)
    running.measure = lambda *_: {"parameters": 0}  # a minute's work, of a file that is too old
    costs = running._costs(begun, recipes)
    kept = running._kept_score(run)
    if kept:
        report.document(begun, costs, [(row, run, kept)], 1)


def manifest_seeds(folder: Path) -> Iterable[Path]:
    from a2keras.documents import write_json
    from a2keras.export.manifest import MANIFEST, hashes

    artefacts = {}
    for name in ("model.onnx", "model_float32.tflite"):
        (folder / name).write_bytes(name.encode())
        artefacts[name] = {"path": name, "bytes": 9, "sha256": hashes(folder / name)}
    document = {"versions": {"a2keras": "1"}, "labels": list(CLASSES), "artefacts": artefacts}
    write_json(folder / MANIFEST, document)
    return [folder / MANIFEST]


def open_manifest(path: Path) -> None:
    """As `predict` and another `export` begin."""
    from a2keras.export.exporting import _check_output
    from a2keras.export.manifest import check_hashes
    from a2keras.export.reading.loaders import locate

    found, _ = locate(path.parent)
    check_hashes(found)
    with contextlib.chdir(path.parent.parent):  # the current directory is never replaced
        _check_output(path.parent)


def prepared_seeds(folder: Path) -> Iterable[Path]:
    """Images as `a2keras prepare` stores them."""
    from a2keras.training.prepare.storing import prepare

    write_images(folder / "data")
    prepare(f"folder:{folder / 'data'}", str(folder / "prepared"))
    shutil.rmtree(folder / "data")
    return [path for path in (folder / "prepared").rglob("*") if path.is_file()]


def open_prepared(path: Path) -> None:
    """Everything is read once."""
    from a2keras.training.config import Recipe
    from a2keras.training.data import open_source, resolve

    source = open_source(resolve(Recipe("folder", data=f"prepared:{path.parent}", size=SIZE)))
    for examples in source.splits.values():
        for index in range(len(examples)):
            examples.frames(index)
    source.report()


READERS = (
    Reader("runs", run_seeds, open_run, 150),
    Reader("checkpoints", checkpoint_seeds, open_checkpoint, 150),
    Reader("ablations", ablation_seeds, open_ablation, 60),
    Reader("export_manifests", manifest_seeds, open_manifest, 500),
    Reader("prepared", prepared_seeds, open_prepared, 100, needs=("apache_beam",)),
)

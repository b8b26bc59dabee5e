"""The export directory: artefacts, their manifest, and the promise that they equal their model."""

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from a2keras import __version__
from a2keras.console import say
from a2keras.documents import write_json
from a2keras.errors import UserError, did_you_mean, nearest, reason_of
from a2keras.export import parity, saved_model
from a2keras.export.classifier import Classifier
from a2keras.export.formats import DEFAULT_FORMATS, FORMATS
from a2keras.export.manifest import MANIFEST, files_of, hashes, read_manifest
from a2keras.export.parity import Compute, Parity, Signature
from a2keras.export.reading import loaders
from a2keras.export.reading.trained import classifier_of, load_classifier
from a2keras.files import check_removable, remove, replacing_directory, sha256, writing_to
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.spec import FILE_NAME, Preprocessing
from a2keras.models.weights import published
from a2keras.whole_numbers import real

if TYPE_CHECKING:
    import keras

RANDOM_SAMPLES = 8


def export(
    source: "str | Path | keras.Model",
    output: str | Path,
    formats: Sequence[str] = DEFAULT_FORMATS,
    samples: Sequence[str | Path] = (),
    tolerance: float | None = None,
    preprocessing: str | Path | Preprocessing | None = None,
) -> dict[str, Any]:
    """Exports a trained model, and compares every artefact with it.

    The output appears whole or not at all: it is written beside its place and moved there when all
    formats have had their turn. What has not passed is not in it, and its reason is in the
    manifest's `failed`. Exporting again replaces an earlier export, including the formats that it
    held beside the ones asked for now; where none of these passes, the earlier export stays.

    Args:
        source: a run, a `.keras` file, or a model of this program, functional or Sequential.
        output: the directory to write: new, empty or an earlier export, and not the current one.
        formats: keys of `FORMATS`.
        samples: images or videos to compare on, beside random pixels and what the run has held out.
            Where there is no run that has kept some, integers are calibrated on them, too.
        tolerance: the largest error of a probability, for every format instead of its own; None:
            see `FORMATS`.
        preprocessing: how files become the model's input, and the names of its classes, or a file
            of that; default: the preprocessing.json beside the model. A model of this program
            needs one.

    Returns:
        The manifest.

    Raises:
        UserError: no such format or model, an output that is something else, a sample that cannot
            be read, a tolerance that is none, or none of the formats that were asked for computes
            what its model does.
    """
    if tolerance is not None:
        tolerance = real("tolerance", tolerance, "from 0 to 1", 0, 1)
    with writing_to(output := Path(output)):
        place = Path(os.path.realpath(output))  # `resolve` raises where links go in circles
        requested, formats = set(formats), _known_formats(formats, output)
    if again := [name for name in formats if name not in requested]:
        say(
            f"{output} has {', '.join(again)} already: all of an export is of one model, so that "
            "it is written anew"
        )
    name, path, classifier = _trained(source, preprocessing)
    classifier = _with_samples(classifier, samples)
    with (
        writing_to(output),
        replacing_directory(place, lambda: _check_output(output)) as partial,
    ):
        reference = _Reference(classifier, name, tolerance)
        artefacts, failed = _write_all(formats, reference, partial)
        if not requested & artefacts.keys():
            reasons = [failed[name] for name in formats if name in requested]
            raise UserError(f"{'; '.join(reasons)}; nothing was written")
        manifest = _manifest(path, classifier, artefacts) | {"failed": failed}
        classifier.preprocessing.save(partial)
        write_json(partial / MANIFEST, manifest)
    return manifest


def _trained(
    source: "str | Path | keras.Model", preprocessing: str | Path | Preprocessing | None
) -> tuple[str, Path | None, Classifier]:
    """What to call it, where it lies, and the classifier."""
    if preprocessing is not None and published.find(str(source)):
        raise UserError(
            f"{source} has its own preprocessing: `preprocessing` is for a model of your own"
        )
    if preprocessing is not None and not isinstance(preprocessing, Preprocessing):
        preprocessing = Preprocessing.read_file(preprocessing)
    if not isinstance(source, str | Path):
        name = f"model {source.name!r}"
        if preprocessing is None:
            raise UserError(f"{name} needs `preprocessing`: how files become its input")
        return name, None, classifier_of(source, preprocessing)
    path, kind = loaders.locate(Path(source))
    if kind != "keras":
        raise UserError(f"{source} is a {kind}: export starts from a run or a .keras file")
    return str(source), path, load_classifier(path, preprocessing)


def _known_formats(formats: Sequence[str], output: Path) -> list[str]:
    """The formats to write, in the order of the table, after a look at what the output is now."""
    for name in formats:
        if name not in FORMATS:
            hint = did_you_mean(nearest(name, FORMATS), f"choose from {', '.join(FORMATS)}")
            raise UserError(f"there is no format {name!r}: {hint}")
    if not formats:
        raise UserError(f"no formats are given: choose from {', '.join(FORMATS)}")
    present = _check_output(output)
    return [name for name in FORMATS if name in formats or name in present]


def _check_output(output: Path) -> set[str]:
    """The formats that an earlier export holds; `UserError` if something would be lost."""
    earlier: dict[str, Any] = {}
    ours: set[str] = set()
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        if not (output / MANIFEST).is_file():
            raise UserError(
                f"{output} exists and is not an export of a2keras: choose another `output`"
            )
        earlier = read_manifest(output)["artefacts"]
        ours = {MANIFEST, FILE_NAME}.union(*(artefact["sha256"] for artefact in earlier.values()))
    check_removable(output, "the export", ours.__contains__)
    return set(earlier)


def _with_samples(classifier: Classifier, files: Sequence[str | Path]) -> Classifier:
    """The classifier with the test views of files behind the samples that its run has kept."""
    try:
        views = [classifier.preprocessing.views(file) for file in files]
    except DecodeError as error:
        raise UserError(f"a sample cannot be read: {error}") from error
    found = np.concatenate([classifier.samples[:0], *views])
    calibration = classifier.calibration if len(classifier.calibration) else found
    samples = np.concatenate([classifier.samples, found])
    return replace(classifier, samples=samples, calibration=calibration)


class _Reference:
    """What the model gives on random pixels and on the real samples, for all formats.

    Args:
        classifier: the model.
        source: what to call it.
        tolerance: see `export`.
    """

    def __init__(self, classifier: Classifier, source: str, tolerance: float | None = None) -> None:
        self.classifier = classifier
        self.source = source
        self.tolerance = tolerance
        shape = classifier.preprocessing.input_shape
        random = parity.natural_pixels(shape, RANDOM_SAMPLES)
        self.pixels = np.concatenate([random, classifier.samples])
        self.compute = loaders.from_keras(classifier.model).compute
        self.probabilities = parity.outputs_of(self.compute, self.pixels.astype(np.float32))
        if problem := _not_probabilities(self.probabilities, classifier.preprocessing):
            raise UserError(f"{source} does not give probabilities: {problem}")

    def against(self, compute: Compute) -> Parity:
        """Compares probabilities that an artefact's loader gives."""
        actual = parity.outputs_of(compute, self.pixels.astype(np.float32))
        real = len(self.classifier.samples)
        return parity.compare(self.probabilities, actual, real, multi_label=self.is_multi_label)

    @property
    def is_multi_label(self) -> bool:
        return self.classifier.preprocessing.multi_label

    def signature(self, signature: Signature) -> Parity:
        """Compares what a further signature gives."""
        expected = parity.outputs_of(signature.expected, self.pixels)
        actual = parity.outputs_of(signature.actual, self.pixels)
        real = len(self.classifier.samples)
        return parity.compare(expected, actual, real, signature.classes, self.is_multi_label)


def _not_probabilities(outputs: np.ndarray, preprocessing: Preprocessing) -> str | None:
    """Why outputs (samples, classes) are no probabilities, and what makes them such."""
    within = outputs.min() >= 0 and outputs.max() <= 1 + 1e-3
    if preprocessing.multi_label:
        hint = "of multi-label models they are from 0 to 1 (put a sigmoid behind logits)"
        return None if within else hint
    if within and np.allclose(outputs.sum(-1), 1, atol=1e-3):
        return None
    return (
        "export is for softmax classifiers (put keras.layers.Softmax() behind logits), and for "
        "sigmoids where the preprocessing says multi_label"
    )


def _write_all(
    formats: Sequence[str], reference: _Reference, directory: Path
) -> tuple[dict[str, Any], dict[str, str]]:
    """The entries of the formats that have passed, and the reasons of the others."""
    artefacts, failed = {}, {}
    for name in formats:
        try:
            artefacts[name] = _write_one(name, reference, directory)
        except (OSError, MemoryError):  # of the machine, for all formats alike
            raise
        except UserError as error:
            failed[name] = str(error)
        except Exception as error:  # of a converter, of any type
            failed[name] = f"{name} cannot be written: {reason_of(error)}"
        if name in failed:
            path = directory / FORMATS[name].file_name
            for each in (path, *files_of(path)):
                remove(each)
    return artefacts, failed


def _write_one(name: str, reference: _Reference, directory: Path) -> dict[str, Any]:
    """Writes one artefact, loads it again and compares; returns its entry of the manifest."""
    say(f"writing {name}")
    format_ = FORMATS[name]
    path = directory / format_.file_name
    report = format_.write(reference.classifier, path)
    compared = {"serving_default": reference.against(loaders.load_model(path).compute)}
    if format_.signatures:
        for signature_name, signature in format_.signatures(reference.classifier, path).items():
            compared[signature_name] = reference.signature(signature)
    tolerance = format_.tolerance
    if (limit := reference.tolerance) is not None:
        tolerance = replace(tolerance, max_error=limit, mean_error=limit)
    for signature_name, result in compared.items():
        if failure := result.failure(tolerance, reference.is_multi_label):
            where = "" if signature_name == "serving_default" else f" ({signature_name})"
            raise UserError(
                f"{name}{where} does not compute what {reference.source} does: {failure}"
            )
    files = hashes(path)
    return {
        "path": path.name,
        "bytes": sum((directory / file).stat().st_size for file in files),
        **report,
        "sha256": files,
        "tolerance": asdict(tolerance),
        "parity": {key: asdict(result) for key, result in compared.items()},
    }


def _manifest(
    path: Path | None, classifier: Classifier, artefacts: dict[str, Any]
) -> dict[str, Any]:
    import keras
    import tensorflow as tf

    preprocessing = classifier.preprocessing
    return {
        "versions": {
            "a2keras": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
        "model": {"name": classifier.model.name, "sha256": sha256(path) if path else None},
        "input": {
            "name": saved_model.INPUT,
            "shape": [None, *preprocessing.input_shape],
            "dtype": "float32",
            "values": "RGB, 0 to 255",
        },
        "output": {
            "name": saved_model.OUTPUT,
            "shape": [None, len(preprocessing.labels)],
            "dtype": "float32",
        },
        "labels": list(preprocessing.labels),
        "preprocessing": asdict(preprocessing),
        "artefacts": artefacts,
    }

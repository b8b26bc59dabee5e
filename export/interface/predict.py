"""`a2keras.predict` and `a2keras.timeline`."""

import contextlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from a2keras.cells import csv_text
from a2keras.console import progress
from a2keras.errors import UserError, counted
from a2keras.models.preprocessing.places import Place, local, place_of, places_of
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.whole_numbers import as_real, count

if TYPE_CHECKING:  # they import what `--help` does without
    from a2keras.export.predict import Artefact, Found
    from a2keras.export.timeline import Timeline
    from a2keras.models.preprocessing.errors import DecodeError


class Class(NamedTuple):
    """One of the likeliest classes of a file."""

    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """What was said of a file.

    Attributes:
        file: its path.
        top: the likeliest classes, the likeliest first.
        labels: of a multi-label model those that it says, each with a probability of at least 0.5,
            the likeliest first; None of others, which say the first of `top`.
    """

    file: str
    top: tuple[Class, ...]
    labels: tuple[Class, ...] | None = None

    def __repr__(self) -> str:
        return f"<Prediction {self.file!r}: {self.label} {self.probability:.1%}>"

    @property
    def label(self) -> str:
        """The likeliest class."""
        return self.top[0].label

    @property
    def probability(self) -> float:
        """Of the likeliest class."""
        return self.top[0].probability


class Unreadable(NamedTuple):
    """A file that could not be read, and why."""

    file: str
    error: str


@dataclass(frozen=True)
class Predictions(Sequence[Prediction]):
    """What was said of files: a sequence of `Prediction`, in the order of the files.

    Attributes:
        artefact: the model, and its kind, see `Artefact`.
        views, crops: of each file, that were averaged.
        predictions: of the files that could be read.
        errors: of the others.
    """

    artefact: Path
    kind: str
    views: int
    crops: int
    predictions: tuple[Prediction, ...]
    errors: tuple[Unreadable, ...]

    def __repr__(self) -> str:
        unreadable = f", {len(self.errors)} unreadable" if self.errors else ""
        files = counted(len(self), "file")
        return f"<Predictions by {str(self.artefact)!r}: {files}{unreadable}>"

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Prediction]: ...
    def __getitem__(self, index: int | slice) -> Prediction | Sequence[Prediction]:
        return self.predictions[index]

    def __len__(self) -> int:
        return len(self.predictions)

    def document(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        return {
            "artefact": str(self.artefact),
            "kind": self.kind,
            "views": self.views,
            "crops": self.crops,
            "predictions": list(map(_as_json, self.predictions)),
            "errors": [each._asdict() for each in self.errors],
        }

    def csv(self) -> str:
        """A line for each file that could be read: the file, and its likeliest classes.

        Of multi-label models `labels` stands in between: those that they say, `|` between them.
        """
        several = any(each.labels is not None for each in self)
        ranks = range(1, max((len(each.top) for each in self), default=0) + 1)
        heading = [f"{what}_{rank}" for rank in ranks for what in ("class", "probability")]
        rows = [
            [
                each.file,
                *["|".join(label for label, _ in each.labels or ())] * several,
                *(cell for entry in each.top for cell in entry),
            ]
            for each in self
        ]
        return csv_text([["file", *["labels"] * several, *heading], *rows])


def _as_json(prediction: Prediction) -> dict[str, Any]:
    said = prediction.labels
    return {
        "file": prediction.file,
        **({} if said is None else {"labels": [label for label, _ in said]}),
        "top": [entry._asdict() for entry in prediction.top],
    }


def predict(
    artefact: "Place | Artefact",
    files: Place | Sequence[Place],
    *,
    views: int | None = None,
    crops: int = 1,
    top: int = 5,
    unreadable: str = "raise",
) -> Predictions:
    """Classifies images or videos.

    Args:
        artefact: a run, a SavedModel, a `.keras`, `.tflite`, `.onnx` or OpenVINO `.xml` file, an
            export, published weights such as "i3d:kinetics400"; or what
            `a2keras.export.predict.load` has loaded, which is then not loaded again.
        files: a file, or several, or folders of them.
        views: evenly spaced clips of each video that are averaged; None: the middle one.
        crops: of each clip or image, 1 or 3, averaged.
        top: how many classes of each file are told.
        unreadable: "raise" ends at the first file that cannot be read; "keep" puts it into the
            result's `errors` and goes on.

    Raises:
        UserError: no such model, a file that cannot be read, or numbers that do not fit.
    """
    views, crops, top = count("views", views), count("crops", crops), count("top", top)
    if unreadable not in ("raise", "keep"):
        raise UserError(f"`unreadable` must be raise or keep. Received: `unreadable={unreadable}`")
    from a2keras.models.preprocessing.decode import files_in
    from a2keras.models.preprocessing.errors import DecodeError

    predictions, errors = [], []
    model = _found(artefact, views, crops)
    found = files_in(places_of(files), model.preprocessing.is_video)
    missing = _missing(found)
    if missing and unreadable == "raise":
        raise UserError(str(next(iter(missing.values()))))
    # Where there is nothing to classify, no model is loaded.
    with _loaded(model) if set(found) - set(missing) else contextlib.nullcontext() as loaded:
        for file in progress(found, "predict") if len(found) > 1 else found:
            try:
                if loaded is None or file in missing:
                    raise missing[file]
                predictions.append(_classified(loaded, file, views or 1, crops, top))
            except DecodeError as error:
                if unreadable == "raise":
                    raise UserError(str(error)) from error
                errors.append(Unreadable(file, str(error)))
    return Predictions(model.path, model.kind, views or 1, crops, tuple(predictions), tuple(errors))


def _missing(files: list[str]) -> "dict[str, DecodeError]":
    """Which files are not there, and what is to be said of them: known before a model is loaded."""
    from a2keras.models.preprocessing.errors import DecodeError
    from a2keras.models.preprocessing.opening import check_there

    missing = {}
    for file in files:
        try:
            check_there(file)
        except DecodeError as error:
            missing[file] = error
    return missing


def timeline(
    artefact: "Place | Artefact",
    file: Place,
    *,
    every: float = 1.0,
    crops: int = 1,
    output: Place | None = None,
) -> "Timeline":
    """Classifies clips all along one video, of any length.

    Args:
        artefact: as `predict` takes it. With a network for images each clip is a frame.
        file: the video.
        every: seconds from clip to clip.
        crops: of each clip, 1 or 3, averaged.
        output: directory for timeline.png, timeline.csv and timeline.json, if they are wanted.

    Raises:
        UserError: no such model, a video that cannot be read, or numbers that do not fit.
    """
    crops = count("crops", crops)
    directory = None if output is None else local(place_of(output))
    seconds = as_real(every)
    if seconds is None or not 0 < seconds < math.inf:
        raise UserError(f"`every` must be a number of seconds above 0. Received: `every={every!r}`")
    from a2keras.export.timeline import timeline as classify
    from a2keras.models.preprocessing.errors import DecodeError

    model = _found(artefact, None, crops)
    for error in _missing([place_of(file)]).values():
        raise UserError(str(error))
    with _loaded(model) as loaded:
        try:
            found = classify(loaded, place_of(file), seconds, crops)
        except DecodeError as error:
            raise UserError(str(error)) from error
    if directory is not None:
        found.save(directory)
    return found


def _found(artefact: "Place | Artefact", views: int | None, crops: int) -> "Found | Artefact":
    """A model that can make such views; one on disk is not loaded yet, which takes seconds."""
    from a2keras.export.predict import Artefact, find

    model = artefact if isinstance(artefact, Artefact) else find(place_of(artefact))
    _check_views(model.path, model.preprocessing, views, crops)
    return model


def _loaded(model: "Found | Artefact") -> contextlib.AbstractContextManager["Artefact"]:
    """The model for a block. One that was loaded already its owner closes."""
    from a2keras.export.predict import Artefact

    return contextlib.nullcontext(model) if isinstance(model, Artefact) else model.load()


def _check_views(path: Path, preprocessing: Preprocessing, views: int | None, crops: int) -> None:
    if views is not None and not preprocessing.is_video:
        raise UserError(f"`views` is for videos, and {path} takes images")
    if crops not in (1, 3) or (crops == 3 and preprocessing.fit != "crop"):
        raise UserError(
            "`crops` must be 1, or 3 where the preprocessing crops. "
            f"Received: `crops={crops}`, fit={preprocessing.fit!r}"
        )


def _classified(model: "Artefact", file: str, views: int, crops: int, top: int) -> Prediction:
    scores = model.classify(file, views, crops)
    preprocessing = model.preprocessing

    def named(numbers: Iterable[int]) -> tuple[Class, ...]:
        return tuple(Class(preprocessing.labels[i], round(float(scores[i]), 6)) for i in numbers)

    best = (-scores).argsort(kind="stable")[:top].tolist()
    said = named(preprocessing.said(scores)) if preprocessing.multi_label else None
    return Prediction(file, named(best), said)

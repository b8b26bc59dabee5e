"""How right an artefact is: on labelled data, by the views that `predict` has."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from a2keras.console import progress
from a2keras.errors import UserError
from a2keras.export.predict import Found, find
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.training.config import Recipe
from a2keras.training.data import open_held_out
from a2keras.training.data.labels import are_sets
from a2keras.training.data.report import FILE_NAME, trained_on
from a2keras.training.data.source import Source
from a2keras.training.labelling import mean_average_precision


class Labelled(NamedTuple):
    """An artefact, and the examples that it is scored on, labelled as it numbers its classes."""

    found: Found
    split: str
    source: Source

    @classmethod
    def open(cls, path: str, data: str) -> "Labelled":
        """Lists the data; nothing is decoded, and the artefact is not loaded.

        Args:
            path: anything that `predict.load` takes.
            data: a source, such as "folder:photos": its test split, or validation, or all of one
                without splits.

        Raises:
            UserError: no such artefact, or data that cannot be used or have other classes.
        """
        found = find(path)
        preprocessing = found.preprocessing
        task = "video" if preprocessing.is_video else "image"
        recipe = Recipe("benchmark", task=task, multi_label=preprocessing.multi_label)
        return cls(found, *open_held_out(recipe, preprocessing.labels, data))

    def about(self) -> dict[str, Any]:
        """On which examples a score stands."""
        return {
            "split": self.split,
            "split_rule": self.source.split_rule,
            "fingerprint": self.source.fingerprint,
            "examples": len(self.source.splits[self.split]),
        }

    def warning(self) -> str | None:
        """Where the artefact is a run that was trained on some of the examples."""
        run = self.found.path if self.found.path.is_dir() else self.found.path.parent
        # Beside an artefact of another origin a data.json may be anything.
        known = all((run / name).is_file() for name in ("recipe.json", FILE_NAME))
        return trained_on(run, self.source, self.split) if known else None

    def score(self) -> dict[str, Any]:
        """`top1`, the share of right answers among the examples that can be read, or `mAP` of
        multi-label data; and `unreadable`.

        Raises:
            UserError: the artefact does not load or run, or none can be read.
        """
        examples = self.source.splits[self.split]
        read: list[int] = []
        outputs: list[np.ndarray] = []
        with self.found.load() as artefact:
            name = Path(self.found.path).name
            for index in progress(range(len(examples)), f"scoring {name}", "example"):
                try:
                    view = artefact.preprocessing.view(examples.frames(index))
                except DecodeError:
                    continue
                read.append(index)
                outputs += [*artefact.probabilities(view[None])]
        if not read:
            raise UserError(f"none of the {len(examples)} {self.split} examples can be read")
        labels, probabilities = examples.labels[read], np.stack(outputs)
        unreadable = {"unreadable": len(examples) - len(read)}
        if are_sets(labels):
            return {"mAP": mean_average_precision(labels, probabilities), **unreadable}
        return {"top1": float((probabilities.argmax(axis=1) == labels).mean()), **unreadable}

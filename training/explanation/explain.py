"""What a network looks at: where the evidence for its classes is, where its blocks gather."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from a2keras.console import progress, say
from a2keras.documents import write_json
from a2keras.drawing import drawable
from a2keras.errors import UserError
from a2keras.files import write_text
from a2keras.models import keras_files
from a2keras.models.preprocessing.decode import files_in
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.places import local
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.models.weights import fetching, published
from a2keras.training.data.labels import kinds, names_of
from a2keras.training.evaluation.held_out import HeldOut
from a2keras.training.explanation.overlays import draw_attention, draw_input
from a2keras.training.explanation.page import page
from a2keras.training.output import writing
from a2keras.training.run.directory import Run

if TYPE_CHECKING:
    from a2keras.training.explanation.attended import Attended


@dataclass(frozen=True)
class Example:
    """Something to explain: its name, the pixels that enter the network, its labels if known."""

    name: str
    pixels: np.ndarray
    labels: tuple[str, ...] | None = None

    @property
    def label(self) -> str | None:
        """All its labels as one text, if they are known."""
        return None if self.labels is None else ", ".join(self.labels) or "nothing"


@dataclass(frozen=True)
class Explainable:
    """A network on disk, before it is loaded: a run's, a `.keras` file's or published weights.

    Attributes:
        place: as the user has named it.
        preprocessing: from a file to its input.
        load: gives the model, pixels (B, *input_shape) → probabilities.
        run: where it is one.
    """

    place: str
    preprocessing: Preprocessing
    load: Callable[[], Any]
    run: Run | None = None

    @classmethod
    def open(cls, place: str) -> "Explainable":
        """What a place holds.

        Raises:
            UserError: none of these.
        """
        path = Path(place)
        record = None if path.exists() else published.find(place)
        if record is not None:
            return cls(place, fetching.preprocessing_of(record), lambda: _published(record))
        run = None if path.suffix == ".keras" and path.is_file() else Run.load(path)
        file = path if run is None else run.model_path
        preprocessing = Preprocessing.load(file.parent)
        load = functools.partial(keras_files.load_classifier, file, preprocessing)
        return cls(place, preprocessing, load, run)


def _published(record: published.Published) -> Any:
    from a2keras.models.weights import start

    return start.classifier(record)


def explain(
    place: str | Path,
    files: list[str],
    output: str | Path,
    samples: int = 4,
    deletion: bool = False,
) -> dict:
    """Draws one picture per file, and writes `explain.json`, a page and the inputs beside them.

    Args:
        place: directory of a finished run, a `.keras` file with its `preprocessing.json` beside it,
            or published weights such as "i3d:kinetics400".
        files: images or videos, or folders of them; none: `samples` examples that the run held out,
            of several classes.
        output: directory for the pictures.
        samples: how many examples to take where no file is given.
        deletion: whether the maps are put to the test, see `deletion.py`.

    Returns:
        What `explain.json` says.

    Raises:
        UserError: no finished run, a network without feature maps, no file that can be read, or an
            output directory with something else in it.
    """
    output, network = local(output), Explainable.open(str(place))
    if not _is_ours(output):
        raise UserError(f"{output} exists and holds something else: choose another `output`")
    examples, skipped = _examples(network, files, samples)
    # Keras, which takes seconds, is loaded only now.
    from a2keras.training.explanation.attended import Onlooker
    from a2keras.training.explanation.deletion import BLANKED_BY, summary, views_needed

    onlooker = Onlooker(network.load(), network.preprocessing.labels)
    explained: list[dict] = []
    document: dict[str, Any] = {
        "run": network.place,
        "class_maps": {"method": "Grad-CAM", "layer": onlooker.class_maps.layer},
        "explained": explained,
        "skipped": skipped,
    }
    with writing("the pictures", output):
        output.mkdir(parents=True, exist_ok=True)
        if not (output / "explain.json").exists():
            # By it the directory is known: this may be interrupted.
            write_json(output / "explain.json", document)
        for number, example in enumerate(progress(examples, "explaining", unit=" examples"), 1):
            picture = output / f"{number:02}_{_file_name(example.name)}.png"
            attended = onlooker.look(example.pixels, example.labels or ())
            entry = _picture(example, attended, picture)
            if deletion:
                if number == 1:
                    say(f"deletion: {views_needed(attended)} views of each example are computed")
                entry["deletion"] = _deletion(onlooker.model, example, attended, picture)
            explained.append(entry)
        if deletion:
            tests = [each["deletion"]["maps"] for each in explained]
            document["deletion"] = {"blanked_by": BLANKED_BY, "maps": summary(tests)}
        write_json(output / "explain.json", document)
        write_text(output / "index.html", page(document))
    return document


def _is_ours(output: Path) -> bool:
    """Whether pictures may be written into a directory: it is new, or holds such already."""
    if not output.exists() or (output / "explain.json").exists():
        return True
    return output.is_dir() and all(path.match(".*.partial*") for path in output.iterdir())


def _examples(
    network: Explainable, files: list[str], samples: int
) -> tuple[list[Example], list[dict]]:
    if files:
        found = files_in(files, network.preprocessing.is_video)
        return _from_files(found, network.preprocessing)
    if network.run is None:
        raise UserError(f"{network.place} is no run, which would hold examples out: give files")
    return _held_out(HeldOut.open(network.run.path), samples), []


def _from_files(files: list[str], preprocessing: Preprocessing) -> tuple[list[Example], list[dict]]:
    examples, skipped = [], []
    for file in files:
        try:
            examples.append(Example(file, preprocessing.views(file)[0]))
        except DecodeError as error:
            skipped.append({"path": file, "reason": str(error)})
    if not examples:
        raise UserError(skipped[0]["reason"])
    return examples, skipped


def _held_out(held_out: HeldOut, samples: int) -> list[Example]:
    """Examples that were not trained on, of as many classes as possible, always the same ones."""
    preprocessing, examples = held_out.preprocessing, held_out.examples
    # Every class' first example, then every class' second one, …
    rank, kind = np.zeros(len(examples), int), kinds(examples.labels)
    for each in np.unique(kind):
        rank[kind == each] = np.arange((kind == each).sum())
    known = names_of(examples.labels, preprocessing.labels)
    found: list[Example] = []
    for i in np.lexsort((kind, rank)):
        try:
            pixels = preprocessing.view(examples.frames(int(i)))
        except DecodeError:  # the run's report lists it
            continue
        found.append(Example(examples.names[i], pixels, known[i]))
        if len(found) == samples:
            break
    if not found:
        raise UserError("none of the held-out examples can be read")
    return found


def _file_name(name: str) -> str:
    """The name of a picture of an example, without its suffix; a number before it tells them apart.

    File systems take 255 bytes.
    """
    plain = re.sub(r"[^\w-]+", "_", Path(name).stem).strip("_")
    return plain.encode()[:100].decode(errors="ignore")


def _deletion(model: Any, example: Example, attended: "Attended", picture: Path) -> dict:
    """Puts the maps to the test; returns what is said of it in `explain.json`."""
    from a2keras.training.explanation.deletion import delete
    from a2keras.training.explanation.deletion_chart import draw_deletion

    found = delete(model, example.pixels, attended)
    drawn = picture.with_name(f"{picture.stem}_deletion.png")
    name, first = drawable(Path(example.name).name, 60), attended.class_maps[0]
    draw_deletion(found, f"{name}: {drawable(first.label)}", drawn)
    return {"picture": drawn.name, "maps": [each.document() for each in found]}


def _picture(example: Example, attended: "Attended", picture: Path) -> dict:
    """Draws what was attended to; returns what is said of it in `explain.json`."""
    first = attended.class_maps[0]
    prediction = f"{drawable(first.label)} ({first.probability:.1%})"
    truth = f", in truth {drawable(example.label)}" if example.label is not None else ""
    title = f"{drawable(Path(example.name).name, 60)}: {prediction}{truth}"
    frames = example.pixels if example.pixels.ndim == 4 else example.pixels[None]
    draw_attention(frames, attended.class_maps, attended.blocks, title, picture)
    entered = draw_input(example.pixels, picture.with_name(f"{picture.stem}_input"))
    return {
        "name": example.name,
        "picture": picture.name,
        "input": entered.name,
        "prediction": first.label,
        "probability": round(first.probability, 4),
        **({"label": example.label} if example.label is not None else {}),
        "class_maps": [
            {
                "label": each.label,
                "probability": round(each.probability, 4),
                "positions": list(each.map.shape),
                "peak_over_uniform": round(each.peak(), 2),
            }
            for each in attended.class_maps
        ],
        "blocks": [
            {
                "name": block.name,
                "positions": list(block.gather.shape[:-1]),
                "descriptors": block.gather.shape[-1],
                "most_concentrated": [
                    {"descriptor": i, "peak_over_uniform": round(float(block.peaks()[i]), 2)}
                    for i in block.most_concentrated(4)
                ],
                "descriptors_chosen": len(np.unique(block.distribution.argmax(axis=-1))),
            }
            for block in attended.blocks
        ],
    }

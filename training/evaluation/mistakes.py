"""What a run said of every example: as a table, and a page of the worst mistakes to look at."""

import html
import io
from collections.abc import Iterator

import numpy as np

from a2keras.cells import csv_text
from a2keras.errors import counted, printable
from a2keras.html_page import data_address, document
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.spec import THRESHOLD, Preprocessing
from a2keras.training.data.labels import SEPARATOR, are_sets, names_of
from a2keras.training.data.source import Examples

LIKELIEST = 5
SHOWN = 24
FRAMES_SHOWN = 4
SIDE = 160  # pixels of the pictures

_STYLE = f"""<style>
.mistakes {{ display: grid; grid-template-columns: repeat(auto-fill, minmax({SIDE}px, 1fr));
  gap: 1.5rem 1.25rem }}
.mistakes.clips {{ grid-template-columns: repeat(auto-fill, minmax(25rem, 1fr)) }}
.mistakes figure {{ margin: 0 }} .mistakes div {{ display: flex; gap: 2px }}
.mistakes img {{ width: 100%; min-width: 0; flex: 1 1 0; border-radius: 4px }}
.mistakes.images img {{ max-width: {SIDE}px }}
figcaption {{ overflow-wrap: anywhere }} figcaption b {{ color: #b42318 }}
</style>"""


def predictions_csv(
    names: list[str], truth: np.ndarray, probabilities: np.ndarray, labels: tuple[str, ...]
) -> str:
    """A line for each example: its file, its class, and the likeliest classes.

    Of multi-label data these are all its labels with `|` between them, and so is `predicted`, what
    was said of it.

    Args:
        names: of the examples.
        truth: of them, see `labels`.
        probabilities: (N, classes).
        labels: names of the classes.
    """
    likeliest = np.argsort(-probabilities, axis=1, kind="stable")[:, :LIKELIEST]
    known = [names_of(truth, labels)]
    if several := are_sets(truth):
        known.append(names_of(probabilities >= THRESHOLD, labels))
    header: list[object] = ["file", "truth", *["predicted"] * several]
    for rank in range(1, likeliest.shape[1] + 1):
        header += [f"class_{rank}", f"probability_{rank}"]
    rows = [header]
    for name, order, row, *own in zip(names, likeliest, probabilities, *known, strict=True):
        cells = [(labels[i], round(float(row[i]), 6)) for i in order]
        texts = map(SEPARATOR.join, own)
        rows.append([name, *texts, *(cell for pair in cells for cell in pair)])
    return csv_text(rows)


def worst(truth: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The examples of which something wrong is said, the most confident first, and what that is.

    Returns:
        int (mistakes,), their numbers; and of each the class that it is taken for or, of
        multi-label data, the label whose probability is furthest from what is so: int (mistakes,).
    """
    if are_sets(truth):
        far = np.abs(probabilities - truth)
        said = far.argmax(axis=1)
        every = np.arange(len(truth))
        wrong = np.flatnonzero((probabilities[every, said] >= THRESHOLD) != truth[every, said])
        sure = far.max(axis=1)
    else:
        said, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
        wrong = np.flatnonzero(said != truth)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")]
    return wrong, said[wrong]


def mistakes_page(
    title: str,
    examples: Examples,
    read: list[int],
    probabilities: np.ndarray,
    preprocessing: Preprocessing,
) -> str:
    """The worst mistakes with their pictures, as a page that needs no other file.

    Args:
        title: what was scored, with its score.
        examples: that were scored.
        read: which of them could be read.
        probabilities: (N, classes), of those.
        preprocessing: from frames to the view that is shown, and names of the classes.
    """
    truth = examples.labels[read]
    wrong, said = worst(truth, probabilities)
    summary = counted(len(wrong), "mistake")
    if len(wrong) > SHOWN:
        summary += f", of which these {SHOWN} are the most confident"
    kind = "clips" if preprocessing.is_video else "images"
    labels = preprocessing.labels
    number = {name: label for label, name in enumerate(labels)}
    figures = []
    for i, best in zip(wrong[:SHOWN], said, strict=False):
        known = [
            f"{_safe(name)} · {probabilities[i, number[name]]:.1%}"
            for name in names_of(truth[[i]], labels)[0]
        ]
        wrongly = ("said: ", "missed: ")[bool(truth[i, best])] if are_sets(truth) else ""
        caption = (
            f"<b>{wrongly}{_safe(labels[best])} · {probabilities[i, best]:.1%}</b><br>in truth "
            f"{', '.join(known) or 'nothing'}<br>{_safe(examples.names[read[i]])}"
        )
        images = "".join(
            f"<img src='{data_address(picture, 'image/jpeg')}' alt=''>"
            for picture in _pictures(examples, read[i], preprocessing)
        )
        figures.append(f"<figure><div>{images}</div><figcaption>{caption}</figcaption></figure>")
    parts = [_STYLE, "<h1>The worst mistakes</h1>", f"<p>{_safe(title)}: {summary}.</p>"]
    parts += [f"<div class='mistakes {kind}'>", *figures, "</div>"]
    return document("a2keras evaluate: the worst mistakes", parts)


def _pictures(examples: Examples, index: int, preprocessing: Preprocessing) -> Iterator[bytes]:
    """What the network saw of an example, as JPEG files: the image, or some frames of the clip."""
    from PIL import Image

    try:
        view = preprocessing.view(examples.frames(index))
    except DecodeError:  # gone since it was scored
        return
    frames = view if view.ndim == 4 else view[None]
    times = np.unique(np.linspace(0, len(frames) - 1, FRAMES_SHOWN).round().astype(int))
    for frame in frames[times if len(frames) > 1 else [0]]:
        buffer = io.BytesIO()
        scale = Image.Resampling.LANCZOS if len(frame) > SIDE else Image.Resampling.NEAREST
        Image.fromarray(frame).resize((SIDE, SIDE), scale).save(buffer, "JPEG", quality=85)
        yield buffer.getvalue()


def _safe(text: str) -> str:
    return html.escape(printable(text))

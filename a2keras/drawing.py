"""Pictures with foreign names in them: drawn as they are, in fonts that have their characters."""

import contextlib
import functools
import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

from a2keras.console import say
from a2keras.errors import printable
from a2keras.files import replacing

# What would make matplotlib read a name, such as `$5`, as mathematics.
_LITERAL: Any = {
    "text.parse_math": False,
    "text.usetex": False,
    "axes.formatter.use_mathtext": False,
}
_reported: set[str] = set()


@contextlib.contextmanager
def figure(
    path: str | Path, *shape: int, size: tuple[float, float], dpi: int, **options: Any
) -> Iterator[tuple[Any, Any]]:
    """A figure and its axes, which are written to a file when the block ends well.

    They are never drawn to a screen, whatever the user's backend is.

    Args:
        path: the file, see `files.replacing`.
        *shape: rows and columns of axes; default: one.
        size: width and height in inches.
        dpi: dots per inch.
        **options: of `Figure.subplots`.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_LITERAL):
        drawing = Figure(figsize=size, layout="constrained", facecolor="white")
        FigureCanvasAgg(drawing)
        yield drawing, drawing.subplots(*shape, **options)
        _choose_fonts(drawing)
        with replacing(path) as partial, warnings.catch_warnings():
            # They have been reported, once and not for every character.
            warnings.filterwarnings("ignore", ".*(missing from|does not support)")
            drawing.savefig(partial, dpi=dpi)


def drawable(name: str, longest: int = 40) -> str:
    """A foreign name as a picture shows it: one line, of a long one the beginning and the end.

    A legend leaves out what begins with an underscore. Chinese, Japanese and Korean characters are
    as wide as two others.
    """
    name = printable(name)
    if columns(name) > longest:
        end = _beginning(name[::-1], longest // 3)[::-1]
        name = f"{_beginning(name, longest - longest // 3 - 1)}…{end}"
    return f" {name}" if name.startswith("_") else name


def columns(text: str) -> int:
    """How wide a text is, in characters of the usual width."""
    return sum(1 + (east_asian_width(each) in "WF") for each in text)


def _beginning(text: str, most: int) -> str:
    """As many characters of a text as fit into some columns, one at least."""
    widths = itertools.accumulate(map(columns, text))
    return text[: max(1, sum(width <= most for width in widths))]


def title_in_lines(text: str, inches: float, points: float) -> str:
    """A bold title in lines that fit into a width, between words where that is possible."""
    most = max(1, int(72 * inches / (0.68 * points)))  # of the usual font
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if columns(longer) <= most:
            lines[-1] = longer
            continue
        lines += [word] if lines[-1] else []
        lines[-1] = lines[-1] or word
        while columns(lines[-1]) > most:
            begun = _beginning(lines[-1], most)
            lines[-1:] = [begun, lines[-1][len(begun) :]]
    return "\n".join(lines)


def _choose_fonts(drawing: Any) -> None:
    """Gives all texts fonts behind the usual one, where that lacks some of their characters."""
    import matplotlib as mpl
    from matplotlib.text import Text

    for axes in drawing.axes:  # the texts of ticks are made when they are read
        axes.get_xticklabels(), axes.get_yticklabels()
    texts = drawing.findobj(Text)
    needed = {character for text in texts for character in text.get_text() if character > "\x7f"}
    families, missing = _families(frozenset(needed))
    for text in texts if families else ():
        text.set_fontfamily([*mpl.rcParams["font.family"], *families])
    if unknown := sorted(set(missing) - _reported):
        _reported.update(unknown)
        examples = "".join(unknown[:10])
        say(
            f"{len(unknown)} characters are in no font that is installed here, such as {examples}: "
            "pictures show boxes in their place (Noto fonts have most characters)"
        )


@functools.cache
def _families(needed: frozenset[str]) -> tuple[list[str], frozenset[str]]:
    """Font families that together have these characters, and the characters that none has."""
    from matplotlib import font_manager

    first = font_manager.findfont(font_manager.FontProperties())
    missing, families = needed - _characters(first), []
    for entry in sorted(font_manager.fontManager.ttflist, key=lambda entry: entry.name):
        if not missing:
            break
        if "Last Resort" in entry.name:  # it has a box for every character
            continue
        if found := missing & _characters(entry.fname):
            families.append(entry.name)
            missing -= found
    return families, missing


@functools.cache
def _characters(font: str) -> frozenset[str]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(font).get_charmap()))
    except (OSError, RuntimeError):  # removed, or of pictures instead of outlines
        return frozenset()

"""Pictures with names of every kind in them: written whole, literally, in fonts that have them."""

import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")
from matplotlib.text import Text

from a2keras import drawing
from a2keras.drawing import drawable, figure, title_in_lines


def draw(path, *names: str) -> list[str]:
    """Writes a picture with the names at ticks, as title and in a legend; returns what it shows."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with figure(path, size=(4, 3), dpi=50) as (whole, axes):
            shown = [drawable(name) for name in names]
            axes.set_xticks(range(len(names)), shown)
            axes.set_title(shown[0])
            for each in shown:
                axes.plot([0, 1], [0, 1], label=each)
            legend = axes.legend()
            assert [text.get_text() for text in legend.get_texts()] == shown
    return [text.get_text() for text in whole.findobj(Text)]


def pixels(path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image)


NAMES = ["$5", "a$b_$c{", r"$\frac{$", r"\$x\$", "^{", "_hidden", "a_b$", "%d {x}", "a\nb", "\t"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_look_like_mathematics_or_markup(tmp_path, name):
    shown = draw(tmp_path / "a.png", name, "other")
    assert {drawable(name), "other"} <= set(shown)
    assert pixels(tmp_path / "a.png").std() > 10


def test_dollars_are_drawn_as_such(tmp_path):
    """`$x$` is wider than an italic x."""
    for name, text in (("a", "$x$" * 10), ("b", "x" * 10)):
        with figure(tmp_path / f"{name}.png", size=(4, 3), dpi=50) as (_, axes):
            axes.set_axis_off()
            axes.text(0, 0, text)
    widths = [np.ptp(np.nonzero((pixels(tmp_path / f"{n}.png") < 128).any((0, 2)))) for n in "ab"]
    assert widths[0] > 2 * widths[1]


def test_drawable_names():
    assert drawable("a\x1b[31m\udcff\u202e") == "a\\x1b[31m\\xff\\u202e"
    assert drawable("x" * 40) == "x" * 40
    assert drawable("a" * 50 + "b" * 50) == "a" * 26 + "…" + "b" * 13
    assert len(drawable("é" * 500, 60)) == 60
    assert drawable("_x") == " _x"
    assert drawable("日" * 20) == "日" * 20  # as wide as 40 others
    assert drawable("日" * 21) == "日" * 13 + "…" + "日" * 6


def test_titles_in_lines():
    """10 points of 0.68 em: 10 columns to 68 points."""
    inches = 68 / 72 + 1e-6
    for text, lines in (
        ("short", ["short"]),
        ("one two three", ["one two", "three"]),
        ("a 0123456789abcdefghijkl b", ["a", "0123456789", "abcdefghij", "kl b"]),
        ("0123456789abc", ["0123456789", "abc"]),
        ("日本語の名前です", ["日本語の名", "前です"]),
        ("", [""]),
    ):
        assert title_in_lines(text, inches, 10).split("\n") == lines


@pytest.mark.parametrize("words", ["a file_name.avi: class " * 4, "ABC DEF " * 9, "long_word" * 9])
def test_titles_stay_within_the_picture(tmp_path, words):
    title = title_in_lines(words, 4, 13)
    with figure(tmp_path / "a.png", size=(4, 3), dpi=100) as (whole, _):
        text = whole.suptitle(title, fontweight="bold", fontsize=13)
    box = text.get_window_extent(whole.canvas.get_renderer())
    assert 0 <= box.x0 < box.x1 <= whole.bbox.width == 400


def test_fonts_that_have_the_characters_are_taken(tmp_path):
    """One that only another of matplotlib's own fonts has."""
    import matplotlib
    from matplotlib import font_manager

    # Lists of fonts that matplotlib keeps may be of an installation that has gone.
    stix = Path(matplotlib.get_data_path(), "fonts/ttf/STIXGeneral.ttf")
    font_manager.fontManager.addfont(stix)
    usual = drawing._characters(font_manager.findfont("DejaVu Sans"))
    others = drawing._characters(str(stix)) - usual
    character = min(each for each in others if ord(each) > 0x2000 and each.isprintable())
    families, missing = drawing._families(frozenset(character + "é"))
    assert families
    assert missing == frozenset()
    draw(tmp_path / "a.png", character)


def test_characters_without_a_font_are_told_once(tmp_path, capsys):
    character = "\U000e01f0"  # assigned to nothing that a font would draw
    assert drawing._families(frozenset(character)) == ([], frozenset(character))
    draw(tmp_path / "a.png", f"a{character}")
    draw(tmp_path / "b.png", f"b{character}")
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith("1 characters are in no font that is installed here, such as ")


def test_nothing_is_left_of_a_picture_that_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), figure(tmp_path / "a.png", size=(1, 1), dpi=50):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []

"""The confusion matrix of few classes and of many: names and numbers as far as they can be read."""

import contextlib

import numpy as np
import pytest

from a2keras.training import charts
from a2keras.training.charts import confusions, draw_confusion


def test_what_is_confused_most_often():
    """By number; of equal numbers, what is more usual of its class."""
    matrix = np.array([[9, 3, 0], [2, 1, 2], [3, 0, 0]])
    assert confusions(matrix, ("a", "_b", "c")) == [
        "3 of 3: c → a",
        "3 of 12: a → _b",
        "2 of 5: _b → a",
        "2 of 5: _b → c",
    ]
    assert confusions(np.diag([3, 5]), ("a", "b")) == []
    many = np.zeros((101, 101), int)
    many[:, 7] = 5
    names = tuple(f"n{i}" for i in range(101))
    found = confusions(many, names)
    assert (len(found), found[0]) == (30, "5 of 5: 0 n0 → 7 n7")


@pytest.mark.parametrize(
    ("count", "named", "numbers", "axes"),
    [(5, True, 7, 2), (31, True, 0, 3), (101, False, 0, 3)],
)
def test_names_and_numbers_are_drawn_as_far_as_they_fit(
    tmp_path, monkeypatch, count, named, numbers, axes
):
    """Beside the matrix are the bar of its colours, and the list."""
    drawn = []

    @contextlib.contextmanager
    def figure(*arguments, **options):
        with original(*arguments, **{**options, "dpi": 20}) as (drawing, parts):
            yield drawing, parts
        drawn.append(drawing)

    original = charts.figure
    monkeypatch.setattr(charts, "figure", figure)
    matrix = np.diag(np.full(count, 3))
    matrix[0, [3, 4]] = 1
    draw_confusion(matrix, tuple(f"n{i}" for i in range(count)), "title", tmp_path / "a.png")
    (drawing,) = drawn
    matrix_axis = drawing.axes[0]
    labels = [label.get_text() for label in matrix_axis.get_yticklabels()]
    assert (labels == [f"n{i}" for i in range(count)]) == named
    assert len(labels) <= 100
    assert len(matrix_axis.texts) == numbers
    assert len(drawing.axes) == axes
    if axes == 3:
        texts = [text.get_text() for axis in drawing.axes for text in axis.texts]
        prefix = ("0 ", "3 ") if not named else ("", "")
        assert texts[0].splitlines()[:2] == [
            "Most often confused:", f"1 of 5: {prefix[0]}n0 → {prefix[1]}n3"
        ]  # fmt: skip

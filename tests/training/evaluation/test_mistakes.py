"""What a run says of every example: the table, the worst mistakes; F1 and calibration by hand."""

import csv
import re

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.config import Recipe
from a2keras.training.data.source import ArrayExamples, Examples
from a2keras.training.evaluation.calibration import calibration
from a2keras.training.evaluation.mistakes import mistakes_page, predictions_csv, worst
from a2keras.training.evaluation.scores import scores


def test_calibration_by_hand():
    """Two of three right at 0.9, 0.85, 0.9 (its edge belongs below it); one of two at 0.6, 0.55."""
    first = np.array([0.9, 0.85, 0.9, 0.6, 0.55])
    probabilities = np.stack([first, 1 - first], axis=1)
    found = calibration(probabilities, np.array([0, 0, 1, 0, 1]))
    assert found["bins"] == [
        {
            "above": 0.5,
            "up_to": 0.6,
            "examples": 2,
            "confidence": pytest.approx(0.575),
            "accuracy": 0.5,
        },
        {
            "above": 0.8,
            "up_to": 0.9,
            "examples": 3,
            "confidence": pytest.approx(2.65 / 3),
            "accuracy": pytest.approx(2 / 3),
        },
    ]
    want = 2 / 5 * 0.075 + 3 / 5 * (2.65 / 3 - 2 / 3)
    assert found["expected_calibration_error"] == pytest.approx(want)


def test_bins_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([0.3] * 7, 997)
    labels = random.integers(0, 7, 997)
    found = calibration(probabilities, labels)
    right = probabilities.argmax(axis=1) == labels
    accuracies, means = calibration_curve(right, probabilities.max(axis=1), n_bins=10)
    np.testing.assert_allclose([each["accuracy"] for each in found["bins"]], accuracies)
    np.testing.assert_allclose([each["confidence"] for each in found["bins"]], means)
    assert sum(each["examples"] for each in found["bins"]) == 997
    perfect = calibration(np.eye(7)[labels], labels)
    assert perfect["expected_calibration_error"] == 0


def test_f1_by_hand():
    """Class a: of 3, 2 are found, and 1 of b is taken for it: 2·2 / (3 + 3). b: 2·1 / (3 + 2).

    c is neither there nor predicted, d is predicted once and is not there: it counts 0.
    """
    predicted = [0, 0, 1, 0, 1, 3]
    probabilities = np.eye(4)[predicted][:, None]
    labels = np.array([0, 0, 0, 1, 1, 1])
    found = scores(probabilities, labels, tuple("abcd"), Recipe("mine", task="image"))
    a, b = 2 * 2 / (3 + 3), 2 * 1 / (3 + 2)
    assert found["macro_f1"] == pytest.approx((a + b + 0) / 3)
    assert found["weighted_f1"] == pytest.approx((3 * a + 3 * b) / 6)


PROBABILITIES = np.array(
    [[0.1, 0.9], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6]], "float32"
)  # of classes 0, 0, 1, 0: the first and the last are wrong


def test_the_table_has_no_formulas():
    names, labels = ["=1+1.png", "b,c.png", 'd"e.png', "f.png"], ("@a", "b")
    text = predictions_csv(names, np.array([0, 0, 1, 0]), PROBABILITIES, labels)
    rows = list(csv.reader(text.splitlines()))
    assert rows[0] == ["file", "truth", "class_1", "probability_1", "class_2", "probability_2"]
    assert rows[1] == ["'=1+1.png", "'@a", "b", "0.9", "'@a", "0.1"]
    assert [row[0] for row in rows[2:]] == names[1:]
    seven = np.arange(7)[None] / 21
    (_, row) = predictions_csv(["a"], np.array([2]), seven, tuple("abcdefg")).splitlines()
    assert row == "a,c,g,0.285714,f,0.238095,e,0.190476,d,0.142857,c,0.095238"


def test_the_worst_mistakes_are_the_most_confident():
    wrong, said = worst(np.array([0, 0, 1, 0]), PROBABILITIES)
    assert (wrong.tolist(), said.tolist()) == ([0, 3], [1, 1])
    assert worst(np.array([1, 0, 1, 1]), PROBABILITIES)[0].tolist() == []


class Clips(Examples):
    labels, names, is_video = np.array([0, 0, 1, 0]), tuple("abcd"), True

    def frames(self, index):
        return np.full((9, 16, 16, 3), 20 * index, "uint8")


def test_the_page_holds_its_pictures():
    images = np.stack([np.full((16, 16, 3), shade, "uint8") for shade in (0, 60, 120, 180)])
    names = ("<script>.png", "b", "c", "d\x1b[31m.png")
    examples = ArrayExamples(images, np.array([0, 0, 1, 0]), names)
    preprocessing = Preprocessing(("<b>", "light"), 16)
    page = mistakes_page("top-1 50 %", examples, [0, 1, 2, 3], PROBABILITIES, preprocessing)
    assert "<script" not in page and "\x1b" not in page
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    assert captions == [
        "<b>light · 90.0%</b><br>in truth &lt;b&gt; · 10.0%<br>&lt;script&gt;.png",
        "<b>light · 60.0%</b><br>in truth &lt;b&gt; · 40.0%<br>d\\x1b[31m.png",
    ]
    assert "top-1 50 %: 2 mistakes." in page
    assert len(re.findall("<img src='data:image/jpeg;base64,", page)) == 2
    assert re.search(r"src='(?!data:)|href=", page) is None
    clips = Preprocessing(("a", "b"), 16, frames=5)
    page = mistakes_page("video@1", Clips(), [0, 1, 2, 3], PROBABILITIES, clips)
    assert len(re.findall("<img src='data:image/jpeg;base64,", page)) == 2 * 4
    many = np.repeat(PROBABILITIES[:1], 30, axis=0)
    page = mistakes_page("t", Clips(), [0] * 30, many, clips)
    assert "t: 30 mistakes, of which these 24 are the most confident." in page
    assert page.count("<figure>") == 24
    several = ArrayExamples(images, np.array([[1, 1], [0, 0], [1, 0], [0, 1]], bool), tuple("abcd"))
    page = mistakes_page("t", several, [0, 1, 2, 3], PROBABILITIES, preprocessing)
    captions = re.findall(r"<figcaption><b>(.*?)</figcaption>", page)
    assert captions == [
        "missed: &lt;b&gt; · 10.0%</b><br>in truth &lt;b&gt; · 10.0%, light · 90.0%<br>a",
        "missed: &lt;b&gt; · 20.0%</b><br>in truth &lt;b&gt; · 20.0%<br>c",
        "said: &lt;b&gt; · 70.0%</b><br>in truth nothing<br>b",
    ]
    none = mistakes_page("t", Clips(), [1], PROBABILITIES[1:2], clips)
    assert "t: 0 mistakes." in none and "<img" not in none

"""Scores of examples with any number of labels, by hand, and what is written of them."""

import numpy as np
import pytest

from a2keras.training.config import Recipe
from a2keras.training.evaluation.mistakes import predictions_csv, worst
from a2keras.training.evaluation.multi_label import class_table
from a2keras.training.evaluation.scores import headline, measures_of, scores, table

CLASSES = ("cat", "dog", "owl", "zebra")
THERE = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]], bool)
SAID = np.array(
    [
        [0.9, 0.6, 0.1, 0.0],
        [0.8, 0.7, 0.2, 0.1],
        [0.4, 0.3, 0.3, 0.0],
        [0.1, 0.2, 0.5, 0.0],
        [0.3, 0.1, 0.4, 0.2],
    ]
)
RECIPE = Recipe("mine", task="image", multi_label=True)


def test_scores_by_hand():
    document = scores(SAID[:, None], THERE, CLASSES, RECIPE)
    # cat: ranks 1 and 3; dog: ranks 1 and 3; owl: rank 1; no zebra.
    assert document["mAP"] == pytest.approx((5 / 6 + 5 / 6 + 1) / 3)
    assert document["micro_f1"] == pytest.approx(2 * 3 / (5 + 5))  # 3 right, 5 said, 5 there
    assert document["macro_f1"] == pytest.approx((2 / 4 + 2 / 4 + 1) / 3)
    assert document["chance_mAP"] == pytest.approx((2 / 5 + 2 / 5 + 1 / 5) / 3)
    assert document["per_class"]["dog"] == {
        "examples": 2, "average_precision": 0.8333, "precision": 0.5, "recall": 0.5, "f1": 0.5,
    }  # fmt: skip
    assert document["per_class"]["zebra"] == {
        "examples": 0, "average_precision": None, "precision": 0.0, "recall": 0.0, "f1": 0.0,
    }  # fmt: skip
    assert document["protocol"] == ["mAP and F1: centre crop"]
    assert "confusion" not in document
    assert "top1" not in document
    assert sum(each["examples"] for each in document["calibration"]["bins"]) == 20
    # Of the seven from 0 to 0.1 none is there.
    first = document["calibration"]["bins"][0]
    assert (first["examples"], first["accuracy"]) == (7, 0.0)
    assert first["confidence"] == pytest.approx(0.4 / 7)


def test_views_of_videos_are_averaged():
    views = np.stack([SAID, SAID * 0.5, SAID * 0.7], axis=1)
    recipe = Recipe("mine", task="video", views=2, multi_label=True)
    document = scores(views, THERE, CLASSES, recipe)
    assert document["clip_mAP"] == document["mAP"]  # the same order
    assert document["micro_f1"] == pytest.approx(2 * 1 / (1 + 5))  # 0.54 alone is said
    assert document["protocol"] == [
        "clip_mAP: the middle clip of 8 frames, stride 1, centre crop",
        "mAP and F1: mean probabilities of 2 evenly spaced clips × centre crop",
    ]
    assert measures_of(document) == ["mAP", "clip_mAP", "micro_f1", "macro_f1"]


def test_what_is_told():
    document = scores(SAID[:, None], THERE, CLASSES, RECIPE)
    document |= {"examples": 5, "split": "test", "split_rule": "by list.csv"}
    document |= {"fingerprint": "f" * 64, "skipped": [], "warning": None}
    assert headline(document, is_video=False) == "mAP 88.9% of 5 test examples"
    lines = table(document).splitlines()
    assert lines[0] == "5 examples of the test split (by list.csv)"
    assert lines[2:5] == [
        "mAP                 88.89%",
        "micro F1            60.00%",
        "macro F1            66.67%",
    ]
    assert lines[7:] == [
        "class                   AP  precision   recall       F1  examples",
        "  cat               83.33%     50.00%   50.00%   50.00%         2",
        "  dog               83.33%     50.00%   50.00%   50.00%         2",
        "  owl              100.00%    100.00%  100.00%  100.00%         1",
        "  zebra                  –      0.00%    0.00%    0.00%         0",
        "mAP and F1: centre crop",
    ]
    assert class_table(document).splitlines()[::4] == [
        "class,examples,average_precision,precision,recall,f1",
        "zebra,0,,0.0,0.0,0.0",
    ]


def test_predictions_and_mistakes():
    text = predictions_csv(list("vwxyz"), THERE, SAID, CLASSES)
    assert text.splitlines() == [
        "file,truth,predicted,class_1,probability_1,class_2,probability_2,class_3,probability_3,"
        "class_4,probability_4",
        "v,cat,cat|dog,cat,0.9,dog,0.6,owl,0.1,zebra,0.0",
        "w,dog,cat|dog,cat,0.8,dog,0.7,owl,0.2,zebra,0.1",
        "x,cat|dog,,cat,0.4,dog,0.3,owl,0.3,zebra,0.0",
        "y,owl,owl,owl,0.5,dog,0.2,cat,0.1,zebra,0.0",
        "z,,,owl,0.4,cat,0.3,zebra,0.2,dog,0.1",
    ]
    wrong, said = worst(THERE, SAID)
    assert wrong.tolist() == [1, 2, 0]  # by 0.8, 0.7, 0.6
    assert [CLASSES[i] for i in said] == ["cat", "dog", "dog"]

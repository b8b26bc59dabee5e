"""Scores by hand."""

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.training.config import Recipe
from a2keras.training.evaluation.scores import percent, protocol, scores, spread

VIDEO = Recipe("mine", task="video", views=2)


def test_scores_of_images_by_hand():
    classes = tuple("abcdefg")
    labels = np.array([0, 0, 0, 1, 2])
    probabilities = np.zeros((5, 1, 7))
    probabilities[0, 0] = [0.4, 0.3, 0.1, 0.1, 0.05, 0.05, 0.0]  # right
    probabilities[1, 0] = [0.3, 0.4, 0.1, 0.1, 0.05, 0.05, 0.0]  # second
    probabilities[2, 0] = [0.0, 0.3, 0.2, 0.2, 0.15, 0.15, 0.0]  # sixth
    probabilities[3, 0] = [0.1, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0]  # right
    probabilities[4, 0] = [0.1, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0]  # tied for third
    document = scores(probabilities, labels, classes, Recipe("mine", task="image"))
    assert document["top1"] == pytest.approx(2 / 5)
    assert document["top5"] == pytest.approx(4 / 5)
    assert document["per_class"] == {"a": 0.3333, "b": 1.0, "c": 0.0}
    assert document["balanced_accuracy"] == pytest.approx((1 / 3 + 1 + 0) / 3)
    assert document["majority_rate"] == pytest.approx(3 / 5)
    assert document["confusion"][0] == [1, 2, 0, 0, 0, 0, 0]
    assert np.sum(document["confusion"]) == 5
    assert "clip@1" not in document


def test_video_at_1_averages_clips_and_clip_at_1_is_the_middle_one():
    labels = np.array([0, 1])
    probabilities = np.array(
        [
            [[0.6, 0.4], [0.9, 0.1], [0.4, 0.6]],  # both right
            [[0.4, 0.6], [0.9, 0.1], [0.4, 0.6]],  # the clip right, the mean wrong
        ]
    )
    document = scores(probabilities, labels, ("a", "b"), VIDEO)
    assert document["clip@1"] == 1.0
    assert document["video@1"] == document["top1"] == 0.5
    assert "top5" not in document
    assert document["protocol"] == [
        "clip@1: the middle clip of 8 frames, stride 1, centre crop",
        "video@1: mean probabilities of 2 evenly spaced clips × centre crop",
    ]


def test_among_five_of_clips_and_of_videos():
    """Seven classes, so five are fewer than all; the class of each example is 0."""
    descending = np.array([7, 6, 5, 4, 3, 2, 1]) / 28
    sixth = descending[[5, 0, 1, 2, 3, 4, 6]]
    fifth = descending[[4, 0, 1, 2, 3, 5, 6]]
    probabilities = np.array(
        [  # the middle clip, then the two that are averaged
            [descending, sixth, sixth],
            [sixth, descending, sixth],  # (7 + 2) / 2 = 4.5 against 6.5, 5.5, 4.5, …: third
            [fifth, fifth, fifth],
        ]
    )
    document = scores(probabilities, np.zeros(3, int), tuple("abcdefg"), VIDEO)
    assert document["clip@1"] == pytest.approx(1 / 3)
    assert document["clip@5"] == pytest.approx(2 / 3)
    assert document["video@1"] == document["top1"] == 0.0
    assert document["video@5"] == document["top5"] == pytest.approx(2 / 3)
    assert document["protocol"][1].startswith("video@1 and video@5: mean probabilities of 2 evenly")


def test_outputs_that_are_no_numbers_are_no_score():
    with pytest.raises(UserError) as error:
        scores(np.full((2, 1, 7), np.nan), np.array([0, 1]), tuple("abcdefg"), VIDEO)
    assert str(error.value) == "the network's outputs are not numbers: it has diverged"


def test_the_protocol_names_the_crops():
    image = Recipe("mine", task="image", crops=3)
    assert protocol(image, 6) == [
        "top-1 and top-5: mean probabilities of 3 crops along the longer side"
    ]
    assert protocol(Recipe("mine", task="image", fit="letterbox"), 2) == [
        "top-1: whole frame, padded"
    ]
    video = Recipe("mine", task="video", views=1, crops=3, frames=5, stride=7)
    assert protocol(video, 5) == [
        "clip@1: the middle clip of 5 frames, stride 7, centre crop",
        "video@1: mean probabilities of 1 evenly spaced clip × 3 crops along the longer side",
    ]
    for settings in ({"crops": 2}, {"crops": 3, "fit": "letterbox"}):
        with pytest.raises(UserError) as error:
            Recipe("mine", **settings)
        assert str(error.value) == (
            "recipe field crops must be 1, or 3 where fit=crop. "
            f"Received: crops={settings['crops']}"
        )


def test_mean_and_sample_deviation():
    assert spread([0.5, 0.7, 0.9]) == {"mean": pytest.approx(0.7), "std": pytest.approx(0.2)}
    assert spread([0.25]) == {"mean": 0.25, "std": None}
    assert percent(0.6306, 0.0219) == "63.1 ± 2.2 %"
    assert percent(0.6306) == "63.1 %"

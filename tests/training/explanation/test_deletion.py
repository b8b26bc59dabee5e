"""The deletion test on networks whose probabilities are known by hand."""

import keras
import numpy as np
import pytest

from a2keras.training.explanation.attended import Attended, Block, ClassMap
from a2keras.training.explanation.deletion import (
    SEEDS,
    STEPS,
    Deletion,
    area,
    blanked,
    delete,
    summary,
    views_needed,
)


def test_areas_by_hand():
    fractions = np.array([0, 0.25, 1.0])
    assert area(fractions, np.array([1.0, 0.5, 0.1])) == pytest.approx(0.25 * 0.75 + 0.75 * 0.3)
    curves = np.array([[1.0, 1, 1], [0, 0, 1]])
    np.testing.assert_allclose(area(fractions, curves), [1, 0.375])


def test_a_position_stands_for_its_part_of_the_view():
    pixels = np.zeros((2, 3, 5, 3), "uint8")
    pixels[1] = 90
    mask = np.zeros((2, 1, 2), bool)
    mask[0, 0, 1] = True  # columns 3 and 4 of 5 in the first frame: 2 w // 5 = 1 from w = 3 on
    found = blanked(pixels, mask)
    assert (found[0, :, 3:] == 45).all()  # the mean of both frames
    assert (found[0, :, :3] == 0).all() and (found[1] == 90).all()
    image = np.arange(2 * 2 * 3, dtype="uint8").reshape(2, 2, 3)
    assert (blanked(image, np.ones((1, 1, 1), bool)) == image.mean((0, 1)).round()).all()
    assert (blanked(image, np.zeros((1, 3, 7), bool)) == image).all()


def brightness_network(shape):
    """Softmax of (0, mean over all positions of max(red - 100, 0)): bright spots are class 1."""
    inputs = keras.Input(shape)
    rank = len(shape) - 1
    x = getattr(keras.layers, f"Conv{rank}D")(1, 1, activation="relu")(inputs)
    x = getattr(keras.layers, f"GlobalAveragePooling{rank}D")()(x)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    kernel = np.zeros((1,) * rank + (3, 1), "float32")
    kernel[..., 0, 0] = 1
    others = np.array([-100.0]), np.array([[0.0, 1]]), np.zeros(2)
    model.set_weights([kernel, *others])
    return model


@pytest.mark.parametrize("shape", [(12, 20, 3), (5, 12, 20, 3)])
def test_the_true_map_beats_chance_and_its_opposite_does_not(shape):
    model = brightness_network(shape)
    pixels = np.zeros(shape, "uint8")
    pixels[..., :3, :4, 0] = 255  # one position of a grid of 4 × 5, in all frames
    grid = (1 if len(shape) == 3 else 5, 4, 5)
    truth = np.zeros(grid)
    truth[:, 0, 0] = 1
    gather = np.repeat((1 - truth)[..., None], 3, axis=-1) / (1 - truth).sum()
    attended = Attended(
        model.predict_on_batch(pixels[None].astype("float32"))[0],
        "conv",
        [ClassMap("bright", 1.0, truth)],
        [Block("opposite", gather, gather)],
    )
    assert attended.best == 1
    right, opposite = delete(model, pixels, attended)
    assert (right.method, opposite.method) == ("class map", "opposite")
    # Position 1 of 20 is 255 - 100 = 155: 155 / 20; nothing is bright once it is blanked.
    start = 1 / (1 + np.exp(-155 / 20))
    np.testing.assert_allclose(right.probabilities, [start] + [0.5] * STEPS, rtol=1e-5)
    np.testing.assert_allclose(opposite.probabilities, [start] * STEPS + [0.5], rtol=1e-5)
    np.testing.assert_allclose(right.fractions, np.linspace(0, 1, STEPS + 1))
    assert right.area == pytest.approx(0.5 + (start - 0.5) / 20, rel=1e-5)
    assert opposite.area == pytest.approx(start - (start - 0.5) / 20, rel=1e-5)
    assert right.random.shape == (SEEDS, STEPS + 1)
    assert right.random is opposite.random or (right.random == opposite.random).all()
    assert right.beats_random and not opposite.beats_random
    again = delete(model, pixels, attended)
    assert (again[0].random == right.random).all()
    assert views_needed(attended) == 2 + (2 + SEEDS) * (STEPS - 1)


def test_fewer_positions_than_steps():
    model = brightness_network((7, 11, 3))
    map_ = ClassMap("a", 1.0, np.array([[[3.0, 2.0, 1.0]]]))
    attended = Attended(np.array([0.2, 0.8]), "conv", [map_], [])
    (found,) = delete(model, np.zeros((7, 11, 3), "uint8"), attended)
    np.testing.assert_allclose(found.fractions, [0, 1 / 3, 2 / 3, 1])
    assert found.random.shape == (SEEDS, 4)


def test_the_summary_is_the_mean_over_examples():
    fractions, random = np.array([0.0, 1]), np.array([[0.8, 0.8], [0.6, 0.6]])
    both = [
        [Deletion("class map", fractions, np.array(curve), random).document()]
        for curve in ([0.4, 0.2], [0.9, 0.7])
    ]
    assert both[0][0]["random_areas"] == [0.8, 0.6]
    assert summary(both) == [
        {
            "method": "class map",
            "examples": 2,
            "area": pytest.approx(0.55),
            "random_area": pytest.approx(0.7),
            "beats_random": 1,
        }
    ]

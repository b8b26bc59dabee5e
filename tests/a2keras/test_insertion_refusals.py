"""Models, places, blocks and layers that `insert_blocks` refuses, and what it says."""

import sys
from pathlib import Path

import keras
import pytest
from keras import layers, ops

import a2keras

sys.path.insert(0, str(Path(__file__).parent))
from hosts import nested, small


class Subclassed(keras.Model):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.conv = layers.Conv2D(5, 1, name="conv")

    def call(self, x):
        return self.conv(x)


def own_call():
    inputs = keras.Input((11, 13, 3))
    return Subclassed(inputs, layers.Conv2D(5, 1, name="conv")(inputs))


@pytest.mark.parametrize(
    ("model", "received"),
    [
        (Subclassed, "<Subclassed name="),
        (own_call, "<Subclassed name="),
        (lambda: keras.Sequential([layers.Conv2D(5, 1, name="conv")]), "<Sequential name="),
        (lambda: layers.Conv2D(5, 1, name="conv"), "<Conv2D name=conv"),
    ],
)
def test_models_without_a_graph_are_refused(model, received):
    with pytest.raises(ValueError, match=r"`model` must be a functional Keras model or a") as error:
        a2keras.insert_blocks(model(), ["conv"])
    assert f"Received: model={received}" in str(error.value)


def ends():
    """Outputs that no block can follow."""
    words = keras.Input((11,), dtype="int32", name="words")
    x = layers.Embedding(17, 5, name="embed")(words)
    states = layers.LSTM(3, return_sequences=True, return_state=True, name="states")(x)
    flat = layers.Dense(3, name="dense")(layers.Flatten(name="flat")(states[0]))
    return keras.Model(words, [flat, layers.Reshape((11, 1, 1), name="numbers")(words)])


@pytest.mark.parametrize(
    ("make", "after", "message"),
    [
        (small, "sum", r"`after` must be a list of layer names, or .* Received: after='sum'"),
        (small, [], r"`after` must be a list of layer names, .* Received: after=\[\]"),
        (small, ["sum", 3], r"`after` must be a list .* Received: after=\['sum', 3\]"),
        (small, None, r"`after` must be a list of layer names, .* Received: after=None"),
        (small, ["one_rely"], r"does not have: 'one_rely': did you mean 'one_relu'"),
        (nested, ["inner/flat"], r"does not have: 'inner/flat': `model.summary\(expand"),
        (nested, ["/deep_bn"], r"does not have: '/deep_bn': did you mean 'deep_bn'"),
        (nested, ["conv"], r"stands in several of the nested models: 'conv'\. Say which: "
            r"'/conv', '/middle/conv', '/middle/stack/conv'"),
        (small, ["photo"], r"names an input, which no block can follow: 'photo'"),
        (small, lambda layer: False, r"chooses none of the model's 9 layers\. Received: <func"),
        (small, ["head"], r"tensor of rank 3 or more, .* Received: layer 'head', whose output has "
            r"rank 2, \(None, 7\)"),
        (ends, ["states"], r"layer 'states', whose output is a \w+ of 3 tensors"),
        (ends, ["numbers"], r"layer 'numbers', whose output is of type int32"),
    ],
)  # fmt: skip
def test_places_that_are_refused(make, after, message):
    model = make()
    with pytest.raises(ValueError, match=message):
        a2keras.insert_blocks(model, after)


class Uncopied(layers.Layer):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (layers.Conv2D, r"makes one without arguments, such as .* Received: block=<class .*Conv2D"),
        (lambda: "a2", r"`block` must be a layer, .* which made 'a2'"),
        ("a2", r"`block` must be a layer, .* Received: block='a2'"),
        (layers.Conv2D(7, 1), r"must keep the shape of its input\. Received: Conv2D, which makes "
            r"\(None, 11, 13, 7\) of \(None, 11, 13, 5\), the output of layer 'sum'"),
        (layers.LSTM(5), r"LSTM cannot follow layer 'sum': .*expected ndim=3, found ndim=4"),
        (Uncopied(ops.relu), r"Layer '\w+' cannot be copied: Uncopied needs a get_config\(\)"),
    ],
)  # fmt: skip
def test_blocks_that_are_refused(block, message):
    with pytest.raises(ValueError, match=message):
        a2keras.insert_blocks(small(), ["sum"], block)


class Tied(layers.Layer):
    """Uses the kernel of another layer."""

    def __init__(self, other=None, **kwargs):
        super().__init__(**kwargs)
        self.other = other or layers.Conv2D(5, 1, name="tied")

    def call(self, x):
        return self.other(x)

    def get_config(self):
        return super().get_config()


def test_layers_that_cannot_be_copied_are_refused():
    inputs = keras.Input((11, 13, 3))
    conv = layers.Conv2D(5, 1, name="conv")
    x = layers.Concatenate(name="both")([conv(inputs), Tied(conv, name="user")(inputs)])
    with pytest.raises(ValueError, match="'user' cannot be copied: it shares the variable 'conv/k"):
        a2keras.insert_blocks(keras.Model(inputs, x), ["both"])
    x = Tied(layers.Conv2D(7, 1), name="user")(inputs)
    message = r"'user' cannot be copied: its configuration gives a layer with weights of shapes "
    with pytest.raises(ValueError, match=message + r"\[\(1, 1, 3, 5\), \(5,\)\], and it has"):
        a2keras.insert_blocks(keras.Model(inputs, x), ["user"])

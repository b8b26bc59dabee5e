"""Less memory for more time: a network's parts are computed once more for their gradients.

Keras's own `RematScope` does it layer by layer, which keeps what stands between the layers, and
fails with batch normalisation on TensorFlow. Here the network is cut where a single tensor passes
(Chen et al., 2016). Of each part only its input is kept. What a part changes, such as moving
statistics, it returns, so that it is changed once although it is computed twice.
"""

import itertools
import math
from typing import Any

import keras

from a2keras.errors import UserError
from a2keras.wiring import graph_of, nodes_of


class Rematerialized:
    """A functional model, called in training part by part.

    Args:
        model: its first input is cut into parts; others go to every part.

    Raises:
        UserError: a Keras without `keras.remat`.
    """

    def __init__(self, model: keras.Model) -> None:
        if not hasattr(keras, "remat"):
            raise UserError(
                "recipe field remat needs a Keras that has keras.remat, 3.9 or later. "
                f"Received: remat=True with Keras {keras.__version__}"
            )
        first, *others = model.inputs
        ends = [first, *cuts_of(model), model.outputs[0]]
        self.parts = [keras.Model([start, *others], end) for start, end in itertools.pairwise(ends)]

    def __call__(self, first: Any, *others: Any) -> Any:
        """What the model gives with `training=True`; its variables change as if it were called."""
        *parts, last = self.parts
        for part in parts:
            first = _once_more(part, first, others)
        # Its gradients come first: what it has computed is still there.
        return last([first, *others], training=True)


def _once_more(part: keras.Model, first: Any, others: tuple) -> Any:
    """Calls a part as a pure function of its inputs and variables, which is what may be redone."""
    variables = part.variables

    def pure(first: Any, *values: Any) -> tuple:
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            outputs = part([first, *others], training=True)
        return outputs, *(scope.get_current_value(each) for each in changing)

    trained = {id(each) for each in part.trainable_variables}
    changing = [each for each in variables if id(each) not in trained]
    values = [keras.ops.convert_to_tensor(each.value) for each in variables]
    outputs, *changed = keras.remat(pure)(first, *values)
    for variable, value in zip(changing, changed, strict=True):
        variable.assign(value)
    return outputs


def cuts_of(model: keras.Model) -> list[Any]:
    """The tensors at which to cut: about as many as make the parts as large as their number.

    Between two of them the outputs of all layers are equally large together, as far as a single
    tensor passes there.
    """
    nodes = list(nodes_of(graph_of(model)))
    others = {id(each) for each in model.inputs[1:]}
    last_use = {id(each): i for i, node in enumerate(nodes) for each in node.input_tensors}
    sizes = [math.prod(filter(None, node.outputs[0].shape[1:])) for node in nodes]
    parts = max(round(math.sqrt(len(nodes) / _NODES)), 1)
    passing = {id(model.inputs[0])}
    cuts, size = [], 0
    for i, node in enumerate(nodes[:-1]):
        passing |= {id(each) for each in node.outputs}
        passing = {each for each in passing if last_use.get(each, -1) > i}
        size += sizes[i]
        alone = passing - others == {id(node.outputs[0])}
        if alone and size >= sum(sizes) / parts:
            cuts.append(node.outputs[0])
            size = 0
    return cuts


# Calls that one tensor is kept of, as a convolution with its normalisation and its activation.
_NODES = 3

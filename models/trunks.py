"""A trunk out of somebody's model: cut at its last maps, rebuilt for a size, and places in it."""

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Collection
from typing import Any

import keras

from a2keras.copying import copy_operation, copy_state
from a2keras.errors import UserError
from a2keras.graphs import Call, as_graph, flattened, layers_of, passes_by
from a2keras.insertion import insert_blocks
from a2keras.models.blocks import block_of, is_inserted
from a2keras.models.inputs import classifier, network_model
from a2keras.models.preprocessing.entry import ENTRIES
from a2keras.places import in_snake_case, operation_paths

MANY = 49  # positions, 7 × 7: with no more there is little that a block could gather
STAGES = 2  # the last so many stages get a block each
# They take several tensors, and yet end no residual unit and no branches.
_PRODUCTS = {"Multiply", "Dot", "Matmul", "Einsum"}
_POOLING = re.compile(r"(Global|Adaptive)\w+Pooling\dD|Mean|Max|Sum")
_ACTIVATIONS = (keras.layers.Activation, keras.layers.ReLU)
# They see pixels, of which half precision would lose digits.
_OF_PIXELS = (keras.layers.Rescaling, keras.layers.Normalization)
_IN_FLOAT32 = {"InputLayer", *(kind.__name__ for kind in _OF_PIXELS)}
# Their configurations hold those of layers.
_AROUND_OTHERS = (keras.layers.Wrapper, keras.layers.RNN)


def cut(model: keras.Model) -> keras.Model:
    """The part of a model of one input and output up to its last maps, over the same layers.

    Maps are (B, *spatial, C) with two or three spatial axes, which all that the output is computed
    from goes through: what the global pooling takes, or a layer that flattens, in a nested model
    too.

    Raises:
        UserError: a model with a `call` of its own, without maps, with nothing that learns before
            them, or with layers behind them that see more than one position: no classifier's.
    """
    graph = as_graph(model)
    if graph is None:
        raise UserError(
            f"model {model.name!r} has a `call` of its own, which does not show its layers"
        )
    _check_colours(graph)
    flat, calls = flattened(graph)
    (output,) = flat.outputs
    pooled = _pooled(calls)
    maps = (
        i
        for i, (_, _, made) in reversed([*enumerate(calls)])
        if _is_spatial(made) and id(made) not in pooled and not passes_by(made, output, calls)
    )
    if (last := next(maps, None)) is None:
        raise UserError(
            f"model {model.name!r} has no maps (height, width, channels) that its whole output is "
            "computed from"
        )
    operation = calls[last][0]
    for layer, arguments, made in calls[last + 1 :]:
        seen = _positions_seen(arguments)
        # A convolution over all positions is what a dense layer on the flattened maps is.
        covers = _is_spatial(made) and not _positions_seen(made)
        if seen and not covers and getattr(layer, "weights", None):
            raise UserError(
                f"behind the last maps of model {model.name!r}, the output of "
                f"{operation.name!r}, there must be only a classifier of the pooled or flattened "
                f"maps. Received: layer {layer.name!r}, which takes {seen}"
            )
    trunk = [each for each, _, _ in calls[: last + 1]]
    if not any(getattr(e, "weights", None) for e in trunk if not isinstance(e, _OF_PIXELS)):
        raise UserError(
            f"model {model.name!r} has no layer that learns up to its last maps, the output of "
            f"{operation.name!r}"
        )
    return _up_to(graph, operation, sum(each is operation for each in trunk))


def _check_colours(graph: keras.Model) -> None:
    """`UserError`: a network that does not take RGB, the channels last."""
    shape = tuple(graph.input_shape)
    if len(shape) not in (4, 5) or shape[-1] != 3:
        raise UserError(
            "it must take RGB, the channels last: (B, [frames,] height, width, 3). "
            f"Received: {shape}"
        )
    for layer in layers_of(graph):
        if getattr(layer, "data_format", None) == "channels_first":
            raise UserError(
                "all of its layers must have data_format='channels_last'. "
                f"Received: layer {layer.name!r} with 'channels_first'"
            )


def _positions_seen(tensors: Any) -> tuple | None:
    """The shape of the first tensor with more than one position, if any."""
    shapes = [
        tuple(each.shape)
        for each in keras.tree.flatten(tensors)
        if isinstance(each, keras.KerasTensor)
    ]
    return next((shape for shape in shapes if any(size != 1 for size in shape[1:-1])), None)


def _up_to(graph: keras.Model, last: Any, times: int) -> keras.Model:
    """The part of a graph up to an operation, which may stand in a model nested in it.

    Args:
        times: the operation may be called again behind the end, this is its how-many-th call.
    """
    found: list[Any] = []

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = operation(*args, **kwargs)
        nested = as_graph(operation)
        if operation is last:
            found.append(outputs)
        elif nested is not None and any(each is last for _, each in operation_paths(nested)):
            found.append(_up_to(nested, last, times)(*args, **kwargs))
        return outputs

    copy = keras.models.clone_model(graph, clone_function=lambda each: each, call_function=call)
    return keras.Model(copy.input, found[min(times, len(found)) - 1], name=graph.name)


def _is_spatial(outputs: Any) -> bool:
    return (
        isinstance(outputs, keras.KerasTensor)
        and len(outputs.shape) in (4, 5)
        and keras.backend.is_float_dtype(outputs.dtype)
    )


def _pooled(calls: list[Call]) -> set[int]:
    """The ids of what has no positions any more, since they have been pooled or flattened.

    Maps of one position are none of these where a small input has left them no more.
    """
    found: set[int] = set()
    for operation, arguments, made in calls:
        taken = [e for e in keras.tree.flatten(arguments) if isinstance(e, keras.KerasTensor)]
        if _positions_seen(made) or not taken:
            continue
        is_flat = not _is_spatial(made) or all(id(each) in found for each in taken)
        if is_flat or _pools(operation, tuple(taken[0].shape[1:-1])):
            found |= {id(each) for each in keras.tree.flatten(made)}
    return found


def _pools(operation: Any, sizes: tuple[int | None, ...]) -> bool:
    """Whether a layer that leaves one position takes them all at once."""
    if _POOLING.fullmatch(type(operation).__name__):
        return True
    # Small kernels over all of a small input's last maps are those of a trunk.
    kernel = getattr(operation, "kernel_size", ())
    window = kernel if math.prod(kernel) >= MANY else getattr(operation, "pool_size", ())
    return window == sizes != (1,) * len(sizes)


class Rebuilding:
    """A copy of a trunk that shares nothing with it, for inputs of another size and precision.

    Args:
        precision: Keras dtype policy of the layers.
        fresh: initialise what learns anew. What a `Normalization` has been adapted to stays.
        renumber: count again from nothing in the names that Keras has given, so that they do not
            depend on what else this process has built.
        with_blocks: keep the attention blocks that were put into the trunk.
        reserved: names that its layers are not to have.
    """

    def __init__(
        self,
        precision: str = "float32",
        fresh: bool = False,
        renumber: bool = False,
        with_blocks: bool = True,
        reserved: Collection[str] = (),
    ):
        self.precision = precision
        self.fresh = fresh
        self.renumber = renumber
        self.with_blocks = with_blocks
        self.reserved = reserved
        self.copies: dict[int, Any] = {}
        self.variables: dict[int, Any] = {}
        self.names: dict[str, str] = {}

    def rebuild(self, trunk: keras.Model, pixels: Any, entered: Any) -> keras.Model:
        """pixels → maps.

        Args:
            trunk: as `cut` gives it.
            pixels: an input of the size.
            entered: the same, as the trunk takes it.
        """
        if self.renumber:
            self.names = _numbered_again(trunk)
        entry = [] if entered is pixels else keras.Model(pixels, entered).operations
        taken = {pixels.name, *(each.name for each in entry), *self.reserved}
        self.names |= _renamed(trunk, taken)

        def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
            args, kwargs = keras.tree.map_structure(
                lambda x: entered if x is pixels else x, (args, kwargs)
            )
            return self.call(operation, *args, **kwargs)

        return keras.models.clone_model(
            trunk, pixels, clone_function=lambda each: each, call_function=call
        )

    def call(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.with_blocks and is_inserted(original):
            return args[0]
        nested = as_graph(original)
        if (is_new := id(original) not in self.copies) and nested is not None:
            inputs = keras.tree.map_structure(_input_like, args[0])
            self.copies[id(original)] = keras.models.clone_model(
                nested, inputs, clone_function=lambda each: each, call_function=self.call
            )
            self.copies[id(original)].name = self.names.get(original.name, original.name)
        elif is_new:
            self.copies[id(original)] = self.copy(original)
        copy = self.copies[id(original)]
        outputs = copy(*args, **kwargs)
        keeps = not self.fresh or isinstance(copy, keras.layers.Normalization)
        if is_new and keeps and nested is None and isinstance(copy, keras.layers.Layer):
            copy_state(original, copy, self.variables)
        return outputs

    def copy(self, original: Any) -> Any:
        config = original.get_config() if isinstance(original, _AROUND_OTHERS) else {}
        inside = {key: self._in_precision(value) for key, value in config.items()}
        changes = {**inside, "name": self.names.get(original.name, original.name)}
        if not isinstance(original, _OF_PIXELS):
            changes["dtype"] = self.precision
        return copy_operation(original, **changes)

    def _in_precision(self, config: Any) -> Any:
        """The configuration of a layer with that of the layers inside it in the precision."""
        if isinstance(config, list):
            return [self._in_precision(each) for each in config]
        if not isinstance(config, dict):
            return config
        config = {key: self._in_precision(value) for key, value in config.items()}
        own = config.get("config")
        if isinstance(own, dict) and "dtype" in own and config["class_name"] not in _IN_FLOAT32:
            config["config"] = {**own, "dtype": self.precision}
        return config


def taking_raw(model: keras.Model, takes: str) -> keras.Model:
    """A model that takes raw pixels, whatever it took before; where that is another, a copy.

    Args:
        model: functional or Sequential, of one input and one output.
        takes: one of `ENTRIES`.
    """
    if takes == "raw":
        return model
    pixels = keras.Input(model.input_shape[1:], dtype="float32", name="pixels")
    return Rebuilding().rebuild(as_graph(model), pixels, ENTRIES[takes]()(pixels))


def _input_like(tensor: Any) -> Any:
    return keras.Input(tensor.shape[1:], dtype=tensor.dtype)


def _renamed(trunk: keras.Model, taken: Collection[str]) -> dict[str, str]:
    """{old: new} for the layers of a trunk whose names are taken."""
    names = {operation.name for operation in trunk.operations}
    found = {}
    for name in sorted(names & {*taken}):
        numbers = (f"{name}_{i}" for i in itertools.count(1))
        found[name] = next(each for each in numbers if each not in names | {*taken})
    return found


def _numbered_again(model: keras.Model) -> dict[str, str]:
    """{conv2d_17: conv2d, conv2d_18: conv2d_1, …} of names that are the layer's class."""
    numbers: dict[str, list[int]] = defaultdict(list)
    found = {}
    for _, operation in operation_paths(model):
        base = in_snake_case(type(operation).__name__)
        if match := re.fullmatch(rf"{base}(?:_(\d+))?", operation.name):
            number = int(match[1] or 0)
            numbers[base].append(number)
            found[operation.name] = base, number
    ranks = {base: sorted(each) for base, each in numbers.items()}
    return {
        name: f"{base}_{rank}" if (rank := ranks[base].index(number)) else base
        for name, (base, number) in found.items()
    }


def with_blocks(trunk: keras.Model, attention: str, positions: tuple[str, ...]) -> keras.Model:
    """A trunk with attention blocks behind its layers of these names, or in the usual places.

    Raises:
        ValueError: see `insert_blocks`, and `usual_positions`.
    """
    after = positions or usual_positions(trunk)
    try:
        return insert_blocks(trunk, after, lambda: block_of(attention))
    except ValueError as error:
        raise ValueError(str(error).replace("`after`", "`positions`")) from error


def usual_positions(trunk: keras.Model) -> tuple[str, ...]:
    """The last units of the last two stages with more than 49 positions, by their paths.

    A stage is what has maps of one size, and layers with weights. Its last unit ends where several
    tensors become one (a residual sum, branches side by side) and with the activation that alone
    takes that; of a stage without such units it is the last layer.

    Raises:
        ValueError: there is no such stage.
    """
    stages: dict[tuple, list[tuple[str, Any]]] = defaultdict(list)
    takers: dict[int, list[Any]] = defaultdict(list)
    for path, operation in operation_paths(trunk):
        if as_graph(operation) is not None or isinstance(operation, keras.layers.InputLayer):
            continue
        for tensor in keras.tree.flatten(operation.input):
            takers[id(tensor)].append((path, operation))
        if _is_spatial(operation.output) and math.prod(operation.output.shape[1:-1]) > MANY:
            stages[operation.output.shape[1:-1]].append((path, operation))
    units = [
        _last_unit(stage, takers)
        for stage in stages.values()
        if any(getattr(operation, "weights", None) for _, operation in stage)
    ]
    if not units:
        raise ValueError(
            f"`positions` must be given: no layer of {trunk.name!r} has more than {MANY} positions"
        )
    return tuple(units[-STAGES:])


def _last_unit(stage: list[tuple[str, Any]], takers: dict[int, list[Any]]) -> str:
    ends = [(path, operation) for path, operation in stage if _joins(operation)]
    path, operation = (ends or stage)[-1]
    following = takers[id(operation.output)]
    if ends and len(following) == 1 and isinstance(following[0][1], _ACTIVATIONS):
        path = following[0][0]
    return f"/{path}"


def _joins(operation: Any) -> bool:
    return (
        len(keras.tree.flatten(operation.input)) > 1 and type(operation).__name__ not in _PRODUCTS
    )


def with_head(
    trunk: keras.Model, classes: int, name: str, activation: str = "softmax"
) -> keras.Model:
    """A trunk with a new classifier on it, all of which learns."""
    model = network_model(
        trunk.input, trunk.output, classifier, True, None, classes, activation, name
    )
    model.trainable = True
    return model

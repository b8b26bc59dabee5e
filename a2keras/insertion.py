"""Put blocks into an existing model without changing what it computes."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras

from a2keras.copying import (
    copy_inputs,
    copy_operation,
    copy_state,
    copy_trainable,
    shortened,
)
from a2keras.double_attention import DoubleAttention
from a2keras.graphs import as_graph, layers_of
from a2keras.places import chosen_operations, in_snake_case, operation_paths

# After these the axes may stand in another order than in the layers before.
_REARRANGING_LAYERS = (keras.layers.Permute, keras.layers.Reshape, keras.layers.TimeDistributed)
_REARRANGING_OPERATIONS = {"Einsum", "Moveaxis", "Reshape", "Swapaxes", "Transpose"}


def insert_blocks(
    model: keras.Model,
    after: Sequence[str] | Callable[[keras.layers.Layer], bool],
    block: keras.layers.Layer | Callable[[], keras.layers.Layer] = DoubleAttention,
) -> keras.Model:
    """A copy of a model in which a block follows each of the chosen layers.

    Every layer is copied with its name, weights, state, trainable flags and dtype policy; the copy
    shares nothing with the model, which stays as it was. A fresh `DoubleAttention` or `NonLocal` is
    the identity, so `copy(x)` is `model(x)` to the bit, until the copy is trained. In compiled
    functions such as `predict` the two may differ in the last digit where the compiler merges the
    layer that is followed with the next one, which it cannot across a block.
    `SqueezeExcitation` is no identity: its sigmoid gates begin near 1/2.

        host = keras.applications.ResNet50(weights="imagenet")
        model = a2keras.insert_blocks(host, after=["conv3_block2_out", "conv4_block4_out"])

    Args:
        model: a functional or built `Sequential` model; others may be nested in it. The copy is
            functional and not compiled.
        after: the names of layers (or of operations such as `x + y`), in nested models too. A name
            that stands in several models is given with its path, "nested/name", and "/name" is
            the one of `model` itself. Or a predicate, asked about every layer that is no input. The
            output of each must be one floating-point tensor of rank 3 or more. After a layer that
            is called more than once the block, too, is shared and follows every call.
        block: a layer class, another callable without arguments that gives a layer
            (`lambda: DoubleAttention(32)`), or a layer as the pattern; its configuration counts,
            not its weights. Each place gets a copy named f"{layer}_{class_in_snake_case}". It
            takes over the dtype policy of the layer that it follows, unless it has another than
            the global one, and its `data_format`, unless it has another than Keras's own: the one
            of the nearest layer upstream that has any, if nothing between rearranges the axes.

    To train the blocks alone, freeze the layers of the model one by one before, not the model: of a
    model with `trainable = False` the copy, too, is frozen as a whole, with its blocks.

    Returns:
        a `keras.Model` of the model's name, inputs and outputs.

    Raises:
        ValueError: a subclassed model or one not yet built, names that are unknown (the nearest are
            told) or ambiguous, a predicate that chooses nothing, an output that no block can
            follow, a block that changes its input's shape, or a layer or block that cannot be
            copied: one without `get_config`, or two layers that share a weight.
    """
    graph = as_graph(model)
    if graph is None:
        raise ValueError(
            "`model` must be a functional Keras model or a Sequential one that knows its input: a "
            "model with its own `call` does not show where its layers follow each other. "
            f"Received: model={model!r}"
        )
    paths = list(operation_paths(graph))
    prototype = _prototype(block)
    insertion = _Insertion(prototype, chosen_operations(paths, after), {op.name for _, op in paths})
    copy = insertion.copy_graph(graph, model, [])
    insertion.restore_trainable()
    return copy


def _prototype(block: Any) -> keras.layers.Layer:
    if isinstance(block, keras.layers.Layer):
        return block
    try:
        made = block()
    except TypeError as error:
        raise ValueError(
            "`block` must be a layer, or a callable that makes one without arguments, such as "
            f"`lambda: DoubleAttention(32)`. Received: block={block!r} ({shortened(error)})"
        ) from error
    if not isinstance(made, keras.layers.Layer):
        raise ValueError(
            "`block` must be a layer, or a callable that makes one. "
            f"Received: block={block!r}, which made {made!r}"
        )
    return made


class _Origin(NamedTuple):
    """What is known about where a tensor comes from."""

    tensor: Any  # kept, so that no other gets its id
    dtype_policy: Any
    data_format: str | None


class _Insertion:
    """One run of `insert_blocks`: the copies and the blocks made so far, by id of the original."""

    def __init__(self, prototype: keras.layers.Layer, chosen: set[int], names: set[str]):
        self.prototype = prototype
        self.chosen = chosen
        self.names = names
        self.copies: dict[int, Any] = {}
        self.blocks: dict[int, keras.layers.Layer] = {}
        self.models: list[tuple[keras.Model, keras.Model]] = []  # inner before outer
        self.leaves: list[tuple[keras.layers.Layer, keras.layers.Layer]] = []
        self.variables: dict[int, Any] = {}
        self.origins: dict[int, _Origin] = {}

    def copy_graph(self, graph: keras.Model, original: Any, tensors: list) -> keras.Model:
        """A functional model of copies; `tensors` are those that its original was called on."""
        inputs = copy_inputs(graph)
        for inner, outer in zip(keras.tree.flatten(inputs), tensors, strict=False):
            if id(outer) in self.origins:
                self.origins[id(inner)] = self.origins[id(outer)]._replace(tensor=inner)
        copy = keras.models.clone_model(
            graph, inputs, clone_function=lambda operation: operation, call_function=self.call
        )
        self.models.append((original, copy))
        return copy

    def call(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        """Calls the copy of an operation, and its block after it, as the original is called."""
        tensors = [x for x in keras.tree.flatten((args, kwargs)) if _is_tensor(x)]
        nested = as_graph(original)
        is_new = id(original) not in self.copies
        if is_new and nested is not None:
            self.copies[id(original)] = self.copy_graph(nested, original, tensors)
        elif is_new:
            self.copies[id(original)] = copy_operation(original)
        copy = self.copies[id(original)]
        outputs = copy(*args, **kwargs)
        if is_new and nested is None and isinstance(copy, keras.layers.Layer):
            copy_state(original, copy, self.variables)
            self.leaves.append((original, copy))
        self.note_origins(copy, tensors, keras.tree.flatten(outputs))
        return self.follow(original, outputs) if id(original) in self.chosen else outputs

    def note_origins(self, copy: Any, inputs: list, outputs: list) -> None:
        before = [self.origins[id(x)] for x in inputs if id(x) in self.origins]
        first = before[0] if before else _Origin(None, None, None)
        formats = [each.data_format for each in before if each.data_format is not None]
        for i, tensor in enumerate(outputs):
            if isinstance(copy, keras.Model) and isinstance(copy, keras.Function):
                origin = self.origins.get(id(copy.outputs[i]), first)
            else:
                data_format = _own_data_format(copy)
                if data_format is None and formats and not _rearranges(copy, inputs[0], tensor):
                    data_format = formats[0]
                origin = _Origin(
                    None, getattr(copy, "dtype_policy", first.dtype_policy), data_format
                )
            self.origins[id(tensor)] = origin._replace(tensor=tensor)

    def follow(self, original: Any, tensor: Any) -> Any:
        """The output of the block on a tensor that the copy of `original` gave."""
        kind = type(self.prototype).__name__
        _check_can_be_followed(original.name, tensor)
        if id(original) not in self.blocks:
            self.blocks[id(original)] = self.make_block(original.name, tensor)
        try:
            outputs = self.blocks[id(original)](tensor)
        except Exception as error:  # whatever a user's layer may raise
            raise ValueError(
                f"{kind} cannot follow layer {original.name!r}: {shortened(error)}"
            ) from error
        shape = tuple(outputs.shape) if _is_tensor(outputs) else outputs
        if shape != tuple(tensor.shape):
            raise ValueError(
                "`block` must keep the shape of its input. "
                f"Received: {kind}, which makes {shape} of {tuple(tensor.shape)}, "
                f"the output of layer {original.name!r}"
            )
        self.origins[id(outputs)] = self.origins[id(tensor)]._replace(tensor=outputs)
        return outputs

    def make_block(self, followed: str, tensor: Any) -> keras.layers.Layer:
        origin, pattern = self.origins[id(tensor)], self.prototype
        changes: dict[str, Any] = {"name": self.new_name(followed)}
        if pattern.dtype_policy == keras.config.dtype_policy():
            policy = origin.dtype_policy
            if getattr(policy, "compute_dtype", None) != tensor.dtype or policy.quantization_mode:
                policy = keras.DTypePolicy(tensor.dtype)
            changes["dtype"] = keras.dtype_policies.serialize(policy)
        usual = (None, keras.config.image_data_format())
        if origin.data_format and getattr(pattern, "data_format", None) in usual:
            changes["data_format"] = origin.data_format
        return copy_operation(pattern, **changes)

    def new_name(self, followed: str) -> str:
        kind = type(self.prototype).__name__
        words = in_snake_case(kind)
        name, number = f"{followed}_{words}", 1
        while name in self.names:
            number += 1
            name = f"{followed}_{words}_{number}"
        self.names.add(name)
        return name

    def restore_trainable(self) -> None:
        """Outer before inner, since a flag that is set overwrites those of the layers inside."""
        blocks = [each for block in self.blocks.values() for each in (block, *layers_of(block))]
        flags = [(layer, layer.trainable) for layer in blocks]
        for original, copy in reversed(self.models):
            copy.trainable = original.trainable
        for original, copy in self.leaves:
            copy_trainable(original, copy)
        for layer, flag in flags:
            layer.trainable = flag


def _own_data_format(layer: Any) -> str | None:
    wrapped = None if isinstance(layer, keras.layers.TimeDistributed) else layer
    return getattr(layer, "data_format", None) or getattr(
        getattr(wrapped, "layer", None), "data_format", None
    )


def _rearranges(operation: Any, inputs: Any, outputs: Any) -> bool:
    if isinstance(operation, keras.layers.Lambda):
        return inputs.shape != outputs.shape
    return (
        isinstance(operation, _REARRANGING_LAYERS)
        or type(operation).__name__ in _REARRANGING_OPERATIONS
    )


def _is_tensor(x: Any) -> bool:
    return isinstance(x, keras.KerasTensor)


def _check_can_be_followed(name: str, outputs: Any) -> None:
    if not _is_tensor(outputs):
        what = f"is a {type(outputs).__name__} of {len(keras.tree.flatten(outputs))} tensors"
    elif len(outputs.shape) < 3:
        what = f"has rank {len(outputs.shape)}, {tuple(outputs.shape)}"
    elif not keras.backend.is_float_dtype(outputs.dtype):
        what = f"is of type {outputs.dtype}"
    else:
        return
    raise ValueError(
        "A block follows one floating-point tensor of rank 3 or more, (B, *spatial, C) or "
        f"(B, C, *spatial). Received: layer {name!r}, whose output {what}"
    )

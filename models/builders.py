"""What makes a builder of a network: its record, its body, and the signature they all share."""

import dataclasses
import functools
import inspect
import os
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import keras

from a2keras.models.blocks import Blocks
from a2keras.models.convolutions import check_padding
from a2keras.models.inputs import Top, classifier, network_input, network_model
from a2keras.models.weights import published
from a2keras.models.weights.start import start_of
from a2keras.normalization import batch_normalizations, check_synchronized


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """What every network's record says; families extend it by what their bodies need.

    Attributes:
        name: what `models.build` calls it.
        builder: the name of its function.
        input_size: (frames, height, width) of a video or (height, width) of an image, as in the
            paper's table or the network's own paper.
        attention: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: channels of a block's projections are its input's divided by this.
        source: the table, section or paper that the record comes from.
    """

    name: str
    builder: str
    input_size: tuple[int, ...]
    attention: str | None = None
    positions: tuple[str, ...] = ()
    reduction: int = 4
    source: str = ""

    @property
    def is_video(self) -> bool:
        return len(self.input_size) == 3


class Option(NamedTuple):
    """An argument that only some builders take: its default and its line of documentation.

    Its type is that of the argument of the body or the top that it is handed to.
    """

    default: Any
    text: str


STEM = Option(
    None,
    'None, the network\'s own; "small", a 3×3 convolution (videos: 3×3×3) of stride 1\n'
    "        without pooling, as He et al. (2016) begin networks for pictures of 32×32 pixels.",
)


class Body(Protocol):
    """The layers between a network's input and its last feature maps."""

    def __call__(
        self, x: Any, network: Any, blocks: Blocks, padding: str, *_: Any, **options: Any
    ) -> Any: ...


def builder_of(
    network: Network, body: Body, top: Top = classifier, **options: Option
) -> Callable[..., keras.Model]:
    """The builder of a record, with the signature of `keras.applications`.

    Args:
        network: the record.
        body: makes the feature maps.
        top: makes the logits from them.
        options: arguments of the body that the builder takes too, and those of the top.

    Returns:
        The builder. Its `network` is the record, and its `for_record` gives the builder of another
        record of the family.
    """
    top_takes = inspect.signature(top).parameters

    def build(
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = None,
        input_tensor: Any = None,
        input_shape: tuple[int | None, ...] | None = None,
        pooling: str | None = None,
        classes: int | None = None,
        classifier_activation: str | Callable[[Any], Any] | None = "softmax",
        name: str | None = None,
        *,
        attention: str | None = network.attention,
        positions: tuple[str, ...] | list[str] = network.positions,
        reduction: int = network.reduction,
        padding: str = "same",
        synchronized: bool = False,
        **others: Any,
    ) -> keras.Model:
        for unknown in others.keys() - options.keys():
            raise TypeError(f"{network.builder}() has no argument {unknown!r}")
        chosen = {name: option.default for name, option in options.items()} | others
        of_top = {each: chosen.pop(each) for each in options if each in top_takes}
        start = None if weights is None else start_of(network.name, weights)
        if start:
            classes = start.classes_for(classes, include_top)
        blocks = Blocks(attention, positions, reduction)
        inputs = network_input(input_tensor, input_shape, network.input_size)
        x = body(inputs, network, blocks, check_padding(padding), **chosen)
        blocks.check_positions()
        model = network_model(
            inputs,
            x,
            top=functools.partial(top, **of_top),
            include_top=include_top,
            pooling=pooling,
            classes=1000 if classes is None else classes,
            classifier_activation=classifier_activation,
            name=name or network.name,
        )
        if check_synchronized(synchronized):
            synchronize(model, inputs)
        if start:
            start.load(model)
        return model

    made: Any = build
    made.for_record = lambda record: builder_of(record, body, top, **options)
    _describe(made, network, options, {**inspect.signature(body).parameters, **top_takes})
    return build


def synchronize(model: keras.Model, inputs: Any) -> None:
    """Lets a network's batch normalisations, not those before its input, go by all replicas."""
    before = keras.Model(keras.utils.get_source_inputs(inputs), inputs)
    others = {id(layer) for layer in batch_normalizations(before)}
    for layer in batch_normalizations(model):
        if id(layer) not in others:
            layer.synchronized = True


def _describe(
    build: Any, network: Network, options: dict[str, Option], typed: dict[str, inspect.Parameter]
) -> None:
    """Gives a builder its name, its documentation and its options in its signature."""
    build.network = network
    build.__name__ = build.__qualname__ = network.builder
    build.__doc__ = _DOCUMENTATION.format(
        network=network,
        default=(*network.input_size, 3),
        weights=_weights(published.names_for(network.name)),
        axes="(frames, height, width" if network.is_video else "(height, width",
        options="".join(f"\n    {name}: {option.text}" for name, option in options.items()),
    )
    kind = inspect.Parameter.KEYWORD_ONLY
    signature = inspect.signature(build)
    kept = [each for each in signature.parameters.values() if each.name != "others"]
    kept += [
        typed[name].replace(kind=kind, default=option.default) for name, option in options.items()
    ]
    build.__signature__ = signature.replace(parameters=kept)


def _weights(names: list[str]) -> str:
    known = "".join(f'"{name}", ' for name in names)
    text = (
        f"None, {known}or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of "
        "another library that `a2keras convert` knows."
    )
    indent = 8 * " "
    return textwrap.fill(text, 90, initial_indent=indent, subsequent_indent=indent).lstrip()


_DOCUMENTATION = """{network.source}

Args:
    include_top: whether the classifier stands on top.
    weights: {weights}
    input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
    input_shape: {axes}, channels), with None for an unknown size; default
        {default}. Channels last, unless Keras is set otherwise.
    pooling: without a top, None for feature maps, "avg" or "max" for one vector.
    classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
    classifier_activation: "softmax", another name or function, or None for logits.
    name: of the model; default "{network.name}".
    attention: kind of the blocks: "a2", "non_local", "se" or None.
    positions: names of the units that a block follows where there is attention: "conv4_2".
    reduction: a block's projections have its input's channels divided by this; "se" has none.
    padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
    synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).{options}

Returns:
    A functional `keras.Model`.

Raises:
    ValueError: an argument that breaks one of these rules.
    UserError: published weights that cannot be fetched.
"""

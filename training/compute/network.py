"""The network of a run: normalisation and the named network in one flat model of raw pixels."""

from typing import Any

import keras
import numpy as np

from a2keras import models
from a2keras.errors import UserError, reason_of
from a2keras.graphs import layers_of
from a2keras.models import hosts
from a2keras.models.blocks import is_inserted
from a2keras.models.inputs import HEAD
from a2keras.models.names import is_host
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.normalization import batch_normalizations
from a2keras.position_attention import PositionAttention
from a2keras.pre_activation import clone_initializer
from a2keras.precision import dtype_policy
from a2keras.squeeze_excitation import SqueezeExcitation
from a2keras.training.compute.checks import check_network, check_task
from a2keras.training.config import Recipe
from a2keras.training.host_files import checked_host
from a2keras.wiring import places_of

OPEN = 3.0  # what a gate's sigmoid takes: 0.953, where it still learns


def check(recipe: Recipe) -> None:
    """Refuses a network that does not exist or does not fit the task, before any data is read.

    Raises:
        UserError: that, or Keras is set to channels first.
    """
    check_network(recipe)
    if (data_format := keras.config.image_data_format()) != "channels_last":
        raise UserError(
            "training takes images of (height, width, 3): Keras must be set to channels_last, by "
            "`keras.config.set_image_data_format` or its keras.json. "
            f"Received: image_data_format={data_format}"
        )
    if hosts.is_file(recipe.model):
        hosts.check(recipe.model)
        check_task(recipe, hosts.is_video(recipe.model))
        if recipe.freeze_bn and not recipe.weights and not hosts.has_learned(recipe.model):
            raise UserError(
                "freeze_bn holds batch normalisation as it has learned, and that of "
                f"{recipe.model} is as it was made: set weights=none, from scratch, or "
                "freeze_bn=false. Received: freeze_bn=True"
            )


def build(recipe: Recipe, preprocessing: Preprocessing, precision: str = "float32") -> keras.Model:
    """Builds the network with fresh weights from the recipe's seed, a FILE.keras with its own.

    Args:
        recipe: names the network, its blocks, and how its batch normalisation is set.
        preprocessing: gives the input's shape and the classes.
        precision: Keras dtype policy of the layers; the class probabilities are always float32.

    Returns:
        A functional model: pixels 0..255 (B, *input_shape) → class probabilities (B, classes).

    Raises:
        UserError: positions that are no units of the network, or a file that is another one now.
    """
    keras.utils.set_random_seed(recipe.seed)
    try:
        if is_host(recipe.model):
            model = _host(recipe, preprocessing, precision)
        else:
            with dtype_policy(precision):
                model = _of_the_zoo(recipe, preprocessing)
    except ValueError as error:
        raise UserError(
            f"{recipe.model} cannot be built by this recipe: {reason_of(error)}"
        ) from error
    set_batch_normalization(model, recipe)
    if recipe.block_start == "random":
        _start_at_random(model)
    elif not recipe.starts_random:
        _open_gates(model)
    return model


def _of_the_zoo(recipe: Recipe, preprocessing: Preprocessing) -> keras.Model:
    pixels = keras.Input(preprocessing.input_shape, dtype="float32", name="pixels")
    return models.build(
        recipe.model,
        input_tensor=preprocessing.pixels.layer()(pixels),
        classes=len(preprocessing.labels),
        **block_arguments(recipe),
    )


def _host(recipe: Recipe, preprocessing: Preprocessing, precision: str) -> keras.Model:
    if hosts.is_file(recipe.model):
        checked_host(recipe.model, recipe.model_sha256)
    # Its layers have their precision one by one; its pixels and its head are in float32.
    with dtype_policy("float32"):
        return hosts.build(
            recipe.model,
            preprocessing.input_shape,
            len(preprocessing.labels),
            mode=recipe.pixels,
            fresh=recipe.weights == "none",
            precision=precision,
            **block_arguments(recipe),
        )


def describe_blocks(model: keras.Model) -> str:
    """A sentence on where a network's attention blocks are, and on how many positions; or none."""
    found = [
        f"{block.name} ({'×'.join(map(str, block.input.shape[1:-1]))})"
        for block in layers_of(model)
        if is_inserted(block)
    ]
    return f"blocks (positions): {', '.join(found)}" if found else "no attention blocks"


def describe_network(model: keras.Model, name: str) -> str:
    """What a network is called and takes; of a host also where it was cut for the classifier."""
    takes = f", {'×'.join(map(str, model.input_shape[1:-1]))}"
    if not is_host(name):
        return name + takes
    places = places_of(model)
    pool = next(each for each in places if each.operation is model.get_layer(HEAD[0]))
    (last,) = pool.follows
    while is_inserted(places[last].operation):
        (last,) = places[last].follows
    return f"{name} up to {places[last].operation.name} and a new classifier{takes}"


def block_arguments(recipe: Recipe) -> dict[str, Any]:
    """The arguments of the builder by which the recipe changes the network."""
    arguments: dict[str, Any] = {}
    if recipe.attention != "auto":
        arguments["attention"] = None if recipe.attention == "none" else recipe.attention
    if recipe.positions:
        arguments["positions"] = recipe.unit_names()
    if recipe.stem:
        arguments["stem"] = recipe.stem
    if recipe.multi_label:
        arguments["classifier_activation"] = "sigmoid"
    return arguments


def _start_at_random(model: keras.Model) -> None:
    """Draws the output projections of fresh blocks as their other projections were drawn.

    Those of blocks that have learned, as in a FILE.keras, are not zeros, and stay.
    """
    for block in layers_of(model):
        if isinstance(block, PositionAttention):
            kernel = block.output_projection.kernel
            if not np.any(keras.ops.convert_to_numpy(kernel)):
                kernel.assign(clone_initializer(block.kernel_initializer, "output")(kernel.shape))


def _open_gates(model: keras.Model) -> None:
    """Starts fresh squeeze-and-excitation with gates near 1, in a network that has learned.

    They are no identity, as the other blocks are: drawn at random, the gates begin near 1/2, and
    with every block half of what the next layer has learned to take is lost. Those of blocks that
    have learned have other biases than zeros, and stay.
    """
    for block in layers_of(model):
        if not isinstance(block, SqueezeExcitation) or not is_inserted(block):
            continue
        kernel, bias = block.excite.kernel, block.excite.bias
        if bias is not None and not np.any(keras.ops.convert_to_numpy(bias)):
            kernel.assign(keras.ops.zeros_like(kernel))
            bias.assign(keras.ops.full_like(bias, OPEN))


def set_batch_normalization(model: keras.Model, recipe: Recipe) -> None:
    """Sets momentum and epsilon as the recipe asks, in the blocks too."""
    for layer in batch_normalizations(model):
        layer.momentum = recipe.bn_momentum or layer.momentum
        layer.epsilon = recipe.bn_epsilon or layer.epsilon

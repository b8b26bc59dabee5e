"""Networks that are not ours as hosts: of `keras.applications`, and users' own `.keras` files.

Of a host the trunk is taken, up to its last maps; attention blocks go into it by `insert_blocks`,
and a new classifier onto it.
"""

import re
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from a2keras.errors import UserError, printable, reason_of
from a2keras.graphs import layers_of
from a2keras.insertion import insert_blocks
from a2keras.models import keras_files, names
from a2keras.models.blocks import check_attention, is_inserted
from a2keras.models.inputs import HEAD
from a2keras.models.names import PREFIX, is_file
from a2keras.models.preprocessing.entry import ENTRIES, Entry, entry_of
from a2keras.models.preprocessing.pixels import Pixels
from a2keras.models.preprocessing.spec import Preprocessing, taken_by
from a2keras.models.trunks import Rebuilding, cut, with_blocks, with_head
from a2keras.models.weights import weight_files
from a2keras.normalization import batch_normalizations
from a2keras.precision import dtype_policy


def check(name: str) -> None:
    """Refuses a network that `keras.applications` does not have, and a file that is no network.

    Raises:
        UserError: that.
    """
    _trunk_of_file(name) if is_file(name) else _builder(name)


def has_learned(name: str) -> bool:
    """Whether a file's batch normalisation, if any, has other statistics than a new one's."""
    found = batch_normalizations(_trunk_of_file(name))
    statistics = [(each.moving_mean, each.moving_variance) for each in found]
    as_made = [not np.any(np.array(m)) and np.all(np.array(v) == 1) for m, v in statistics]
    return not as_made or not all(as_made)


def is_video(name: str) -> bool:
    """Whether a host takes clips; those of `keras.applications` take images."""
    return is_file(name) and len(_trunk_of_file(name).input.shape) == 5


def pixels_of(name: str, mode: str) -> Pixels:
    """The normalisation of a host that preprocessing.json tells.

    Of a run's own file it is the run's, which the file's first layer applies.

    Args:
        name: of the host.
        mode: of a file, "auto" or one of `ENTRIES`.
    """
    if mode in ("auto", "raw") and (beside := _beside(name)) and beside.takes == "raw":
        return beside.pixels
    return entry(name, mode).pixels


def entry(name: str, mode: str = "auto") -> Entry:
    """What a host's pixels go through before its own layers."""
    if not is_file(name):
        return entry_of(sys.modules[_builder(name).__module__].preprocess_input)
    return ENTRIES[taken_by(name) if mode == "auto" else mode]()


def _beside(name: str) -> Preprocessing | None:
    return Preprocessing.beside(name) if is_file(name) else None


def build(
    name: str,
    input_shape: tuple[int, ...],
    classes: int,
    attention: str | None = "auto",
    positions: tuple[str, ...] = (),
    mode: str = "auto",
    fresh: bool = False,
    precision: str = "float32",
    classifier_activation: str = "softmax",
) -> keras.Model:
    """Builds a host with a new classifier: pixels 0..255 → class probabilities.

    Args:
        name: `keras:NAME`, whose weights are new, or `FILE.keras`.
        input_shape: ([frames,] height, width, 3).
        classes: outputs of the classifier.
        attention: kind of the blocks that are put in, instead of those that a file has; None for
            none, "auto" for those that a file has.
        positions: names of the layers that a block follows; empty: `trunks.usual_positions`.
        mode: of a file, "auto" or one of `ENTRIES`.
        fresh: not with the file's weights, but with new ones.
        precision: Keras dtype policy of the layers.
        classifier_activation: "sigmoid" for labels of which any number may be there.

    Raises:
        UserError: no such network or file, or one that is no host.
        ValueError: sizes, positions or layers that do not go together.
    """
    kind = None if attention == "auto" else attention
    check_attention(kind)
    if positions and kind is None:
        raise ValueError(
            f"`positions` are for blocks, and there is no attention. Received: {positions}"
        )
    own = _trunk_of_file(name) if is_file(name) else _application(name, input_shape=input_shape)
    pixels = keras.Input(input_shape, dtype="float32", name="pixels")
    rebuilding = Rebuilding(
        precision,
        fresh=fresh and is_file(name),
        renumber=not is_file(name),
        with_blocks=attention == "auto",
        reserved=HEAD,
    )
    try:
        trunk = rebuilding.rebuild(own, pixels, entry(name, mode)(pixels))
        if re.fullmatch(r"keras:EfficientNetB\d", name):
            trunk = _with_scale_of_imagenet(trunk)
        if attention != "auto" and (left := [e.name for e in layers_of(trunk) if is_inserted(e)]):
            raise ValueError(
                "`attention` must be auto where blocks are within wrappers such as "
                f"TimeDistributed, out of which they are not taken: {', '.join(left)}. "
                f"Received: attention={attention!r}"
            )
        if kind is not None:
            trunk = with_blocks(trunk, kind, positions)
        return with_head(trunk, classes, own.name, classifier_activation)
    except (UserError, ValueError):
        raise
    except Exception as error:  # of any layer that a file may hold
        raise ValueError(f"its layers do not fit together: {reason_of(error)}") from error


def _with_scale_of_imagenet(trunk: keras.Model) -> keras.Model:
    """Keras divides by the square roots of these only where it loads its ImageNet weights, whose
    variances are the deviations. Whatever the weights are, the network shall be the same."""
    deviations = np.array([0.229, 0.224, 0.225])
    return insert_blocks(
        trunk,
        lambda layer: isinstance(layer, keras.layers.Normalization),
        keras.layers.Rescaling((1 / np.sqrt(deviations)).tolist()),
    )


@dtype_policy("float32")
def pretrained(name: str, weights: str | Path) -> keras.Model:
    """The trunk of a network of `keras.applications` as Keras builds it, with weights for it.

    Args:
        name: `keras:NAME`.
        weights: "imagenet", which Keras downloads into a cache of its own, or the path of an `.h5`
            file as it downloads them, without the top.

    Raises:
        UserError: they cannot be fetched, or do not fit.
    """
    if weights == "imagenet":
        try:
            return _numbered(_application(name, "imagenet"))
        except Exception as error:  # whatever its download may end in
            raise UserError(
                f"Keras cannot fetch the imagenet weights of {name} ({reason_of(error)}): fetch "
                "that file by hand, and name it with `weights=FILE`"
            ) from error
    weight_files.check_legacy(weights)
    model = _application(name)
    try:
        model.load_weights(weights)
    except Exception as error:  # of a file for another network
        raise UserError(f"{printable(weights)} does not fit {name}: {reason_of(error)}") from error
    return _numbered(model)


def _numbered(model: keras.Model) -> keras.Model:
    pixels = keras.Input(model.input_shape[1:])
    return Rebuilding(renumber=True).rebuild(model, pixels, pixels)


def _application(
    name: str, weights: str | None = None, input_shape: tuple[int, ...] | None = None
) -> keras.Model:
    """As Keras builds it, without the top. Of no `input_shape`: for its usual one."""
    if input_shape is not None and len(input_shape) != 3:
        raise ValueError(f"{name} takes images. Received: input_shape={input_shape}")
    with warnings.catch_warnings():
        # Of MobileNets: that it takes the weights for 224 pixels, which fit any size.
        warnings.filterwarnings("ignore", "`input_shape` is undefined or non-square")
        return _builder(name)(include_top=False, weights=weights, input_shape=input_shape)


def applications() -> dict[str, Any]:
    """The builders of `keras.applications` by name."""
    return {
        name: each
        for name, each in vars(keras.applications).items()
        if name[0].isupper() and callable(each)
    }


def _builder(name: str) -> Any:
    names.check(name)
    return applications()[name.removeprefix(PREFIX)]


def _trunk_of_file(name: str) -> keras.Model:
    names.check(name)
    model = keras_files.load_single(name)
    try:
        return cut(model)
    except Exception as error:  # of any layer that it may hold
        raise UserError(f"{printable(name)} can be no host: {reason_of(error)}") from error

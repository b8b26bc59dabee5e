"""Weights into networks: from files, from an image network into a video network, from PyTorch.

Everything is matched by name, checked before anything is assigned, and told in a report.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from a2keras.console import say
from a2keras.errors import counted
from a2keras.models.weights import checkpoints, layouts, weight_files
from a2keras.models.weights.assignment import (
    Report,
    assign,
    name_of,
    variables_by_layer,
    variables_of,
)
from a2keras.models.weights.translation import differences, translate

__all__ = ["Report", "convert", "inflate", "load"]


def load(model: keras.Model, path: str | Path, skip_mismatch: bool = False) -> Report:
    """Loads a `.weights.h5` or `.keras` file by the names of the layers, and prints the report.

    `Model.load_weights` goes by the classes and the order of the layers: with a block more or less
    it fails, or fills layers with the weights of others. Of a `.keras` file the weights are read,
    the model in it is not built.

    Args:
        model: a built model.
        path: the file.
        skip_mismatch: leave layers as they are that the file does not have, or with other shapes.

    Raises:
        ValueError: no such file, another kind of file, one that is cut off, two layers of the same
            name; nothing fits; or, without `skip_mismatch`, a variable finds no value. The model is
            then as it was.
    """
    layers, of_optimizer = weight_files.read(path)
    targets = variables_by_layer(model)
    arrays: dict[str, np.ndarray] = {}
    skipped: list[tuple[str, str]] = []
    for chain, values in layers.items():
        own = targets.get(chain)
        if own is None:
            skipped += [(_numbered(chain, i), "not in the model") for i in range(len(values))]
        elif len(own) != len(values):
            # Keras writes no names of variables: which of them is missing cannot be told.
            reason = f"{len(values)} variables in the layer, in the model {len(own)}"
            skipped += [(_numbered(chain, i), reason) for i in range(len(values))]
        else:
            arrays |= {
                name_of(chain, variable, index): array
                for index, (variable, array) in enumerate(zip(own, values, strict=True))
            }
    state = f"the state of the optimizer is left: {counted(of_optimizer, 'array')}"
    return _printed(
        assign(
            model,
            arrays,
            source=str(path),
            skip_mismatch=skip_mismatch,
            skipped=tuple(skipped),
            notes=(state,) if of_optimizer else (),
        )
    )


def inflate(
    image_model: keras.Model, video_model: keras.Model, skip_mismatch: bool = True
) -> Report:
    """Starts a video network from an image network, as the paper's for Kinetics was started.

    Kernels (h, w, c_in, c_out) are repeated t times over time and divided by t (Carreira and
    Zisserman, 2017); all other weights are copied. A convolution of a clip whose frames are all the
    same then gives the image's features at every frame whose window lies inside the clip. At the
    first and the last frames "same" padding sets zeros for the frames that are not there, and a
    network's features there are smaller.

    Args:
        image_model: takes (B, height, width, C).
        video_model: takes (B, frames, height, width, C); its layers have the names of the image
            model's.
        skip_mismatch: leave layers as they are that the image model does not have, or with other
            shapes: attention blocks, and the classifier for other classes.

    Raises:
        ValueError: models of other ranks; nothing fits; or, without `skip_mismatch`, a variable
            finds no value. The video model is then as it was.
    """
    ranks = [len(model.inputs[0].shape) for model in (image_model, video_model)]
    if ranks != [4, 5]:
        raise ValueError(
            "inflate takes a model of images (B, H, W, C) and one of videos (B, T, H, W, C). "
            f"Received: inputs of {ranks[0]} and of {ranks[1]} axes"
        )
    targets = variables_of(video_model)
    arrays = {
        name: _inflated(keras.ops.convert_to_numpy(variable.value), targets.get(name))
        for name, variable in variables_of(image_model).items()
    }
    source = f"image model {image_model.name!r}"
    return _printed(assign(video_model, arrays, source=source, skip_mismatch=skip_mismatch))


def copy(source: keras.Model, model: keras.Model) -> Report:
    """Loads the weights of another model by the names of the layers, and prints the report.

    Layers that it does not have stay as they are: attention blocks, and the classifier.

    Raises:
        ValueError: nothing fits. The model is then as it was.
    """
    arrays = {
        name: keras.ops.convert_to_numpy(variable.value)
        for name, variable in variables_of(source).items()
    }
    return _printed(assign(model, arrays, source=f"model {source.name!r}", skip_mismatch=True))


def _inflated(kernel: np.ndarray, target: Any) -> np.ndarray:
    """(h, w, i, o) → (t, h, w, i, o) for a target of that shape; anything else stays as it is."""
    if target is None or len(target.shape) != 5 or tuple(target.shape[1:]) != kernel.shape:
        return kernel
    times = target.shape[0]
    return np.repeat(kernel[np.newaxis] / times, times, axis=0)


def convert(
    checkpoint: str | Path | checkpoints.Checkpoint,
    model: keras.Model,
    layout: str | None = None,
    skip_mismatch: bool = False,
) -> Report:
    """Loads a checkpoint of another library into one of our networks, and prints the report.

    Args:
        checkpoint: the file (see `checkpoints.read`), or what was read from it.
        model: a network built as the checkpoint's was: with the `options` of its layout, such as
            padding="symmetric". Where it is not, the report has a note.
        layout: name of the checkpoint's layout, one of `layouts.LAYOUTS`; default, by its keys.
        skip_mismatch: leave layers as they are that the checkpoint does not have, or with other
            shapes: attention blocks, and the classifier for other classes.

    Raises:
        ValueError: a file that is none, cut off, or holds more than arrays; an unknown layout;
            nothing fits; or, without `skip_mismatch`, a variable finds no value. The model is then
            as it was.
    """
    found = checkpoint
    if not isinstance(found, checkpoints.Checkpoint):
        found = checkpoints.read(found)
    chosen = layouts.named(layout) if layout else layouts.layout_of(found.arrays)
    arrays, skipped = translate(chosen, found.arrays, variables_of(model))
    return _printed(
        assign(
            model,
            arrays,
            source=found.source,
            skip_mismatch=skip_mismatch,
            skipped=(*found.others, *skipped),
            notes=tuple(differences(chosen, model)),
        )
    )


def is_ours(path: Path) -> bool:
    """Whether a file has the name of one that `load` reads, not `convert`."""
    return path.name.endswith(weight_files.SUFFIXES)


def read(
    source: Path | checkpoints.Checkpoint, model: keras.Model, skip_mismatch: bool = False
) -> Report:
    """`load` or `convert`, by the name of the file."""
    if isinstance(source, Path) and is_ours(source):
        return load(model, source, skip_mismatch)
    return convert(source, model, skip_mismatch=skip_mismatch)


def _numbered(chain: tuple[str, ...], index: int) -> str:
    return f"{'/'.join(chain)}/{index}"


def _printed(report: Report) -> Report:
    say(str(report))
    return report

"""What a builder's `weights=` may be: published weights by their name, or a file by its path."""

from pathlib import Path
from typing import Any, NamedTuple

import keras

from a2keras.models.blocks import BLOCKS
from a2keras.models.weights import checkpoints, layouts, loading, published, translation
from a2keras.models.weights.assignment import listing
from a2keras.precision import dtype_policy


class Start(NamedTuple):
    """Weights that a network is to start from.

    Attributes:
        named: what the user called them.
        source: published weights, a file of ours, or a checkpoint of another library.
        classes: of their classifier, where it is known.
    """

    named: Any
    source: published.Published | Path | checkpoints.Checkpoint
    classes: int | None = None

    def classes_for(self, classes: int | None, include_top: bool) -> int | None:
        """The outputs of a network's classifier, where the user may have left their number open.

        Raises:
            ValueError: the weights have a classifier of another number.
        """
        if include_top and self.classes and classes not in (None, self.classes):
            raise ValueError(
                f"these `weights` have a classifier of {self.classes} classes: for others, build "
                "the network with include_top=False. "
                f"Received: weights={str(self.named)!r}, classes={classes}"
            )
        return self.classes if classes is None else classes

    def load(self, model: keras.Model) -> None:
        """Loads into a network that has just been built.

        Attention blocks may stay as they are, the identity: weights of a plain network have none.

        Raises:
            ValueError: the weights do not fit, or the network is built with other options.
            UserError: published weights cannot be fetched.
        """
        source: Any = self.source
        if isinstance(source, published.Fetched):
            layout = layouts.named(source.layout)
            if differences := translation.differences(layout, model):
                raise ValueError(f"weights={self.named!r} do not fit: {'; '.join(differences)}")
        if isinstance(source, published.Published):
            from a2keras.models.weights import fetching

            source = fetching.weights_of(source)
        has_blocks = any(isinstance(each, tuple(BLOCKS.values())) for each in model.layers)
        report = loading.read(source, model, skip_mismatch=has_blocks)
        if isinstance(self.source, published.Trained):
            self._check_blocks(self.source, report)
        if lost := [name for name in report.new if "_attention/" not in name]:
            raise ValueError(
                f"{len(lost)} variables of model {model.name!r} find no value in {report.source}: "
                f"{listing(lost)}"
            )

    def _check_blocks(self, record: published.Trained, report: loading.Report) -> None:
        """Refuses a network without the blocks that these weights were trained with."""
        if lost := [name for name, _ in report.skipped if "_attention/" in name]:
            built = ", ".join(f"{name}={value!r}" for name, value in record.built.items())
            raise ValueError(
                f"weights={self.named!r} have values for blocks that this network is built "
                f"without: build it with {built}. Received no {listing(lost)}"
            )


def start_of(network: str, named: Any) -> Start:
    """The weights of a builder's `weights=`.

    Raises:
        ValueError: there are none of this name, and no such file.
    """
    record = published.of_network(network, named)
    if record is not None:
        return Start(named, record, record.classes)
    path = Path(named)
    if not path.is_file():
        names = "".join(f", {name!r}" for name in published.names_for(network))
        raise ValueError(
            f"`weights` must be None{names} or the path of a file of weights. "
            f"Received: weights={str(named)!r}, which is no file"
        )
    if loading.is_ours(path):
        return Start(named, path)
    found = checkpoints.read(path)
    return Start(
        named, found, translation.classes_of(layouts.layout_of(found.arrays), found.arrays)
    )


@dtype_policy("float32")
def classifier(record: published.Published) -> keras.Model:
    """Published weights as runs save theirs: raw pixels 0..255 in and probabilities out, float32.

    Raises:
        UserError: they cannot be fetched.
    """
    from a2keras import models
    from a2keras.models.weights import fetching

    preprocessing = fetching.preprocessing_of(record)
    pixels = keras.Input(preprocessing.input_shape, dtype="float32", name="pixels")
    return models.build(
        record.network,
        weights=record.name,
        input_tensor=preprocessing.pixels.layer()(pixels),
        **record.arguments,
    )

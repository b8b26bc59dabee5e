"""What a network looked at in one example: its class activation maps and its attention maps."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from a2keras.attention_maps import call_with_maps
from a2keras.class_maps import ClassMaps, NoMaps
from a2keras.console import say
from a2keras.errors import UserError, printable, reason_of
from a2keras.models import keras_files

CLASSES_SHOWN = 3


@dataclass(frozen=True)
class Block:
    """The maps of one block for one example. An image counts as one frame.

    Attributes:
        name: of the layer, and of a further use of it a number.
        gather: float (T', H', W', n): each descriptor's map sums to 1 over all positions.
        distribution: float (T', H', W', n): sums to 1 over the descriptors at every position.
    """

    name: str
    gather: np.ndarray
    distribution: np.ndarray

    def peaks(self) -> np.ndarray:
        """The largest weight of each gather map, as a multiple of a uniform map's: (n,)."""
        positions = np.prod(self.gather.shape[:-1])
        return self.gather.max(axis=(0, 1, 2)) * positions

    def most_concentrated(self, count: int) -> list[int]:
        """The descriptors whose gather maps have the least entropy, that is, choose most."""
        weights = self.gather.reshape(-1, self.gather.shape[-1])
        entropy = -(weights * np.log(weights + 1e-12)).sum(axis=0)
        return np.argsort(entropy, kind="stable")[:count].tolist()

    def attended(self) -> np.ndarray:
        """How much is gathered from each position, the mean over the descriptors: (T', H', W')."""
        return self.gather.mean(axis=-1)


@dataclass(frozen=True)
class ClassMap:
    """Where the evidence for a class is in one example. An image counts as one frame.

    Attributes:
        label: of the class.
        probability: that the network gives it.
        map: float (T', H', W'), at least 0, see `a2keras.class_maps`.
    """

    label: str
    probability: float
    map: np.ndarray

    def peak(self) -> float:
        """Its largest value, as a multiple of the mean; 0 where nothing speaks for the class."""
        mean = float(self.map.mean())
        return float(self.map.max()) / mean if mean > 0 else 0.0


@dataclass(frozen=True)
class Attended:
    """What a network makes of one example.

    Attributes:
        probabilities: float (classes,).
        layer: whose maps the class maps are.
        class_maps: of the likeliest classes, and of true ones where they are known.
        blocks: the double attention blocks, in the network's order.
    """

    probabilities: np.ndarray
    layer: str
    class_maps: list[ClassMap]
    blocks: list[Block]

    @property
    def best(self) -> int:
        return int(self.probabilities.argmax())


class Onlooker:
    """Looks at a network while it computes.

    Args:
        model: pixels (B, *input_shape) → probabilities (B, classes).
        labels: names of the classes.

    Raises:
        UserError: a network without feature maps, or one that cannot be computed.
    """

    def __init__(self, model: keras.Model, labels: tuple[str, ...]) -> None:
        self.model, self.labels = model, labels
        self.told: set[str] = set()
        with keras_files.computing():
            try:
                self.class_maps = ClassMaps(model)
            except NoMaps as error:
                raise UserError(f"there is nothing to explain: {reason_of(error)}") from error

    def look(self, pixels: np.ndarray, labels: Sequence[str] = ()) -> Attended:
        """What it makes of one view (*input_shape), whose labels may be known.

        Raises:
            UserError: the network cannot be computed, or gives what is no number.
        """
        batch = pixels[None].astype("float32")
        with keras_files.computing():
            outputs, maps = call_with_maps(self.model, keras.ops.convert_to_tensor(batch))
            probabilities = keras.ops.convert_to_numpy(outputs)[0].astype("float32")
            check_numbers(probabilities, "outputs")
            truths = {self.labels.index(label) for label in labels if label in self.labels}
            chosen = _chosen(probabilities, truths)
            found = self.class_maps(batch, chosen)[0]
        check_numbers(found, "class maps")
        found = found[None] if found.ndim == 3 else found
        class_maps = [
            ClassMap(self.labels[number], float(probabilities[number]), found[..., i])
            for i, number in enumerate(chosen)
        ]
        return Attended(
            probabilities, self.class_maps.layer, class_maps, self._blocks(maps, pixels)
        )

    def _blocks(self, maps: dict[str, tuple], pixels: np.ndarray) -> list[Block]:
        """The double attention blocks whose maps lie over the view; of others it is told once."""
        blocks = []
        for name, tensors in maps.items():
            if len(tensors) != 2:  # NonLocal and SqueezeExcitation have one
                continue
            arrays = [keras.ops.convert_to_numpy(each).astype("float32") for each in tensors]
            placed = (_frames(each, pixels.ndim - 1) for each in arrays)
            frames = [each for each in placed if each is not None]
            if len(frames) < len(arrays):
                if name not in self.told:
                    say(f"block {printable(name)} is not shown: its positions are not the view's")
                self.told.add(name)
                continue
            gather, distribution = frames
            for each in (gather, distribution):
                check_numbers(each, "attention maps")
            gather /= gather.sum(axis=(0, 1, 2))  # each frame's may be of its own
            blocks.append(Block(name, gather, distribution))
        return blocks


def _chosen(probabilities: np.ndarray, truths: set[int]) -> list[int]:
    """The classes to show: the likeliest, then true ones, then others, by their probability."""
    order = np.argsort(-probabilities, kind="stable").tolist()
    first, *rest = order
    wanted = [first, *sorted(rest, key=lambda label: label not in truths)][:CLASSES_SHOWN]
    return sorted(wanted, key=order.index)


def _frames(maps: np.ndarray, axes: int) -> np.ndarray | None:
    """The maps of one view as (T', H', W', n), or None where they are of something else.

    Args:
        maps: (B, *positions, n).
        axes: of the view's positions: 2, or of a clip 3.
    """
    if axes == 3 and maps.ndim == 4:  # without time: of all frames as one, or these as the batch
        return maps
    if maps.ndim != axes + 2 or len(maps) != 1:  # a sequence; windows of an image as the batch
        return None
    return maps[0] if axes == 3 else maps


def check_numbers(values: np.ndarray, what: str) -> None:
    """`UserError` where a network gives NaN or infinity."""
    if not np.isfinite(values).all():
        raise UserError(f"the network's {what} are not numbers: it has diverged")

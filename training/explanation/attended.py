"""What a network looked at in one example: its class activation maps and its attention maps."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from a2keras.attention_maps import call_with_maps
from a2keras.class_maps import ClassMaps, NoMaps
from a2keras.errors import UserError, reason_of
from a2keras.models import keras_files

CLASSES_SHOWN = 3


@dataclass(frozen=True)
class Block:
    """The maps of one block for one example. An image counts as one frame.

    Attributes:
        name: of the layer.
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
        with keras_files.computing():
            try:
                self.class_maps = ClassMaps(model)
            except NoMaps as error:
                raise UserError(f"there is nothing to explain: {reason_of(error)}") from error

    def look(self, pixels: np.ndarray, labels: Sequence[str] = ()) -> Attended:
        """What it makes of one view (*input_shape), whose labels may be known.

        Raises:
            UserError: the network cannot be computed.
        """
        batch = pixels[None].astype("float32")
        with keras_files.computing():
            outputs, maps = call_with_maps(self.model, keras.ops.convert_to_tensor(batch))
            probabilities = keras.ops.convert_to_numpy(outputs)[0].astype("float32")
            chosen = np.argsort(-probabilities, kind="stable")[:CLASSES_SHOWN].tolist()
            truths = [self.labels.index(label) for label in labels if label in self.labels]
            # The likeliest stays, in front of what is so.
            missing = [truth for truth in truths if truth not in chosen][: CLASSES_SHOWN - 1]
            chosen = [*chosen[: len(chosen) - len(missing)], *missing]
            found = self.class_maps(batch, chosen)[0]
        found = found[None] if found.ndim == 3 else found
        class_maps = [
            ClassMap(self.labels[number], float(probabilities[number]), found[..., i])
            for i, number in enumerate(chosen)
        ]
        return Attended(probabilities, self.class_maps.layer, class_maps, _blocks(maps))


def _blocks(maps: dict[str, tuple]) -> list[Block]:
    blocks = []
    for name, tensors in maps.items():
        if len(tensors) != 2:  # NonLocal and SqueezeExcitation have one
            continue
        arrays = [keras.ops.convert_to_numpy(each)[0].astype("float32") for each in tensors]
        gather, distribution = (a[None] if a.ndim == 3 else a for a in arrays)
        blocks.append(Block(name, gather, distribution))
    return blocks

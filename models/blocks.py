"""Attention blocks behind named units of a network."""

from typing import Any

from a2keras.double_attention import DoubleAttention
from a2keras.errors import nearest
from a2keras.models.convolutions import channel_axis
from a2keras.non_local import NonLocal
from a2keras.positions import check_positive
from a2keras.squeeze_excitation import SqueezeExcitation

BLOCKS = {"a2": DoubleAttention, "non_local": NonLocal, "se": SqueezeExcitation}


def block_of(attention: str, channels: int | None = None, name: str | None = None) -> Any:
    """A block of a kind, the paper's: with BN → ReLU before each projection.

    Squeeze-and-excitation has neither, and its own ratio.

    Args:
        attention: a key of `BLOCKS`.
        channels: of the projections, m = n; default a quarter of the input's.
        name: of the layer.
    """
    if attention == "se":
        return SqueezeExcitation(name=name)
    return BLOCKS[attention](channels, pre_activation=True, name=name)


def is_inserted(layer: Any) -> bool:
    """Whether a layer is an attention block that was put in; SE-ResNet's gates are its own."""
    return not layer.name.endswith("_se") and isinstance(layer, tuple(BLOCKS.values()))


def check_attention(attention: str | None) -> None:
    """Raises a `ValueError` for an unknown kind of block."""
    if attention is not None and attention not in BLOCKS:
        *kinds, last = BLOCKS
        raise ValueError(
            f"`attention` must be None, {', '.join(map(repr, kinds))} or {last!r}. "
            f"Received: attention={attention!r}"
        )


class Blocks:
    """Puts an attention block behind every unit whose name is among the positions.

    A network's body calls it once per unit, in order: `x = blocks(x, "conv4_2")`. "a2" and
    "non_local" are the paper's, with BN → ReLU before each projection and m = n = c / reduction
    channels; "se" scales the channels (r = 16).

    Raises:
        ValueError: an unknown kind of attention, positions that are no tuple of names,
            a reduction that is no whole number of at least 1.
    """

    def __init__(
        self, attention: str | None, positions: tuple[str, ...] | list[str], reduction: int
    ):
        check_attention(attention)
        if isinstance(positions, str):
            raise ValueError(
                f"`positions` must be a tuple of unit names. Received: positions={positions!r}"
            )
        self.attention = attention
        self.positions = tuple(positions)
        self.reduction = check_positive("reduction", reduction)
        self.units: list[str] = []

    def __call__(self, x: Any, unit: str) -> Any:
        """The output of a unit, or of the block behind it."""
        self.units.append(unit)
        if self.attention is None or unit not in self.positions:
            return x
        channels = max(1, x.shape[channel_axis()] // self.reduction)
        return block_of(self.attention, channels, f"{unit}_attention")(x)

    def check_positions(self) -> None:
        """Raises a `ValueError` for a position that no unit had; called when the body stands."""
        for position in self.positions:
            if position not in self.units:
                near = nearest(position, self.units) or self.units
                raise ValueError(
                    f"`positions` must name units of the network, such as {', '.join(near)}. "
                    f"Received: {position!r}"
                )

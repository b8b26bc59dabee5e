"""What learns when: the phases of a run, and what is held in inference mode meanwhile.

Everything is found by the Keras model alone, whatever its layers are called:

* blocks: the attention layers of this package;
* head: the last layers that have a kernel, and what comes behind them;
* trunk: all other layers.
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import keras

from a2keras.errors import UserError, did_you_mean, nearest
from a2keras.graphs import layers_of
from a2keras.position_layer import PositionLayer
from a2keras.training.config import Recipe
from a2keras.wiring import Place, places_of

# In inference mode each of these does nothing, and so it does where this attribute is 0.
_NOISE: tuple[tuple[type[keras.layers.Layer], str], ...] = (
    (keras.layers.Dropout, "rate"),  # the spatial ones are such layers too
    (keras.layers.GaussianDropout, "rate"),
    (keras.layers.AlphaDropout, "rate"),
    (keras.layers.GaussianNoise, "stddev"),
)


class Phase(NamedTuple):
    """A part of a run.

    Attributes:
        first_step: of the run, from 0.
        weights: that learn; gradients are computed for these alone.
        held: layers that compute in inference mode.
    """

    first_step: int
    weights: list[keras.Variable]
    held: list[keras.layers.Layer]


class Wiring:
    """A model's layers by the part that they belong to.

    Args:
        model: functional, of any kind.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.places = places_of(model)
        self.blocks = {i for i, place in enumerate(self.places) if _is_block(place.operation)}
        self.kernels = {i for i, p in enumerate(self.places) if _has_kernel(p)} - self.blocks
        weighted = {i for i, p in enumerate(self.places) if _weights(p)} - self.blocks
        self.head = weighted - self.upstream(self.kernels)
        self.trunk = weighted - self.head
        # What has no weights belongs to the part that it feeds.
        self.before_head = self.upstream(self.trunk | self.blocks) | self.trunk | self.blocks

    def upstream(self, places: Iterable[int]) -> set[int]:
        """All places from which one can come to these; these themselves only if so."""
        found: set[int] = set()
        rest = [each for i in places for each in self.places[i].follows]
        while rest:
            i = rest.pop()
            if i not in found:
                found.add(i)
                rest += self.places[i].follows
        return found

    def until(self, name: str, network: str) -> set[int]:
        """The places of a layer or a unit, and all that come before.

        A unit is all layers whose names begin with its name and "_", but the block behind it.

        Raises:
            UserError: there is none.
        """
        names = [place.operation.name for place in self.places]
        own = {i for i, each in enumerate(names) if each == name}
        unit = {i for i, each in enumerate(names) if each.startswith(f"{name}_")} - self.blocks
        if not (chosen := own or unit):
            known = sorted({*names, *(each.rsplit("_", 1)[0] for each in names)})
            ends = f"its layers go from {names[0]} to {names[-1]}"
            hint = did_you_mean(nearest(name, known), ends)
            raise UserError(
                f"recipe field freeze_until: {network} has no layer or unit {name!r}: {hint}"
            )
        return chosen | self.upstream(chosen)

    def depths(self) -> dict[int, int]:
        """{id of a weight: how many times the maps become smaller between it and the head}.

        From one layer with weights to the next they do so once, whatever pools stand between. Of
        several ways to the head the shortest counts: squeeze-and-excitation is a way aside.
        """
        # Of each place: the depth of what with weights comes next, and how large it is.
        following: list[tuple[int, float] | None] = [None] * len(self.places)
        found: dict[int, int] = {}
        for i, place in reversed(list(enumerate(self.places))):
            state = following[i]
            if weights := _weights(place):
                size = math.inf if place.positions is None else place.positions
                depth = 0 if state is None or i in self.head else state[0] + (state[1] < size)
                found |= {id(weight): depth for weight in weights}
                state = (depth, size)
            for before in place.follows if state else ():
                ways = [way for way in (state, following[before]) if way]
                following[before] = min(ways, key=lambda way: (way[0], -way[1]))
        return found

    def weights(self, places: Iterable[int]) -> set[int]:
        """The ids of their weights."""
        return {id(weight) for i in places for weight in _weights(self.places[i])}

    def holdable(self, places: Iterable[int]) -> dict[int, keras.layers.Layer]:
        """Their layers that compute otherwise in training, by id."""
        operations = (self.places[i].operation for i in places)
        layers = (each for each in operations if isinstance(each, keras.layers.Layer))
        every = (inner for layer in layers for inner in (layer, *layers_of(layer)))
        return {id(layer): layer for layer in every if _switch(layer)}


def check_start(recipe: Recipe) -> None:
    """Refuses to hold what has not learned anything."""
    if not recipe.starts_random:
        return
    if held := ", ".join(f"{name}={getattr(recipe, name)}" for name in recipe.holds):
        raise UserError(
            "what weights have learned can be held, and the recipe starts from none: see its field "
            f"weights. Received: {held}"
        )


def phases_of(recipe: Recipe, model: keras.Model, steps_per_epoch: int) -> list[Phase]:
    """The phases of a run.

    Raises:
        UserError: a `freeze_until` that there is not, or behind which nothing is left to learn.
    """
    weights = model.trainable_variables
    if not recipe.holds:
        return [Phase(0, weights, [])]
    wiring = Wiring(model)
    fixed: set[int] = set()
    held: dict[int, keras.layers.Layer] = {}
    if recipe.freeze_until:
        places = wiring.until(recipe.freeze_until, recipe.model)
        fixed |= wiring.weights(places)
        held |= wiring.holdable(places)
    if recipe.freeze_bn:
        found = wiring.holdable(wiring.trunk)
        statistics = {k: v for k, v in found.items() if _is_normalization(v)}
        fixed |= {id(weight) for layer in statistics.values() for weight in layer.weights}
        held |= statistics
    main = [each for each in weights if id(each) not in fixed]
    first = [each for each in main if id(each) in wiring.weights(wiring.head)]
    if not (first if recipe.freeze_epochs else main):
        raise UserError(
            f"nothing of {recipe.model} is left to learn. "
            f"Received: freeze_until={recipe.freeze_until}"
        )
    start = recipe.freeze_epochs * steps_per_epoch
    phases = [Phase(start, main, list(held.values()))]
    if start:
        held |= wiring.holdable(wiring.before_head)
        phases.insert(0, Phase(0, first, list(held.values())))
    return phases


class Holding:
    """Switches layers to inference mode and back, as the phases of a run want it.

    Args:
        phases: of the run.
    """

    def __init__(self, phases: list[Phase]) -> None:
        self.phases = phases
        self.switches = {
            id(layer): (layer, *switch, getattr(layer, switch[0]))
            for phase in phases
            for layer in phase.held
            if (switch := _switch(layer))
        }

    def phase_at(self, step: int) -> int:
        """The number of the phase that a step of the run belongs to."""
        return sum(phase.first_step <= step for phase in self.phases) - 1

    def enter(self, number: int) -> None:
        """Switches all layers as a phase has them, for what is traced from now on."""
        held = {id(layer) for layer in self.phases[number].held}
        for key, (layer, attribute, off, on) in self.switches.items():
            setattr(layer, attribute, off if key in held else on)


def describe_phases(
    phases: list[Phase], model: keras.Model, epochs: int, steps_per_epoch: int
) -> list[str]:
    """What learns when, in a line for each phase; none where everything learns always."""
    starts = [phase.first_step // steps_per_epoch for phase in phases]
    if len(phases) == 1 and not phases[0].held:
        return []
    lines = []
    for phase, first, end in zip(phases, starts, [*starts[1:], epochs], strict=True):
        count = sum(math.prod(each.shape) for each in phase.weights)
        total = model.count_params()
        when = f"epochs {first + 1} to {end}" if end > first + 1 else f"epoch {end}"
        lines.append(f"{when}: {count:,} of {total:,} parameters learn")
    return lines


def _is_block(operation: Any) -> bool:
    return isinstance(operation, PositionLayer)


def _is_normalization(layer: Any) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)


def _weights(place: Place) -> list[keras.Variable]:
    return getattr(place.operation, "weights", [])


def _has_kernel(place: Place) -> bool:
    return any(len(weight.shape) > 1 for weight in _weights(place))


def _switch(layer: Any) -> tuple[str, Any] | None:
    """The attribute of a layer, and its value, by which it computes as in inference."""
    if _is_normalization(layer):
        return ("trainable", False) if layer.trainable else None
    return next(((name, 0.0) for kind, name in _NOISE if isinstance(layer, kind)), None)

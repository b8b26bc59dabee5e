"""Stochastic depth (Huang et al., ECCV 2016): residual branches that are left out by chance."""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from a2keras.errors import UserError
from a2keras.training.compute.freezing import Wiring
from a2keras.training.config import Recipe


class Residual(NamedTuple):
    """An addition of a branch to its shortcut: its place, and which of its two inputs is which."""

    place: int
    branch: int


class StochasticDepth:
    """A network whose residual branches are multiplied by factors that come in beside the pixels.

    Chance is not drawn within the network: a factor is a function of the recipe's seed, the step
    and the example's index in the batch, on every backend and however the batch is dealt out.

    Args:
        recipe: its drop_path is the probability for the last branch; that of the l-th of L is
            l / L of it. What is held in a phase of the run is not left out.
        model: of the run; the layers are shared with it.

    Attributes:
        model: (pixels, factors (B, L)) → what `model` gives.

    Raises:
        UserError: the network has no residual branches.
    """

    def __init__(self, recipe: Recipe, model: keras.Model) -> None:
        self.recipe = recipe
        wiring = Wiring(model)
        self.residuals = residuals_of(wiring)
        if not self.residuals:
            raise UserError(
                f"recipe field drop_path is for networks with residuals, and {recipe.model} has "
                f"none. Received: drop_path={recipe.drop_path}"
            )
        count = len(self.residuals)
        self.rates = recipe.drop_path * np.arange(1, count + 1) / count
        held = wiring.until(recipe.freeze_until, recipe.model) if recipe.freeze_until else set()
        for i, residual in enumerate(self.residuals):
            self.rates[i] *= residual.place not in held
        self.model = self._with_factors(model, wiring)

    def factors(self, step: int, learns: bool = True) -> np.ndarray:
        """float32 (batch, L): 0, or 1 / (1 − probability), so that the mean is 1.

        Args:
            step: of the run.
            learns: whether the branches do in this phase.
        """
        size = (self.recipe.batch_size, len(self.rates))
        if not learns:
            return np.ones(size, "float32")
        chance = np.random.default_rng([self.recipe.seed, step, _STREAM]).random(size)
        return ((chance >= self.rates) / (1 - self.rates)).astype("float32")

    def _with_factors(self, model: keras.Model, wiring: Wiring) -> keras.Model:
        factors = keras.Input((len(self.residuals),), name="factors")
        numbers = {id(wiring.places[r.place].operation): i for i, r in enumerate(self.residuals)}

        def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
            if (i := numbers.get(id(operation))) is not None:
                tensors = list(keras.tree.flatten(args))
                branch = tensors[self.residuals[i].branch]
                shape = (-1, *(1 for _ in branch.shape[1:]))
                kept = ops.cast(ops.reshape(factors[:, i], shape), branch.dtype)
                tensors[self.residuals[i].branch] = branch * kept
                args = (tensors,) if isinstance(args[0], list | tuple) else tuple(tensors)
            return operation(*args, **kwargs)

        pixels = keras.Input(model.inputs[0].shape[1:], dtype=model.inputs[0].dtype, name="pixels")
        # A model whose second input is not used yet: the copy must have it.
        unused = keras.Input(factors.shape[1:], name="unused")
        graph = keras.Model([model.inputs[0], unused], model.outputs[0])
        return keras.models.clone_model(
            graph, [pixels, factors], clone_function=lambda layer: layer, call_function=call
        )


# Beside the order of the examples, which is drawn from (seed, epoch).
_STREAM = 0xD12


def residuals_of(wiring: Wiring) -> list[Residual]:
    """The additions of two tensors of which one, the shortcut, has passed one kernel at most.

    Those of nested models are not among them.
    """
    own = {id(operation) for operation in wiring.model.operations}
    kernels = wiring.kernels | wiring.blocks
    found = []
    for i, place in enumerate(wiring.places):
        if type(place.operation).__name__ != "Add" or id(place.operation) not in own:
            continue
        if len(place.inputs) != 2 or not all(len(each) == 1 for each in place.inputs):
            continue
        ways = [set(each) | wiring.upstream(each) for each in place.inputs]
        passed = [len((ways[k] - ways[1 - k]) & kernels) for k in (0, 1)]
        if min(passed) <= 1 and max(passed) > min(passed):
            found.append(Residual(i, passed.index(max(passed))))
    return found

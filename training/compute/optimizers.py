"""SGD as the paper's recipes mean it, and AdamW: one update, the same on every backend."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from a2keras.errors import UserError
from a2keras.training.compute.freezing import Phase, Wiring
from a2keras.training.config import Recipe

# Of the dynamic loss scale: TensorFlow's and Keras's own numbers.
FIRST_SCALE, GROWTH_STEPS = 2.0**15, 2000


class Optimizer:
    """Momentum SGD or AdamW over a model's weights, with what recipes put around it.

    With the mean gradient g of the global batch and the schedule's rate η, an update is

        g ← g · min(1, clip_norm / ‖g‖)           ‖·‖ over all weights together
        g ← g + weight_decay · w                  kernels only, not BN and biases
        m ← momentum · m − η · factor(w) · g
        w ← w + momentum · m − η · factor(w) · g  Nesterov; without momentum w ← w − η · factor · g
        a ← a + (1 − d) · (w − a)                 d = min(ema_decay, (1 + t) / (10 + t)), update t

    so weight decay is the L2 penalty of the papers, and a, the averaged weights, forget the initial
    weights soon. AdamW (Loshchilov and Hutter, 2019) decays weights apart from the gradient:

        m ← β₁ · m + (1 − β₁) · g,  v ← β₂ · v + (1 − β₂) · g²
        w ← w − η · factor(w) · weight_decay · w
        w ← w − η · factor(w) · √(1 − β₂ⁿ) / (1 − β₁ⁿ) · m / (√v + ε)     the n-th update of w

    What does not learn in the present phase of the run has no part in any of this.

    Keras's optimizers are not used: on several replicas they clip each replica's gradient before
    the sum, decide on each replica whether the gradient is finite, count averages by micro-batch,
    and have one learning rate for all layers. Here the gradients that come in are those of the
    global batch already, so every replica gives its own copies the same update.

    Args:
        recipe: the settings.
        model: whose trainable weights are updated, and whose floating-point weights are averaged:
            batch normalisation's statistics too, as they belong to the weights.
        schedule: the rate of each step.
        phases: of the run, each with the weights that learn in it; default: all in one.

    Attributes:
        phase: the number of the present one.
        weights: those that learn in any of the phases.
        variables: the optimizer's state.
        accumulators: sums over micro-batches; zero between updates, so no state of the run.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: keras.Model,
        schedule: Any,
        phases: Sequence[Phase] = (),
    ) -> None:
        self.recipe = recipe
        self.schedule = schedule
        weights = model.trainable_variables
        named = [{id(w) for w in phase.weights} for phase in phases] or [set(map(id, weights))]
        self.weights = [w for w in weights if any(id(w) in ids for ids in named)]
        self.phase = 0
        self.learning_in = [
            [i for i, w in enumerate(self.weights) if id(w) in ids] for ids in named
        ]
        self.averaged = [v for v in model.variables if "float" in v.dtype]
        self.factors = learning_rate_factors(recipe, self.weights)
        if recipe.layer_decay != 1:
            depths = Wiring(model).depths()
            decays = [recipe.layer_decay ** depths[id(w)] for w in self.weights]
            self.factors = [f * d for f, d in zip(self.factors, decays, strict=True)]
        self.step = keras.Variable(0, dtype="int", trainable=False, name="step")
        adam = recipe.optimizer == "adamw"
        self.momenta = _zeros_like(self.weights, "momentum") if recipe.momentum or adam else []
        self.squares = _zeros_like(self.weights, "square") if adam else []
        # Updates in each phase: a weight that learns later has had fewer of them.
        self.updates = [_counter(f"updates_{i}") for i in range(len(named) if adam else 0)]
        self.averages = []
        if recipe.ema_decay:
            self.averages = [
                _variable(v, "average", ops.convert_to_numpy(v)) for v in self.averaged
            ]
        self.scaling: list[keras.Variable] = []
        if recipe.precision == "mixed_float16":
            self.scaling = [_counter("loss_scale", FIRST_SCALE), _counter("finite_steps")]
        self.accumulators = []
        if recipe.accumulate > 1:
            self.accumulators = _zeros_like(self.weights, "gradient")

    @property
    def variables(self) -> list[keras.Variable]:
        moments = [*self.momenta, *self.squares, *self.updates]
        return [self.step, *moments, *self.averages, *self.scaling]

    @property
    def learning(self) -> list[keras.Variable]:
        """The weights that learn in the present phase."""
        return self._of_phase(self.weights)

    def _of_phase(self, values: list[Any]) -> list[Any]:
        return [values[i] for i in self.learning_in[self.phase]] if values else []

    def scale_loss(self, loss: Any) -> Any:
        """Multiplies the loss of half-precision gradients, lest they vanish."""
        return loss * self.scaling[0] if self.scaling else loss

    def accumulate(self, gradients: list[Any]) -> None:
        """Adds the gradients of a micro-batch."""
        for sum_, gradient in zip(self._of_phase(self.accumulators), gradients, strict=True):
            sum_.assign_add(gradient)

    def take_accumulated(self, gradients: list[Any]) -> list[Any]:
        """The gradients of all micro-batches, `gradients` being those of the last one."""
        if not self.accumulators:
            return gradients
        accumulators = self._of_phase(self.accumulators)
        sums = [sum_ + g for sum_, g in zip(accumulators, gradients, strict=True)]
        for sum_ in accumulators:
            sum_.assign(ops.zeros(sum_.shape, sum_.dtype))
        return sums

    def apply(self, gradients: list[Any]) -> None:
        """Updates the weights that learn in the present phase.

        Args:
            gradients: of the mean loss of the global batch, times the loss scale, in the order of
                `learning`.
        """
        finite = None
        if self.scaling:
            gradients, finite = self._unscale(gradients)
        if self.recipe.clip_norm:
            gradients = clip(gradients, self.recipe.clip_norm)
        rate = self.schedule(self.step)
        if self.updates:
            counter = self.updates[self.phase]
            _assign(counter, counter + 1, finite)
        update = self._adamw if self.squares else self._sgd
        for i, gradient in zip(self.learning_in[self.phase], gradients, strict=True):
            update(i, gradient, rate * self.factors[i], finite)
        self._average()
        self.step.assign_add(1)

    def _unscale(self, gradients: list[Any]) -> tuple[list[Any], Any]:
        """Divides by the loss scale, and adapts it: half of it after an overflow, whose update is
        left out, twice of it after many updates without one."""
        scale, since = self.scaling
        finite = ops.all(ops.stack([ops.all(ops.isfinite(g)) for g in gradients]))
        gradients = [g / scale for g in gradients]
        grows = since + 1 >= GROWTH_STEPS
        scale.assign(ops.where(finite, ops.where(grows, scale * 2.0, scale), scale * 0.5))
        since.assign(ops.where(ops.logical_and(finite, ops.logical_not(grows)), since + 1, 0.0))
        return gradients, finite

    def _sgd(self, i: int, gradient: Any, rate: Any, finite: Any) -> None:
        weight, momentum = self.weights[i], self.recipe.momentum
        if self.recipe.weight_decay and is_kernel(weight):
            gradient = gradient + self.recipe.weight_decay * weight
        change = -rate * gradient
        if momentum:
            velocity = momentum * self.momenta[i] + change
            _assign(self.momenta[i], velocity, finite)
            change = momentum * velocity + change
        _assign(weight, weight + change, finite)

    def _adamw(self, i: int, gradient: Any, rate: Any, finite: Any) -> None:
        weight, recipe = self.weights[i], self.recipe
        first = next(n for n, those in enumerate(self.learning_in) if i in those)
        n = sum(self.updates[first : self.phase + 1])
        mean = self.momenta[i] + (1 - recipe.beta_1) * (gradient - self.momenta[i])
        square = self.squares[i] + (1 - recipe.beta_2) * (ops.square(gradient) - self.squares[i])
        _assign(self.momenta[i], mean, finite)
        _assign(self.squares[i], square, finite)
        unbiased = ops.sqrt(1 - recipe.beta_2**n) / (1 - recipe.beta_1**n)
        change = -rate * unbiased * mean / (ops.sqrt(square) + recipe.adam_epsilon)
        if recipe.weight_decay and is_kernel(weight):
            change = change - rate * recipe.weight_decay * weight
        _assign(weight, weight + change, finite)

    def _average(self) -> None:
        if not self.averages:
            return
        done = ops.cast(self.step, "float32") + 1
        decay = ops.minimum(self.recipe.ema_decay, (1 + done) / (10 + done))
        for average, variable in zip(self.averages, self.averaged, strict=True):
            # In this form, the average of what does not change does not change by a bit.
            average.assign(average + (1 - decay) * (variable - average))


def is_kernel(variable: keras.Variable) -> bool:
    """Scales, offsets and biases are vectors; every kernel has more axes."""
    return len(variable.shape) > 1


def clip(gradients: list[Any], norm: float) -> list[Any]:
    """Scales all gradients by one factor, so that their global norm is at most `norm`."""
    length = ops.sqrt(sum(ops.sum(ops.square(gradient)) for gradient in gradients))
    factor = norm / ops.maximum(length, norm)
    return [gradient * factor for gradient in gradients]


def learning_rate_factors(recipe: Recipe, variables: list[keras.Variable]) -> list[float]:
    """The factor of each weight's learning rate: of the first pattern that its path has.

    Raises:
        UserError: a pattern that no weight has.
    """
    patterns = recipe.rate_factors()
    factors = []
    unused = {pattern.pattern for pattern, _ in patterns}
    for variable in variables:
        found = next((p for p in patterns if p[0].search(variable.path)), None)
        factors.append(1.0 if found is None else found[1])
        if found is not None:
            unused.discard(found[0].pattern)
    for pattern, _ in patterns:
        if pattern.pattern in unused:
            raise UserError(
                f"recipe field learning_rate_factors: no weight of {recipe.model} is left for the "
                f"pattern {pattern.pattern!r}. Its weights are named like {variables[0].path}"
            )
    return factors


def _assign(variable: keras.Variable, value: Any, finite: Any) -> None:
    """Gives a variable its new value, unless the update has overflowed."""
    variable.assign(value if finite is None else ops.where(finite, value, variable.value))


def _counter(name: str, start: float = 0.0) -> keras.Variable:
    return keras.Variable(start, dtype="float32", trainable=False, name=name)


def _zeros_like(variables: list[keras.Variable], name: str) -> list[keras.Variable]:
    return [_variable(v, name, keras.initializers.Zeros()) for v in variables]


def _variable(like: keras.Variable, name: str, value: Any) -> keras.Variable:
    return keras.Variable(
        value,
        shape=like.shape,
        dtype=like.dtype,
        trainable=False,
        name=f"{like.path}/{name}".replace("/", "_"),
    )

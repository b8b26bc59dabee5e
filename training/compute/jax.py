"""Steps on JAX: one device, or all devices of a machine through `keras.distribution`."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import keras
import numpy as np

from a2keras.errors import UserError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.compute.batches import input_options, training_part, validation_part
from a2keras.training.compute.cluster import LOCAL_STRATEGIES
from a2keras.training.compute.computation import Computation
from a2keras.training.config import Recipe
from a2keras.training.data.source import Examples


def jax_computation(name: str, replicas: int | None = None) -> "JaxComputation":
    """All devices of the machine for `auto` and `mirrored`, one for `none`, or `replicas` of them.

    Raises:
        UserError: a strategy that there is only for TensorFlow, or more replicas than devices.
    """
    if name not in LOCAL_STRATEGIES:
        raise UserError(
            f"on the JAX backend `strategy` must be one of {', '.join(LOCAL_STRATEGIES)}. "
            f"Received: `strategy={name}`"
        )
    if replicas is not None:
        _split_cpu(replicas)
    devices = keras.distribution.list_devices()
    count = 1 if name == "none" else replicas or len(devices)
    if count > len(devices):
        raise UserError(
            f"`replicas` must be at most {len(devices)}, the devices there are. "
            f"Received: `replicas={replicas}`"
        )
    return JaxComputation(devices[:count])


def _split_cpu(count: int) -> None:
    """Makes `count` devices of the CPU, which works before JAX has started."""
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:  # started, with the devices that there are
        return


class JaxComputation(Computation):
    """Steps as pure functions of the run's state, compiled by XLA.

    A batch is laid out over the devices and the state is on all of them; XLA then computes what one
    device with the whole batch would compute, and sums where that takes it. So batch normalisation
    sees the whole batch without being told.

    Args:
        devices: names as `keras.distribution.list_devices` gives them.
    """

    def __init__(self, devices: list[str]) -> None:
        self.replicas = len(devices)
        self.distribution = keras.distribution.DataParallel(devices=devices)

    def build(
        self,
        recipe: Recipe,
        preprocessing: Preprocessing,
        steps_per_epoch: int,
        labels: np.ndarray | None = None,
    ) -> None:
        with self.distribution.scope():
            super().build(recipe, preprocessing, steps_per_epoch, labels)
        # What lasts from micro-batch to micro-batch is no state of the run, but one of the steps.
        self.held = [*self.variables, *self.optimizer.accumulators, self.sums]
        self.index = {id(variable): i for i, variable in enumerate(self.held)}
        self.state = [variable.value for variable in self.held]
        phases = self.holding.phases  # traced in each of them
        self._accumulate = [self._pure(self._accumulation_step) for _ in phases]
        self._update = [self._pure(self._update_step) for _ in phases]
        self._statistics = [self._pure(self._statistics_step) for _ in phases]
        self._validate = self._pure(self._validation_step)
        self.enter(0)

    def _pure(self, step: Callable) -> Callable:
        """Compiles a step that changes variables into one from their values to the new ones."""

        def pure(state: list[Any], *arguments: Any) -> tuple[Any, list[Any]]:
            mapping = list(zip(self.held, state, strict=True))
            with keras.StatelessScope(state_mapping=mapping) as scope:
                result = step(*arguments)
            return result, [scope.get_current_value(variable) for variable in self.held]

        compiled = jax.jit(pure, donate_argnums=0)

        def call(*arguments: Any) -> Any:
            result, self.state = compiled(self.state, *arguments)
            return result

        return call

    def training_iterator(self, examples: Examples, first_step: int) -> Iterator:
        part = training_part(examples, self.recipe, self.preprocessing, first_step, (0, 1), 1)
        return self._laid_out(part)

    def validation_batches(self, examples: Examples) -> Iterator:
        size = self.per_replica * self.replicas
        return self._laid_out(validation_part(examples, self.preprocessing, size, (0, 1), 1))

    def _laid_out(self, batches: Any) -> Iterator:
        """Lays batches out over the devices."""
        for batch in batches.with_options(input_options()).as_numpy_iterator():
            yield tuple(
                keras.distribution.distribute_tensor(
                    each, self.distribution.get_data_layout(each.shape)
                )
                for each in batch
            )

    def train_step(self, batches: Iterator, stop: bool = False) -> Any:
        *first, last = self.next_factors()
        for factors in first:
            self._accumulate[self.optimizer.phase](*next(batches), factors)
        return self._update[self.optimizer.phase](*next(batches), last, float(stop))

    def validation_step(self, batch: Any, stop: bool = False) -> Any:
        return self._validate(*batch, float(stop))

    def statistics_step(self, batches: Iterator) -> None:
        with self.batch_statistics():
            self._statistics[self.optimizer.phase](next(batches)[0])

    def read(self, variables: list[keras.Variable] | None = None) -> list[np.ndarray]:
        chosen = self.variables if variables is None else variables
        return [np.asarray(self.state[self.index[id(variable)]]) for variable in chosen]

    def write(
        self, values: list[np.ndarray], variables: list[keras.Variable] | None = None
    ) -> None:
        chosen = self.variables if variables is None else variables
        for variable, value in zip(chosen, values, strict=True):
            i = self.index[id(variable)]
            before = self.state[i]
            self.state[i] = jax.device_put(np.asarray(value, before.dtype), before.sharding)

    # What follows is traced.

    def _gradients(
        self, pixels: Any, labels: Any, factors: Any, stop: Any
    ) -> tuple[list[Any], Any]:
        learning = self.optimizer.learning
        ids = {id(variable) for variable in learning}
        others = [variable for variable in self.model.variables if id(variable) not in ids]
        values = [variable.value for variable in others]

        def loss_of(weights: list[Any]) -> tuple[Any, Any]:
            mapping = zip([*learning, *others], [*weights, *values], strict=True)
            with keras.StatelessScope(state_mapping=list(mapping)) as scope:
                outputs = self.forward(pixels, factors)
            changed = [scope.get_current_value(variable) for variable in others]
            loss, numbers = self.loss(labels, outputs, stop)
            return loss, (numbers, changed)

        weights = [variable.value for variable in learning]
        gradients, (numbers, changed) = jax.grad(loss_of, has_aux=True)(weights)
        for variable, value in zip(others, changed, strict=True):
            variable.assign(value)
        return gradients, numbers

    def _accumulation_step(self, pixels: Any, labels: Any, factors: Any) -> None:
        self.accumulate(*self._gradients(pixels, labels, factors, 0.0))

    def _update_step(self, pixels: Any, labels: Any, factors: Any, stop: Any) -> Any:
        gradients, numbers = self.take_accumulated(*self._gradients(pixels, labels, factors, stop))
        self.optimizer.apply(gradients)
        return numbers

    def _validation_step(self, pixels: Any, labels: Any, stop: Any) -> Any:
        return self.validation_numbers(labels, self.model(pixels, training=False), stop)

    def _statistics_step(self, pixels: Any) -> None:
        self.model(pixels, training=True)

"""Steps on TensorFlow: one device, the replicas of a machine, or those of several machines."""

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from a2keras.console import quiet_native_stderr
from a2keras.errors import UserError
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.compute.batches import (
    input_options,
    training_part,
    validation_part,
    validation_rounds,
)
from a2keras.training.compute.computation import Computation
from a2keras.training.config import Recipe
from a2keras.training.data.source import Examples

# What TensorFlow raises in a step when a worker does not answer any more.
_WORKER_GONE = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


class TensorFlowComputation(Computation):
    """Steps under a `tf.distribute` strategy.

    Keras's `fit` cannot do this on several machines. A replica's step is a plain function here: it
    sums the gradients and the numbers of all replicas itself, once, and then every replica updates
    its own copy of the weights.

    Args:
        strategy: under whose scope model and optimizer are made.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self.strategy = strategy
        self.replicas = strategy.num_replicas_in_sync
        resolver = strategy.cluster_resolver
        cluster = resolver.cluster_spec().as_dict() if resolver is not None else {}
        self.workers = max(sum(len(tasks) for tasks in cluster.values()), 1)
        self.worker = resolver.task_id if self.workers > 1 else 0

    def check(self, recipe: Recipe) -> None:
        super().check(recipe)
        if recipe.jit_compile and self.replicas > 1:
            raise UserError(
                "on TensorFlow jit_compile is for one replica (KERAS_BACKEND=jax compiles on any). "
                f"Received: jit_compile=True, replicas={self.replicas}"
            )

    def build(
        self,
        recipe: Recipe,
        preprocessing: Preprocessing,
        steps_per_epoch: int,
        labels: np.ndarray | None = None,
    ) -> None:
        with self.strategy.scope():
            super().build(recipe, preprocessing, steps_per_epoch, labels)
        if self.replicas > 1:
            self.synchronize_batch_normalization()
        self._flags = [tf.constant(0.0), tf.constant(1.0)]
        phases = self.holding.phases  # traced in each of them
        self._accumulate = [self._function(self._accumulation_step) for _ in phases]
        self._update = [self._function(self._update_step) for _ in phases]
        self._statistics = [self._function(self._statistics_step) for _ in phases]
        self._validate = self._function(self._validation_step)
        self.enter(0)

    def synchronize_batch_normalization(self) -> None:
        """Lets every BatchNormalization take its statistics over the batch of all replicas."""
        for layer in self.normalizations():
            layer.synchronized = True

    def _function(self, step: Any) -> Any:
        """A step of one replica as a graph that runs on all of them; the first one's result."""
        if self.recipe.jit_compile:
            step = tf.function(step, autograph=False, jit_compile=True)

        def on_all(*arguments: Any) -> Any:
            results = self.strategy.run(step, args=arguments)
            return self.strategy.experimental_local_results(results)[0]

        return tf.function(on_all, autograph=False)

    def training_iterator(self, examples: Examples, first_step: int) -> Iterator:
        return self._distributed(
            lambda shard, local: training_part(
                examples, self.recipe, self.preprocessing, first_step, shard, local
            )
        )

    def validation_batches(self, examples: Examples) -> Iterator:
        batches = self._distributed(
            lambda shard, local: validation_part(
                examples, self.preprocessing, self.per_replica, shard, local
            )
        )
        local = self.replicas // self.workers
        rounds = validation_rounds(len(examples), self.per_replica, self.workers, local)
        return (next(batches) for _ in range(rounds))

    def train_step(self, batches: Iterator, stop: bool = False) -> Any:
        *first, last = map(tf.constant, self.next_factors())
        for factors in first:
            self._accumulate[self.optimizer.phase](*next(batches), factors)
        return self._update[self.optimizer.phase](*next(batches), last, self._flags[stop])

    def validation_step(self, batch: Any, stop: bool = False) -> Any:
        return self._validate(*batch, self._flags[stop])

    def statistics_step(self, batches: Iterator) -> None:
        with self.batch_statistics():  # not on the replicas: their threads take turns
            self._statistics[self.optimizer.phase](next(batches)[0])

    def read(self, variables: list[keras.Variable] | None = None) -> list[np.ndarray]:
        # The first replica's copy; all are equal.
        return [v.value.numpy() for v in (self.variables if variables is None else variables)]

    def add_up(self, numbers: np.ndarray) -> np.ndarray:
        return self._add_up(tf.constant(numbers)).numpy()

    @functools.cached_property
    def _add_up(self) -> Any:
        """Sums a vector over all workers, of each of which one replica counts."""

        def of_replica(x: Any) -> Any:
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group % (self.replicas // self.workers) == 0
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(first, x, 0.0))

        def total(x: Any) -> Any:
            results = self.strategy.run(of_replica, args=(x,))
            return self.strategy.experimental_local_results(results)[0]

        return tf.function(total, [tf.TensorSpec([None])], autograph=False)

    def numbers(self, handle: Any) -> np.ndarray:
        return handle.numpy().astype("float64")

    def lost_worker(self, error: BaseException) -> str | None:
        if self.workers == 1 or not isinstance(error, _WORKER_GONE):
            return None
        others = {int(n) for n in re.findall(r"/task:(\d+)", str(error))} - {self.worker}
        return " and ".join(f"worker {n}" for n in sorted(others)) or "another worker"

    def _distributed(self, part: Callable) -> Iterator:
        """Iterates over what each worker reads for its replicas: `part(shard, local replicas)`."""

        def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
            workers = context.num_input_pipelines
            batches = part((context.input_pipeline_id, workers), self.replicas // workers)
            # If batches can run out, the workers ask one another at every step whether they have.
            return (batches.repeat() if workers > 1 else batches).with_options(input_options())

        with quiet_native_stderr():  # with replicas TensorFlow warns of a lost optimisation
            return iter(self.strategy.distribute_datasets_from_function(of_worker))

    # What follows runs on a replica.

    def _gradients(
        self, pixels: Any, labels: Any, factors: Any, stop: Any
    ) -> tuple[list[Any], Any]:
        if self.depth is not None and self.replicas > 1:
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            factors = factors[number * self.per_replica :][: self.per_replica]
        weights = [variable.value for variable in self.optimizer.learning]
        with tf.GradientTape() as tape:
            loss, numbers = self.loss(labels, self.forward(pixels, factors), stop)
        return tape.gradient(loss, weights, unconnected_gradients="zero"), numbers

    def _accumulation_step(self, pixels: Any, labels: Any, factors: Any) -> Any:
        self.accumulate(*self._gradients(pixels, labels, factors, 0.0))
        return ()

    def _update_step(self, pixels: Any, labels: Any, factors: Any, stop: Any) -> Any:
        gradients, numbers = self.take_accumulated(*self._gradients(pixels, labels, factors, stop))
        *gradients, numbers = self._sum([*gradients, numbers])
        self.optimizer.apply(gradients)
        return numbers

    def _validation_step(self, pixels: Any, labels: Any, stop: Any) -> Any:
        probabilities = self.model(pixels, training=False)
        return self._sum([self.validation_numbers(labels, probabilities, stop)])[0]

    def of_all_replicas(self, rows: Any) -> Any:
        if self.replicas == 1:
            return rows
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        own = tf.one_hot(number, self.replicas)[:, None, None]
        return tf.reshape(own * rows, (-1, rows.shape[-1]))

    def _statistics_step(self, pixels: Any) -> Any:
        self.model(pixels, training=True)
        return ()

    def _sum(self, values: list[Any]) -> list[Any]:
        """Sums tensors over all replicas."""
        if self.replicas == 1:
            return values
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

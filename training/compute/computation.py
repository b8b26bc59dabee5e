"""Where a network is trained: what TensorFlow's replicas and JAX's devices have in common."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.normalization import batch_normalizations, derive_normalizations
from a2keras.training.compute import network
from a2keras.training.compute.checks import check_batch
from a2keras.training.compute.freezing import Holding, phases_of
from a2keras.training.compute.optimizers import Optimizer
from a2keras.training.compute.rematerialization import Rematerialized
from a2keras.training.compute.schedules import learning_rate
from a2keras.training.compute.stochastic_depth import StochasticDepth
from a2keras.training.config import Recipe
from a2keras.training.data.source import Examples
from a2keras.training.labelling import labelling_of


class Computation(ABC):
    """A network with its weights on every replica, and the steps that change them.

    Attributes:
        replicas: devices, of all workers together, that share every batch.
        workers: processes that share the run.
        worker: number of this one; 0 is the chief, which writes the run.
        model, optimizer: from `build` on.
        variables: the state of the run, as far as it is arrays: weights, statistics of batch
            normalisation, seeds of dropout, and the optimizer's.
    """

    replicas = 1
    workers = 1
    worker = 0
    recipe: Recipe
    preprocessing: Preprocessing
    model: keras.Model
    optimizer: Optimizer

    @property
    def is_chief(self) -> bool:
        return self.worker == 0

    def check(self, recipe: Recipe) -> None:
        """Refuses a recipe that cannot be computed here."""
        check_batch(recipe, self.replicas, self.workers)

    def build(
        self,
        recipe: Recipe,
        preprocessing: Preprocessing,
        steps_per_epoch: int,
        labels: np.ndarray | None = None,
    ) -> None:
        """Makes the model and its optimizer, from the recipe's seed.

        Args:
            labels: of the examples to train on, for the weights of the classes.
        """
        self.recipe = recipe
        self.labelling = labelling_of(recipe)
        self.class_weights = None
        if recipe.class_weights == "balanced" and labels is not None:
            self.class_weights = self.labelling.class_weights(labels, len(preprocessing.labels))
        self.preprocessing = preprocessing
        self.model = network.build(recipe, preprocessing, recipe.precision)
        self.depth = StochasticDepth(recipe, self.model) if recipe.drop_path else None
        self.rematerialized = None
        if recipe.remat:
            self.rematerialized = Rematerialized(self.depth.model if self.depth else self.model)
        phases = phases_of(recipe, self.model, steps_per_epoch)
        self.holding = Holding(phases)
        schedule = learning_rate(recipe, steps_per_epoch)
        self.optimizer = Optimizer(recipe, self.model, schedule, phases)
        # What micro-batches add up besides their gradients; see `train_step` for what it holds.
        self.sums = keras.Variable(np.zeros(4, "float32"), trainable=False, name="sums")
        self.variables = [*self.model.variables, *self.optimizer.variables]

    def enter(self, step: int) -> None:
        """Goes to the phase that a step of the run belongs to: what learns, and what is held."""
        number = self.holding.phase_at(step)
        self.holding.enter(number)
        self.optimizer.phase = number
        self.step = step

    def next_factors(self) -> list[np.ndarray]:
        """Of each micro-batch of the next step, as `StochasticDepth` takes them: (b, L)."""
        step, self.step = self.step, self.step + 1
        if self.depth is None:
            return [np.zeros((1, 0), "float32")] * self.recipe.accumulate
        learns = step >= self.holding.phases[-1].first_step
        return np.split(self.depth.factors(step, learns), self.recipe.accumulate)

    @property
    def per_replica(self) -> int:
        """Examples of a micro-batch on each replica."""
        return self.recipe.batch_size // self.recipe.accumulate // self.replicas

    @abstractmethod
    def training_iterator(self, examples: Examples, first_step: int) -> Iterator:
        """Iterates over micro-batches from the first one of step `first_step` on."""

    @abstractmethod
    def train_step(self, batches: Iterator, stop: bool = False) -> Any:
        """Runs one step, `recipe.accumulate` micro-batches and an update, on all replicas.

        Args:
            batches: of `training_iterator`.
            stop: whether this worker wants to stop.

        Returns:
            A handle for `numbers`, which gives the sum of the losses of the batch, what of it is
            right, whether any worker wants to stop, and of how much that is right, see
            `Labelling.right`.
        """

    @abstractmethod
    def validation_batches(self, examples: Examples) -> Iterator:
        """Iterates once over all examples; the last batches are filled up with -1 as labels."""

    @abstractmethod
    def validation_step(self, batch: Any, stop: bool = False) -> Any:
        """As `train_step`, without training: the handle also gives the number of examples and,
        where `labelling.keeps_outputs`, labels and outputs of them all, see `rows_of`."""

    @abstractmethod
    def statistics_step(self, batches: Iterator) -> None:
        """Sets the moving statistics of every batch normalisation to those of a batch."""

    def lost_worker(self, error: BaseException) -> str | None:
        """Which worker an error of a step says is gone; None for any other error."""
        return None

    def numbers(self, handle: Any) -> np.ndarray:
        """Waits for a step and returns its numbers as float64."""
        return np.asarray(ops.convert_to_numpy(handle), "float64")

    def read(self, variables: list[keras.Variable] | None = None) -> list[np.ndarray]:
        """The values of some variables; default: of all that the run's state has."""
        chosen = self.variables if variables is None else variables
        return [np.asarray(ops.convert_to_numpy(variable)) for variable in chosen]

    def write(
        self, values: list[np.ndarray], variables: list[keras.Variable] | None = None
    ) -> None:
        """Gives variables their values, on every replica."""
        chosen = self.variables if variables is None else variables
        for variable, value in zip(chosen, values, strict=True):
            variable.assign(value)
        derive_normalizations(self.model)

    def add_up(self, numbers: np.ndarray) -> np.ndarray:
        """Sums an array over all workers."""
        return numbers

    def normalizations(self) -> list[keras.layers.BatchNormalization]:
        """Every batch normalisation that is not held, those inside other layers included."""
        return [layer for layer in batch_normalizations(self.model) if layer.trainable]

    @contextlib.contextmanager
    def batch_statistics(self) -> Iterator[None]:
        """While a forward pass is traced: moving statistics do not move but jump to the batch's."""
        layers = self.normalizations()
        momenta = [layer.momentum for layer in layers]
        try:
            for layer in layers:
                layer.momentum = 0.0
            yield
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum

    # What follows is traced, on a replica: keras.ops alone.

    def forward(self, pixels: Any, factors: Any) -> Any:
        """The network's output in training."""
        inputs = [pixels] if self.depth is None else [pixels, factors]
        if self.rematerialized is not None:
            return self.rematerialized(*inputs)
        if self.depth is None:
            return self.model(pixels, training=True)
        return self.depth.model(inputs, training=True)

    def loss(self, labels: Any, probabilities: Any, stop: Any) -> tuple[Any, Any]:
        """The replica's share of the batch's mean loss, scaled, and the numbers of `train_step`."""
        probabilities = ops.cast(probabilities, "float32")
        smoothing = self.recipe.label_smoothing
        losses = self.labelling.losses(labels, probabilities, smoothing, self.class_weights)
        right, of = self.labelling.right(labels, probabilities)
        total = ops.sum(losses)
        numbers = ops.stack([total, ops.sum(right), stop, ops.sum(of)])
        return self.optimizer.scale_loss(total / self.recipe.batch_size), numbers

    def accumulate(self, gradients: list[Any], numbers: Any) -> None:
        """Keeps what a micro-batch gives until the last one."""
        self.optimizer.accumulate(gradients)
        self.sums.assign_add(numbers)

    def take_accumulated(self, gradients: list[Any], numbers: Any) -> tuple[list[Any], Any]:
        """Gradients and numbers of all micro-batches; there is nothing kept after it."""
        if self.recipe.accumulate == 1:
            return gradients, numbers
        numbers = numbers + self.sums
        self.sums.assign(ops.zeros(self.sums.shape))
        return self.optimizer.take_accumulated(gradients), numbers

    def validation_numbers(self, labels: Any, probabilities: Any, stop: Any) -> Any:
        probabilities = ops.cast(probabilities, "float32")
        real = ops.cast(labels[:, 0] >= 0, "float32")  # others fill up a batch
        losses = self.labelling.losses(labels, probabilities, self.recipe.label_smoothing)
        right, of = self.labelling.right(labels, probabilities)
        sums = [ops.sum(each * real) for each in (losses, right, of)]
        numbers = ops.stack([*sums[:2], stop, sums[2], ops.sum(real)])
        if not self.labelling.keeps_outputs:
            return numbers
        rows = self.of_all_replicas(ops.concatenate([labels, probabilities], -1))
        return ops.concatenate([numbers, ops.reshape(rows, (-1,))])

    def of_all_replicas(self, rows: Any) -> Any:
        """A replica's rows (b, n), among zeros for those of the others: the sum over all replicas
        has all rows."""
        return rows

    def rows_of(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Labels and outputs of a validation step's examples, of what `numbers` has after its sums:
        (n, classes) each."""
        rows = numbers.reshape(-1, 2 * len(self.preprocessing.labels))
        return tuple(np.split(rows[rows[:, 0] >= 0], 2, axis=1))  # type: ignore[return-value]

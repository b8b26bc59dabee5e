"""What a training step of a recipe takes, measured in a process that does nothing else.

`python -m a2keras.training.ablation.step_cost` reads a recipe and the names of classes as JSON from
its standard input and prints the costs as JSON. The peak of memory is then the recipe's alone.
"""

import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from typing_extensions import TypedDict

from a2keras.errors import UserError
from a2keras.measuring import forget_peak, peak_memory
from a2keras.training.config import Recipe
from a2keras.training.data.source import Examples

WARM_UP = 3  # steps: the first traces, the next ones find their buffers
LEAST, MOST = 5, 30  # steps that are timed …
SECONDS = 10.0  # … for about so long


class Costs(TypedDict):
    """What a training step takes; bytes and seconds, see `costs` and `time_steps`."""

    parameters: int
    multiply_adds: int
    planned_multiply_adds: int
    activation_bytes: int
    blocks: list[str]
    step_seconds: float
    step_spread: list[float]
    processor_seconds: float
    steps: int
    batch_size: int
    replicas: int
    device: str
    peak_bytes: int
    peak_of: str


def measure(recipe: Recipe, classes: tuple[str, ...], strategy: str, replicas: int | None) -> dict:
    """Costs of a step, from a fresh process.

    Returns:
        What `costs` returns.

    Raises:
        UserError: the process failed, such as by lack of memory.
    """
    request = {
        "recipe": vars(recipe),
        "classes": classes,
        "strategy": strategy,
        "replicas": replicas,
    }
    command = [sys.executable, "-m", "a2keras.training.ablation.step_cost"]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        if done.returncode < 0:  # by the system, where memory runs out
            reason = f"its process was ended by signal {-done.returncode}"
        raise UserError(f"the costs of {recipe.model} cannot be measured: {reason}")
    costs: dict = json.loads(done.stdout.splitlines()[-1])
    return costs


def costs(recipe: Recipe, classes: tuple[str, ...], strategy: str, replicas: int | None) -> dict:
    """Counts a recipe's network and runs its training step on one batch that stays in memory.

    Returns:
        `parameters`, `multiply_adds`, `planned_multiply_adds` and `activation_bytes` (of one
        example, see `a2keras.count`); `blocks`, the names of the attention layers; what
        `time_steps` returns; `batch_size`, `replicas`, `device`;
        `peak_bytes` (of the device's memory where it tells, otherwise of the process beyond what it
        took before there was a network) and `peak_of` (which of the two).
    """
    from a2keras.counting import count
    from a2keras.training.compute.strategies import computation_for
    from a2keras.training.data.pipeline import steps_per_epoch
    from a2keras.training.run.train import preprocessing_of

    computation = computation_for(strategy, replicas)
    examples = Noise(recipe, len(classes))
    before = forget_peak()
    steps = steps_per_epoch(recipe, len(examples))
    computation.build(recipe, preprocessing_of(recipe, classes), steps)
    computation.enter(recipe.epochs * steps - 1)  # where most learns
    batches = itertools.repeat(next(computation.training_iterator(examples, 0)))
    times = time_steps(lambda: computation.numbers(computation.train_step(batches)))
    device, peak, peak_of = peak_memory(before)
    counted = count(computation.model)
    return {
        "parameters": counted.parameters,
        "multiply_adds": counted.multiply_adds,
        "planned_multiply_adds": counted.planned_multiply_adds,
        "activation_bytes": counted.activation_bytes,
        "blocks": blocks_of(computation.model),
        **times,
        "batch_size": recipe.batch_size,
        "replicas": computation.replicas,
        "device": device,
        "peak_bytes": peak,
        "peak_of": peak_of,
    }


def blocks_of(model: Any) -> list[str]:
    """The names of a model's attention layers, also of those within others."""
    from a2keras.graphs import layers_of
    from a2keras.position_layer import PositionLayer

    return [each.name for each in layers_of(model) if isinstance(each, PositionLayer)]


def time_steps(step: Callable[[], Any]) -> dict[str, Any]:
    """Times a step that waits for its device, after warm-up.

    Returns:
        `step_seconds`, the median of `steps` steps; `step_spread`, their quartiles; and
        `processor_seconds`, the median of the time of all cores, which other processes on the
        machine change less.
    """
    for _ in range(WARM_UP):
        step()
    seconds: list[float] = []
    processor: list[float] = []
    while len(seconds) < MOST and (len(seconds) < LEAST or sum(seconds) < SECONDS):
        start, processor_start = time.perf_counter(), time.process_time()
        step()
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - processor_start)
    return {
        "step_seconds": statistics.median(seconds),
        "step_spread": [float(each) for each in np.quantile(seconds, (0.25, 0.75))],
        "processor_seconds": statistics.median(processor),
        "steps": len(seconds),
    }


class Noise(Examples):
    """As many random videos or images as a batch has, of the size that the network takes."""

    def __init__(self, recipe: Recipe, classes: int) -> None:
        self.is_video = recipe.task == "video"
        length = [(recipe.frames - 1) * recipe.stride + 1] if self.is_video else []
        shape = (*length, recipe.size, recipe.size, 3)
        self.pixels = np.random.default_rng(0).integers(0, 256, shape, dtype="uint8")
        labels = (recipe.batch_size, classes) if recipe.multi_label else recipe.batch_size
        self.labels = np.zeros(labels, bool if recipe.multi_label else "int64")
        self.names = ("noise",) * recipe.batch_size

    def frames(self, index: int) -> np.ndarray:
        return self.pixels


def main() -> None:
    request: dict[str, Any] = json.load(sys.stdin)
    recipe = Recipe(**request.pop("recipe"))
    document = costs(recipe, tuple(request["classes"]), request["strategy"], request["replicas"])
    print(json.dumps(document))


if __name__ == "__main__":
    main()

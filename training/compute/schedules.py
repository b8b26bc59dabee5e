"""Learning rate by step: a linear warm-up, then a cosine to zero or steps down."""

import math

import keras
from keras import ops

from a2keras.training.config import Recipe


class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to `base` over `warmup_steps`, then follows a cosine or falls in steps.

    The step counts from 0. During the warm-up it is `base * (step + 1) / warmup_steps`, so that the
    first step already learns; the cosine reaches zero at `total_steps`, one after the last step.

    Args:
        base: the learning rate after the warm-up.
        warmup_steps: may be 0.
        total_steps: length of the run.
        boundaries: steps at which the rate is multiplied by `factor`; None for the cosine.
        factor: of `boundaries`.
    """

    def __init__(
        self,
        base: float,
        warmup_steps: int,
        total_steps: int,
        boundaries: list[int] | None = None,
        factor: float = 0.1,
    ) -> None:
        self.base = base
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps
        self.boundaries = boundaries
        self.factor = factor

    def __call__(self, step):
        step = ops.cast(step, "float32")
        warmup = self.base * (step + 1) / max(self.warmup_steps, 1)
        if self.boundaries is None:
            rest = max(self.total_steps - self.warmup_steps, 1)
            done = ops.clip((step - self.warmup_steps) / rest, 0.0, 1.0)
            after = self.base * 0.5 * (1 + ops.cos(math.pi * done))
        else:
            after = ops.full_like(step, self.base)
            for boundary in self.boundaries:
                after = ops.where(step < boundary, after, after * self.factor)
        return ops.where(step < self.warmup_steps, warmup, after)

    def get_config(self) -> dict:
        return {
            "base": self.base,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
            "boundaries": self.boundaries,
            "factor": self.factor,
        }


class OneAfterTheOther(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule for the first steps, and one that begins anew behind them.

    Args:
        first: of the steps before `steps`.
        steps: may be 0.
        then: of all others, counted from `steps`.
    """

    def __init__(self, first: WarmupSchedule, steps: int, then: WarmupSchedule) -> None:
        self.first = first
        self.steps = steps
        self.then = then

    def __call__(self, step):
        return ops.where(step < self.steps, self.first(step), self.then(step - self.steps))

    def get_config(self) -> dict:
        return {"first": self.first, "steps": self.steps, "then": self.then}


def learning_rate(
    recipe: Recipe, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The recipe's schedule, its epochs turned into steps.

    With `freeze_epochs` these have a warm-up and a cosine of their own.
    """
    stepped = recipe.schedule == "step"
    frozen = recipe.freeze_epochs
    downs = [(epoch - frozen) * steps_per_epoch for epoch in recipe.steps_down()]
    main = WarmupSchedule(
        recipe.peak_rate(),
        round(recipe.warmup_epochs * steps_per_epoch),
        (recipe.epochs - frozen) * steps_per_epoch,
        downs if stepped else None,
        recipe.step_factor,
    )
    if not frozen:
        return main
    steps = frozen * steps_per_epoch
    # The head alone may learn for less time than the rest warms up.
    warmup = round(min(recipe.warmup_epochs, frozen / 2) * steps_per_epoch)
    first = WarmupSchedule(recipe.peak_rate(recipe.freeze_rate or None), warmup, steps)
    return OneAfterTheOther(first, steps, main)

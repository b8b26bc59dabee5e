"""Where a run is, and what it says of an epoch."""

import dataclasses
from typing import ClassVar

from a2keras.documents import RECORD
from a2keras.training.config import Recipe


@dataclasses.dataclass
class Progress:
    """Where a run is, besides the arrays of its state: the document of a checkpoint.

    Attributes:
        step: steps that have been done.
        loss, correct: sums over the examples of the epoch so far.
        seconds: that these have taken.
        history: a line for each epoch that has ended.
        stopped: whether a callback has asked to end the run after these.
    """

    __pydantic_config__: ClassVar = RECORD

    step: int = 0
    loss: float = 0.0
    correct: float = 0.0
    seconds: float = 0.0
    history: list[dict[str, int | float]] = dataclasses.field(default_factory=list)
    stopped: bool = False

    def __post_init__(self) -> None:
        if any("step" not in line for line in self.history):
            raise ValueError("every line of `history` must have a step")

    def line(self, examples: int, validation: dict[str, float], rate: float) -> dict:
        """What metrics.jsonl says of the epoch that ends here.

        Args:
            examples: that the epoch has trained on.
            validation: its figures, if any.
            rate: the learning rate of its last step.
        """
        return {
            "epoch": len(self.history) + 1,
            "step": self.step,
            **self.mean(examples),
            **validation,
            "learning_rate": rate,
            "seconds": round(self.seconds, 3),
            "examples_per_second": round(examples / self.seconds, 1),
        }

    def mean(self, examples: int) -> dict[str, float]:
        """Loss and accuracy of the epoch so far, of so many examples."""
        return {"loss": self.loss / examples, "accuracy": self.correct / examples}

    def after(self, line: dict) -> "Progress":
        """The progress at the start of the next epoch."""
        return Progress(self.step, history=[*self.history, line])

    def best_step(self) -> int | None:
        """The step after the epoch of the best validation accuracy, the first of equals."""
        scored = [line for line in self.history if "validation_accuracy" in line]
        if not scored:
            return None
        return int(max(scored, key=lambda line: line["validation_accuracy"])["step"])

    def ends(self, recipe: Recipe) -> bool:
        """Whether the run ends here: after all its epochs, by a callback, or by its patience.

        Patience begins with the epochs in which everything learns.
        """
        done = len(self.history)
        if done >= recipe.epochs or self.stopped:
            return True
        if not recipe.patience or not done or "validation_accuracy" not in self.history[-1]:
            return False
        steps = [line["step"] for line in self.history]
        best = steps.index(self.best_step()) + 1  # type: ignore[arg-type]
        return done - max(best, recipe.freeze_epochs) >= recipe.patience


def describe(progress: Progress, recipe: Recipe, so_far: dict[str, float]) -> str:
    """Where a run is, for its progress bar: loss and accuracy of the epoch as far as known."""
    figures = [f"{name} {value:.3f}" for name, value in so_far.items()]
    return " ".join([f"epoch {len(progress.history) + 1}/{recipe.epochs}", *figures])


def describe_epoch(line: dict, epochs: int) -> str:
    """An epoch for a person."""
    text = (
        f"epoch {line['epoch']}/{epochs}: loss {line['loss']:.4f}, accuracy {line['accuracy']:.3f}"
    )
    if "validation_accuracy" in line:
        text += f", validation accuracy {line['validation_accuracy']:.3f}"
    return f"{text} ({line['seconds']:.1f} s, {line['examples_per_second']:.0f} examples/s)"

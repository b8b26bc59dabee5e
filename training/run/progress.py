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
    """

    __pydantic_config__: ClassVar = RECORD

    step: int = 0
    loss: float = 0.0
    correct: float = 0.0
    seconds: float = 0.0
    history: list[dict[str, int | float]] = dataclasses.field(default_factory=list)

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
            "loss": self.loss / examples,
            "accuracy": self.correct / examples,
            **validation,
            "learning_rate": rate,
            "seconds": round(self.seconds, 3),
            "examples_per_second": round(examples / self.seconds, 1),
        }

    def so_far(self, recipe: Recipe, steps_per_epoch: int) -> str:
        """Loss and accuracy of the epoch, while the numbers of its last step are not known yet."""
        epoch = len(self.history)
        text = f"epoch {epoch + 1}/{recipe.epochs}"
        examples = (self.step - 1 - epoch * steps_per_epoch) * recipe.batch_size
        if not examples:
            return text
        return f"{text} loss {self.loss / examples:.3f} accuracy {self.correct / examples:.3f}"

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
        """Whether the run ends here: after all its epochs, or by its patience.

        Patience begins with the epochs in which everything learns.
        """
        done = len(self.history)
        if done >= recipe.epochs:
            return True
        if not recipe.patience or not done or "validation_accuracy" not in self.history[-1]:
            return False
        steps = [line["step"] for line in self.history]
        best = steps.index(self.best_step()) + 1  # type: ignore[arg-type]
        return done - max(best, recipe.freeze_epochs) >= recipe.patience


def describe_epoch(line: dict, epochs: int) -> str:
    """An epoch for a person."""
    text = (
        f"epoch {line['epoch']}/{epochs}: loss {line['loss']:.4f}, accuracy {line['accuracy']:.3f}"
    )
    if "validation_accuracy" in line:
        text += f", validation accuracy {line['validation_accuracy']:.3f}"
    return f"{text} ({line['seconds']:.1f} s, {line['examples_per_second']:.0f} examples/s)"

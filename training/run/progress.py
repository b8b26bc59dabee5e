"""Where a run is, and what it says of an epoch."""

import dataclasses
from typing import Any, ClassVar

from a2keras.documents import RECORD
from a2keras.training.config import Recipe
from a2keras.training.labelling import Labelling, labelling_of, words_of


@dataclasses.dataclass
class Progress:
    """Where a run is, besides the arrays of its state: the document of a checkpoint.

    Attributes:
        step: steps that have been done.
        loss, correct: sums over the examples of the epoch so far, see `Labelling.right`.
        seconds: that these have taken.
        history: a line for each epoch that has ended.
        stopped: whether a callback has asked to end the run after these.
        judged: of how much `correct` is right; where each example has one class, it is them all;
            0 where no label has been said, and none is true.
    """

    __pydantic_config__: ClassVar = RECORD

    step: int = 0
    loss: float = 0.0
    correct: float = 0.0
    seconds: float = 0.0
    history: list[dict[str, int | float]] = dataclasses.field(default_factory=list)
    stopped: bool = False
    judged: float = 0.0

    def __post_init__(self) -> None:
        if any("step" not in line for line in self.history):
            raise ValueError("every line of `history` must have a step")

    def line(
        self, examples: int, labelling: Labelling, validation: dict[str, float], rate: float
    ) -> dict:
        """What metrics.jsonl says of the epoch that ends here.

        Args:
            examples: that the epoch has trained on.
            labelling: of these.
            validation: its figures, if any.
            rate: the learning rate of its last step.
        """
        return {
            "epoch": len(self.history) + 1,
            "step": self.step,
            **self.mean(examples, labelling),
            **validation,
            "learning_rate": rate,
            "seconds": round(self.seconds, 3),
            "examples_per_second": round(examples / self.seconds, 1),
        }

    def mean(self, examples: int, labelling: Labelling) -> dict[str, float]:
        """Loss and figure of the epoch so far, of so many examples."""
        of = max(self.judged, 1) if labelling.keeps_outputs else examples
        return {"loss": self.loss / examples, labelling.figure: self.correct / of}

    def after(self, line: dict) -> "Progress":
        """The progress at the start of the next epoch."""
        return Progress(self.step, history=[*self.history, line])

    def best_step(self) -> int | None:
        """The step after the epoch of the best validation, see `best_of`, the first of equals."""
        scored = [line for line in self.history if best_of(line) is not None]
        return int(max(scored, key=best_of)["step"]) if scored else None  # type: ignore[arg-type]

    def ends(self, recipe: Recipe) -> bool:
        """Whether the run ends here: after all its epochs, by a callback, or by its patience.

        Patience begins with the epochs in which everything learns.
        """
        done = len(self.history)
        if done >= recipe.epochs or self.stopped:
            return True
        if not recipe.patience or not done or best_of(self.history[-1]) is None:
            return False
        steps = [line["step"] for line in self.history]
        best = steps.index(self.best_step()) + 1  # type: ignore[arg-type]
        return done - max(best, recipe.freeze_epochs) >= recipe.patience


def best_of(line: dict[str, int | float]) -> float | None:
    """What the best epoch has most of, accuracy or mAP in validation; None without a validation."""
    return line.get("validation_accuracy", line.get("validation_mAP"))


def figures_of(line: dict[str, Any]) -> dict[str, float]:
    """What an epoch's line says of how good the network is: losses and the labelling's figures."""
    others = ("epoch", "step", "learning_rate", "seconds", "examples_per_second")
    return {name: value for name, value in line.items() if name not in others}


def describe(progress: Progress, recipe: Recipe, so_far: dict[str, float]) -> str:
    """Where a run is, for its progress bar: the figures of the epoch as far as known."""
    figures = [f"{name} {value:.3f}" for name, value in so_far.items()]
    return " ".join([f"epoch {len(progress.history) + 1}/{recipe.epochs}", *figures])


def describe_epoch(line: dict, recipe: Recipe) -> str:
    """An epoch for a person."""
    text = f"epoch {line['epoch']}/{recipe.epochs}: loss {line['loss']:.4f}"
    for kind in ("", "validation_"):
        for name in labelling_of(recipe).figures:
            if kind + name in line:
                text += f", {words_of(kind + name)} {line[kind + name]:.3f}"
    return f"{text} ({line['seconds']:.1f} s, {line['examples_per_second']:.0f} examples/s)"

"""A recipe: everything that decides how a network is trained, in one frozen record."""

import dataclasses
import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, NoReturn, get_type_hints

from a2keras.documents import RECORD, read_json, write_json
from a2keras.errors import UserError
from a2keras.training.rules import (
    AT_MOST_1,
    BETWEEN_FIELDS,
    FACTORS,
    FINITE,
    WHOLE_NUMBERS,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    Part,
    PositiveFloat,
    PositiveInt,
    at_least,
    between,
    comma_separated,
    factors_of,
    one_of,
)


@dataclass(frozen=True)
class Recipe:
    """One training run. Together with the data's files it determines the final weights.

    A field's type has the rules for its value alone; those between fields are `BETWEEN_FIELDS`.
    Epochs and steps count from 0; sizes are pixels. "auto" is replaced when the data is opened, so
    that the saved recipe is explicit.
    """

    __pydantic_config__: ClassVar = RECORD

    name: str
    data: str = ""  # digits | folder:DIR | csv:FILE[,TEST] | tfds:NAME | prepared:DIR
    task: Annotated[str, one_of("auto", "image", "video")] = "auto"  # auto: what the files are
    # A name of `a2keras.models.list_models()`, keras:NAME of keras.applications, or FILE.keras: the
    # trunk of your own. auto: the small one of the task.
    model: str = "auto"
    # Blocks; auto: as the network has them.
    attention: Annotated[str, one_of("auto", "a2", "non_local", "se", "none")] = "auto"
    positions: str = ""  # units that a block follows (comma-separated); empty: the network's own
    # Output projections of fresh a2 and non_local blocks: zeros, so that they are the identity, or
    # drawn as the other projections are. Gates of fresh se: near 1 in a network that starts from
    # weights, or near 1/2 as drawn.
    block_start: Annotated[str, one_of("identity", "random")] = "identity"
    # small: of a ResNet, for pictures of 32×32 pixels; empty: the network's own.
    stem: Annotated[str, one_of("", "small")] = ""
    # To start from: published weights by name, auto for those that there are, or a file; what does
    # not fit stays random. none, or empty: from scratch, but of a FILE.keras only none is, and
    # empty its own weights.
    weights: str = ""
    # What FILE.keras takes; auto: raw.
    pixels: Annotated[str, one_of("auto", "raw", "unit", "tf", "torch", "caffe")] = "auto"
    model_sha256: str = ""  # of FILE.keras; filled in, so that a run goes on with the same file
    bn_momentum: Fraction = 0.0  # of every batch normalisation; 0: the network's own
    bn_epsilon: NonNegativeFloat = 0.0  # of every batch normalisation; 0: the network's own

    # What enters the network.
    size: PositiveInt = 112  # height and width
    frames: PositiveInt = 8  # frames of a clip (video only)
    stride: PositiveInt = 1  # a clip takes every stride-th frame
    # crop: fill the square and cut; letterbox: keep everything and pad.
    fit: Annotated[str, one_of("crop", "letterbox")] = "crop"
    flip: bool = True  # mirror left and right at random; off where the direction is the class
    # Random crops; side: as Kinetics; area: as ImageNet.
    crop: Annotated[str, one_of("square", "side", "area")] = "square"
    crop_scale: Part = 0.7  # square, side: the smallest as a fraction of the short side; 1: none
    crop_area: Part = 0.08  # area: the smallest as a fraction of the picture
    # side, area: how much wider or higher than a square they may be.
    crop_aspect: Annotated[float, at_least(1), FINITE] = 1.0
    hue: NonNegativeFloat = 0.0  # random shift, at most; of 180, as OpenCV counts
    lightness: NonNegativeFloat = 0.0  # random shift, at most; of 255
    saturation: NonNegativeFloat = 0.0  # random shift, at most; of 255
    pixel_noise: NonNegativeFloat = 0.0  # random, at most, of every pixel value; of 255
    randaugment: Annotated[int, between(0, 14)] = 0  # random operations on each example; 0: none
    randaugment_magnitude: Annotated[float, between(0, 10)] = 9.0  # of these operations
    erasing: Annotated[float, between(0, 1)] = 0.0  # probability of a box of noise; 0: none
    # Two examples in one: alpha of the Beta that draws the weights; 0: none.
    mixup: NonNegativeFloat = 0.0
    # A box of another example: alpha as of mixup, either by turns; 0: none.
    cutmix: NonNegativeFloat = 0.0
    # Both antialiased.
    interpolation: Annotated[str, one_of("bilinear", "bicubic")] = "bilinear"
    # To which it is resized before the test crop of `size`; 0: `size`.
    test_short_side: NonNegativeInt = 0

    # What is held of the weights that it starts from.
    freeze_epochs: NonNegativeInt = 0  # the first epochs, in which the head alone learns; 0: none
    freeze_rate: NonNegativeFloat = 0.0  # learning rate of these epochs; 0: learning_rate
    freeze_bn: bool = False  # the trunk's batch normalisation does not learn, and never updates
    freeze_until: str = ""  # layer or unit: all up to it never learns; empty: nothing of the kind

    # How long, and how fast it learns.
    epochs: PositiveInt = 30  # freeze_epochs included
    # Epochs without a better validation after which it ends; 0: never.
    patience: NonNegativeInt = 0
    steps_per_epoch: NonNegativeInt = 0  # 0: as many as the examples give
    batch_size: PositiveInt = 16  # of all replicas together
    learning_rate: PositiveFloat = 0.05  # after the warm-up
    # The batch that learning_rate is for: it goes with batch_size. 0: any.
    base_batch: NonNegativeInt = 0
    # pattern=factor, …: the first that a weight's path has.
    learning_rate_factors: Annotated[str, FACTORS] = ""
    # Factor of the rate for every time the maps become smaller; 1: none.
    layer_decay: Annotated[PositiveFloat, AT_MOST_1] = 1.0
    schedule: Annotated[str, one_of("cosine", "step")] = "cosine"
    warmup_epochs: NonNegativeFloat = 1.0  # after freeze_epochs once more
    step_epochs: Annotated[str, WHOLE_NUMBERS] = ""  # step: after these epochs …
    step_factor: PositiveFloat = 0.1  # … the learning rate is multiplied by this
    optimizer: Annotated[str, one_of("sgd", "adamw")] = "sgd"
    momentum: Fraction = 0.9  # sgd: Nesterov
    beta_1: Fraction = 0.9  # adamw: of the mean of the gradients
    beta_2: Fraction = 0.999  # adamw: of the mean of their squares
    adam_epsilon: PositiveFloat = 1e-7  # adamw: beside the root of these
    # sgd: an L2 penalty; adamw: decoupled. Not on BN and biases.
    weight_decay: NonNegativeFloat = 1e-4
    label_smoothing: Fraction = 0.0
    # Stochastic depth: probability for the last residual branch; 0: none.
    drop_path: Fraction = 0.0
    # In the loss: balanced, by the number of their examples.
    class_weights: Annotated[str, one_of("none", "balanced")] = "none"
    # uniform: each example once; balanced: each class equally often.
    sampling: Annotated[str, one_of("uniform", "balanced")] = "uniform"
    # Largest norm of the gradient of all weights together; 0: any.
    clip_norm: NonNegativeFloat = 0.0
    # Of averaged weights, which are then what is scored and saved; 0: none.
    ema_decay: Fraction = 0.0
    # Last batches that give the statistics of evaluation; 0: running averages.
    precise_bn: NonNegativeInt = 0
    # Epochs between two validations; after the last one there is one.
    validate_every: PositiveInt = 1
    # The epoch whose weights are the model; best: in validation.
    select: Annotated[str, one_of("last", "best")] = "last"

    # How it is computed.
    accumulate: PositiveInt = 1  # micro-batches of a batch; batch normalisation sees only these
    precision: Annotated[str, one_of("float32", "mixed_float16", "mixed_bfloat16")] = "float32"
    jit_compile: bool = False
    remat: bool = False  # less memory for more time: activations are computed once more
    seed: NonNegativeInt = 0

    # Where the files lie.
    root: str = ""  # csv: the folder that paths start from, if not the list's; tfds: its data_dir
    # Of `folds`, or of a data set with several official splits (UCF-101: 1, 2, 3).
    fold: PositiveInt = 1

    # Which examples are held out (of a source without splits of its own).
    validation_fraction: Fraction = 0.1
    test_fraction: Fraction = 0.2
    group_pattern: str = ""  # one group in a regular expression, searched in the relative path
    test_groups: str = ""  # comma-separated groups that are the test set
    # Parts of whole groups for cross-validation: `fold` is the test set. 0: none.
    folds: NonNegativeInt = 0
    views: PositiveInt = 5  # clips of each video that are averaged in evaluation
    crops: int = 1  # of each of them: 1, or 3 along the longer side
    # GiB of decoded frames kept in memory; beyond it files are re-read.
    memory_budget: NonNegativeFloat = 2.0

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            for rule in getattr(each.type, "__metadata__", ()):
                if not rule.holds(getattr(self, each.name)):
                    self._refuse(each.name, rule.words)
        for field, words, holds in BETWEEN_FIELDS:
            if not holds(self):
                self._refuse(field, words.format(**vars(self)))
        if self.weights == "none" and not self.model.endswith(".keras"):
            object.__setattr__(self, "weights", "")

    def _refuse(self, field: str, rule: str) -> NoReturn:
        received = f"{field}={getattr(self, field)}"
        raise UserError(f"recipe field {field} {rule}. Received: {received}")

    def override(self, settings: list[str]) -> "Recipe":
        """Returns the recipe with `key=value` settings applied, each by the type of its field.

        Raises:
            UserError: a setting without `=`, an unknown key, or a value of the wrong type or range.
        """
        return dataclasses.replace(self, **values_of(settings))

    def with_fields(self, fields: Mapping[str, Any]) -> "Recipe":
        """Returns the recipe with other values of some fields, which have their types.

        A path counts as its text, a whole number as a float.

        Raises:
            UserError: an unknown field, or a value of the wrong type or range.
        """
        changes = {key: _of_type(key, value) for key, value in fields.items()}
        return dataclasses.replace(self, **changes)

    def save(self, path: Path) -> None:
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> "Recipe":
        """Reads a saved recipe; `UserError` where the file is not one."""
        recipe: Recipe = read_json(path, cls, "a recipe of this version of a2keras")
        return recipe

    def first_difference(self, other: "Recipe") -> str | None:
        """The first field, in the order above, whose value differs; None where all are equal."""
        names = (field.name for field in dataclasses.fields(self))
        return next((n for n in names if getattr(self, n) != getattr(other, n)), None)

    @property
    def mixes(self) -> bool:
        """Whether two examples are mixed into one."""
        return self.mixup > 0 or self.cutmix > 0

    def steps_down(self) -> list[int]:
        """The epochs of `step_epochs` as numbers."""
        return [int(part) for part in comma_separated(self.step_epochs)]

    def unit_names(self) -> tuple[str, ...]:
        """The units of `positions`."""
        return tuple(comma_separated(self.positions))

    def rate_factors(self) -> list[tuple[re.Pattern, float]]:
        """`learning_rate_factors` as (pattern to search in a weight's path, factor)."""
        return factors_of(self.learning_rate_factors)

    def peak_rate(self, rate: float | None = None) -> float:
        """The learning rate after the warm-up, in proportion to the batch if the recipe says so.

        Args:
            rate: as the recipe gives it; default, its learning_rate.
        """
        rate = self.learning_rate if rate is None else rate
        return rate * self.batch_size / self.base_batch if self.base_batch else rate


FIELDS = tuple(field.name for field in dataclasses.fields(Recipe))
_TYPES = get_type_hints(Recipe)  # without their rules
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def values_of(settings: Iterable[str]) -> dict[str, Any]:
    """The values of `key=value` settings by field, each of the type of its field.

    Raises:
        UserError: a setting without `=`, an unknown key, or a value of the wrong type.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"a setting is key=value. Received: {setting}")
        kind = _type_of(key)
        try:
            values[key] = _BOOLEANS[text.lower()] if kind is bool else kind(text)
        except (ValueError, KeyError) as error:
            raise _wrong_type(key, text) from error
    return values


def _of_type(key: str, value: Any) -> Any:
    """A program's value of a field, if it is of its type."""
    kind = _type_of(key)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _wrong_type(key, repr(value))
    return value


def _type_of(key: str) -> Any:
    if key not in FIELDS:
        near = difflib.get_close_matches(key, FIELDS, n=1, cutoff=0.0)[0]
        raise UserError(f"recipes have no field {key!r}: did you mean {near!r}?")
    return _TYPES[key]


def _wrong_type(key: str, received: str) -> UserError:
    kind = _TYPES[key].__name__
    return UserError(f"recipe field {key} is of type {kind}. Received: {key}={received}")

"""A recipe: everything that decides how a network is trained, in one frozen record."""

import dataclasses
import difflib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from a2keras.documents import RECORD, read_json, write_json
from a2keras.errors import UserError
from a2keras.whole_numbers import is_number


@dataclass(frozen=True)
class Recipe:
    """One training run. Together with the data's files it determines the final weights.

    Epochs, steps and positions count from 0; sizes are pixels. "auto" is replaced when the data is
    opened, so that the saved recipe is explicit.
    """

    __pydantic_config__: ClassVar = RECORD

    name: str
    data: str = ""  # digits | folder:DIR | csv:FILE[,TEST] | tfds:NAME | prepared:DIR
    task: str = "auto"  # image | video | auto: what the files are
    # A name of `a2keras.models.list_models()`, keras:NAME of keras.applications, or FILE.keras: the
    # trunk of your own. auto: the small one of the task.
    model: str = "auto"
    attention: str = "auto"  # blocks: a2 | non_local | se | none; auto: as the network has them
    positions: str = ""  # units that a block follows (comma-separated); empty: the network's own
    # Output projections of fresh a2 and non_local blocks: zeros, so that they are the identity, or
    # drawn as the other projections are.
    block_start: str = "identity"  # identity | random
    stem: str = ""  # small: of a ResNet, for pictures of 32×32 pixels; empty: the network's own
    # To start from: published weights by name, auto for those that there are, or a file; what does
    # not fit stays random. none, or empty: from scratch, but of a FILE.keras only none is, and
    # empty its own weights.
    weights: str = ""
    pixels: str = "auto"  # what FILE.keras takes: raw | unit | tf | torch | caffe; auto: raw
    model_sha256: str = ""  # of FILE.keras; filled in, so that a run goes on with the same file
    bn_momentum: float = 0.0  # of every batch normalisation; 0: the network's own
    bn_epsilon: float = 0.0  # of every batch normalisation; 0: the network's own

    # What enters the network.
    size: int = 112  # height and width
    frames: int = 8  # frames of a clip (video only)
    stride: int = 1  # a clip takes every stride-th frame
    fit: str = "crop"  # crop: fill the square and cut | letterbox: keep everything and pad
    flip: bool = True  # mirror left and right at random; off where the direction is the class
    crop: str = "square"  # random crops: square | side (as Kinetics) | area (as ImageNet)
    crop_scale: float = 0.7  # square, side: the smallest as a fraction of the short side; 1: none
    crop_area: float = 0.08  # area: the smallest as a fraction of the picture
    crop_aspect: float = 1.0  # side, area: how much wider or higher than a square they may be
    hue: float = 0.0  # random shift, at most; of 180, as OpenCV counts
    lightness: float = 0.0  # random shift, at most; of 255
    saturation: float = 0.0  # random shift, at most; of 255
    pixel_noise: float = 0.0  # random, at most, of every pixel value; of 255
    randaugment: int = 0  # random operations on each example; 0: none
    randaugment_magnitude: float = 9.0  # of these operations; 0 to 10
    erasing: float = 0.0  # probability of a box of noise; 0: none
    mixup: float = 0.0  # two examples in one: alpha of the Beta that draws the weights; 0: none
    cutmix: float = 0.0  # a box of another example: alpha as of mixup, either by turns; 0: none
    interpolation: str = "bilinear"  # bilinear | bicubic, both antialiased
    test_short_side: int = 0  # to which it is resized before the test crop of `size`; 0: `size`

    # What is held of the weights that it starts from.
    freeze_epochs: int = 0  # the first epochs, in which the head alone learns; 0: none
    freeze_rate: float = 0.0  # learning rate of these epochs; 0: learning_rate
    freeze_bn: bool = False  # the trunk's batch normalisation does not learn, and never updates
    freeze_until: str = ""  # layer or unit: all up to it never learns; empty: nothing of the kind

    # How long, and how fast it learns.
    epochs: int = 30  # freeze_epochs included
    patience: int = 0  # epochs without a better validation after which it ends; 0: never
    steps_per_epoch: int = 0  # 0: as many as the examples give
    batch_size: int = 16  # of all replicas together
    learning_rate: float = 0.05  # after the warm-up
    base_batch: int = 0  # the batch that learning_rate is for: it goes with batch_size. 0: any
    learning_rate_factors: str = ""  # pattern=factor, …: the first that a weight's path has
    layer_decay: float = 1.0  # factor of the rate for every time the maps become smaller; 1: none
    schedule: str = "cosine"  # cosine | step
    warmup_epochs: float = 1.0  # after freeze_epochs once more
    step_epochs: str = ""  # step: after these epochs (comma-separated) …
    step_factor: float = 0.1  # … the learning rate is multiplied by this
    optimizer: str = "sgd"  # sgd | adamw
    momentum: float = 0.9  # sgd: Nesterov
    beta_1: float = 0.9  # adamw: of the mean of the gradients
    beta_2: float = 0.999  # adamw: of the mean of their squares
    adam_epsilon: float = 1e-7  # adamw: beside the root of these
    weight_decay: float = 1e-4  # sgd: an L2 penalty; adamw: decoupled. Not on BN and biases
    label_smoothing: float = 0.0
    drop_path: float = 0.0  # stochastic depth: probability for the last residual branch; 0: none
    class_weights: str = "none"  # in the loss: none | balanced, by the number of their examples
    sampling: str = "uniform"  # uniform: each example once | balanced: each class equally often
    clip_norm: float = 0.0  # largest norm of the gradient of all weights together; 0: any
    ema_decay: float = 0.0  # of averaged weights, which are then what is scored and saved; 0: none
    precise_bn: int = 0  # last batches that give the statistics of evaluation; 0: running averages
    validate_every: int = 1  # epochs between two validations; after the last one there is one
    select: str = "last"  # the epoch whose weights are the model: last | best in validation

    # How it is computed.
    accumulate: int = 1  # micro-batches of a batch; batch normalisation sees only these
    precision: str = "float32"  # float32 | mixed_float16 | mixed_bfloat16
    jit_compile: bool = False
    remat: bool = False  # less memory for more time: activations are computed once more
    seed: int = 0

    # Where the files lie.
    root: str = ""  # csv: the folder that paths start from, if not the list's; tfds: its data_dir
    fold: int = 1  # of `folds`, or of a data set with several official splits (UCF-101: 1, 2, 3)

    # Which examples are held out (of a source without splits of its own).
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    group_pattern: str = ""  # one group in a regular expression, searched in the relative path
    test_groups: str = ""  # comma-separated groups that are the test set
    folds: int = 0  # parts of whole groups for cross-validation: `fold` is the test set. 0: none
    views: int = 5  # clips of each video that are averaged in evaluation
    crops: int = 1  # of each of them: 1, or 3 along the longer side
    memory_budget: float = 2.0  # GiB of decoded frames kept in memory; beyond it files are re-read

    def __post_init__(self) -> None:
        for field, choices in _CHOICES.items():
            if getattr(self, field) not in choices:
                _refuse(field, f"must be one of {', '.join(choices)}", getattr(self, field))
        for field in _AT_LEAST_ONE:
            if getattr(self, field) < 1:
                _refuse(field, "must be at least 1", getattr(self, field))
        for field in _FRACTIONS:
            if not 0 <= getattr(self, field) < 1:
                _refuse(field, "must be at least 0 and less than 1", getattr(self, field))
        for each in dataclasses.fields(self):
            if each.type is float and math.isinf(getattr(self, each.name)):
                _refuse(each.name, "must be finite", getattr(self, each.name))
        for field in ("learning_rate", "step_factor", "layer_decay", "adam_epsilon"):
            if not getattr(self, field) > 0:
                _refuse(field, "must be greater than 0", getattr(self, field))
        for field in _NOT_NEGATIVE:
            if not getattr(self, field) >= 0:
                _refuse(field, "must be at least 0", getattr(self, field))
        self._check_crops()
        self._check_augmentation()
        self._check_epochs()
        if self.batch_size % self.accumulate:
            _refuse("accumulate", f"must divide batch_size={self.batch_size}", self.accumulate)
        if self.weights == "none" and not self.model.endswith(".keras"):
            object.__setattr__(self, "weights", "")
        if self.pixels != "auto" and not self.model.endswith(".keras"):
            _refuse("pixels", f"is for a FILE.keras, not for model={self.model}", self.pixels)
        if self.class_weights == self.sampling == "balanced":
            _refuse("class_weights", "must be none where sampling=balanced", self.class_weights)
        if self.crops not in (1, 3) or (self.crops == 3 and self.fit != "crop"):
            _refuse("crops", "must be 1, or 3 where fit=crop", self.crops)
        if self.folds and not self.fold <= self.folds >= 2:
            _refuse("folds", f"must be 0, or at least 2 and at least fold={self.fold}", self.folds)
        if self.folds and self.test_groups:
            _refuse("test_groups", f"must be empty where folds={self.folds}", self.test_groups)
        self.rate_factors()

    def _check_epochs(self) -> None:
        if self.freeze_epochs >= self.epochs:
            _refuse("freeze_epochs", f"must be less than epochs={self.epochs}", self.freeze_epochs)
        if self.freeze_rate and not self.freeze_epochs:
            _refuse("freeze_rate", "needs freeze_epochs", self.freeze_rate)
        if self.warmup_epochs > self.epochs - self.freeze_epochs:
            most = f"epochs={self.epochs}"
            if self.freeze_epochs:
                most += f" less freeze_epochs={self.freeze_epochs}"
            _refuse("warmup_epochs", f"must be at most {most}", self.warmup_epochs)
        if not all(is_number(part.strip()) for part in self.step_epochs.split(",") if part.strip()):
            _refuse("step_epochs", "must be whole numbers with commas between", self.step_epochs)
        if any(epoch <= self.freeze_epochs for epoch in self.steps_down() if self.freeze_epochs):
            rule = f"must be after freeze_epochs={self.freeze_epochs}"
            _refuse("step_epochs", rule, self.step_epochs)
        if self.layer_decay > 1:
            _refuse("layer_decay", "must be at most 1", self.layer_decay)

    def _check_crops(self) -> None:
        for field in ("crop_scale", "crop_area"):
            if not 0 < getattr(self, field) <= 1:
                _refuse(field, "must be greater than 0 and at most 1", getattr(self, field))
        if not self.crop_aspect >= 1:
            _refuse("crop_aspect", "must be at least 1", self.crop_aspect)
        if 0 < self.test_short_side < self.size:
            _refuse(
                "test_short_side", f"must be 0 or at least size={self.size}", self.test_short_side
            )
        for field in ("crop", "test_short_side"):
            default = "square" if field == "crop" else 0
            if self.fit == "letterbox" and getattr(self, field) != default:
                _refuse(
                    field, "needs fit=crop: letterbox keeps the whole frame", getattr(self, field)
                )

    def _check_augmentation(self) -> None:
        for field, most in (("randaugment", 14), ("randaugment_magnitude", 10), ("erasing", 1)):
            if not 0 <= getattr(self, field) <= most:
                _refuse(field, f"must be at least 0 and at most {most}", getattr(self, field))
        if self.mixes and self.batch_size % 2:
            rule = "must be even where examples are mixed by pairs (mixup, cutmix)"
            _refuse("batch_size", rule, self.batch_size)

    def override(self, settings: list[str]) -> "Recipe":
        """Returns the recipe with `key=value` settings applied, each by the type of its field.

        Raises:
            UserError: a setting without `=`, an unknown key, or a value of the wrong type or range.
        """
        changes: dict[str, Any] = {}
        for setting in settings:
            key, equals, text = setting.partition("=")
            if not equals:
                raise UserError(f"--set takes key=value. Received: --set {setting}")
            changes[key] = _typed(key, text)
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
        return [int(part) for part in self.step_epochs.split(",") if part.strip()]

    def unit_names(self) -> tuple[str, ...]:
        """The units of `positions`."""
        return tuple(part.strip() for part in self.positions.split(",") if part.strip())

    def peak_rate(self, rate: float | None = None) -> float:
        """The learning rate after the warm-up, in proportion to the batch if the recipe says so.

        Args:
            rate: as the recipe gives it; default, its learning_rate.
        """
        rate = self.learning_rate if rate is None else rate
        return rate * self.batch_size / self.base_batch if self.base_batch else rate

    def rate_factors(self) -> list[tuple[re.Pattern, float]]:
        """`learning_rate_factors` as (pattern to search in a weight's path, factor)."""
        factors = []
        for part in filter(None, map(str.strip, self.learning_rate_factors.split(","))):
            pattern, _, factor = part.rpartition("=")
            try:
                factors.append((re.compile(pattern), float(factor)))
                valid = pattern and 0 <= float(factor) < math.inf
            except (ValueError, re.error):
                valid = False
            if not valid:
                rule = "must be pattern=factor with commas between, factors of at least 0"
                _refuse("learning_rate_factors", rule, self.learning_rate_factors)
        return factors


_AT_LEAST_ONE = (
    "validate_every",
    "size",
    "frames",
    "stride",
    "epochs",
    "batch_size",
    "views",
    "accumulate",
    "fold",
)
_FRACTIONS = (
    "validation_fraction",
    "test_fraction",
    "label_smoothing",
    "drop_path",
    "momentum",
    "beta_1",
    "beta_2",
    "bn_momentum",
    "ema_decay",
)
_NOT_NEGATIVE = (
    "freeze_epochs",
    "freeze_rate",
    "patience",
    "weight_decay",
    "warmup_epochs",
    "steps_per_epoch",
    "seed",
    "memory_budget",
    "base_batch",
    "clip_norm",
    "precise_bn",
    "bn_epsilon",
    "hue",
    "lightness",
    "saturation",
    "pixel_noise",
    "test_short_side",
    "mixup",
    "cutmix",
    "folds",
)
_CHOICES = {
    "task": ("auto", "image", "video"),
    "attention": ("auto", "a2", "non_local", "se", "none"),
    "block_start": ("identity", "random"),
    "pixels": ("auto", "raw", "unit", "tf", "torch", "caffe"),
    "stem": ("", "small"),
    "fit": ("crop", "letterbox"),
    "crop": ("square", "side", "area"),
    "interpolation": ("bilinear", "bicubic"),
    "schedule": ("cosine", "step"),
    "optimizer": ("sgd", "adamw"),
    "class_weights": ("none", "balanced"),
    "sampling": ("uniform", "balanced"),
    "select": ("last", "best"),
    "precision": ("float32", "mixed_float16", "mixed_bfloat16"),
}
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def _refuse(field: str, rule: str, value: Any) -> None:
    raise UserError(f"recipe field {field} {rule}. Received: {field}={value}")


def _typed(key: str, text: str) -> Any:
    """Converts the text of a setting to the type of its field."""
    types = {field.name: field.type for field in dataclasses.fields(Recipe)}
    if key not in types:
        near = difflib.get_close_matches(key, types, n=1, cutoff=0.0)[0]
        raise UserError(f"recipes have no field {key!r}: did you mean {near!r}?")
    kind = types[key]
    try:
        return _BOOLEANS[text.lower()] if kind is bool else kind(text)  # type: ignore[operator]
    except (ValueError, KeyError) as error:
        name = getattr(kind, "__name__", str(kind))
        raise UserError(f"recipe field {key} is of type {name}. Received: {key}={text}") from error

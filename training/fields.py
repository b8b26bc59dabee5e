"""The fields of a recipe: of each its type, its default, its rules, its unit and what it means."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_type_hints

from a2keras.documents import RECORD
from a2keras.training.rules import (
    AT_MOST_1,
    FACTORS,
    FINITE,
    WHOLE_NUMBERS,
    Fraction,
    Heading,
    NonNegativeFloat,
    NonNegativeInt,
    Part,
    PositiveFloat,
    PositiveInt,
    Rule,
    Unit,
    at_least,
    between,
    one_of,
)

PIXELS, FRAMES, EPOCHS = Unit("pixels"), Unit("frames"), Unit("epochs")
EXAMPLES, OF_255 = Unit("examples"), Unit("of 255")


@dataclass(frozen=True)
class Fields:
    """What a recipe says, without what holds between its fields.

    Epochs and steps count from 0. "auto" is replaced when the data is opened, so that the saved
    recipe is explicit. The text in a field's type is what it means; a heading opens a group.
    """

    __pydantic_config__: ClassVar = RECORD

    name: Annotated[str, Heading("What it is"), "what it is called"]
    data: Annotated[str, "what it is trained on, see `a2keras help data`"] = ""
    task: Annotated[str, one_of("auto", "image", "video"), "auto: what the files are"] = "auto"

    multi_label: Annotated[
        bool,
        "a row of a list has any number of labels, with | or ; between them: sigmoid and binary "
        "cross-entropy; false: one class, by softmax",
    ] = False

    model: Annotated[
        str,
        Heading("The network"),
        "a name of `a2keras summary`, keras:NAME of keras.applications, or FILE.keras: the trunk "
        "of your own; auto: the small one of the task",
    ] = "auto"
    attention: Annotated[
        str,
        one_of("auto", "a2", "non_local", "se", "none"),
        "blocks, instead of those that the network has; auto: as the network has them",
    ] = "auto"
    positions: Annotated[
        str, "units that a block follows, with commas between; empty: the network's own"
    ] = ""
    block_start: Annotated[
        str,
        one_of("identity", "random"),
        "output projections of fresh a2 and non_local blocks: zeros, so that they are the "
        "identity, or drawn as the other projections are; gates of fresh se: near 1 in a network "
        "that starts from weights, or near 1/2 as drawn",
    ] = "identity"
    stem: Annotated[
        str,
        one_of("", "small"),
        "small: of a ResNet, for pictures of 32×32 pixels; empty: the network's own",
    ] = ""
    weights: Annotated[
        str,
        "to start from: published weights by name, auto for those that there are, or a file; what "
        "does not fit stays random; none, or empty: from scratch, but of a FILE.keras only none "
        "is, and empty its own weights",
    ] = ""
    pixels: Annotated[
        str,
        one_of("auto", "raw", "unit", "tf", "torch", "caffe"),
        "what FILE.keras takes; auto: what a preprocessing.json beside it says, or raw",
    ] = "auto"
    model_sha256: Annotated[
        str, "of FILE.keras; filled in, so that a run goes on with the same file"
    ] = ""
    bn_momentum: Annotated[Fraction, "of every batch normalisation; 0: the network's own"] = 0.0
    bn_epsilon: Annotated[
        NonNegativeFloat, "of every batch normalisation; 0: the network's own"
    ] = 0.0

    size: Annotated[PositiveInt, Heading("What enters the network"), "height and width", PIXELS] = (
        112
    )
    frames: Annotated[PositiveInt, "of a clip (video only)", FRAMES] = 8
    stride: Annotated[PositiveInt, "from a frame of a clip to the next one", FRAMES] = 1
    fit: Annotated[
        str,
        one_of("crop", "letterbox"),
        "crop: fill the square and cut; letterbox: keep everything and pad",
    ] = "crop"
    flip: Annotated[
        bool, "mirror left and right at random; off where the direction is the class"
    ] = True
    crop: Annotated[
        str,
        one_of("square", "side", "area"),
        "random crops; side: as Kinetics; area: as ImageNet",
    ] = "square"
    crop_scale: Annotated[
        Part, "square, side: the smallest, of the short one; 1: none", Unit("of the side")
    ] = 0.7
    crop_area: Annotated[Part, "area: the smallest", Unit("of the picture")] = 0.08
    crop_aspect: Annotated[
        float, at_least(1), FINITE, "side, area: how much wider or higher than a square they may be"
    ] = 1.0
    hue: Annotated[NonNegativeFloat, "random shift, at most", Unit("of 180")] = 0.0
    lightness: Annotated[NonNegativeFloat, "random shift, at most", OF_255] = 0.0
    saturation: Annotated[NonNegativeFloat, "random shift, at most", OF_255] = 0.0
    pixel_noise: Annotated[NonNegativeFloat, "random, at most, of every pixel value", OF_255] = 0.0
    randaugment: Annotated[
        int, between(0, 14), "random operations on each example; 0: none", Unit("operations")
    ] = 0
    randaugment_magnitude: Annotated[float, between(0, 10), "of these operations"] = 9.0
    erasing: Annotated[float, between(0, 1), "probability of a box of noise; 0: none"] = 0.0
    mixup: Annotated[
        NonNegativeFloat,
        "two examples in one: alpha of the Beta that draws the weights; 0: none",
    ] = 0.0
    cutmix: Annotated[
        NonNegativeFloat,
        "a box of another example: alpha as of mixup, either by turns; 0: none",
    ] = 0.0
    interpolation: Annotated[
        str, one_of("bilinear", "bicubic"), "how pictures are resized; both antialiased"
    ] = "bilinear"
    test_short_side: Annotated[
        NonNegativeInt, "to which it is resized before the test crop of `size`; 0: `size`", PIXELS
    ] = 0

    freeze_epochs: Annotated[
        NonNegativeInt,
        Heading("What is held of the weights that it starts from"),
        "the first epochs, in which the head alone learns; 0: none",
        EPOCHS,
    ] = 0
    freeze_rate: Annotated[NonNegativeFloat, "learning rate of these epochs; 0: learning_rate"] = (
        0.0
    )
    freeze_bn: Annotated[
        bool, "the trunk's batch normalisation does not learn, and never updates"
    ] = False
    freeze_until: Annotated[
        str, "layer or unit: all up to it never learns; empty: nothing of the kind"
    ] = ""

    epochs: Annotated[
        PositiveInt,
        Heading("How long, and how fast it learns"),
        "in all, freeze_epochs included",
        EPOCHS,
    ] = 30
    patience: Annotated[
        NonNegativeInt, "without a better validation, after which it ends; 0: never", EPOCHS
    ] = 0
    steps_per_epoch: Annotated[NonNegativeInt, "0: as many as the examples give", Unit("steps")] = 0
    batch_size: Annotated[
        PositiveInt, "of all replicas together, at most: an epoch's batches are equal", EXAMPLES
    ] = 16
    learning_rate: Annotated[PositiveFloat, "after the warm-up"] = 0.05
    base_batch: Annotated[
        NonNegativeInt,
        "the batch that learning_rate is for: it goes with batch_size; 0: any",
        EXAMPLES,
    ] = 0
    learning_rate_factors: Annotated[
        str, FACTORS, "pattern=factor, …: the first that a weight's path has"
    ] = ""
    layer_decay: Annotated[
        PositiveFloat,
        AT_MOST_1,
        "factor of the rate for every time the maps become smaller; 1: none",
    ] = 1.0
    schedule: Annotated[
        str, one_of("cosine", "step"), "how the learning rate falls after the warm-up"
    ] = "cosine"
    warmup_epochs: Annotated[
        NonNegativeFloat,
        "in which the learning rate rises; after freeze_epochs once more",
        EPOCHS,
    ] = 1.0
    step_epochs: Annotated[
        str,
        WHOLE_NUMBERS,
        "step: after these, with commas between, it is multiplied by step_factor",
        EPOCHS,
    ] = ""
    step_factor: Annotated[PositiveFloat, "step: of the learning rate"] = 0.1
    optimizer: Annotated[str, one_of("sgd", "adamw"), "what takes the steps"] = "sgd"
    momentum: Annotated[Fraction, "sgd: Nesterov"] = 0.9
    beta_1: Annotated[Fraction, "adamw: of the mean of the gradients"] = 0.9
    beta_2: Annotated[Fraction, "adamw: of the mean of their squares"] = 0.999
    adam_epsilon: Annotated[PositiveFloat, "adamw: beside the root of these"] = 1e-7
    weight_decay: Annotated[
        NonNegativeFloat, "sgd: an L2 penalty; adamw: decoupled; not on BN and biases"
    ] = 1e-4
    label_smoothing: Annotated[
        Fraction,
        "share of a label that all classes get; multi_label: half of which yes and no get; 0: none",
    ] = 0.0
    drop_path: Annotated[
        Fraction, "stochastic depth: probability for the last residual branch; 0: none"
    ] = 0.0
    class_weights: Annotated[
        str,
        one_of("none", "balanced"),
        "in the loss: balanced, by the number of their examples; multi_label: of those that have "
        "a label, against those without it",
    ] = "none"
    sampling: Annotated[
        str,
        one_of("uniform", "balanced"),
        "uniform: each example once; balanced: each class equally often",
    ] = "uniform"
    clip_norm: Annotated[
        NonNegativeFloat, "largest norm of the gradient of all weights together; 0: any"
    ] = 0.0
    ema_decay: Annotated[
        Fraction, "of averaged weights, which are then what is scored and saved; 0: none"
    ] = 0.0
    precise_bn: Annotated[
        NonNegativeInt,
        "the last ones, which give the statistics of evaluation; 0: running averages",
        Unit("batches"),
    ] = 0
    validate_every: Annotated[
        PositiveInt, "between two validations; after the last one there is one", EPOCHS
    ] = 1
    select: Annotated[
        str,
        one_of("last", "best"),
        "the epoch whose weights are the model; best: in validation",
    ] = "last"

    accumulate: Annotated[
        PositiveInt,
        Heading("How it is computed"),
        "micro-batches of a batch; batch normalisation sees only these",
        Unit("parts"),
    ] = 1
    precision: Annotated[
        str, one_of("float32", "mixed_float16", "mixed_bfloat16"), "of what is computed"
    ] = "float32"
    jit_compile: Annotated[bool, "compile the step by XLA"] = False
    remat: Annotated[bool, "less memory for more time: activations are computed once more"] = False
    seed: Annotated[NonNegativeInt, "of all that is drawn at random"] = 0

    root: Annotated[
        str,
        Heading("Where the files lie"),
        "csv: the folder that paths start from, if not the list's; tfds: its data_dir",
    ] = ""
    fold: Annotated[
        PositiveInt,
        "which one of `folds`, or of a data set with several official splits (UCF-101: 1, 2, 3)",
    ] = 1

    validation_fraction: Annotated[
        Fraction,
        Heading("Which examples are held out, of a source without splits of its own"),
        "for validation",
        Unit("of the examples"),
    ] = 0.1
    test_fraction: Annotated[Fraction, "for the test", Unit("of the examples")] = 0.2
    group_pattern: Annotated[
        str, "one group in a regular expression, searched in the relative path"
    ] = ""
    test_groups: Annotated[str, "groups that are the test set, with commas between"] = ""
    folds: Annotated[
        NonNegativeInt,
        "parts of whole groups for cross-validation: `fold` is the test set; 0: none",
    ] = 0

    views: Annotated[
        PositiveInt,
        Heading("How it is tested"),
        "clips of each video that are averaged in evaluation",
        Unit("clips"),
    ] = 5
    crops: Annotated[int, "of each of them: 1, or 3 along the longer side", Unit("crops")] = 1

    memory_budget: Annotated[
        NonNegativeFloat,
        Heading("What it may take of the machine"),
        "of decoded frames kept in memory; beyond it files are re-read",
        Unit("GiB"),
    ] = 2.0


FIELDS = tuple(field.name for field in dataclasses.fields(Fields))
TYPES: dict[str, type] = get_type_hints(Fields)  # without their rules


def said_of(field: dataclasses.Field) -> tuple[Any, ...]:
    """What a field's type says besides: its heading, meaning, unit and rules."""
    said: tuple[Any, ...] = getattr(field.type, "__metadata__", ())
    return said


def _values(field: dataclasses.Field) -> list[str]:
    """The values of a field that has a list of them."""
    if TYPES[field.name] is bool:
        return ["true", "false"]
    return [
        value
        for rule in said_of(field)
        if isinstance(rule, Rule)
        for value in rule.choices
        if value
    ]


# What shells complete behind `--set`: `model=`, `attention=`, `attention=a2`, …
SETTINGS = tuple(
    f"{field.name}={value}"
    for field in dataclasses.fields(Fields)
    for value in ("", *_values(field))
)

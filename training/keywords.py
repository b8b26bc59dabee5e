"""The fields of a recipe as keyword arguments, for editors and type checkers."""

from os import PathLike
from typing import TypedDict


class Keywords(TypedDict, total=False):
    """The fields of `config.Recipe`, which says what they mean: any of them, by name."""

    name: str
    data: str | PathLike[str]
    task: str
    multi_label: bool
    model: str | PathLike[str]
    attention: str
    positions: str
    block_start: str
    stem: str
    weights: str | PathLike[str]
    pixels: str
    model_sha256: str
    bn_momentum: float
    bn_epsilon: float
    size: int
    frames: int
    stride: int
    fit: str
    flip: bool
    crop: str
    crop_scale: float
    crop_area: float
    crop_aspect: float
    hue: float
    lightness: float
    saturation: float
    pixel_noise: float
    randaugment: int
    randaugment_magnitude: float
    erasing: float
    mixup: float
    cutmix: float
    interpolation: str
    test_short_side: int
    freeze_epochs: int
    freeze_rate: float
    freeze_bn: bool
    freeze_until: str
    epochs: int
    patience: int
    steps_per_epoch: int
    batch_size: int
    learning_rate: float
    base_batch: int
    learning_rate_factors: str
    layer_decay: float
    schedule: str
    warmup_epochs: float
    step_epochs: str
    step_factor: float
    optimizer: str
    momentum: float
    beta_1: float
    beta_2: float
    adam_epsilon: float
    weight_decay: float
    label_smoothing: float
    drop_path: float
    class_weights: str
    sampling: str
    clip_norm: float
    ema_decay: float
    precise_bn: int
    validate_every: int
    select: str
    accumulate: int
    precision: str
    jit_compile: bool
    remat: bool
    seed: int
    root: str | PathLike[str]
    fold: int
    validation_fraction: float
    test_fraction: float
    group_pattern: str
    test_groups: str
    folds: int
    views: int
    crops: int
    memory_budget: float

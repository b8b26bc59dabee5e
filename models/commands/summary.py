"""`a2keras summary`: the stages of a network."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from a2keras.command_line import define_format, parse
from a2keras.console import print_json, show, show_table
from a2keras.errors import UserError, printable, reason_of
from a2keras.models import names
from a2keras.models.figures import FIGURES
from a2keras.models.stages import stage_of
from a2keras.models.weights import published
from a2keras.whole_numbers import is_number

BLOCK_KINDS = ("DoubleAttention", "NonLocal", "SqueezeExcitation")


def summary(arguments: list[str]) -> None:
    values, given = parse(
        "a2keras summary NAME [--input=8x224x224] [--classes=1000] [--set option=value]…",
        "Prints the stages of a network with output shapes, parameters and multiply-adds. Without "
        "a NAME, lists those of a2keras with their sizes and published weights. A NAME may also be "
        "keras:NAME, a network of keras.applications with a new classifier, or a run or a .keras "
        "file, as it is; of a file with --set or --input its trunk with a new classifier, as train "
        "builds it.",
        _flags,
        arguments,
    )
    if not given:
        print_json(networks()) if values.format == "json" else describe()
        return
    if len(given) > 1:
        raise UserError(f"summary takes one NAME. Received: {' '.join(given)}")
    try:
        document = stages(_network(given[0], values))
    except ValueError as error:
        raise UserError(f"{given[0]}: {reason_of(error, 1000)}") from error
    print_json(document) if values.format == "json" else show_stages(document)


def describe() -> None:
    """Prints all networks; `a2keras help networks`."""
    show_networks(networks())


def networks() -> list[dict[str, Any]]:
    """All networks of a2keras; nothing is built."""
    return [
        {
            "name": name,
            "takes": "videos" if names.NETWORKS[name].is_video else "images",
            **FIGURES[name]._asdict(),
            "weights": published.names_for(name),
        }
        for name in names.NETWORKS
    ]


def show_networks(documents: list[dict[str, Any]]) -> None:
    head = ["network", "input", "parameters", "multiply-adds", "weights"]
    rows = [
        [
            each["name"],
            _shape(each["input_size"]),
            f"{each['parameters'] / 1e6:.2f} M",
            f"{each['multiply_adds'] / 1e9:.2f} G",
            ", ".join(each["weights"]),
        ]
        for each in documents
    ]
    show_table(head, rows, numbers=("input", "parameters", "multiply-adds"))
    show(
        "\nOf one example, with 1000 classes. `a2keras summary NAME` shows the stages of one; "
        f"{names.FORMS}."
    )


def _network(name: str, values: flags.FlagValues) -> Any:
    path = Path(name)
    is_run = (path / "model.keras").is_file()
    is_changed = bool(values.set or values.input)
    if is_run and is_changed:
        raise UserError(f"{printable(name)} is shown as it is: --set and --input are not for runs")
    if is_run or (names.is_file(name) and not is_changed):
        from a2keras.models import keras_files

        return keras_files.load_single(path / "model.keras" if is_run else path)
    shape = None if values.input is None else (*_sizes(values.input), 3)
    names.check(name)
    if names.is_host(name):
        options = settings_of(values.set, ("attention", "positions"))
        return _host(name, shape or _usual_shape(name), values.classes, **options)
    axes = 3 if names.NETWORKS[name].is_video else 2
    if shape is not None and len(shape) != axes + 1:
        raise UserError(f"{name} takes {axes} sizes. Received: --input={values.input}")
    if shape is not None and min(shape) < 1:
        raise UserError(
            f"{name}: an input's sizes must be at least 1. Received: --input={values.input}"
        )
    options = settings_of(values.set, names.NETWORKS[name].options)
    from a2keras import models

    return models.build(name, classes=values.classes, input_shape=shape, **options)


def _usual_shape(name: str) -> tuple[int, ...]:
    """Of a file that of its own input, of a network of `keras.applications` 224 × 224."""
    if not names.is_file(name):
        return (224, 224, 3)
    from a2keras.models import keras_files

    shape: tuple[int, ...] = keras_files.load_single(name).input_shape[1:]
    if None in shape:
        raise UserError(f"{printable(name)} takes any size: --input=224x224 says which")
    return shape


def _host(
    name: str,
    shape: tuple[int, ...],
    classes: int,
    *,
    attention: str | None = "auto",
    positions: tuple[str, ...] = (),
) -> Any:
    from a2keras.models import hosts

    return hosts.build(name, shape, classes, attention, positions)


def _sizes(text: str) -> tuple[int, ...]:
    if not all(is_number(part) for part in text.split("x")):
        raise UserError(f"--input must be sizes such as 8x224x224 or 224x224. Received: {text}")
    return tuple(map(int, text.split("x")))


def _flags(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "input", None, "[FRAMESx]HEIGHTxWIDTH; the paper's size unless given", flag_values=values
    )
    flags.DEFINE_integer("classes", 1000, "outputs of the classifier", flag_values=values)
    flags.DEFINE_multi_string(
        "set", [], "option=value of the builder: attention=a2, positions=conv3_1,conv4_2, …",
        flag_values=values,
    )  # fmt: skip
    define_format(values)


def stages(model: Any) -> dict[str, Any]:
    """A model's costs by stage: a layer's name up to the first underscore, or the head.

    Of a model whose layers have no such names a stage is what has maps of one size.
    """
    from a2keras.counting import count

    counted = count(model)
    layers = [layer for layer in counted.by_layer if layer.kind != "InputLayer"]
    named = any(stage_of(layer.name) for layer in layers)
    names = [stage_of(each.name) or "head" for each in layers] if named else _sizes_of(layers)
    pairs = itertools.groupby(zip(names, layers, strict=True), lambda pair: pair[0])
    rows = [_row(stage, [layer for _, layer in part]) for stage, part in pairs]
    return {
        "name": model.name,
        "input_shape": list(model.input_shape[1:]),
        "parameters": counted.parameters,
        "trainable_parameters": counted.trainable_parameters,
        "multiply_adds": counted.multiply_adds,
        "planned_multiply_adds": counted.planned_multiply_adds,
        "activation_bytes": counted.activation_bytes,
        "stages": rows,
    }


def _row(stage: str, layers: list[Any]) -> dict[str, Any]:
    return {
        "stage": stage,
        "output_shape": list(layers[-1].output_shape[1:]),
        "parameters": sum(layer.parameters for layer in layers),
        "multiply_adds": sum(layer.multiply_adds for layer in layers),
        "planned_multiply_adds": sum(layer.planned_multiply_adds for layer in layers),
        "attention": [
            each.name
            for each in layers
            if each.kind in BLOCK_KINDS and not each.name.endswith("_se")
        ],
    }


def _sizes_of(layers: list[Any]) -> list[str]:
    """The size of the maps of each layer's stage: those that its last layer with weights gives.

    Padding and pooling belong to what comes next. Behind the last maps it is the head.
    """
    own = [
        "×".join(map(str, shape[1:-1])) if math.prod(shape[1:-1]) > 1 else ""
        for shape in (layer.output_shape for layer in layers)
    ]
    last = max((i for i, size in enumerate(own) if size), default=-1)
    weighted = [size if layer.parameters else "" for size, layer in zip(own, layers, strict=True)]
    sizes: list[str] = []
    for i in range(last + 1):
        before = sizes[-1] if sizes else ""
        following = next(filter(None, weighted[i : last + 1]), own[i])
        sizes.append(before if before and own[i] in (before, "") else following or before)
    return [*sizes, *["head"] * (len(layers) - last - 1)]


def show_stages(document: dict[str, Any]) -> None:
    show(f"{printable(document['name'])}, input {_shape(document['input_shape'])}\n")
    total = {**document, "stage": "total", "output_shape": [], "attention": []}
    rows = [
        [
            row["stage"],
            _shape(row["output_shape"]),
            f"{row['parameters']:,}",
            f"{row['multiply_adds']:,}",
            " ".join(row["attention"]),
        ]
        for row in [*document["stages"], total]
    ]
    head = ["stage", "output", "parameters", "multiply-adds", "blocks"]
    show_table(head, rows, numbers=("parameters", "multiply-adds"))
    show(f"\nof the parameters, trainable: {document['trainable_parameters']:,}")
    show(
        "multiply-adds for one example in the paper's order (Eq. 6); as the blocks really "
        f"multiply: {document['planned_multiply_adds']:,}"
    )
    show(f"activations of one example: {document['activation_bytes'] / 2**20:,.1f} MiB")


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def settings_of(pairs: list[str], own: Sequence[str]) -> dict[str, Any]:
    """`--set option=value`: arguments of a builder, which takes those of `own`."""
    settings: dict[str, Any] = {}
    for pair in pairs:
        option, _, value = pair.partition("=")
        if option not in own or not value:
            raise UserError(
                f"--set takes option=value with one of {', '.join(own)}. Received: --set {pair}"
            )
        if option == "positions":
            settings[option] = tuple(names.comma_separated(value))
        else:
            settings[option] = {"none": None}.get(value, int(value) if is_number(value) else value)
    return settings

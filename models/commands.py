"""`a2keras summary`: the stages of a network, with shapes, parameters and multiply-adds."""

import itertools

from absl import flags

from a2keras.command_line import parse
from a2keras.console import UserError, print_json
from a2keras.models.features import stage_of


def summary(arguments: list[str]) -> None:
    values, names = parse(
        "a2keras summary NAME [--input=8x224x224] [--classes=1000] [--format=text|json]",
        "Prints the stages of a network with output shapes, parameters and multiply-adds. Without "
        "a NAME, lists the names.",
        _summary_flags,
        arguments,
    )
    from a2keras import models

    if not names:
        print("\n".join(models.list_models()))
        return
    if len(names) > 1:
        raise UserError(f"give one network at a time. Received: {' '.join(names)}")
    if names[0] not in models.list_models():
        raise UserError(
            f"there is no network {names[0]!r}: choose from {', '.join(models.list_models())}."
        )
    try:
        size = None if values.input is None else tuple(map(int, values.input.split("x")))
        shape = None if size is None else (*size, 3)
        model = models.build(names[0], classes=values.classes, input_shape=shape)
    except ValueError as error:
        raise UserError(f"--input={values.input} --classes={values.classes}: {error}") from error
    document = stages(model)
    if values.format == "json":
        print_json(document)
    else:
        print(as_text(document))


def _summary_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "input", None, "[FRAMESx]HEIGHTxWIDTH; the paper's size unless given", flag_values=values
    )
    flags.DEFINE_integer("classes", 1000, "outputs of the classifier", flag_values=values)
    flags.DEFINE_enum("format", "text", ["text", "json"], "how to print", flag_values=values)


def stages(model) -> dict:
    """A model's costs by stage: a layer's name up to the first underscore, or the head."""
    from a2keras.counting import count

    counted = count(model)
    layers = [layer for layer in counted.by_layer if layer.kind != "InputLayer"]
    rows = [
        {
            "stage": stage,
            "output_shape": list(part[-1].output_shape[1:]),
            "parameters": sum(layer.parameters for layer in part),
            "multiply_adds": sum(layer.multiply_adds for layer in part),
            "planned_multiply_adds": sum(layer.planned_multiply_adds for layer in part),
            "attention": [layer.name for layer in part if layer.name.endswith("_attention")],
        }
        for stage, part in (
            (stage, list(part)) for stage, part in itertools.groupby(layers, _stage)
        )
    ]
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


def _stage(layer) -> str:
    return stage_of(layer.name) or "head"


def as_text(document: dict) -> str:
    lines = [f"{document['name']}, input {_shape(document['input_shape'])}", ""]
    lines.append(f"{'stage':<14}{'output':<20}{'parameters':>14}{'multiply-adds':>18}  blocks")
    for row in document["stages"]:
        lines.append(
            f"{row['stage']:<14}{_shape(row['output_shape']):<20}{row['parameters']:>14,}"
            f"{row['multiply_adds']:>18,}  {' '.join(row['attention'])}".rstrip()
        )
    lines += ["", f"{'total':<34}{document['parameters']:>14,}{document['multiply_adds']:>18,}"]
    lines.append(f"of the parameters, trainable: {document['trainable_parameters']:,}")
    lines.append(
        "multiply-adds for one example in the paper's order (Eq. 6); as the blocks really "
        f"multiply: {document['planned_multiply_adds']:,}"
    )
    lines.append(f"activations of one example: {document['activation_bytes'] / 2**20:,.1f} MiB")
    return "\n".join(lines)


def _shape(shape: list[int]) -> str:
    return "×".join(map(str, shape))

"""`a2keras summary`, the stages of a network, and `a2keras convert`, weights of other libraries."""

import inspect
import itertools
from pathlib import Path
from typing import Any

from absl import flags

from a2keras.command_line import parse
from a2keras.console import print_json, quiet_native_stderr, say, show
from a2keras.errors import UserError, reason_of
from a2keras.files import replacing
from a2keras.models.stages import stage_of
from a2keras.whole_numbers import is_number


def summary(arguments: list[str]) -> None:
    values, names = parse(
        "a2keras summary NAME [--input=8x224x224] [--classes=1000] [--set option=value]…",
        "Prints the stages of a network with output shapes, parameters and multiply-adds. Without "
        "a NAME, lists the names.",
        _summary_flags,
        arguments,
    )
    from a2keras import models

    if not names:
        show("\n".join(models.list_models()))
        return
    if len(names) > 1:
        raise UserError(f"give one network at a time. Received: {' '.join(names)}")
    if names[0] not in models.list_models():
        raise UserError(
            f"there is no network {names[0]!r}: choose from {', '.join(models.list_models())}."
        )
    options = _settings(values.set, models.builder(names[0]))
    try:
        shape = None if values.input is None else (*_sizes(values.input), 3)
        model = models.build(names[0], classes=values.classes, input_shape=shape, **options)
    except ValueError as error:
        raise UserError(f"{names[0]}: {reason_of(error, 1000)}") from error
    document = stages(model)
    if values.format == "json":
        print_json(document)
    else:
        show(as_text(document))


def _sizes(text: str) -> tuple[int, ...]:
    if not all(is_number(part) for part in text.split("x")):
        raise UserError(f"--input must be sizes such as 8x224x224 or 224x224. Received: {text}")
    return tuple(map(int, text.split("x")))


def _summary_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "input", None, "[FRAMESx]HEIGHTxWIDTH; the paper's size unless given", flag_values=values
    )
    flags.DEFINE_integer("classes", 1000, "outputs of the classifier", flag_values=values)
    flags.DEFINE_multi_string(
        "set", [], "option=value of the builder: attention=a2, positions=conv3_1,conv4_2, …",
        flag_values=values,
    )  # fmt: skip
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


def convert(arguments: list[str]) -> None:
    values, names = parse(
        "a2keras convert CHECKPOINT --model=NAME --output=FILE.weights.h5|.keras [--layout=auto] "
        "[--classes=N] [--skip_mismatch] [--set option=value]…",
        "Writes the weights of a checkpoint of PyTorch, JAX or Caffe2 as a file for one of ours, "
        "which then gives the same logits. Nothing in the checkpoint is executed.",
        _convert_flags,
        arguments,
    )
    if len(names) != 1:
        raise UserError(f"give one checkpoint. Received: {' '.join(names) or 'none'}")
    output = _output(values.output)
    try:
        _convert(names[0], output, values)
    except ValueError as error:
        from a2keras.models.assignment import LEAVE

        raise UserError(str(error).replace(LEAVE, "--skip_mismatch")) from error


def _convert_flags(values: flags.FlagValues) -> None:
    from a2keras.models.layouts import LAYOUTS

    flags.DEFINE_string("model", None, "the network, such as resnet50", flag_values=values)
    flags.DEFINE_string(
        "output", None, "weights (.weights.h5) or the whole model (.keras)", flag_values=values
    )
    flags.DEFINE_enum(
        "layout",
        "auto",
        ["auto", *(layout.name for layout in LAYOUTS)],
        "how the checkpoint names its weights; auto: by its keys",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "classes", None, "outputs of the classifier; the checkpoint's unless given",
        flag_values=values,
    )  # fmt: skip
    flags.DEFINE_boolean(
        "skip_mismatch",
        False,
        "leave new what the checkpoint lacks (attention blocks) or has in another shape (the "
        "classifier for other classes)",
        flag_values=values,
    )
    flags.DEFINE_multi_string(
        "set", [], "option=value of the network's builder, over those that the layout asks for",
        flag_values=values,
    )  # fmt: skip
    flags.mark_flags_as_required(["model", "output"], flag_values=values)


def _output(name: str) -> Path:
    output = Path(name)
    if not output.name.endswith((".weights.h5", ".keras")):
        raise UserError(f"--output must end in .weights.h5 or .keras. Received: --output={name}")
    if not output.parent.is_dir():
        raise UserError(f"--output={name}: there is no folder {output.parent}")
    if output.is_dir():
        raise UserError(f"--output={name} is a folder")
    return output


def _convert(checkpoint: str, output: Path, values: flags.FlagValues) -> None:
    import keras

    from a2keras import models
    from a2keras.models import checkpoints, layouts, translation, weights

    with quiet_native_stderr():
        # Where there is no driver, TensorFlow's first look for GPUs says so at length.
        keras.ops.zeros(1)
    builder = models.builder(values.model)
    say(f"reading {checkpoint}")
    found = checkpoints.read(checkpoint)
    chosen = values.layout
    layout = layouts.layout_of(found.arrays) if chosen == "auto" else layouts.named(chosen)
    if values.model not in layout.networks:
        raise UserError(
            f"a checkpoint of the layout {layout.name} fits {' or '.join(layout.networks)}. "
            f"Received: --model={values.model}"
        )
    options = {**layout.options, **_settings(values.set, builder)}
    classes = values.classes
    if classes is None:
        classes = translation.classes_of(layout, found.arrays) or 1000
    model = builder(classes=classes, **options)
    weights.convert(found, model, layout.name, values.skip_mismatch)
    _save(model, output)
    if output.suffix == ".keras":
        show(f"import a2keras, keras; keras.saving.load_model({str(output)!r})")
    else:
        arguments = {"classes": classes, **options, "weights": str(output)}
        listed = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        show(f"a2keras.models.build({values.model!r}, {listed})")
    if layout.pixels:
        show(f"input of the published weights: {layout.pixels}")


def _settings(pairs: list[str], builder: Any) -> dict[str, Any]:
    """`--set option=value`: arguments that are the builder's own."""
    own = [
        parameter.name
        for parameter in inspect.signature(builder).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    settings: dict[str, Any] = {}
    for pair in pairs:
        option, _, value = pair.partition("=")
        if option not in own or not value:
            raise UserError(
                f"--set takes option=value with one of {', '.join(own)}. Received: --set {pair}"
            )
        if option == "positions":
            settings[option] = tuple(value.split(","))
        else:
            settings[option] = {"none": None}.get(value, int(value) if is_number(value) else value)
    return settings


def _save(model: Any, output: Path) -> None:
    try:
        with replacing(output) as partial:
            if output.suffix == ".keras":
                model.save(partial)
            else:
                model.save_weights(partial)
    except OSError as error:
        reason = error.strerror or reason_of(error)
        raise UserError(f"--output={output} cannot be written: {reason}") from error

"""`a2keras convert`: weights of other libraries."""

from pathlib import Path
from typing import Any

from absl import flags

from a2keras.command_line import parse, with_flags
from a2keras.console import say, show
from a2keras.errors import UserError, nearest
from a2keras.files import replacing, writing_to
from a2keras.models import names
from a2keras.models.commands.summary import settings_of


def convert(arguments: list[str]) -> None:
    values, given = parse(
        "a2keras convert CHECKPOINT --model=NAME --output=FILE.weights.h5|.keras [--layout=auto] "
        "[--classes=N] [--skip_mismatch] [--precision=float32|float16] [--set option=value]…",
        "Writes the weights of a checkpoint of PyTorch, JAX or Caffe2 as a file for one of ours, "
        "which then gives the same logits. Nothing in the checkpoint is executed. Files of ours "
        "(.keras, .weights.h5) are written anew: a run's model as a small file of float16.",
        _flags,
        arguments,
    )
    if len(given) != 1:
        raise UserError(f"convert takes one CHECKPOINT. Received: {' '.join(given) or 'none'}")
    output = _output(values.output)
    if values.precision != "float32" and output.suffix == ".keras":
        raise UserError(
            f"--precision is for a .weights.h5. Received: --precision={values.precision} "
            f"--output={values.output}"
        )
    try:
        _convert(given[0], output, values)
    except ValueError as error:
        raise UserError(with_flags(error, values)) from error


def _flags(values: flags.FlagValues) -> None:
    from a2keras.models.weights.layouts import LAYOUTS

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
    flags.DEFINE_enum(
        "precision",
        "float32",
        ["float32", "float16"],
        "of the numbers in a .weights.h5: float16 takes half the space, and is read as float32",
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
    if values.model not in names.NETWORKS:
        near = nearest(values.model, names.NETWORKS) or names.NETWORKS
        raise UserError(
            f"--model must be a network such as {', '.join(near)}. Received: {values.model!r}"
        )
    settings = settings_of(values.set, names.NETWORKS[values.model].options)
    if Path(checkpoint).is_dir():
        raise UserError(f"{checkpoint} is a folder, not a checkpoint")
    if not Path(checkpoint).is_file():
        raise UserError(f"there is no file {checkpoint}")
    from a2keras import models
    from a2keras.models.weights import checkpoints, layouts, loading, translation
    from a2keras.precision import dtype_policy

    builder = models.builder(values.model)
    say(f"reading {checkpoint}")
    layout, classes, options = None, values.classes, settings
    if not loading.is_ours(Path(checkpoint)):
        found = checkpoints.read(checkpoint)
        chosen = values.layout
        layout = layouts.layout_of(found.arrays) if chosen == "auto" else layouts.named(chosen)
        if values.model not in layout.networks:
            raise UserError(
                f"a checkpoint of the layout {layout.name} fits {' or '.join(layout.networks)}. "
                f"Received: --model={values.model}"
            )
        options = {**layout.options, **settings}
        if classes is None:
            classes = translation.classes_of(layout, found.arrays)
    arguments = {"classes": 1000 if classes is None else classes, **options}
    with dtype_policy("float32"):  # keras.json may have another
        model = builder(**arguments)
    if layout is None:
        loading.load(model, checkpoint, values.skip_mismatch)
    else:
        loading.convert(found, model, layout.name, values.skip_mismatch)
    _save(model, output, values.precision)
    if output.suffix == ".keras":
        show(f"import a2keras, keras; keras.saving.load_model({str(output)!r})")
    else:
        listed = ", ".join(f"{n}={v!r}" for n, v in {**arguments, "weights": str(output)}.items())
        show(f"a2keras.models.build({values.model!r}, {listed})")
    if layout and layout.pixels:
        show(f"input of the published weights: {layout.pixels}")


def _save(model: Any, output: Path, precision: str = "float32") -> None:
    from a2keras.models.weights import weight_files

    with writing_to(f"--output={output}"), replacing(output) as partial:
        if output.suffix == ".keras":
            model.save(partial)
        else:
            model.save_weights(partial)
            if precision == "float16":
                weight_files.halve(partial)

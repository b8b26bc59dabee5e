"""`a2keras preprocessing`."""

import functools
import os
from pathlib import Path
from typing import Any

from absl import flags

from a2keras.command_line import naming_flags, parse
from a2keras.console import say
from a2keras.errors import UserError, printable, system_reason
from a2keras.files import read_bytes, writing_to
from a2keras.models.preprocessing.geometry import FITS, INTERPOLATIONS
from a2keras.models.preprocessing.spec import FILE_NAME, TAKES, Preprocessing


def preprocessing(arguments: list[str]) -> None:
    values, rest = parse(
        "a2keras preprocessing --size=224 --labels=labels.txt [--takes=raw] [--output=FILE]",
        "Writes how files become the input of a Keras model of your own, and what its classes are "
        "called: what export, predict and explain look for beside a .keras file.",
        _flags,
        arguments,
    )
    if rest:
        raise UserError(f"preprocessing takes no arguments. Received: {' '.join(rest)}")
    names = "size", "frames", "stride", "takes", "fit", "short_side", "interpolation", "multi_label"
    settings: dict[str, Any] = {name: values[name].value for name in names}
    with naming_flags(values):
        try:
            made = Preprocessing(_labels(values.labels), **settings)
        except ValueError as error:
            raise UserError(str(error)) from error
    output = Path(values.output)
    if os.path.lexists(output):
        raise UserError(f"{output} exists: choose another --output, or remove it")
    with writing_to(output):
        made.write(output)
    say(f"written to {output}: {len(made.labels)} classes, pixels {made.input_shape}")


def _labels(file: str) -> tuple[str, ...]:
    """A name a line, in the order of the model's outputs; empty lines are none."""
    try:
        text = read_bytes(file).decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{printable(file)} cannot be read: {system_reason(error)}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{printable(file)} is no text in UTF-8") from error
    return tuple(filter(None, map(str.strip, text.splitlines())))


def _flags(values: flags.FlagValues) -> None:
    text = functools.partial(flags.DEFINE_string, flag_values=values)
    whole = functools.partial(flags.DEFINE_integer, flag_values=values)
    enum = functools.partial(flags.DEFINE_enum, flag_values=values)
    whole("size", None, "Height and width of the model's input.", required=True)
    text("labels", None, "A file of the names of the classes, one a line, in the order of the "
         "outputs.", required=True)  # fmt: skip
    enum("takes", "raw", TAKES, "What the model takes: RGB of 0 to 255 (raw), of 0 to 1 (unit), or "
         "what preprocess_input of keras.applications makes in the mode of that name.")  # fmt: skip
    whole("frames", None, "Of a clip; default: the model takes images.")
    whole("stride", 1, "A clip takes every stride-th frame.")
    enum("fit", "crop", FITS, "crop: fill the square and cut; letterbox: keep all and pad.")
    whole("short_side", None, "To which it is resized before the crop; default: --size.")
    enum("interpolation", "bilinear", INTERPOLATIONS, "Both antialiased.")
    several = "Each output is a label's own probability (sigmoid); default: one class (softmax)."
    flags.DEFINE_bool("multi_label", False, several, flag_values=values)
    text("output", FILE_NAME, "The file to write; by its default name it is found beside a model.")

"""`a2keras predict`."""

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from a2keras.command_line import define_format, naming_flags, parse, with_flags
from a2keras.console import print_json, say, show
from a2keras.errors import UserError, counted, printable

if TYPE_CHECKING:  # they import what `--help` does without
    from a2keras.export.interface.predict import Prediction
    from a2keras.export.timeline import Timeline


def predict(arguments: list[str]) -> None:
    values, positional = parse(
        "a2keras predict ARTEFACT FILE|FOLDER… [--views=1] [--crops=1] [--top=5] [--format=csv]\n"
        "       a2keras predict ARTEFACT VIDEO --timeline --output=DIR [--every=1]",
        "Classifies images or videos, also those of a folder, with a run, a SavedModel, a .keras, "
        ".tflite, .onnx or OpenVINO .xml file, an export, or published weights like "
        "i3d:kinetics400 (`a2keras weights` lists them). Of multi-label models what is said (from "
        "50 %) has a *. Files that cannot be read are told at the end, with exit code 2. "
        "--timeline classifies clips all along one video, of any length.",
        _flags,
        arguments,
    )
    if len(positional) < 2:
        raise UserError("give an artefact and at least one file to classify")
    _check_flags(values, positional[1:])
    with naming_flags(values):
        if values.timeline:
            _over_time(positional[0], positional[1], values)
        else:
            _of_files(positional[0], positional[1:], values)


def _flags(values: flags.FlagValues) -> None:
    def whole(name: str, default: int | None, text: str) -> None:
        flags.DEFINE_integer(name, default, text, lower_bound=1, flag_values=values)

    whole("views", None, "evenly spaced clips of each video that are averaged; default: 1")
    whole("crops", 1, "of each clip or image, 1 or 3, averaged")
    whole("top", 5, "how many classes to print")
    flags.DEFINE_bool("timeline", False, "one video's classes over time", flag_values=values)
    flags.DEFINE_float(
        "every", None, "with --timeline: seconds from clip to clip; default: 1", flag_values=values
    )
    flags.DEFINE_string(
        "output",
        None,
        "with --timeline: the directory for timeline.png, .csv and .json",
        flag_values=values,
    )
    define_format(values, "csv")


def _check_flags(values: flags.FlagValues, files: list[str]) -> None:
    if not values.timeline:
        for name in ("every", "output"):
            if values[name].value is not None:
                raise UserError(f"--{name} is for --timeline")
        return
    if len(files) > 1:
        raise UserError(f"--timeline takes one video. Received: {' '.join(files)}")
    if values.output is None:
        raise UserError("--output=DIR is missing: the directory for the timeline's files")
    if values.views is not None:
        raise UserError("--views is for whole videos: --timeline has its clips by --every")


def _of_files(artefact: str, files: list[str], values: flags.FlagValues) -> None:
    from a2keras.export.interface.predict import predict as predict_files

    found = predict_files(
        artefact,
        files,
        views=values.views,
        crops=values.crops,
        top=values.top,
        unreadable="keep",
    )
    if values.format == "json":
        print_json(found.document())
    elif values.format == "csv":
        show(found.csv().rstrip("\n"))
    elif found:
        show("\n".join(map(_as_text, found)))
    for each in found.errors:
        say(with_flags(each.error, values))
    if found.errors:
        total = len(found) + len(found.errors)
        raise UserError(f"{len(found.errors)} of {total} files could not be classified")


def _as_text(prediction: "Prediction") -> str:
    """The likeliest classes, and of a multi-label model all that it says, with a mark."""
    said = prediction.labels or ()
    entries = said if len(said) > len(prediction.top) else prediction.top
    lines = [
        f"  {each.probability:>7.2%}  {printable(each.label)}{' *' * (each in said)}"
        for each in entries
    ]
    return "\n".join([printable(prediction.file), *lines])


def _over_time(artefact: str, file: str, values: flags.FlagValues) -> None:
    from a2keras.export.interface.predict import timeline
    from a2keras.export.predict import find

    every = 1.0 if values.every is None else values.every
    found = timeline(artefact, file, every=every, crops=values.crops, output=values.output)
    if values.format == "json":
        model = find(artefact)
        print_json({"artefact": str(model.path), "kind": model.kind, **found.document()})
    elif values.format == "csv":
        show(found.csv().rstrip("\n"))
    else:
        show(_timeline_text(found))
        show(f"timeline.png, .csv and .json are in {Path(values.output)}")


def _timeline_text(found: "Timeline") -> str:
    clips = f"{counted(len(found.times), 'clip')} of {found.seconds:.2f} s"
    if found.seconds == 0:
        clips = counted(len(found.times), "frame")
    lines = [f"{printable(found.file)}: {clips}, every {found.every:g} s"]
    if found.clock == "frame rate":
        lines.append("  its frames have no usable time stamps: times are by the frame rate")
    lines += [
        f"  {each['from']:>9.2f} – {each['to']:>9.2f} s  {each['probability']:>7.2%}  "
        f"{printable(each['label'])}"
        for each in found.segments()
    ]
    return "\n".join(lines)

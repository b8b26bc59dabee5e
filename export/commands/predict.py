"""`a2keras predict`."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from a2keras.command_line import define_format, parse, with_flags
from a2keras.console import print_json, progress, say, show
from a2keras.errors import UserError, counted, printable

if TYPE_CHECKING:  # they import what `--help` does without
    from a2keras.export.predict import Artefact, Found
    from a2keras.export.timeline import Timeline


def predict(arguments: list[str]) -> None:
    values, positional = parse(
        "a2keras predict ARTEFACT FILE|FOLDER… [--views=1] [--crops=1] [--top=5] [--format=json]\n"
        "       a2keras predict ARTEFACT VIDEO --timeline --output=DIR [--every=1]",
        "Classifies images or videos, also those of a folder, with a run, a .keras file, a "
        "SavedModel, a .tflite or .onnx file, an export, or published weights like i3d:kinetics400 "
        "(`a2keras weights` lists them). Files that cannot be read are told at the end, with exit "
        "code 2. --timeline classifies clips all along one video, of any length.",
        _flags,
        arguments,
    )
    if len(positional) < 2:
        raise UserError("give an artefact and at least one file to classify")
    _check_flags(values, positional[1:])
    from a2keras.export.predict import find
    from a2keras.models.preprocessing.decode import files_in

    found = find(positional[0])
    if found.description.is_file():  # before the model is loaded, which takes seconds
        _check_views(found, values)
    with found.load() as artefact:
        if values.timeline:
            _timeline(artefact, positional[1], values)
        else:
            files = files_in(positional[1:], artefact.preprocessing.is_video)
            _files(artefact, files, values)


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
    define_format(values)


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
    if values.every is not None and not 0 < values.every < math.inf:
        raise UserError(f"--every must be a number of seconds above 0. Received: {values.every}")


def _check_views(found: "Found", values: flags.FlagValues) -> None:
    preprocessing = found.preprocessing
    if values.views is not None and not preprocessing.is_video:
        raise UserError(f"--views is for videos, and {found.path} takes images")
    if values.crops not in (1, 3) or (values.crops == 3 and preprocessing.fit != "crop"):
        raise UserError(
            "--crops must be 1, or 3 where the preprocessing crops. "
            f"Received: --crops={values.crops}, fit={preprocessing.fit!r}"
        )


def _files(artefact: "Artefact", files: list[str], values: flags.FlagValues) -> None:
    predictions, errors = _classify(artefact, files, values)
    if values.format == "json":
        print_json(
            {
                "artefact": str(artefact.path),
                "kind": artefact.kind,
                "views": values.views or 1,
                "crops": values.crops,
                "predictions": predictions,
                "errors": errors,
            }
        )
    elif predictions:
        show("\n".join(map(_as_text, predictions)))
    if errors:
        for error in errors:
            say(error["error"])
        raise UserError(f"{len(errors)} of {len(files)} files could not be classified")


def _classify(
    artefact: "Artefact", files: list[str], values: flags.FlagValues
) -> tuple[list[dict], list[dict]]:
    from a2keras.models.preprocessing.errors import DecodeError

    predictions, errors = [], []
    for file in progress(files, "predict") if len(files) > 1 else files:
        try:
            scores = artefact.classify(file, values.views or 1, values.crops)
        except DecodeError as error:
            errors.append({"file": file, "error": with_flags(error, values)})
            continue
        best = (-scores).argsort(kind="stable")[: values.top]
        named = [(artefact.preprocessing.labels[i], round(float(scores[i]), 6)) for i in best]
        predictions.append(
            {"file": file, "top": [{"label": name, "probability": p} for name, p in named]}
        )
    return predictions, errors


def _as_text(prediction: dict[str, Any]) -> str:
    lines = [
        f"  {entry['probability']:>7.2%}  {printable(entry['label'])}"
        for entry in prediction["top"]
    ]
    return "\n".join([printable(prediction["file"]), *lines])


def _timeline(artefact: "Artefact", file: str, values: flags.FlagValues) -> None:
    from a2keras.export.timeline import timeline
    from a2keras.models.preprocessing.errors import DecodeError

    try:
        found = timeline(artefact, file, values.every or 1.0, values.crops)
    except DecodeError as error:
        raise UserError(with_flags(error, values)) from error
    found.save(values.output)
    if values.format == "json":
        print_json({"artefact": str(artefact.path), "kind": artefact.kind, **found.document()})
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

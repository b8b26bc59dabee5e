"""`a2keras export`."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from a2keras.command_line import define_format, naming_flags, parse
from a2keras.console import print_json, say, show
from a2keras.documents import read_json
from a2keras.errors import UserError

if TYPE_CHECKING:
    from a2keras.export.interface.export import Manifest


def export(arguments: list[str]) -> None:
    values, sources = parse(
        "a2keras export RUN|model.keras|WEIGHTS --output=DIR "
        "[--formats=saved_model,tflite_float32]",
        "Writes a trained model (a run's, a .keras file or published weights like i3d:kinetics400) "
        "as artefacts that run without Keras. Every artefact is compared "
        "with its model, on random pixels, on examples that its run has held out and on --samples; "
        "one that does not compute the same, within --tolerance, is not kept. Into an earlier "
        "export it writes all formats that are there anew, so that one directory never holds two "
        "models. Exit codes: 1 some formats failed, the others are there; 2 a mistake, or none of "
        "the formats passed: nothing is written.",
        _flags,
        arguments,
    )
    if len(sources) != 1:
        raise UserError(f"give one run or .keras file. Received: {' '.join(sources) or 'none'}")
    if values.output is None:
        raise UserError("--output=DIR is missing: the directory to write")
    from a2keras.export.interface.export import export as write

    with naming_flags(values):
        manifest = write(
            sources[0], values.output, values.formats, values.samples, values.tolerance,
            values.preprocessing,
        )  # fmt: skip
    if values.format == "json":
        print_json(manifest)
    else:
        show(_parity_table(manifest))
        show(f"written to {values.output}")
        say("\n  ".join(["next:", *_next(manifest, sources[0], values.output)]))
    if failed := manifest["failed"]:
        for reason in failed.values():
            say(reason)
        total = len(failed) + len(manifest["artefacts"])
        say(f"a2keras export: {len(failed)} of {total} formats failed: {', '.join(failed)}")
        sys.exit(1)


def _flags(values: flags.FlagValues) -> None:
    from a2keras.export.formats import DEFAULT_FORMATS, FORMATS

    flags.DEFINE_string(
        "output",
        None,
        "the directory to write: new, empty or an earlier export",
        flag_values=values,
    )
    flags.DEFINE_list(
        "formats",
        list(DEFAULT_FORMATS),
        f"with commas between: any of {', '.join(FORMATS)}",
        flag_values=values,
    )
    flags.DEFINE_multi_string(
        "samples",
        [],
        "an image or video, or a directory of them, to compare on, and to calibrate integers on "
        "where no run has kept examples for that; may be given repeatedly",
        flag_values=values,
    )
    flags.DEFINE_float(
        "tolerance",
        None,
        "how far a probability may be from the model's, 0 to 1, in every format; default: each "
        f"format's own, {_tolerances()}",
        flag_values=values,
    )
    flags.DEFINE_string(
        "preprocessing",
        None,
        "how files become the input of model.keras (`a2keras preprocessing` writes it); default: "
        "preprocessing.json beside it",
        flag_values=values,
    )
    define_format(values)


def _tolerances() -> str:
    """`1e-4 for saved_model, …; 0.05 for …`: the formats by their largest error."""
    from a2keras.export.formats import FORMATS

    of: dict[float, list[str]] = {}
    for name, format_ in FORMATS.items():
        of.setdefault(format_.tolerance.max_error, []).append(name)
    return "; ".join(f"{limit:g} for {', '.join(names)}" for limit, names in of.items())


def _parity_table(manifest: "Manifest") -> str:
    """A row for every signature of every artefact, and what an artefact's writer says of it."""
    names = [
        (artefact, artefact["path"] if signature == "serving_default" else f"  {signature}", parity)
        for artefact in manifest["artefacts"].values()
        for signature, parity in artefact["parity"].items()
    ]
    width = max(len(name) for _, name, _ in names) + 2
    agreement = "labels" if manifest["preprocessing"]["multi_label"] else "top-1"
    heading = f"{'MiB':>8}{'samples':>9}{'max error':>12}{'mean':>10}{agreement:>8}"
    lines = [f"{'artefact':<{width}}{heading}"]
    for artefact, name, parity in names:
        size = "" if name.startswith(" ") else f"{artefact['bytes'] / 2**20:.2f}"
        top1 = parity["top1_agreement"]
        lines.append(
            f"{name:<{width}}{size:>8}{parity['samples']:>9}{parity['max_error']:>12.1e}"
            f"{parity['mean_error']:>10.1e}{'' if top1 is None else f'{top1:.1%}':>8}".rstrip()
        )
    return "\n".join(lines)


# What runs an artefact without a2keras.
_RUNS_BY = {
    "saved_model": (
        "tensorflow_model_server --rest_api_port=8501 --model_name=model --model_base_path={}"
    ),
    "web": "python3 -m http.server --bind 127.0.0.1 --directory {}",
}


def _next(manifest: "Manifest", source: str, output: str) -> list[str]:
    """Commands on an export, filled in and quoted for a shell."""
    directory = Path(output).absolute() if output.startswith("-") else Path(output)
    paths = {name: str(directory / each["path"]) for name, each in manifest["artefacts"].items()}
    results = Path(source) / "results.json"  # of a run: it names a file of its data
    file = read_json(results).get("example_file") if results.is_file() else None
    first, *_ = paths.values()
    lines = [shlex.join(["a2keras", "predict", first, str(file or "FILE")])]
    if timed := [path for name, path in paths.items() if name != "web"]:
        lines.append(shlex.join(["a2keras", "benchmark", *timed]))
    return lines + [
        command.format(shlex.quote(str(Path(paths[name]).absolute())))
        for name, command in _RUNS_BY.items()
        if name in paths
    ]

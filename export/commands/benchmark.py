"""`a2keras benchmark`."""

from absl import flags

from a2keras.command_line import define_format, naming_flags, parse
from a2keras.console import print_json, show
from a2keras.errors import UserError


def benchmark(arguments: list[str]) -> None:
    values, paths = parse(
        "a2keras benchmark ARTEFACT… [--data=SOURCE] [--repeats=50] [--batch=8] [--threads=N]",
        "Times artefacts side by side: runs, SavedModels, .keras, .tflite, .onnx and OpenVINO .xml "
        "files, published weights like i3d:kinetics400. "
        "Each is in a process of its own, and they take turns in rounds, so that what slows the "
        "machine down slows all alike. Ratios (×) are to the first. Memory is the peak of loading "
        "and running one example, beyond what the library itself takes. With --data the share of "
        "right answers (top-1), or mAP of multi-label data, stands beside it.",
        _flags,
        arguments,
    )
    if not paths:
        raise UserError("give at least one artefact")
    from a2keras.export.benchmark.timing import table
    from a2keras.export.interface.benchmark import benchmark as measure

    with naming_flags(values):
        document = measure(
            paths,
            data=values.data,
            repeats=values.repeats,
            batch=values.batch,
            threads=values.threads,
            warm_up=values.warm_up,
        )
    print_json(document) if values.format == "json" else show(table(document))


def _flags(values: flags.FlagValues) -> None:
    def whole(name: str, default: int | None, text: str) -> None:
        flags.DEFINE_integer(name, default, text, lower_bound=1, flag_values=values)

    text = (
        "examples with their classes, as for `train`, to score the artefacts on: the test split, "
        "or validation, or all of a source without splits"
    )
    flags.DEFINE_string("data", None, text, flag_values=values)
    whole("repeats", 50, "calls of each artefact that are timed, in rounds of five")
    whole("batch", 8, "examples of a batch, where an artefact does not fix that")
    whole("threads", None, "of each library; default: the cores that there are")
    whole("warm_up", 5, "calls of each artefact before, which are not timed")
    define_format(values)

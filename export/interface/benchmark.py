"""`a2keras.benchmark`."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from a2keras.console import say
from a2keras.errors import UserError
from a2keras.export.benchmark import timing
from a2keras.export.benchmark.accuracy import Labelled
from a2keras.models.preprocessing.places import Place, place_of, places_of
from a2keras.whole_numbers import count


class Measured(TypedDict):
    """What an artefact takes: seconds for one example, bytes; ratios to the first artefact's."""

    path: str
    kind: str
    bytes: int
    load_seconds: float
    first_seconds: float
    latency_median: float
    latency_p95: float
    latency_ratio: float
    batch: int
    examples_per_second: float
    throughput_ratio: float
    peak_bytes: int
    batch_peak_bytes: int
    device: str
    top1: NotRequired[float]  # where there are data: of the examples that can be read
    mAP: NotRequired[float]  # instead, of a multi-label model
    unreadable: NotRequired[int]
    warning: NotRequired[str]  # of a run that was trained on some of the examples


class Data(TypedDict):
    """On which examples the artefacts were scored."""

    data: str
    split: str
    split_rule: str
    fingerprint: str
    examples: int


class Benchmark(TypedDict):
    """Artefacts measured side by side, each `repeats` times."""

    a2keras: str
    threads: int
    repeats: int
    data: NotRequired[Data]
    artefacts: list[Measured]


def benchmark(
    artefacts: Place | Sequence[Place],
    *,
    data: Place | None = None,
    repeats: int = 50,
    batch: int = 8,
    threads: int | None = None,
    warm_up: int = 5,
) -> Benchmark:
    """Times artefacts side by side, each in a process of its own, by turns; and scores them.

    Args:
        artefacts: one, or several: runs, SavedModels, `.keras`, `.tflite`, `.onnx` and OpenVINO
            `.xml` files, published weights such as "i3d:kinetics400".
        data: a source of their classes, such as "folder:photos", on which they are scored besides,
            by the middle clip and the centre crop: its test split, or validation, or all of one
            without splits.
        repeats: calls of each with one example.
        batch: examples of a batch, where an artefact does not fix that.
        threads: of each library; None: one for every core that this process may use.
        warm_up: calls of each before, which are not timed.

    Raises:
        UserError: an artefact that does not load or run, or data that cannot be used.
    """
    repeats, warm_up = count("repeats", repeats), count("warm_up", warm_up)
    batch, threads = count("batch", batch), count("threads", threads)
    paths = places_of(artefacts)
    if not paths:
        raise UserError("`artefacts` must be at least one artefact. Received: none")
    labelled = [] if data is None else [Labelled.open(path, place_of(data)) for path in paths]
    warnings = [own.warning() for own in labelled]
    for each in filter(None, warnings):
        say(each)
    document: Benchmark = timing.benchmark(  # type: ignore[assignment]
        paths, repeats, batch, threads, warm_up
    )
    if data is not None:
        document["data"] = {"data": place_of(data), **labelled[0].about()}  # type: ignore[typeddict-item]
    for entry, own, warning in zip(document["artefacts"], labelled, warnings, strict=False):
        entry |= own.score()  # type: ignore[misc,typeddict-item]
        if warning:
            entry["warning"] = warning
    return document

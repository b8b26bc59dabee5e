"""`a2keras weights`: the published weights there are, and fetching them."""

from typing import Any

from absl import flags

from a2keras.command_line import define_format, parse
from a2keras.console import print_json, show
from a2keras.errors import UserError
from a2keras.models.weights import fetching
from a2keras.models.weights.published import PUBLISHED, TITLES, Fetched, Published, Trained


def weights(arguments: list[str]) -> None:
    values, words = parse(
        "a2keras weights [fetch NAME…] [--format=json]",
        "Lists weights that have names: what `weights=` of a builder and --set weights= of "
        "training call them, and which of them are there. `fetch` gets them by pip and converts "
        "them; "
        "predict, training and the builders do so by themselves.",
        _flags,
        arguments,
    )
    if words and (words[0] != "fetch" or len(words) < 2):
        raise UserError(f"weights takes nothing, or fetch and names. Received: {' '.join(words)}")
    chosen = [_named(name) for name in words[1:]]
    for record in chosen:
        fetching.weights_of(record)
    documents = [_document(record) for record in chosen or PUBLISHED]
    if values.format == "json":
        print_json(documents)
    else:
        show("\n".join(map(_as_text, documents)))


def _flags(values: flags.FlagValues) -> None:
    define_format(values)


def _named(name: str) -> Published:
    """By its title, or by its name alone."""
    for record in PUBLISHED:
        if name in (record.title, record.name):
            return record
    raise UserError(f"there are no published weights {name!r}: choose from {', '.join(TITLES)}")


def _document(record: Published) -> dict[str, Any]:
    kept = fetching.kept(record) if fetching.is_kept(record) else None
    document = {
        "name": record.title,
        "networks": list(record.networks),
        "arguments": dict(record.arguments),
        "data": record.data,
        "classes": record.classes,
        "score": record.score if isinstance(record, Trained) else None,
        "licence": record.licence,
        "citation": record.citation,
        "pixels": str(record.pixels),
        "packages": [],
        "bytes": 0,
        "cached": None if kept is None else str(kept),
    }
    if isinstance(record, Fetched):
        document["packages"] = [each._asdict() for each in record.packages]
        document["bytes"] = sum(each.archive_bytes for each in record.packages)
    return document


def _as_text(document: dict[str, Any]) -> str:
    packages = ", ".join(f"{each['project']} {each['version']}" for each in document["packages"])
    built = ", ".join(f"{name}={value!r}" for name, value in document["arguments"].items())
    lines = {
        "trained on": f"{document['data']}, {document['classes']} classes",
        "score": document["score"],
        "networks": ", ".join(document["networks"]),
        "built with": built,
        "input": document["pixels"],
        "licence": document["licence"],
        "citation": document["citation"],
        "from": f"{packages}, {document['bytes'] / 1e6:.1f} MB" if packages else "",
        "cached": document["cached"] or "no",
    }
    rows = [f"  {name:<10}  {value}" for name, value in lines.items() if value]
    return "\n".join([document["name"], *rows])

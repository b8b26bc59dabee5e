"""`a2keras weights`: the published weights there are, and fetching them."""

from typing import Any

from absl import flags

from a2keras.command_line import parse
from a2keras.console import print_json, show
from a2keras.errors import UserError
from a2keras.models import fetching
from a2keras.models.published import PUBLISHED, Published


def weights(arguments: list[str]) -> None:
    values, words = parse(
        "a2keras weights [fetch NAME…] [--format=json]",
        "Lists published weights: what `weights=` of a builder and --set weights= of training call "
        "them, and which of them are in the cache. `fetch` gets them by pip and converts them; "
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
    flags.DEFINE_enum("format", "text", ["text", "json"], "how to print", flag_values=values)


def _named(name: str) -> Published:
    """By its title, or by its name alone."""
    for record in PUBLISHED:
        if name in (record.title, record.name):
            return record
    titles = ", ".join(each.title for each in PUBLISHED)
    raise UserError(f"there are no published weights {name!r}: choose from {titles}")


def _document(record: Published) -> dict[str, Any]:
    kept = fetching.kept(record) if fetching.is_kept(record) else None
    return {
        "name": record.title,
        "networks": list(record.networks),
        "data": record.data,
        "classes": record.classes,
        "bytes": sum(each.archive_bytes for each in record.packages),
        "licence": record.licence,
        "citation": record.citation,
        "pixels": str(record.pixels),
        "packages": [each._asdict() for each in record.packages],
        "cached": None if kept is None else str(kept),
    }


def _as_text(document: dict[str, Any]) -> str:
    packages = ", ".join(f"{each['project']} {each['version']}" for each in document["packages"])
    return "\n".join(
        [
            document["name"],
            f"  trained on  {document['data']}, {document['classes']} classes",
            f"  networks    {', '.join(document['networks'])}",
            f"  input       {document['pixels']}",
            f"  licence     {document['licence']}",
            f"  citation    {document['citation']}",
            f"  from        {packages}, {document['bytes'] / 1e6:.1f} MB",
            f"  cached      {document['cached'] or 'no'}",
        ]
    )

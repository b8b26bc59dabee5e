"""The pieces of code in README.md and docs/, and what is said above them about their being run."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
# What is code that somebody runs; what is something else.
RUN, OTHER = {"python", "bash"}, {"text", "csv", "bibtex", "kotlin", "json", "toml", "yaml"}
FENCE = re.compile(
    r"(?:^<!-- (?P<mark>(?:not run|run by).*?) -->\n)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```\n"
    r"(?:\n```text\n(?P<output>.*?)^```\n)?",
    re.M | re.S,
)


class Block(NamedTuple):
    """A piece of code.

    Attributes:
        page: of the repository, such as docs/data.md.
        line: where its code begins.
        language: as the fence says.
        text: the code.
        mark: "not run: …" with the reason, "run by tests/…", or "".
        output: of Python, the text that follows it and is what it prints; or "".
    """

    page: str
    line: int
    language: str
    text: str
    mark: str
    output: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """README.md and all pages of docs/."""
    found = sorted((ROOT / "docs").rglob("*.md"))
    return ["README.md", *(str(path.relative_to(ROOT)) for path in found)]


def blocks(page: str, text: str | None = None) -> Iterator[Block]:
    """The pieces of code of a page, in their order."""
    text = (ROOT / page).read_text() if text is None else text
    for fence in FENCE.finditer(text):
        line = text[: fence.start("text")].count("\n") + 1
        output = fence["output"] or ""
        yield Block(page, line, fence["language"], fence["text"], fence["mark"] or "", output)

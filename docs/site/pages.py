"""What mkdocs is told before it builds the site: pages made from the package itself, and links.

The README is the first page. Pages link to files of the repository as on a code host; what they
link to outside of `docs/` is put onto the site, at the same path.
"""

import posixpath
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # the tests read these pages without mkdocs
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
# A link in Markdown: what stands before the path, the path within the repository, its anchor.
LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?(?=\))")
FENCE = re.compile(r"^(```.*?^```)", re.M | re.S)


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Adds the pages that are made, the README, and the files that pages link to."""
    from mkdocs.structure.files import File

    made = {
        "reference/command.md": commands_page(),
        "reference/recipes.md": recipes_page(),
        "reference/networks.md": networks_page(),
    }
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    waiting = ["README.md", *(f"docs/{file.src_uri}" for file in files.documentation_pages())]
    while waiting:
        path = waiting.pop()
        uri = site_path(path)
        if uri not in files.src_uris:
            files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
        if path.endswith(".md") and (ROOT / path).is_file():
            linked = links((ROOT / path).read_text(), path)
            waiting += [each for each in linked if site_path(each) not in files.src_uris]
    return files


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:
    """The text with its links as they are on the site."""
    own = repository_path(page.file.src_uri)

    def moved(link: re.Match) -> str:
        target = resolved(link[2], own)
        if target is None:
            return link[0]
        start = posixpath.dirname(page.file.src_uri)
        return link[1] + posixpath.relpath(site_path(target), start) + (link[3] or "")

    parts = FENCE.split(markdown)
    return "".join(each if each.startswith("```") else LINK.sub(moved, each) for each in parts)


def site_path(path: str) -> str:
    """Where a file of the repository is on the site."""
    return "index.md" if path == "README.md" else path.removeprefix("docs/")


def repository_path(uri: str) -> str:
    """Where a page of the site is in the repository."""
    if uri == "index.md":
        return "README.md"
    return uri if (ROOT / uri).is_file() else f"docs/{uri}"


def resolved(link: str, page: str) -> str | None:
    """The file that a page's link names, from the root of the repository; None: no file there."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
    return path if (ROOT / path).is_file() else None


def links(text: str, page: str) -> Iterator[str]:
    """The files of the repository that a page links to."""
    for part in FENCE.split(text)[::2]:
        for link in LINK.finditer(part):
            if path := resolved(link[2], page):
                yield path


class Command(NamedTuple):
    """What a command says of itself."""

    usage: str
    description: str
    flags: Any  # absl.flags.FlagValues


def told(name: str) -> Command:
    """A command's own help, before it is made a text of."""
    from a2keras import __main__, command_line

    found: list[Command] = []
    usual = command_line.help_text, command_line.show

    def keep(usage: str, description: str, values: Any) -> str:
        found.append(Command(usage, description, values))
        return ""

    command_line.help_text, command_line.show = keep, lambda text: None
    try:
        getattr(import_module(__main__.COMMANDS[name].module), name)(["--help"])
    except SystemExit:
        pass
    finally:
        command_line.help_text, command_line.show = usual
    return found[0]


def commands_page() -> str:
    """Every command with its flags, from its own table."""
    sys.argv = ["a2keras"]  # a command starts without Keras
    from a2keras.__main__ import COMMANDS

    rows = [f"| [`{name}`](#{name}) | {each.summary} |" for name, each in COMMANDS.items()]
    parts = ["# The command", "Every command has `--help`, which says the same.",
             "\n".join(["| `a2keras …` | |", "|---|---|", *rows])]  # fmt: skip
    for name in COMMANDS:
        command = told(name)
        parts += [f"## {name}", f"```text\n{command.usage}\n```", cell(command.description)]
        if flags := [flag_row(command.flags[each]) for each in command.flags]:
            parts.append("\n".join(["| flag | | default |", "|---|---|---|", *flags]))
    return "\n\n".join(parts) + "\n"


def flag_row(flag: Any) -> str:
    choices = getattr(flag.parser, "enum_values", None)
    value = "" if flag.boolean else "=" + ("|".join(choices) if choices else "VALUE")
    default = flag.default_as_str.strip("'") if flag.default not in (None, [], False, "") else ""
    text = re.sub(r"^<.*?>: |;\s+repeat this option to specify .*", "", flag.help)
    return f"| `--{flag.name}{value}` | {cell(text)} | {code(default)} |"


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def cell(text: str) -> str:
    """A text in which nothing is Markdown, on one line."""
    return re.sub(r"([|<>*_\[\]])", r"\\\1", " ".join(text.split()))


def recipes_page() -> str:
    """Every recipe with its note and what it sets, and all fields."""
    from a2keras.training.descriptions import described
    from a2keras.training.recipes import NAMES, recipe

    fields = list(described())

    parts = [
        "# Recipes",
        "A recipe is everything that decides how a network is trained: values of its "
        "[fields](#fields). `--set key=value` changes one; a run keeps all of them in "
        "`recipe.json`. [Train](../training.md) tells how they work together.",
    ]
    for name in NAMES:
        note = (import_module(f"a2keras.training.recipes.{name}").__doc__ or "").strip()
        own = [(each.name, getattr(recipe(name), each.name), each.default) for each in fields[1:]]
        sets = ", ".join(f"`{key}={shown(value)}`" for key, value, usual in own if value != usual)
        parts += [f"## {name}", f"```text\n{note}\n```", f"It sets {sets or 'nothing'}."]
    parts.append("## Fields")
    group = None
    for field in fields:
        if field.group != group:
            group = field.group
            parts += [f"### {group}", "| field | default | | |\n|---|---|---|---|"]
        rules = ", ".join(each.removeprefix("must be ") for each in field.rules)
        kind = "; ".join(filter(None, (field.type, field.unit and f"in {field.unit}", cell(rules))))
        row = (f"`{field.name}`", code(shown(field.default)), kind, cell(field.meaning))
        parts[-1] += f"\n| {' | '.join(row)} |"
    return "\n\n".join(parts) + "\n"


def shown(value: object) -> str:
    """A value as `--set` takes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def networks_page() -> str:
    """Every network's builder and what it takes besides the arguments that all share."""
    from a2keras.models.names import NETWORKS, OPTIONS

    rows = [
        f"| `{name}` | `models.{each.builder}` | {'videos' if each.is_video else 'images'} | "
        f"{', '.join(f'`{option}`' for option in each.own)} |"
        for name, each in NETWORKS.items()
    ]
    shared = ", ".join(f"`{each}`" for each in OPTIONS)
    return "\n\n".join(
        [
            "# Networks",
            f"All builders take the arguments of `keras.applications` and {shared}. "
            "`a2keras summary NAME` shows one, stage by stage.",
            "\n".join(
                ["| name | builder | takes | options of its own |", "|---|---|---|---|", *rows]
            ),
        ]
    )

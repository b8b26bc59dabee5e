"""The site: pages that are made of the package itself, and links that lead to the same file."""

import importlib.util
import subprocess
import sys
from types import SimpleNamespace

import pytest

sys.path.insert(0, __file__.rpartition("/")[0])
from blocks import ROOT
from blocks import pages as documents

from a2keras.__main__ import COMMANDS
from a2keras.models.names import NETWORKS
from a2keras.training import recipes
from a2keras.training.fields import FIELDS


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("pages", ROOT / "docs/site/pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def as_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["a2keras"])


@pytest.mark.usefixtures("as_command")
def test_every_command_is_there_with_its_flags(pages):
    page = pages.commands_page()
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == list(COMMANDS)
    assert "| `--format=text|json` |" in page
    assert "| `--checkpoint_keep=VALUE` |" in page and "| `2` |" in page
    told = pages.told("train")
    assert all(f"`--{name}" in page for name in told.flags)


def test_every_recipe_and_field_is_there_with_its_meaning(pages):
    page = pages.recipes_page()
    assert all(f"\n## {name}\n" in page for name in recipes.NAMES)
    assert all(f"\n| `{name}` |" in page for name in FIELDS)
    assert "\n| `size` | `112` | int; in pixels; at least 1 | height and width |" in page
    assert "\n### How it is computed\n" in page
    assert "It sets `data=digits`, `task=image`, `model=a2_resnet11`" in page


def test_every_network_is_there(pages):
    page = pages.networks_page()
    assert all(f"| `{name}` | `models.{each.builder}` |" in page for name, each in NETWORKS.items())


@pytest.mark.parametrize(
    ("page", "text", "moved"),
    [
        ("index.md", "[a](docs/data.md#x)", "[a](data.md#x)"),
        ("index.md", "![a](docs/web.png)", "![a](web.png)"),
        ("data.md", "[a](../README.md) [b](web.md)", "[a](index.md) [b](web.md)"),
        ("predict.md", "[a](../setup.py)", "[a](setup.py)"),
        ("reference/files.md", "[a](../data.md)", "[a](../data.md)"),
        ("CONTRIBUTING.md", "[a](docs/data.md)", "[a](data.md)"),
        ("data.md", "[a](https://b.c) [b](#d)", "[a](https://b.c) [b](#d)"),
        ("data.md", "[c](none.md)", "[c](none.md)"),
        ("data.md", "```python\na[0](../README.md)\n```", "```python\na[0](../README.md)\n```"),
    ],
)  # fmt: skip
def test_links_lead_to_the_same_file(pages, page, text, moved):
    file = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    assert pages.on_page_markdown(text, file, None, None) == moved


def test_every_page_is_in_the_navigation():
    """mkdocs asks for it, too, but only where the site is built."""
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    for page in documents()[1:]:
        assert f": {page.removeprefix('docs/')}\n" in navigation, page


def test_users_read_of_no_house():
    for page in documents():
        words = (ROOT / page).read_text().lower().split()
        assert not {"room", "rooms", "house"} & {word.strip(".,:;()") for word in words}, page


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    mkdocs = ROOT / ".venv-site/bin/mkdocs"
    if not mkdocs.is_file():
        pytest.skip("no environment for the site: `make site`")
    done = subprocess.run(
        [mkdocs, "build", "--quiet", f"--site-dir={tmp_path / 'site'}"],
        cwd=ROOT, env={"NO_MKDOCS_2_WARNING": "1", "PATH": ""}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text()
        assert 'src="http' not in text and 'rel="stylesheet" href="http' not in text, page
